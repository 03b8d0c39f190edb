"""Laws that every sampler obeys, in every preset."""

import numpy as np
import pytest

from fixtures_samplers import PLAIN, small_specs
from glioforge.core.errors import CohortError, InputFileError, LeakageError, OutputError
from glioforge.core.labels import LabelMap
from glioforge.core.protocols import ImageSampler, LabelSampler
from glioforge.core.rng import stream
from glioforge.sampling.base import load_sampler, train_sampler
from glioforge.sampling.cohort import sample_cohort
from glioforge.sampling.method import SAMPLERS
from toy_cohort import toy_cohort


@pytest.fixture(scope="module", params=small_specs())
def trained(request, tmp_path_factory):
    """Each sampler, trained for two steps on three toy subjects."""
    folder = tmp_path_factory.mktemp("sampler") / "m"
    return train_sampler(
        toy_cohort([1, 2, 3]),
        toy_cohort([9], "validation"),
        SAMPLERS.parse(request.param),
        folder,
        seed=1,
        accelerator=PLAIN,
    )


def arrays(made):
    """Voxels of a draw as one array."""
    return made.voxels if isinstance(made, LabelMap) else np.stack([volume.voxels for volume in made.values()])


def test_draws_are_what_the_sampler_says_and_valid(trained):
    """Label maps in the scheme, volumes or slices, or finite images on one grid, 0 where there is no brain."""
    (made,) = trained.sample(1, stream(5))
    assert list(trained.sample(0, stream(5))) == []
    if trained.makes == "labels":
        assert isinstance(trained, LabelSampler)
        grid = next(iter(toy_cohort([1]))).load().geometry
        assert made.geometry == grid or 1 in made.geometry.shape
        made.scheme.require(made.voxels)
    else:
        assert isinstance(trained, ImageSampler)
        assert tuple(made) == trained.card.modalities
        assert all(volume.geometry == next(iter(made.values())).geometry for volume in made.values())
        assert np.abs(arrays(made)).max() <= 5


def test_the_state_of_the_generator_decides_the_bytes_and_draws_differ(trained):
    """The same state gives the same draws, the first of which do not depend on how many are asked for."""
    first, second = trained.sample(2, stream(5))
    (again,) = trained.sample(1, stream(5))
    loaded = load_sampler(trained.folder, PLAIN)
    assert np.array_equal(arrays(first), arrays(again))
    assert np.array_equal(arrays(first), arrays(next(iter(loaded.sample(1, stream(5))))))
    if trained.makes == "images":
        assert not np.array_equal(arrays(first), arrays(second))


def test_a_cohort_grows_names_everyone_and_is_found_again(trained, tmp_path):
    """Three cases contain the two drawn before; nobody is a parent and every training subject is behind each."""
    two = sample_cohort(trained, 2, tmp_path / "out", seed=3)
    three = sample_cohort(trained, 3, tmp_path / "out", seed=3)
    assert [ref.digest for ref in two] == [ref.digest for ref in three][:2]
    for ref in three:
        assert ref.lineage.is_synthetic
        assert ref.lineage.parents == ()
        assert set(ref.lineage.subjects) >= {"s01", "s02", "s03"}
        assert ref.lineage.weights == trained.card.weights
    assert (three.cases[0].load().labels is None) == (trained.makes == "images")
    with pytest.raises(OutputError, match="other cases"):
        sample_cohort(trained, 1, tmp_path / "out", seed=3)
    with pytest.raises(OutputError, match="seed was 3, is now 4"):
        sample_cohort(trained, 3, tmp_path / "out", seed=4)


def test_a_damaged_case_is_drawn_again(trained, tmp_path):
    """What an interrupted disk left is replaced by the same case."""
    first = sample_cohort(trained, 1, tmp_path / "out")
    files = [path for path in (tmp_path / "out" / "cases").rglob("*") if path.is_file()]
    files[0].write_bytes(b"")
    assert next(ref.digest for ref in sample_cohort(trained, 2, tmp_path / "out")) == first.cases[0].digest


def test_validation_subjects_are_behind_the_model_where_they_select_it(trained):
    """And only there."""
    scored = trained.card.outcome.best_score is not None
    assert ("s09" in trained.lineage.subjects) == scored


def test_training_again_loads_and_damage_is_refused(trained, tmp_path):
    """Same seed, same weights; a file cut short is one typed error."""
    arguments = (toy_cohort([1, 2, 3]), toy_cohort([9], "validation"), trained.card.spec)
    twin = train_sampler(*arguments, tmp_path / "m", seed=1, accelerator=PLAIN)
    assert twin.card.weights == trained.card.weights
    for name in ("weights.safetensors", "card.json"):
        whole = (tmp_path / "m" / name).read_bytes()
        (tmp_path / "m" / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputFileError):
            load_sampler(tmp_path / "m")
        (tmp_path / "m" / name).write_bytes(whole)


def test_unusable_cohorts_are_refused(trained, tmp_path):
    """Empty, with the validation subject inside, or of the wrong contrasts."""
    spec = trained.card.spec
    with pytest.raises(CohortError, match="no training cases"):
        train_sampler(toy_cohort([]), None, spec, tmp_path / "m")
    with pytest.raises(LeakageError):
        train_sampler(toy_cohort([1, 2]), toy_cohort([2], "validation"), spec, tmp_path / "m")
    if trained.makes == "images":
        asked = spec.model_copy(update={"modalities": ("t2",)})
        with pytest.raises(CohortError, match=r"also \['t2'\]"):
            train_sampler(toy_cohort([1]), None, asked, tmp_path / "m")
    assert not (tmp_path / "m").exists()
