"""Simulated error rates of the gate: what is committed keeps its bounds, and a short version gives it again."""

import importlib.util
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def simulation():
    """The script of the simulation."""
    spec = importlib.util.spec_from_file_location("privacy_gate", BENCHMARKS / "privacy_gate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def stored(simulation):
    """What is committed, which is of these very rules and sizes."""
    return simulation.kept()


def test_committed_rates_keep_their_bounds(simulation, stored):
    """Generators without a leak pass and leaks fail as often as promised, type-I errors are 6.5 % at most."""
    assert simulation.broken(stored) == []
    assert stored["sizes"] == vars(simulation.SIZES)
    assert {row["kind"] for row in stored["verdicts"]} == set(simulation.KINDS)
    assert len(stored["small"]) >= 500


def test_a_short_version_gives_the_committed_rows(simulation, stored):
    """The same seeds give the same p-values."""
    row = simulation.simulated("small", 0, [""])[0]
    known = next(one for one in stored["small"] if one["seed"] == 0)

    assert row["p"] == pytest.approx(known["p"], abs=2e-3)
    assert row["p_controls"] == pytest.approx(known["p_controls"], abs=2e-3)


@pytest.mark.slow
def test_verdicts_of_one_seed(simulation):
    """Every kind of generator at the planner's sizes."""
    scene = simulation.Scene(0, simulation.SIZES)
    verdicts = {kind: scene.audit(kind).verdict for kind in simulation.KINDS}

    assert verdicts == {kind: "PASS" if kind == "fresh" else "FAIL" for kind in simulation.KINDS}
