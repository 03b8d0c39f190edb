"""How often the two-sample test rejects where there is nothing to find: 2,000 samples of the null hypothesis.

Each sample has 12 subjects a side with four cases each, whose features (16) agree within a subject to 0.9: cases taken
as independent would give false alarms in most samples.  Rejected at p <= 0.05, the share must be at most 6.5 %.  The
same with a test that permutes cases instead of subjects shows what the unit is for.

Writes `benchmarks/results/two_sample_level.json` with Monte Carlo intervals (Wilson); fails above 6.5 %.

Run: `python benchmarks/two_sample_level.py`
"""

import json
from pathlib import Path
from typing import Final

import numpy as np

from glioforge.metrics.cohort.classifier import two_sample_test
from glioforge.statistics.intervals import wilson

RESULT: Final = Path(__file__).parent / "results" / "two_sample_level.json"
RUNS, SUBJECTS, CASES, FEATURES, PERMUTATIONS, MOST = 2000, 12, 4, 16, 199, 0.065
AGREEMENT: Final = 0.9


def rejected(seed: int, *, by_case: bool, shift: float = 0.0) -> bool:
    """Whether the test rejects one sample; by case, every case counts as a subject."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((2 * SUBJECTS, FEATURES)).repeat(CASES, axis=0)
    rows = np.sqrt(AGREEMENT) * own + np.sqrt(1 - AGREEMENT) * rng.standard_normal(own.shape)
    sides = np.arange(2 * SUBJECTS).repeat(CASES) < SUBJECTS
    rows[:, 0] += shift * sides
    units = np.arange(len(rows)) if by_case else np.arange(2 * SUBJECTS).repeat(CASES)
    names = [f"unit {n}" for n in units]
    return two_sample_test(rows, names, sides.tolist(), permutations=PERMUTATIONS, seed=seed).p <= 0.05


def share(runs: int, *, by_case: bool, shift: float = 0.0) -> dict[str, float]:
    """Share of samples that are rejected, with its Monte Carlo interval."""
    count = sum(rejected(seed, by_case=by_case, shift=shift) for seed in range(runs))
    interval = wilson(count, runs)
    return {"rejected": count, "runs": runs, "share": count / runs, "low": interval.low, "high": interval.high}


def main() -> int:
    """Simulate, write the shares, and fail where the level isn't kept."""
    result = {
        "subjects": share(RUNS, by_case=False),
        "cases_as_subjects": share(RUNS, by_case=True),
        "power_at_a_shift_of_2": share(RUNS, by_case=False, shift=2.0),
        "design": {"subjects_a_side": SUBJECTS, "cases": CASES, "features": FEATURES, "permutations": PERMUTATIONS},
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return 1 if result["subjects"]["share"] > MOST else 0


if __name__ == "__main__":
    raise SystemExit(main())
