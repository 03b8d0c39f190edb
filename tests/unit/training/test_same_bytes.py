"""Nothing but seed, settings and data decides the bytes: not the clock, nor hash seeds, and threads hardly."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn
from torch.nn import functional

import toy_way
from glioforge.compute.accelerator import AcceleratorSpec, start
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.training.optimizer import OptimizerSpec
from glioforge.training.recipes.supervised import Supervised
from toy_cohort import toy_cohort
from toy_training import BUDGET, batch, run

KEPT = ("weights.safetensors", "history.csv")


def contents(folder):
    """Bytes of what a training keeps."""
    return [(folder / name).read_bytes() for name in KEPT]


def backwards(folder):
    """Give files times in the wrong order: the later one was written, the older it looks."""
    for place, file in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        os.utime(file, (2_000_000_000 - 1000 * place,) * 2)


def test_a_clock_that_steps_back_changes_nothing(tmp_path, monkeypatch):
    """A training that was stopped goes on from its newest checkpoint, and prepared cases are found again."""
    run(tmp_path / "whole")
    hours = iter(range(10**6, 0, -1))
    monkeypatch.setattr(time, "time", lambda: 3600.0 * next(hours))

    def failing(step):
        if step == 23:
            raise OSError(step)
        return batch(step)

    with pytest.raises(OSError, match="23"):
        run(tmp_path / "broken", batches=failing)
    backwards(tmp_path / "broken")
    seen = []
    run(tmp_path / "broken", batches=lambda step: seen.append(step) or batch(step))
    assert min(seen) == 20
    assert contents(tmp_path / "whole") == contents(tmp_path / "broken")

    spec = PrepareSpec(grid={"multiple": 1}, tissue=None)
    before = prepare(toy_cohort(range(2)), spec, tmp_path / "prepared")
    backwards(tmp_path / "prepared")
    monkeypatch.setattr("glioforge.data.preparation.pipeline.prepare_case", None)
    assert prepare(toy_cohort(range(2)), spec, tmp_path / "prepared") == before


def test_another_hash_seed_gives_the_same_bytes(tmp_path):
    """Preparation, split, edits and statistics do not depend on the order of Python's sets."""
    script = Path(toy_way.__file__)
    paths = os.pathsep.join([str(script.parent), *filter(None, sys.path)])
    seed = "4242" if os.environ.get("PYTHONHASHSEED") != "4242" else "4243"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, script, tmp_path / "there"], env=environment, check=True)
    here = toy_way.go(tmp_path / "here")
    assert len(here) > 10
    assert here == toy_way.read(tmp_path / "there")


def test_another_number_of_threads_gives_nearly_the_same_weights(tmp_path):
    """Sums are taken in another order, and nothing else: equal to rounding after a few steps."""

    def wide(step):
        images = torch.randn((8, 1, 48, 48), generator=torch.Generator().manual_seed(step))
        return {"images": images, "labels": (images[:, 0] > 0).long()}

    weights = []
    try:
        for threads in (1, 2):
            torch.manual_seed(5)
            network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 2, 1))
            recipe = Supervised(
                network, lambda out, b: functional.cross_entropy(out, b["labels"]), OptimizerSpec(), steps=6
            )
            fabric = start(AcceleratorSpec(device="cpu", precision="32-true", threads=threads))
            assert torch.get_num_threads() == threads
            budget = BUDGET.model_copy(update={"steps": 6})
            place = tmp_path / str(threads)
            run(place, recipe=recipe, batches=wide, budget=budget, fabric=fabric, validate=None)
            weights.append(load_file(place / "weights.safetensors"))
    finally:
        torch.set_num_threads(1)
    one, two = weights
    assert all(np.allclose(one[name], two[name], rtol=1e-4, atol=1e-5) for name in one)
