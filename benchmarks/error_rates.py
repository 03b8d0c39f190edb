"""How often the tests of `glioforge.statistics` err, how often intervals hold the truth, and what power comes to.

Every number is a share of simulated studies with its 95 % Monte Carlo interval
(Wilson).  Differences are drawn as mean + subject + training + rest, with
subjects of standard deviation 1 (normal, heavy-tailed or skewed), trainings of
0, 0.3 or 1, and a rest, between training and subject, of 0.7.  Writes
`benchmarks/results/error_rates.json`; fails where the interval that is chosen by
design covers less than 92 %, where a test errs in more than 6.5 % at 5 %, or a
test that is neither discrete nor conservative on purpose in less than 3.5 %.
Each bound counts as broken where the whole Monte Carlo interval lies beyond it.
A run that stopped, or that `--seconds` ended, goes on by the same command.

Run: `python benchmarks/error_rates.py [--studies 2000] [--seconds 50] [--again]`
"""

import argparse
import gc
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from glioforge.core import stream
from glioforge.statistics.crossed import ENOUGH_RUNS, estimate_mean, method_for
from glioforge.statistics.inference import holm, sign_flip_p_values
from glioforge.statistics.intervals import binomial_p, equivalence_p, wilson
from glioforge.statistics.power import Plan

RESULT = Path(__file__).parent / "results" / "error_rates.json"
DESIGNS = ((1, 1, 1), (1, 1, 3), (1, 2, 2), (2, 1, 1), (3, 1, 1), (5, 1, 1), (3, 2, 2))
"""Draws, generators, segmenters."""
SUBJECTS = (6, 12, 20, 60)
SCENARIOS = {
    "subjects only": ("normal", 0.0),
    "heavy tails": ("heavy", 0.3),
    "skewed": ("skewed", 0.3),
    "trainings as large": ("normal", 1.0),
}
REST = 0.7
COVERED, MOST, LEAST = 0.92, 0.065, 0.035
SD = 0.081
"""Standard deviation of a paired Dice difference, for the studies of power."""

Row = dict[str, Any]
Cell = tuple[str, Row, Callable[[np.random.Generator, int], Row]]


def tables(rng: np.random.Generator, scenario: str, design: Sequence[int], subjects: int, studies: int) -> np.ndarray:
    """Differences `(study, draw, generator, segmenter, subject)` around a true mean of 0."""
    kind, training = SCENARIOS[scenario]
    shape = (studies, 1, 1, 1, subjects)
    drawn = {
        "normal": lambda: rng.normal(size=shape),
        "heavy": lambda: rng.standard_t(4, shape) / np.sqrt(2),
        "skewed": lambda: (rng.chisquare(3, shape) - 3) / np.sqrt(6),
    }
    found = drawn[kind]() + REST * rng.normal(size=(studies, *design, subjects))
    draws, generators, segmenters = design
    if draws > 1:
        return found + training * rng.normal(size=(studies, draws, 1, 1, 1))
    if generators > 1:
        found = found + training * rng.normal(size=(studies, 1, generators, 1, 1))
    return found + training * rng.normal(size=(studies, 1, 1, segmenters, 1)) if segmenters > 1 else found


def rate(count: int, studies: int) -> Row:
    """A share of studies with its Monte Carlo interval."""
    share = wilson(int(count), studies)
    return {"rate": round(share.estimate, 4), "low": round(share.low, 4), "high": round(share.high, 4)}


def coverage_cells() -> Iterator[Cell]:
    """Share of 95 % intervals that hold the true mean, by design and method."""
    for design, subjects, scenario, method in product(DESIGNS, SUBJECTS, SCENARIOS, ("t", "bootstrap")):
        about = {"design": list(design), "subjects": subjects, "scenario": scenario, "method": method}
        measure = partial(covered, about)
        yield "coverage", {**about, "chosen": method_for((*design, subjects)) == method}, measure


