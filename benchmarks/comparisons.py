"""Keep what comparisons of methods found, and write the page of the documentation that shows it.

Studies are run by `glioforge study experiments/compare_*.yaml --out RUN`; this
script copies each run's `comparison.json` to `benchmarks/results/` under the
study's name, and writes `docs/reference/comparisons.md` from all that lie there.

Run: `python benchmarks/comparisons.py RUN [RUN ...]`; without a run it only writes the page.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from glioforge.io.run_folder import write_atomically, write_json

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "comparisons.md"
HEAD = """# Comparisons

Tables written by `benchmarks/comparisons.py` from the comparisons in `benchmarks/results/`.
Each comes from one command, `glioforge study experiments/<study>.yaml --out RUN`, on two cores without a GPU.
Synthesizers trained for the same time on one core, about a minute; segmenters for some hundred steps.
Longer training may change the ranking.
Means over test subjects with bootstrap intervals of 95 %; differences are paired by subject.
Their p values are corrected by Holm's method within a study.
A study with few subjects does not support a ranking, whatever its table looks like.
Steps of synthesizers were chosen for equal training time on an idle machine.
The seconds in the tables were measured while other work was running.
For synthesizers, likeness is that of the mean of sixteen draws, or of the only image of a deterministic method.
Their Dice measures whether a segmenter trained on scans recovers the labels.
Voxel-wise likeness rewards the mean image, which the plain U-Net predicts.
Distance of patches (sliced Wasserstein, `metrics.similarity`; lower is better) compares one draw with the scan.
Each run's own report has more on texture and diversity.
Settings of Glioforge's own synthesizer were tuned on phantoms of another seed, with a look at these real scans.
Its lead on the real scans is therefore no independent finding.
The figures were recorded before tissue maps, the papers' presets and the cascade changed (see the changelog).
The commands above give those of today's code.
"""


def main() -> None:
    """Copy and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="*")
    for run in parser.parse_args().runs:
        found = json.loads((run / "comparison.json").read_text(encoding="utf-8"))
        write_json(RESULTS / f"{found['study']}.json", found)
    studies = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("compare-*.json"))]
    write_atomically(PAGE, "\n".join([HEAD, *(section(study) for study in studies)]).encode())


def section(study: dict[str, Any]) -> str:
    """Heading, table of scores, differences from references, costs."""
    methods, scores = study["methods"], study["scores"]
    columns = list(next(iter(scores.values())))
    rows = [[title, *(cell(scores[name][column]) for column in columns)] for name, title in methods.items()]
    parts = [f"## {study['study']}", "", *table(["method", *map(heading, columns)], rows)]
    for reference, entries in study["differences"].items():
        parts += ["", f"Differences from {methods[reference]}:", ""]
        parts += table(["method", "measure", "difference", "p (Holm)"], [difference(methods, e) for e in entries])
    if study["costs"]:
        parts += ["", *table(list(study["costs"][0]), [list(row.values()) for row in study["costs"]])]
    return "\n".join([*parts, ""])


def heading(column: str) -> str:
    """Title of a column, whose key is metric, region and title."""
    return column.split(" ", 2)[-1]


def difference(methods: dict[str, str], entry: dict[str, Any]) -> list[str]:
    """One row of a table of differences."""
    value = {"mean": entry["difference"], "low": entry["low"], "high": entry["high"]}
    corrected = entry["p_holm"]
    measure = f"{entry['metric']} {entry['region']}"
    return [methods[entry["method"]], measure, cell(value), "-" if corrected is None else f"{corrected:.3f}"]


def cell(value: dict[str, Any]) -> str:
    """Mean and interval."""
    if value["mean"] is None:
        return "-"
    ends = [value["low"], value["high"]]
    interval = "" if None in ends else f" ({digits(ends[0])} to {digits(ends[1])})"
    return digits(value["mean"]) + interval


def digits(value: float) -> str:
    """Three decimals below 10, one above."""
    return f"{value:.1f}" if math.fabs(value) >= 10 else f"{value:.3f}"


def table(columns: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [line(columns), line(["---"] * len(columns)), *(line([str(v) for v in row]) for row in rows)]


def line(cells: list[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
