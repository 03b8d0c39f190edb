"""Laws that every segmenter obeys, in every preset."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

from glioforge.compute.accelerator import AcceleratorSpec, seed_torch
from glioforge.core.protocols import Segmenter
from glioforge.core.volume import Modality
from glioforge.segmentation.base import SEGMENTERS, SegmenterSpec, load_segmenter, train_segmenter
from glioforge.segmentation.target import target_named
from glioforge.training.budget import Budget
from toy_cohort import toy_case, toy_cohort

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
SMALL = {
    "cascade": {"width": 2, "stacks": ((12, 12, 10), (8, 8, 10), (8, 8, 10)), "batch_size": 2, "size": None},
    "pix2pix": {"ngf": 4, "levels": 2, "critic_width": 4, "batch_size": 2, "size": None},
    "unet": {"widths": (4, 8, 8), "batch_size": 2, "modalities": None},
    "region_unets": {
        "widths": (4, 8),
        "batch_size": 2,
        "modalities": None,
        "inputs": None,
        "difference": "none",
    },
    "residual_unet": {"widths": (4, 8), "blocks": (1, 1), "size": (8, 8, 8), "batch_size": 2},
}
"""Settings that make a segmenter of each kind small enough for a test; presets keep the rest."""


def specs():
    """Every kind in every preset, small."""
    for kind in SEGMENTERS.kinds():
        for preset in SEGMENTERS.spec_class(kind).PRESETS:
            yield pytest.param({"kind": kind, "preset": preset, **SMALL.get(kind, {})}, id=f"{kind}-{preset}")


EVERY = list(specs())
every_segmenter = pytest.mark.parametrize("values", EVERY)
every_network = pytest.mark.parametrize("values", [p for p in EVERY if p.values[0]["kind"] != "nnunet"])
"""All but nnU-Net, whose network is a program's own business; `unit/segmentation/test_nnunet.py` drives it."""


@every_segmenter
def test_the_spec_is_a_segmenters_and_survives_a_round_trip(values):
    """A run folder's card gives back the same settings."""
    spec = SEGMENTERS.parse(values)
    assert isinstance(spec, SegmenterSpec)
    assert SEGMENTERS.parse(spec.model_dump(mode="json")) == spec


@every_segmenter
def test_the_file_names_its_source(values):
    """The method's docstring says whose it is, and every field of its spec is explained."""
    spec, part = SEGMENTERS.spec_class(values["kind"]), SEGMENTERS.part_class(values["kind"])
    assert Path(inspect.getfile(part)).read_text(encoding="utf-8").count("et al.")
    assert [name for name, field in spec.model_fields.items() if name != "kind" and not field.description] == []


@every_network
@pytest.mark.parametrize("grid", [(16, 16, 16), (13, 17, 9), (5, 9, 3)])
def test_logits_lie_on_the_grid_of_the_input(values, grid):
    """Any size, also odd ones and ones below the network's stride."""
    spec = SEGMENTERS.parse(values)
    grid = grid[: SEGMENTERS.part_for(spec)(spec).dims]
    network = _network(values).eval()
    with torch.no_grad():
        assert network(torch.randn(2, 2, *grid)).shape == (2, len(target_named(spec.target).channels), *grid)


@every_network
def test_the_seed_decides_the_first_weights(values):
    """The same seed gives the same network."""
    first, again = _network(values).state_dict(), _network(values).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


@every_network
def test_training_gives_a_segmenter_that_keeps_the_grid(values, tmp_path):
    """A few steps, a reload, a labelled case: labels of the scheme on the case's geometry, none outside the brain."""
    trained = train_segmenter(
        toy_cohort([1, 2]),
        toy_cohort([3], "validation"),
        SEGMENTERS.parse(values),
        tmp_path,
        seed=1,
        budget=Budget(steps=2, validate_every=2),
        accelerator=PLAIN,
    )
    loaded = load_segmenter(tmp_path)
    case = toy_case(4)
    labels = loaded.segment(case)
    assert isinstance(loaded, Segmenter)
    assert labels.geometry == case.geometry
    assert not labels.voxels[~case.brain].any()
    assert np.array_equal(labels.voxels, trained.segment(case).voxels)


PAPERS = {
    ("unet", "paper"): (26_040, 488_250),
    ("unet", "paper_7"): (26_040, 488_250),
    ("unet", "paper_2"): (26_040, 488_250),
    ("unet", "guo2020"): (1_080, 13_600),
    ("region_unets", "paper"): (210 * 64, 168_000),
    ("pix2pix", "paper"): (219, 43_800),
    ("cascade", "paper"): (228, 30_000),
    ("residual_unet", "paper"): (1_251, 250_000),
    ("nnunet", "paper"): (1_251, 250_000),
    ("nnunet", "sound"): (1_251, 250_000),
}
"""Samples that each paper trained on (slices, or cases for volumes), and the steps that its length comes to."""


@every_segmenter
def test_a_preset_of_a_paper_is_as_long_as_the_papers_training(values):
    """Epochs of the paper's own cases, or steps where the paper counts these; other presets have their own length."""
    spec = SEGMENTERS.parse({"kind": values["kind"], "preset": values["preset"]})
    named = spec.model_dump()["kind"], values["preset"]
    samples, steps = PAPERS.get(named, (1_000, 1_000))

    assert spec.budget.in_steps(lambda: -(-samples // getattr(spec, "batch_size", 2))).steps == steps
    assert named in PAPERS or "paper" not in values["preset"]


def _network(values):
    """A fresh network for two contrasts."""
    spec = SEGMENTERS.parse(values)
    seed_torch(1, "contract")
    return SEGMENTERS.part_for(spec)(spec).build((Modality.T1, Modality.FLAIR), target_named(spec.target))