def covered(about: Row, rng: np.random.Generator, studies: int) -> Row:
    """Intervals of one design by one method: how wide they are, and how many hold the true mean."""
    drawn = tables(rng, about["scenario"], about["design"], about["subjects"], studies)
    ends = [estimate_mean(table, seed=1, method=about["method"]).interval() for table in drawn]
    width = float(np.median([end.high - end.low for end in ends]))
    return {"width": round(width, 3), **rate(sum(not end.excludes(0) for end in ends), studies)}


def error_cells() -> Iterator[Cell]:
    """Share of studies in which a test that should not reject does, at 5 % unless the row says otherwise."""
    for subjects in (6, 9, 12, 20, 60):
        yield error(
            "sign flip",
            lambda rng, studies, n=subjects: sign_flips(rng, studies, n),
            subjects=subjects,
            discrete=subjects < 9,
        )
    for design, subjects in product(((1, 1, 1), (1, 1, 3), (3, 1, 1), (5, 1, 1)), (12, 60)):
        yield error(
            "mean over trainings and subjects",
            lambda rng, studies, d=design, n=subjects: means(rng, studies, d, n),
            design=list(design),
            subjects=subjects,
            conservative=1 < max(design) < ENOUGH_RUNS,
        )
    for tests in (3, 6):
        yield error(
            "Holm, any of a family",
            lambda rng, studies, k=tests: families(rng, studies, k),
            tests=tests,
            subjects=20,
            conservative=True,
        )
    for subjects in (12, 20, 60):
        yield error(
            "equivalence, at its margin",
            lambda rng, studies, n=subjects: equivalences(rng, studies, n),
            subjects=subjects,
        )
        yield error(
            "non-inferiority, at its margin",
            lambda rng, studies, n=subjects: inferiorities(rng, studies, n),
            subjects=subjects,
            nominal=0.025,
        )
    for trials in (20, 100, 300):
        yield error(
            "exact binomial", lambda rng, studies, n=trials: shares(rng, studies, n), trials=trials, discrete=True
        )
        yield error(
            "equivalence of a share, at its margin",
            lambda rng, studies, n=trials: alike_shares(rng, studies, n),
            trials=trials,
            discrete=True,
        )


def error(test: str, count: Callable[[np.random.Generator, int], int], **about: Any) -> Cell:  # noqa: ANN401 - what a row says of its design
    """Cell of a test that should not reject."""
    plain = {"test": test, "nominal": 0.05, "discrete": False, "conservative": False}
    return "errors", {**plain, **about}, lambda rng, studies: rate(count(rng, studies), studies)


def sign_flips(rng: np.random.Generator, studies: int, subjects: int) -> int:
    """Rejections of symmetric, heavy-tailed differences."""
    p = sign_flip_p_values(rng.standard_t(3, (studies, subjects)), seed=0, draws=2000)
    return int((p <= 0.05).sum())


def means(rng: np.random.Generator, studies: int, design: Sequence[int], subjects: int) -> int:
    """Rejections of no difference, with trainings that vary as much as subjects."""
    drawn = tables(rng, "trainings as large", design, subjects, studies)
    return sum(estimate_mean(table, seed=1).p() < 0.05 for table in drawn)


def families(rng: np.random.Generator, studies: int, tests: int) -> int:
    """Families of correlated tests with at least one rejection."""
    drawn = rng.normal(size=(studies, 1, 20)) + rng.normal(size=(studies, tests, 20))
    p = sign_flip_p_values(drawn.reshape(-1, 20), seed=0, draws=1000).reshape(studies, tests)
    return sum(bool((holm(row) <= 0.05).any()) for row in p)


def equivalences(rng: np.random.Generator, studies: int, subjects: int) -> int:
    """Equivalence concluded of a difference that is the margin itself."""
    margin = 5 / np.sqrt(subjects)
    found = [
        estimate_mean(table, seed=1) for table in tables(rng, "subjects only", (1, 1, 1), subjects, studies) + margin
    ]
    return sum(max(one.p_above(-margin), one.p_below(margin)) < 0.05 for one in found)


