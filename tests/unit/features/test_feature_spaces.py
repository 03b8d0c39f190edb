"""Spaces of features: equal for equal cases, named by a hash, and refused on subjects that they were trained on."""

import importlib.util

import numpy as np
import pytest

from glioforge.core.errors import DependencyError, InputFileError, LeakageError
from glioforge.features.encoder import Encoder, train_encoder
from glioforge.features.radiomics import Radiomics, region_features
from glioforge.features.random_convolution import WIDTHS, RandomConvolution
from glioforge.features.space import Extractor, Space
from toy_cohort import toy_case, toy_cohort

CASE = toy_case(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An encoder of two toy subjects."""
    folder = tmp_path_factory.mktemp("encoder")
    return train_encoder(toy_cohort([1, 2]), folder, steps=3), folder


def test_random_features_depend_on_seed_and_image_alone():
    """Two mean-and-spread entries a channel and contrast, the same each time."""
    space = RandomConvolution()
    found = space.features(CASE, CASE.modalities)

    assert isinstance(space, Space)
    assert found == RandomConvolution().features(CASE, CASE.modalities)
    assert len(found) == 2 * sum(WIDTHS) * len(CASE.modalities)
    assert RandomConvolution(1).extractor.digest != space.extractor.digest
    assert RandomConvolution(1).features(CASE, CASE.modalities) != found


def test_an_extractor_is_named_by_all_that_decides_its_features():
    """The hash changes with version, settings and weights."""
    first = Extractor("a", "1", {"bins": 2}, "w")
    others = [
        Extractor("a", "2", {"bins": 2}, "w"),
        Extractor("a", "1", {"bins": 3}, "w"),
        Extractor("a", "1", {"bins": 2}, "v"),
    ]

    assert len({first.digest, *(other.digest for other in others)}) == 4
    assert first.to_json()["digest"] == first.digest


def test_radiomics_measure_brain_and_lesion():
    """Mean intensity is the mean, and no entry is undefined, also for a constant region."""
    found = Radiomics().features(CASE, CASE.modalities)
    brain = CASE.brain_mask
    flat = region_features(np.zeros(brain.shape, dtype=np.float32), brain, (1.0, 1.0, 1.0))
    modality = CASE.modalities[0]

    assert found[f"{modality} brain firstorder:mean"] == pytest.approx(
        CASE.images[modality].voxels[brain].mean(), abs=1e-5
    )
    assert np.isfinite(list(found.values())).all()
    assert np.isfinite(list(flat.values())).all()
    assert "fastrad 1.0.0" in Radiomics().extractor.version


def test_radiomics_without_fastrad_say_what_to_install(monkeypatch):
    """The extra is named."""
    monkeypatch.setattr("glioforge.features.radiomics.find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"glioforge\[radiomics\]"):
        Radiomics()
    assert importlib.util.find_spec("fastrad") is not None


def test_an_encoder_is_trained_once_and_read_again(trained):
    """The same cohort, steps and seed give the same weights; what is done is not trained again."""
    encoder, folder = trained
    again = train_encoder(toy_cohort([1, 2]), folder, steps=3)

    assert again.extractor == encoder.extractor
    assert encoder.features(CASE, CASE.modalities) == again.features(CASE, CASE.modalities)
    assert encoder.subjects == {"s01", "s02"}


def test_an_encoder_does_not_measure_subjects_it_learned_from(trained):
    """They are named."""
    encoder, _ = trained
    encoder.require_unseen(toy_cohort([3]))
    with pytest.raises(LeakageError, match="trained on: s02"):
        encoder.require_unseen(toy_cohort([2, 3]))


def test_a_damaged_encoder_is_refused(trained, tmp_path):
    """Weights of another hash than the card's are not used."""
    _, folder = trained
    (tmp_path / "encoder.json").write_bytes((folder / "encoder.json").read_bytes())
    (tmp_path / "encoder.safetensors").write_bytes(b"other")
    with pytest.raises(InputFileError, match="damaged or missing weights"):
        Encoder(tmp_path)
