"""Where the grid is fitted, registration and stripping run once a case, and the result is that of a given size."""

import numpy as np
import pytest
from scipy import ndimage

from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.geometry import Geometry
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation import register as registering, strip as stripping
from glioforge.data.preparation.pipeline import prepare
from glioforge.data.preparation.register import RegisterSpec
from glioforge.data.preparation.spec import GridSpec, PrepareSpec
from glioforge.data.preparation.strip import StripSpec
from glioforge.data.preparation.survey import Survey, known_of, measured
from glioforge.data.store import write_case

SHAPE = (24, 26, 22)
GRID = Geometry.isotropic(SHAPE, 8.0)
SPEC = PrepareSpec(
    registration=RegisterSpec(reference=Modality.T1),
    strip=StripSpec(method="morphology", plausible_ml=(50, 4000)),
    tissue=None,
    grid=GridSpec(multiple=2),
)


@pytest.fixture
def cohort(tmp_path):
    """One head in two contrasts, with a rim of scalp."""
    places = np.moveaxis(np.indices(SHAPE), 0, -1) - (np.array(SHAPE) - 1) / 2
    radius = np.sqrt(((places / np.array([10, 11, 9])) ** 2).sum(axis=-1))
    field = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 2) * 400
    head = np.where(radius < 0.75, 500 + field, np.where((radius > 0.9) & (radius < 1), 700, 20)).astype(np.float32)
    images = {Modality.T1: head, Modality.T2: np.roll(900 - head, 1, axis=0)}
    volumes = {m: Volume(v, GRID, m) for m, v in images.items()}
    return Cohort("heads", (write_case(tmp_path / "raw", Case("h", "s", volumes, Lineage.real("x", "s"))),), COMPLETE)


def test_slow_steps_run_once(tmp_path, cohort, monkeypatch):
    """Measuring keeps what it found; preparing with the fitted size given from the start gives the same voxels."""
    calls = []
    for module, name in ((registering, "register"), (stripping, "by_morphology")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, _real=real, _name=name, **k: calls.append(_name) or _real(*a, **k))
    fitted = prepare(cohort, SPEC, tmp_path / "fitted").cases[0].load()
    assert sorted(calls) == ["by_morphology", "register"]
    given = SPEC.model_copy(update={"grid": GridSpec(multiple=2, size=fitted.geometry.shape)})
    other = prepare(cohort, given, tmp_path / "given").cases[0].load()
    assert sorted(calls) == ["by_morphology"] * 2 + ["register"] * 2
    for modality, volume in fitted.images.items():
        assert np.array_equal(volume.voxels, other.images[modality].voxels)
    assert np.array_equal(fitted.brain, other.brain)
    assert fitted.facts["prepared"]["registration"] == other.facts["prepared"]["registration"]
    assert fitted.facts["prepared"]["strip"]["method"] == "morphology"


def test_damaged_notes_are_not_believed(tmp_path, cohort):
    """A note whose mask is gone, or that is no note, is as good as none; so is one of another spec."""
    survey = Survey(cohort.cases[0], SPEC, tmp_path / "survey")
    assert known_of(survey) is None
    extent = measured(survey)
    assert known_of(survey).stripped.any()
    bare = PrepareSpec(tissue=None)
    assert known_of(Survey(cohort.cases[0], bare, tmp_path / "survey")) is None
    survey.mask.unlink()
    assert known_of(survey) is None
    survey.note.write_text("{}")
    assert known_of(survey) is None
    assert measured(survey) == extent