def inferiorities(rng: np.random.Generator, studies: int, subjects: int) -> int:
    """Non-inferiority concluded of an arm that is worse by the margin itself."""
    found = [estimate_mean(table, seed=1) for table in tables(rng, "subjects only", (1, 1, 1), subjects, studies) - 0.5]
    return sum(one.p_above(-0.5) < 0.025 for one in found)


def shares(rng: np.random.Generator, studies: int, trials: int) -> int:
    """Rejections of chance."""
    p = np.array([binomial_p(count, trials) for count in range(trials + 1)])
    return int((p[rng.binomial(trials, 0.5, studies)] <= 0.05).sum())


def alike_shares(rng: np.random.Generator, studies: int, trials: int) -> int:
    """Equivalence with chance concluded of a share that lies at the margin."""
    p = np.array([equivalence_p(count, trials, 0.1) for count in range(trials + 1)])
    return int((p[rng.binomial(trials, 0.6, studies)] <= 0.05).sum())


def power_cells() -> Iterator[Cell]:
    """Power that a plan foretells, and the share of simulated studies that show the difference."""
    for subjects, gain in ((20, 0.03), (60, 0.03), (131, 0.02), (21, 0.02)):
        plan = Plan(SD, subjects, gain, "the simulation")

        def measure(rng: np.random.Generator, studies: int, plan: Plan = plan) -> Row:
            drawn = rng.normal(plan.expected, SD, (studies, 1, 1, 1, plan.subjects))
            intervals = [estimate_mean(table, seed=1, method="t").interval() for table in drawn]
            shown = [abs(mean.estimate) for mean in intervals if mean.excludes(0)]
            return {**rate(len(shown), studies), "exaggeration": round(float(np.mean(shown)) / plan.expected, 3)}

        planned = {"planned": round(plan.power_for(), 4), "exaggeration_planned": round(plan.exaggeration(), 3)}
        yield "power", {"subjects": subjects, "difference": gain, **planned}, measure


def broken(rows: list[Row]) -> list[str]:
    """Bounds that a whole Monte Carlo interval lies beyond."""
    worse = [str(row) for row in rows if row["part"] == "coverage" and row["chosen"] and row["high"] < COVERED]
    for row in [row for row in rows if row["part"] == "errors"]:
        scale = row["nominal"] / 0.05
        exact = not (row["discrete"] or row["conservative"])
        if row["low"] > MOST * scale or (exact and row["high"] < LEAST * scale):
            worse.append(str(row))
    power = [row for row in rows if row["part"] == "power"]
    return worse + [str(row) for row in power if not row["low"] - 0.01 <= row["planned"] <= row["high"] + 0.01]


def main() -> None:
    """Simulate what is lacking, write as it comes, and fail where a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    gc.freeze()  # statsmodels collects garbage at every call of Holm's correction
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() and not given.again else {}
    rows = known.get("rows", []) if known.get("studies") == given.studies else []
    cells = {f"{part} {json.dumps(about)}": (part, about, cell) for part, about, cell in every_cell()}
    rows = [row for row in rows if row["cell"] in cells]
    done = {row["cell"] for row in rows}
    start = time.monotonic()
    for name, (part, about, cell) in cells.items():
        if name in done or time.monotonic() - start > given.seconds:
            continue
        rows.append({"part": part, **about, **cell(stream(1, name), given.studies), "cell": name})
        RESULT.write_text(json.dumps({"studies": given.studies, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"{len(rows)} of {len(cells)} cells")
    problems = broken(rows)
    if problems:
        raise SystemExit("\n".join(problems))


def every_cell() -> Iterator[Cell]:
    """All cells, in the order of the file."""
    yield from coverage_cells()
    yield from error_cells()
    yield from power_cells()


if __name__ == "__main__":
    main()
