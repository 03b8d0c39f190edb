"""Stripped heads have a brain of a plausible volume, and bias fields are evened out."""

import stat
import sys
import types

import numpy as np
import pytest

from glioforge.core.case import Case
from glioforge.core.errors import CaseError, DependencyError, InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.lineage import Lineage
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation.one_case import prepare_case
from glioforge.data.preparation.spec import PrepareSpec
from glioforge.data.preparation.strip import (
    COMMANDS,
    BiasSpec,
    StripSpec,
    brain_from_tool,
    by_morphology,
    strip_case,
    without_bias,
)
from glioforge.io.nifti import write_mask

T1 = Modality.T1
SHAPE = (52, 60, 48)
GRID = Geometry(SHAPE, np.diag([-4.0, -4.0, 4.0, 1.0]))
PLACES = np.moveaxis(np.indices(SHAPE), 0, -1) - (np.array(SHAPE) - 1) / 2


def inside(half):
    """An ellipsoid around the middle, by its half axes in voxels."""
    return ((PLACES / np.array(half)) ** 2).sum(axis=-1) < 1


BRAIN = inside((16, 20, 15))
"""About 1290 ml."""


def head(bridge=True, seed=0):
    """Brain with dark ventricles in a dark skull below a bright scalp, with a thin bridge between them."""
    rng = np.random.default_rng(seed)
    scalp = inside((23, 27, 22)) & ~inside((20, 24, 19))
    voxels = np.where(BRAIN, 300, 0) + np.where(scalp, 400, 0)
    voxels = np.where(inside((3, 5, 3)), 60, voxels)
    if bridge:
        voxels[26:28, 30:32, 38:44] = 300
    noisy = np.abs(voxels + rng.normal(0, 10, SHAPE))
    return Case("h", "h", {T1: Volume(noisy.astype(np.float32), GRID, T1)}, Lineage.real("scan", "h"))


def dice(one, other):
    """Overlap of two masks."""
    return 2 * (one & other).sum() / (one.sum() + other.sum())


class Network:
    """Stands in for deepbet's network: the brain of the head above, in RAS, or too much of it."""

    answer = BRAIN

    def __init__(self, no_gpu):
        assert no_gpu

    def run_model(self, head):
        """Probabilities."""
        assert head.dtype == np.float32
        return self.answer[::-1, ::-1].astype(np.float32)

    def postprocess(self, mask):
        """Nothing to do."""
        return mask


@pytest.fixture
def deepbet(monkeypatch):
    """A package of that name that is quick."""
    package, module = types.ModuleType("deepbet"), types.ModuleType("deepbet.bet")
    module.BrainExtraction = type("BrainExtraction", (Network,), {})
    monkeypatch.setitem(sys.modules, "deepbet", package)
    monkeypatch.setitem(sys.modules, "deepbet.bet", module)
    return module.BrainExtraction


@pytest.mark.parametrize("bridge", [False, True])
def test_morphology_finds_the_brain_and_not_the_scalp(bridge):
    """Ventricles belong to it, the scalp does not, bridge or not."""
    mask = by_morphology(head(bridge).images[T1])
    assert dice(mask, BRAIN) > 0.95
    assert not mask[~inside((20, 24, 19))].any()
    assert mask[26, 30, 24]


def test_an_image_without_contrast_has_no_brain():
    """A constant image gives an empty mask, and the case is refused with the volumes found."""
    flat = Case("f", "f", {T1: Volume(np.ones(SHAPE, np.float32), GRID, T1)}, Lineage.real("scan", "f"))
    with pytest.raises(CaseError, match=r"f: brains of 0 ml \(morphology\); expected 900-2200 ml"):
        strip_case(flat, StripSpec(method="morphology"))


def test_deepbet_is_asked_in_ras_and_answered_on_the_scans_grid(deepbet):
    """The mask comes back in the scan's own orientation."""
    lopsided = BRAIN.copy()
    lopsided[:20] = False
    deepbet.answer = lopsided
    stripped, facts = strip_case(head(), StripSpec(plausible_ml=(500, 2200)))
    assert np.array_equal(stripped.brain, lopsided)
    assert facts["method"] == "deepbet"


