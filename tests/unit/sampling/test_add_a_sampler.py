"""The samplers of the page on adding one train and draw as the page says."""

import re
from pathlib import Path

import numpy as np
import pytest

from fixtures_samplers import PLAIN
from glioforge.core import SpecError, stream
from glioforge.sampling.base import train_sampler
from glioforge.sampling.method import SAMPLERS
from toy_cohort import toy_cohort

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "add-a-sampler.md"


@pytest.fixture
def codes():
    """The page's samplers of cases and of slices, registered while a test runs."""
    yield re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for kind in ("voxel_gaussian", "slice_vae"):
        SAMPLERS._entries.pop(kind, None)


def test_the_sampler_of_the_page_learns_mean_and_spread_of_each_voxel(codes, tmp_path):
    """It needs three names of the package, and comes near the mean of the training cases."""
    code, _ = codes
    exec(compile(code, str(PAGE), "exec"), {"__name__": "page"})  # noqa: S102 - the page's own code
    assert re.findall(r"^from glioforge\.\S+ import (.*)$", code, re.MULTILINE) == ["SAMPLERS, Sampler, SamplerSpec"]
    settings = {"optimizer": {"learning_rate": 0.05}, "budget": {"steps": 120, "validate_every": 120}, "batch_size": 4}
    spec = SAMPLERS.parse({"kind": "voxel_gaussian", "modalities": ["t1"], **settings})
    cohort = toy_cohort([1, 2, 3, 4])
    trained = train_sampler(cohort, None, spec, tmp_path / "m", accelerator=PLAIN)

    real = np.mean([ref.load().stack(trained.card.modalities) for ref in cohort], axis=0)
    made = np.mean([np.stack([v.voxels for v in draw.values()]) for draw in trained.sample(8, stream(1))], axis=0)

    assert np.corrcoef(real.ravel(), made.ravel())[0, 1] > 0.9
    assert not trained.findings(stream(1))

    trained.method.make = lambda rng, accelerator: np.zeros((1, 2, 2, 2))
    with pytest.raises(SpecError, match="`make` of sampler 'voxel_gaussian' returned ndarray"):
        next(iter(trained.sample(1, stream(1))))


def test_the_slice_sampler_of_the_page_learns_how_slices_differ(codes, tmp_path):
    """Three names of the package; its slices are nearer to unseen ones than the mean slice is, pixel by pixel."""
    _, code = codes
    exec(compile(code, str(PAGE), "exec"), {"__name__": "page"})  # noqa: S102 - the page's own code
    assert re.findall(r"^from glioforge\.\S+ import (.*)$", code, re.MULTILINE) == ["SAMPLERS, SliceSampler, SliceSpec"]
    slices = {"plane": "axial", "between": (0.3, 0.7), "size": 32, "latent": 4, "modalities": ["t1"]}
    training = {"optimizer": {"learning_rate": 0.003}, "budget": {"steps": 150, "validate_every": 150}, "ema": None}
    spec = SAMPLERS.parse({"kind": "slice_vae", **slices, **training})
    train, unseen = toy_cohort([1, 2, 3, 4, 5, 6]), toy_cohort([7, 8])
    trained = train_sampler(train, None, spec, tmp_path / "m", accelerator=PLAIN)

    real, seen = (trained.method.slices(cohort).images.float().numpy()[:, 0] for cohort in (unseen, train))
    draws = [np.squeeze(next(iter(draw.values())).voxels) for draw in trained.sample(40, stream(1))]
    made = np.stack([np.where(draw != 0, draw / spec.span, -1) for draw in draws])
    distances = np.sqrt(np.square(real[:, None] - made[None]).mean(axis=(2, 3))).min(axis=1)
    from_mean = np.sqrt(np.square(real - seen.mean(axis=0)).mean(axis=(1, 2)))

    assert distances.mean() < from_mean.mean()
