"""Tests of walks: film strips between draws and along findings."""

import pytest

from fixtures_samplers import PLAIN
from glioforge.core import OutputError, SpecError
from glioforge.sampling.base import train_sampler
from glioforge.sampling.method import SAMPLERS
from glioforge.sampling.walk import STRIP, write_walk
from toy_cohort import toy_cohort

SETTINGS = {"size": 32, "width": 2, "latent": 4, "batch_size": 4, "plane": "axial", "between": (0, 1)}
BUDGET = {"steps": 1, "validate_every": 1, "checkpoint_every": 1}


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    """A sampler that can be asked for a tumour, trained for one step."""
    settings = {"kind": "dcgan", **SETTINGS, "conditions": ("tumour", "size"), "budget": BUDGET}
    folder = tmp_path_factory.mktemp("m") / "m"
    return train_sampler(toy_cohort([1, 2]), None, SAMPLERS.parse(settings), folder, accelerator=PLAIN)


def test_a_walk_is_a_picture_that_is_made_once(sampler, tmp_path):
    """Between draws, and along a finding; another seed is refused in the same folder."""
    strip = write_walk(sampler, tmp_path / "a", frames=3, walks=1)
    along = write_walk(sampler, tmp_path / "b", frames=3, walks=1, along="size")
    assert strip == tmp_path / "a" / STRIP
    assert strip.read_bytes()[:4] == along.read_bytes()[:4] == b"\x89PNG"
    assert strip.read_bytes() != along.read_bytes()
    with pytest.raises(OutputError, match="seed was 1, is now 2"):
        write_walk(sampler, tmp_path / "a", frames=3, walks=1, seed=2)


def test_walks_that_cannot_be_are_refused(sampler, tmp_path):
    """Findings without a condition, one slice, and samplers of label maps."""
    with pytest.raises(SpecError, match="a walk along 'side'"):
        write_walk(sampler, tmp_path / "c", along="side")
    with pytest.raises(SpecError, match="at least 2"):
        write_walk(sampler, tmp_path / "c", frames=1)
    small = {"size": (8, 8, 8), "widths": (2, 2, 4), "latent": 3, "batch_size": 2, "budget": BUDGET}
    spec = SAMPLERS.parse({"kind": "label_vae", **small})
    maps = train_sampler(toy_cohort([1, 2]), None, spec, tmp_path / "maps", accelerator=PLAIN)
    with pytest.raises(SpecError, match="a GAN of slices"):
        write_walk(maps, tmp_path / "c")