def test_an_implausible_answer_falls_back(deepbet):
    """A network that takes the whole head for brain is not believed; without a fallback the case is refused."""
    deepbet.answer = inside((23, 27, 22))
    stripped, facts = strip_case(head(), StripSpec())
    assert facts["method"] == "morphology"
    assert facts["ml"]["deepbet"] > 2200
    assert dice(stripped.brain, BRAIN) > 0.95
    with pytest.raises(CaseError, match=r"brains of \d+ ml \(deepbet\)"):
        strip_case(head(), StripSpec(fall_back=False))


def test_a_case_with_a_mask_keeps_it():
    """A brain mask that came with the scan is not questioned."""
    case = Case("h", "h", head().images, Lineage.real("scan", "h"), brain=BRAIN)
    assert strip_case(case, StripSpec())[0].brain is case.brain


def test_without_deepbet_the_remedy_is_told(monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "deepbet.bet", None)
    with pytest.raises(DependencyError, match=r"pip install 'glioforge\[strip\]'"):
        strip_case(head(), StripSpec())


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A program on the path that does what its shell lines say."""

    def make(lines):
        path = tmp_path / "bettool"
        path.write_text("#!/bin/sh\n" + lines)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return ("bettool", "{image}", "{mask}")

    return make


def test_a_users_own_command_is_run_without_a_shell(tool, tmp_path):
    """Its mask is read from the file that it was told to write; the head's name is one word to it."""
    write_mask(tmp_path / "answer.nii.gz", BRAIN, GRID)
    command = tool(f'test -s "$1" && cp {tmp_path}/answer.nii.gz "$2"\n')
    stripped, facts = strip_case(head(), StripSpec(method="command", command=command))
    assert facts["method"] == "command"
    assert np.array_equal(stripped.brain, BRAIN)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("echo no licence >&2; exit 3\n", "bettool ended with 3 and 0 masks: no licence"),
        ("exit 0\n", "bettool ended with 0 and 0 masks"),
        ("exec sleep 5\n", "bettool took longer than 0 s"),
    ],
)
def test_a_command_that_fails_is_told_with_its_words(tool, lines, message):
    """Exit code, last words, a mask that is missing, and one that never comes."""
    with pytest.raises(InputFileError, match=message):
        brain_from_tool(head().images[T1], tool(lines), 0.3)


def test_a_tool_that_is_not_installed_is_named(monkeypatch):
    """The message says where it was looked for and what else to do."""
    monkeypatch.setenv("PATH", "")
    for method in COMMANDS:
        with pytest.raises(DependencyError, match=r"is not on the path; install the tool, or set strip\.method"):
            strip_case(head(), StripSpec(method=method))
    with pytest.raises(DependencyError, match="no command is not on the path"):
        strip_case(head(), StripSpec(method="command"))


def test_a_head_is_prepared_from_skull_to_scores():
    """Stripping is a line of the spec; outside the brain found, images are exactly 0."""
    spec = PrepareSpec(strip=StripSpec(method="morphology"), bias=BiasSpec(), tissue=None)
    prepared = prepare_case(head(), spec, (T1,), SHAPE)
    assert prepared.facts["prepared"]["strip"]["method"] == "morphology"
    assert dice(prepared.brain[::-1, ::-1], BRAIN) > 0.9
    assert not prepared.images[T1].voxels[~prepared.brain].any()


def test_a_known_bias_field_is_evened_out():
    """What is left of a field of 40 % is less than a quarter; outside the brain nothing changes."""
    gain = np.exp(0.2 * PLACES[..., 0] / 16).astype(np.float32)
    rng = np.random.default_rng(0)
    voxels = np.where(BRAIN, 300 + rng.normal(0, 5, SHAPE), 7).astype(np.float32)
    images = {T1: Volume(voxels * gain, GRID, T1)}
    even = without_bias(images, BRAIN)[T1].voxels
    before, after = (np.std(np.log(v[BRAIN])) for v in (voxels * gain, even))
    assert after < before / 4
    assert np.array_equal(even[~BRAIN], (voxels * gain)[~BRAIN])


def test_a_field_is_not_looked_for_in_normalised_scans():
    """Intensities below 0 have no gain."""
    images = {T1: Volume(np.where(BRAIN, -1, 0).astype(np.float32), GRID, T1)}
    with pytest.raises(CaseError, match="h: t1 goes down to -1 in the brain"):
        without_bias(images, BRAIN, where="h")
