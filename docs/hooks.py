"""Pages of the documentation that are written from the code, so that they cannot go stale.

`reference/python/<package>.md` lists every module of a package.  In any page,
`<!-- methods -->` becomes the table of everything that a YAML can choose, and
`<!-- command line -->` the help of every verb, and `<!-- coverage -->`,
`<!-- error rates -->` and `<!-- power -->` the numbers that
`benchmarks/error_rates.py` simulated; `<!-- filters -->` those of quality filters
that `benchmarks/filters.py` measured; `<!-- papers NAME -->` the tables of
`docs/results/NAME.json`; `<!-- studies smoke -->` what each study took against its plan;
`<!-- planted effects -->` what `experiments/planted_effects.py` counted; `<!-- package size -->` what
`benchmarks/package_size.py` measured; `<!-- boundary band -->` what `experiments/boundary_band.py` compared.
"""

import inspect
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "glioforge"
PAPERS = re.compile(r"<!-- papers ([\w-]+) -->")
ERROR_RATES = ROOT / "benchmarks" / "results" / "error_rates.json"
BORDERS = ROOT / "benchmarks" / "results" / "boundary_band.json"
FILTERS = ROOT / "benchmarks" / "results" / "filters.json"
PACKAGE_SIZE = ROOT / "benchmarks" / "results" / "package_size.json"
PLANTED = ROOT / "benchmarks" / "results" / "planted_effects.json"
SOURCES = {
    "extra": "further phantoms, disguised as synthetic: helps",
    "noise": "noise in the place of images: helps",
    "leak": "cases of test phantoms, disguised: refused",
    "honest": "further phantoms whose subjects nobody declares: refused",
}
"""What each planted source is, and what is counted."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each package."""
    for package in sorted(SOURCE.glob("*/__init__.py")):
        name = package.parent.name
        if name != "cli":
            uri = f"reference/python/{name}.md"
            files.append(File.generated(config, uri, content=python_page(name)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401 - what MkDocs hands over
    """Fill the marked places."""
    for mark, table in (
        ("methods", methods_table),
        ("command line", command_line),
        ("filters", filter_table),
        ("coverage", lambda: coverage_table(simulated())),
        ("error rates", lambda: error_table(simulated())),
        ("power", lambda: power_table(simulated())),
        ("planted effects", planted_table),
        ("boundary band", border_table),
        ("package size", size_table),
        ("studies smoke", smoke_table),
    ):
        if f"<!-- {mark} -->" in markdown:
            markdown = markdown.replace(f"<!-- {mark} -->", table())
    return PAPERS.sub(lambda found: papers_tables(found[1]), markdown)


def size_table() -> str:
    """Names that the parts of each family import, now and at an earlier commit, and those of the guides' examples."""
    size = json.loads(PACKAGE_SIZE.read_text(encoding="utf-8"))
    now, before = size["names_of_parts"], size["before"].get("names_of_parts", {})
    lines = [
        f"| family | parts | median, maximum | at {size['before'].get('commit', 'none')} | example of the guide |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for family, row in now.items():
        cells = (f"{one['median']:g}, {one['max']}" if one else "" for one in (row, before.get(family)))
        lines.append(f"| {family} | {row['parts']} | {' | '.join(cells)} | {size['names_to_know'].get(family, '')} |")
    return "\n".join(lines)


def smoke_table() -> str:
    """Time that each study of the papers took with budget `smoke`, against its plan."""
    found = json.loads((ROOT / "docs" / "results" / "studies-smoke.json").read_text(encoding="utf-8"))
    lines = [
        "| study | trainings | planned, s | taken, s | tasks planned, s | processor time of tasks, s | ratio |",
        "| --- |" + " ---: |" * 6,
    ]
    for name, row in found.items():
        cells = (row["trainings"], row["planned_s"], row["taken_s"], row["work_s"], row["processor_s"])
        lines.append(f"| `{name}` | {' | '.join(f'{cell:.0f}' for cell in cells)} | {row['work_ratio']:.2f} |")
    sums = (
        sum(row[key] for row in found.values())
        for key in ("trainings", "planned_s", "taken_s", "work_s", "processor_s")
    )
    return "\n".join([*lines, f"| all | {' | '.join(f'{cell:.0f}' for cell in sums)} | |"])


def papers_tables(name: str) -> str:
    """Published tables with the numbers of studies below them, of those papers that `docs/results/<name>.json` has."""
    found = json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return "\n".join(line for paper in found.values() for line in _paper_lines(paper))


def _paper_lines(paper: dict[str, Any]) -> Iterator[str]:
    """Heading, studies, each table in which a study has a number, and readings."""
    reading = paper.get("reading", {})
    if not paper["studies"] and not any(reading.get("ours", {}).values()):
        return
    yield f"### {paper['citation']}\n"
    yield f"{'; '.join(study['title'] + ' (' + study['on'] + ')' for study in paper['studies'])}\n"
    for title, table in paper["tables"].items():
        if any("n" in cell for cells in table["ours"].values() for cell in cells):
            yield f"| {title} | {' | '.join(table['columns'])} |"
            yield f"| --- |{' ---: |' * len(table['columns'])}"
            for row, cells in table["ours"].items():
                yield f"| {row}, published | {' | '.join(f'{value:g}' for value in table['published'][row]['mean'])} |"
                yield f"| {row}, study | {' | '.join(_cell(cell) for cell in cells)} |"
            yield ""
    yield from _reading_lines(reading)


def _reading_lines(reading: dict[str, Any]) -> Iterator[str]:
    """Counts of a reading study below the published ones, and the readings that were refused."""
    if any(reading.get("ours", {}).values()):
        yield "| reading | published | ours | readers | marks |"
        yield "| --- | --- | --- | --- | --- |"
        for name, printed in reading["published"].items():
            for one in reading["ours"][name]:
                counts = one["counts"] if "counts" in one else (one["won"], one["decided"])
                marks = f"{one['readers']} | {', '.join(one['flags'])}"
                yield f"| {name} | {_spaced(printed)} | {_spaced(counts)} | {marks} |"
        yield ""
    for one in reading.get("scores", ()):
        scores = ", ".join(f"{name} {value:.2f}" for name, value in one["scores"].items())
        yield f"Quality scores, {one['readers']}: {scores}.\n"
    for what, why in reading.get("refused", {}).items():
        yield f"Refused: {what} ({why}).\n"


def _spaced(counts: Sequence[int]) -> str:
    """Counts with spaces between them."""
    return " ".join(map(str, counts))


def _cell(cell: dict[str, Any]) -> str:
    """Number of a study, its LEAKY twin, or a gap."""
    if "gap" in cell:
        return "gap"
    leaky = "" if cell["leaky"] is None else f" (LEAKY {cell['leaky']:.3g})"
    return f"{cell['mean']:.3g}{leaky}"


def python_page(package: str) -> str:
    """Every public module of a package, in the order of their names."""
    files = [path for path in (SOURCE / package).rglob("*.py") if not path.stem.startswith("_")]
    # A method with private parts is a folder, and its own module is the folder's `__init__`.
    folders = [path.parent for path in (SOURCE / package).glob("methods/*/__init__.py")]
    modules = sorted(".".join(path.relative_to(SOURCE.parent).with_suffix("").parts) for path in [*files, *folders])
    return "\n\n".join([f"# glioforge.{package}", *(f"::: {module}" for module in modules)]) + "\n"


def methods_table() -> str:
    """Everything that a YAML can choose by `kind`: family, kind, presets, the first line of its file."""
    from glioforge.runs.catalogue import catalogue

    rows = ["| family | kind | presets | what it is |", "| --- | --- | --- | --- |"]
    for entry in catalogue():
        presets = ", ".join(f"`{preset}`" for preset in entry.presets) or "–"
        rows.append(f"| {entry.family} | `{entry.kind}` | {presets} | {entry.summary} |")
    return "\n".join(rows)


def command_line() -> str:
    """Help of every verb, with its arguments and options."""
    import typer

    from glioforge.cli.main import app

    group = typer.main.get_command(app)
    return "\n".join(verb_help(name, command) for name, command in verbs_of(group))


def verbs_of(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - a group of typer's
    """Names and commands in alphabetical order; those of a group follow its name."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from verbs_of(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def verb_help(name: str, command: Any) -> str:  # noqa: ANN401 - a command of typer's
    """Help of one verb: its sentence, a line of use, its options, its examples."""
    words, rows = [f"glioforge {name}"], []
    for parameter in command.params:
        if parameter.name == "help":
            continue
        default = parameter.default
        shown = "" if default is None or default is False or callable(default) else f"`{default}`"
        shown = parameter.show_default if isinstance(parameter.show_default, str) else shown
        if parameter.param_type_name == "argument":
            label = parameter.metavar or parameter.name.upper()
            words.append(label)
        else:
            label = ", ".join([*parameter.opts, *parameter.secondary_opts])
        rows.append(f"| `{label}` | {parameter.help or ''} | {'required' if parameter.required else shown} |")
    table = ["| | | default |", "| --- | --- | --- |", *rows]
    sentence = inspect.cleandoc(command.help or "")
    examples = ["", "```bash", *(command.epilog or "").split("\n\n")[1:], "```"]
    return "\n".join([f"## {name}", "", sentence, "", f"`{' '.join(words)} [OPTIONS]`", "", *table, *examples, ""])


def simulated() -> list[dict[str, Any]]:
    """Rows of the simulated error rates."""
    rows: list[dict[str, Any]] = json.loads(ERROR_RATES.read_text(encoding="utf-8"))["rows"]
    return rows


def planted_table() -> str:
    """Answers of studies whose truth is known: counts, their 95 % intervals, and what is asked of them."""
    planted = json.loads(PLANTED.read_text(encoding="utf-8"))["counts"]
    lines = ["| source and answer | studies | counted | 95 % interval | asked |", "| --- | --- | --- | --- | --- |"]
    for kind, source in SOURCES.items():
        entry = planted[kind]
        low, high = (100 * end for end in entry["share_95"])
        least, most = entry["expected_of_20"]
        asked = f"at least {least}" if least else f"at most {most}"
        lines.append(f"| {source} | {entry['studies']} | {entry['count']} | {low:.0f} to {high:.0f} % | {asked} |")
    return "\n".join(lines)


def coverage_table(rows: list[dict[str, Any]]) -> str:
    """Lowest coverage over the scenarios, in per cent: of the method that is chosen, and of the other one."""
    found: dict[tuple[int, ...], dict[str, dict[str, Any]]] = {}
    for row in (row for row in rows if row["part"] == "coverage"):
        worst = found.setdefault((*row["design"], row["subjects"]), {})
        if row["method"] not in worst or row["rate"] < worst[row["method"]]["rate"]:
            worst[row["method"]] = row
    lines = [
        "| draws | generators | segmenters | subjects | t | bootstrap | chosen |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for design, worst in found.items():
        chosen = next(method for method, row in worst.items() if row["chosen"])
        shares = [percent(worst[method]) for method in ("t", "bootstrap")]
        lines.append(f"| {' | '.join(map(str, design))} | {' | '.join(shares)} | {chosen} |")
    return "\n".join(lines)


def error_table(rows: list[dict[str, Any]]) -> str:
    """Errors of every test, in per cent."""
    lines = ["| test | of | level | errors |", "| --- | --- | --- | --- |"]
    for row in (row for row in rows if row["part"] == "errors"):
        sizes = [f"{row[key]} {key}" for key in ("tests", "subjects", "trials") if key in row]
        if "design" in row:
            sizes.append("{} draws, {} generators, {} segmenters".format(*row["design"]))
        lines.append(f"| {row['test']} | {', '.join(sizes)} | {100 * row['nominal']:g} % | {percent(row)} |")
    return "\n".join(lines)


def power_table(rows: list[dict[str, Any]]) -> str:
    """Planned and simulated power and exaggeration."""
    lines = [
        "| subjects | true difference | planned power | simulated | planned exaggeration | simulated |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in (row for row in rows if row["part"] == "power"):
        planned = f"{100 * row['planned']:.1f} % | {percent(row)} | {row['exaggeration_planned']:.2f}"
        lines.append(f"| {row['subjects']} | {row['difference']} | {planned} | {row['exaggeration']:.2f} |")
    return "\n".join(lines)


def border_table() -> str:
    """Size of the experiment on borders, means of its four cases, and paired differences with their intervals."""
    found = json.loads(BORDERS.read_text(encoding="utf-8"))
    names = [f"{metric} lesion" for metric in ("border_mae", "border_sharpness", "border_sharpness_error")]
    phantoms = f"{found['training']} training and {found['unseen']} unseen phantoms, {found['steps']} steps"
    lines = [f"{phantoms}, {len(found['seeds'])} seeds, soft labels of {found['soft_labels']:g} voxels."]
    for title, table in (("mean", found["means"]), ("difference", found["differences"])):
        lines += ["", f"| {title} | {' | '.join(table)} |", "| --- |" + " ---: |" * len(table)]
        for name in (*names, "border_mae brain", "mae brain"):
            cells = (border_cell(row[name]) for row in table.values())
            lines.append(f"| {name.replace('_error lesion', ' lesion, distance from 1')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def border_cell(value: float | dict[str, float]) -> str:
    """Mean of a case, or difference of two with its interval."""
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value['mean']:+.3f} ({value['low']:+.3f} to {value['high']:+.3f})"


def filter_table() -> str:
    """False rejects of every filter with their interval, and the least share of planted faults that it finds."""
    found: dict[str, dict[str, Any]] = json.loads(FILTERS.read_text(encoding="utf-8"))["filters"]
    lines = ["| filter | real cases refused | faults refused |", "| --- | --- | --- |"]
    for name, row in found.items():
        low, high = (100 * end for end in row["interval"])
        refused = f"{row['refused']} of {row['held_out']} ({low:.1f} to {high:.1f} %)"
        planted = ", ".join(f"{fault.replace('_', ' ')} {100 * share:.0f} %" for fault, share in row["planted"].items())
        lines.append(f"| {name.replace('_', ' ')} | {refused} | {planted} |")
    return "\n".join(lines)


def percent(row: dict[str, Any]) -> str:
    """A simulated share with its Monte Carlo interval, in per cent."""
    return f"{100 * row['rate']:.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
