"""The sampler of the page on adding one trains and draws as the page says."""

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
def code():
    """The page's sampler, registered while a test runs."""
    text = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    yield text[1]
    SAMPLERS._entries.pop("voxel_gaussian", None)


def test_the_sampler_of_the_page_learns_mean_and_spread_of_each_voxel(code, tmp_path):
    """It needs three names of the package, and comes near the mean of the training cases."""
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
