"""What filters promise, as `benchmarks/filters.py` measured it, and the same in short."""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from glioforge.quality.base import FILTERS

ROOT = Path(__file__).parents[3]
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "filters.json").read_text())["filters"]


def benchmark():
    """The script as a module."""
    spec = spec_from_file_location("filters_benchmark", ROOT / "benchmarks" / "filters.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_filter_is_measured():
    """All kinds but that of experts, who have no rate of their own; four of them on slices as well."""
    kinds = {name.split(" on ")[0] for name in RESULTS}

    assert kinds == set(FILTERS.kinds()) - {"expert"}
    assert sum(name.endswith("on slices") for name in RESULTS) == 4


@pytest.mark.parametrize("name", RESULTS)
def test_filters_keep_their_promises(name):
    """The interval of false rejects holds the stated share, and nine in ten of each planted fault are refused."""
    found = RESULTS[name]

    assert found["interval"][0] <= found["stated"] <= found["interval"][1]
    assert min(found["planted"].values()) >= 0.9
    assert found["refused"] == round(found["rate"] * found["held_out"])


@pytest.mark.slow
def test_a_short_run_finds_planted_faults(tmp_path):
    """On slices of a few phantoms each filter refuses most planted faults, and no more real cases than by chance."""
    found = benchmark().run(tmp_path, tmp_path / "filters.json", 24, 12, ("slices",))["filters"]

    assert set(found) == {name for name in RESULTS if name.endswith("slices")}
    for name, row in found.items():
        assert min(row["planted"].values()) >= 0.8, name
        assert row["interval"][0] <= row["stated"] * 3, name
