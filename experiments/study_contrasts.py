"""Print what each contrast of a finished augmentation study shows, with its spread and what that spread can show.

    python experiments/study_contrasts.py RUN > contrasts.json
    python experiments/study_contrasts.py RUN --later RUN/later/COHORT > contrasts_later.json

Numbers of subjects needed for gains of one, two and three points come from the measured standard deviation over
subjects; nothing of a later study may be planned from the spread of its own results.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from glioforge.io.tables import read_results
from glioforge.report.scores import ResultTable
from glioforge.statistics.judging import Finding
from glioforge.statistics.power import DIFFERENCES, Plan
from glioforge.studies.arms_report import titles
from glioforge.studies.judged import judged_contrasts
from glioforge.studies.pages import noun_of
from glioforge.studies.study import read_study


def main() -> None:
    """Read the study, judge its contrasts as its page does, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished study")
    parser.add_argument("--later", type=Path, help="folder of later subjects that its models scored")
    asked = parser.parse_args()
    study = read_study(asked.run)
    spec = study.spec
    table = ResultTable(read_results(asked.later or asked.run), noun=noun_of(spec), seed=spec.seed)
    arms = titles(spec, table)
    overlap = table.chosen(row for row in table.rows if row.arm in arms).with_mean(spec.regions)
    judged = judged_contrasts(spec, overlap, arms)
    contrasts = [{"arm": j.arm, "reference": j.reference, "planned": j.planned, **numbers(j.found)} for j in judged]
    print(json.dumps({"study": spec.name, "regions": spec.regions, "contrasts": contrasts}, indent=1))


def numbers(found: Finding) -> dict[str, Any]:
    """What a page says of a contrast, as plain values."""
    difference, measured = found.difference, Plan(found.sd, found.difference.count, DIFFERENCES[0], "these results")
    return {
        "shown": found.shown.value,
        "primary": found.primary,
        "difference": rounded(difference.estimate),
        "low": rounded(difference.low),
        "high": rounded(difference.high),
        "p_adjusted": rounded(found.p_adjusted),
        "subjects": difference.count,
        "better": found.better,
        "sd": rounded(found.sd),
        "detectable_with_80_percent_power": rounded(found.detectable),
        "subjects_needed": {f"+{gain:.2f}": measured.subjects_for(gain) for gain in DIFFERENCES},
    }


def rounded(value: float) -> float | None:
    """Four decimals; null where too few subjects give no number."""
    return None if math.isnan(value) else round(value, 4)


if __name__ == "__main__":
    main()
