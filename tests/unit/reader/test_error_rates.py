"""Error rates of the tests of reading studies: what the benchmark measured, and a short seeded repetition of it."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
RATES = json.loads((BENCHMARKS / "results" / "reading_tests.json").read_text(encoding="utf-8"))
SIZES = {name.removeprefix("size: "): entry for name, entry in RATES.items() if name.startswith("size: ")}
OUTSIDE = "outside its assumptions"


@pytest.fixture(scope="module")
def benchmark():
    """The script that measured the rates."""
    spec = importlib.util.spec_from_file_location("reading_tests", BENCHMARKS / "reading_tests.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everything_was_measured(benchmark):
    """The committed file holds an entry for each test and interval of the script."""
    assert set(SIZES) == {name for name, _ in benchmark.simulations()} | {
        name for name in SIZES if "computed" in SIZES[name]
    }
    assert {name for name in RATES if name.startswith("coverage")} == {
        f"coverage: {name}" for name, _ in benchmark.coverages()
    }
    assert all(entry.get("computed") or entry["runs"] >= 2000 for entry in RATES.values())


@pytest.mark.parametrize("name", [name for name in SIZES if not name.startswith(OUTSIDE)])
def test_true_hypotheses_are_rejected_as_often_as_said(name):
    """At most 6.5 %, and at least 3.5 % but for discrete tests; tests of counts at most 5 %."""
    entry = SIZES[name]

    assert entry["rate"] <= (0.05 if entry.get("computed") else 0.065)
    assert entry["rate"] >= 0.035 or entry.get("computed") or entry.get("discrete")


def test_what_clustering_is_for(benchmark):
    """Tests that take answers to one subject for independent reject true hypotheses far too often."""
    assert all(SIZES[name]["rate"] > 0.1 for name in SIZES if name.startswith(OUTSIDE))


def test_intervals_cover():
    """At least 92 %."""
    assert all(entry["rate"] > 0.92 for name, entry in RATES.items() if name.startswith("coverage"))


@pytest.mark.parametrize(
    "name",
    [
        "accuracy against 1/2; 3 readers, 50 + 50 cases, readers vary most",
        "equivalence of accuracy at the margin; 5 readers, 50 + 50 cases, cases vary most",
        "clustered Q of 3 methods; 3 readers, 60 cases, cases suit methods",
        "trend along the session; 3 readers, 60 items each",
    ],
)
def test_rates_are_repeated(benchmark, name):
    """500 studies of another seed reject about as often."""
    p = dict(benchmark.simulations())[name](500, 77)

    assert abs(np.mean(p < 0.05) - SIZES[name]["rate"]) < 0.035


def test_exact_sizes_are_repeated(benchmark):
    """Sizes of tests of counts are computed, not simulated."""
    name, size = next(benchmark.computed())

    assert SIZES[name]["rate"] == round(size, 4)
