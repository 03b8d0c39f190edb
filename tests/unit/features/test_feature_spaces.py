"""Spaces of features: equal for equal cases, named by a hash, and refused on subjects that they were trained on."""

import importlib.util
import json
import shutil

import numpy as np
import pytest

from glioforge.core.errors import DependencyError, InputFileError, LeakageError, OutputError
from glioforge.features.encoder import ENCODERS, Encoder, require_other_subjects, train_encoder
from glioforge.features.radiomics import Radiomics, region_features
from glioforge.features.random_convolution import WIDTHS, RandomConvolution
from glioforge.features.space import Extractor, Space
from glioforge.io.folder_kind import kind_of_folder
from glioforge.segmentation import load_segmenter
from glioforge.training.model_folder import read_card
from glioforge.training.weights import digest
from hostile import forge_card
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
    (folder / "encoder.json").write_text("of an earlier release", encoding="utf-8")
    again = train_encoder(toy_cohort([1, 2]), folder, steps=3)
    assert not (folder / "encoder.json").exists()

    assert again.extractor == encoder.extractor
    assert encoder.features(CASE, CASE.modalities) == again.features(CASE, CASE.modalities)
    assert set(encoder.lineage.subjects) == {"s01", "s02"}


def test_an_encoder_does_not_measure_subjects_it_learned_from(trained):
    """They are named."""
    encoder, _ = trained
    require_other_subjects(encoder.lineage.subjects, toy_cohort([3]))
    with pytest.raises(LeakageError, match="trained on: s02"):
        require_other_subjects(encoder.lineage.subjects, toy_cohort([2, 3]))


def test_an_encoder_has_the_card_of_any_model(trained):
    """Family, settings, subjects and hashes; other settings are not trained over it."""
    encoder, folder = trained
    card = read_card(folder, ENCODERS)

    assert (card.family, card.kind, card.spec.steps, card.outcome.steps) == ("encoder", "labels", 3, 3)
    assert len(card.outcome.history) == len((folder / "training" / "history.csv").read_text().splitlines()) - 1 == 1
    assert card.files == {"weights.safetensors": digest((folder / "weights.safetensors").read_bytes())}
    assert (encoder.lineage, encoder.extractor.weights) == (card.model_lineage, card.weights)
    assert kind_of_folder(folder) == "an encoder"
    with pytest.raises(OutputError):
        train_encoder(toy_cohort([1, 2]), folder, steps=4)
    with pytest.raises(InputFileError, match="this is an encoder; expected a segmenter"):
        load_segmenter(folder)


def spoil_card(folder):
    """Change a setting."""
    path = folder / "card.json"
    path.write_text(path.read_text().replace('"steps": 3', '"steps": 5'))


def spoil_weights(folder):
    """Change a byte."""
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_card, "a card that was changed.*train again"),
        (spoil_weights, "weights with hash .*, or train again"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "weights.safetensors: "),
        (lambda folder: (folder / "weights.safetensors").write_bytes(b"other"), "not a whole safetensors file"),
        (lambda folder: (folder / "card.json").write_bytes(b"{}"), "card.json: a card of format None"),
        (lambda folder: (folder / "card.json").unlink(), "no finished encoder; .*repeat the training to finish it"),
        (lambda folder: forge_card(folder, spec={"kind": "labels", "widths": [8]}), "weights that do not fit"),
        (lambda folder: forge_card(folder, spec={"kind": "labels", "widths": []}), "a damaged card"),
        (lambda folder: forge_card(folder, lineage=None), "a damaged card"),
        (
            lambda folder: forge_card(folder, family="segmenter"),
            "this is a segmenter; expected an encoder; name",
        ),
    ],
)
def test_a_damaged_encoder_is_refused(trained, tmp_path, spoil, message):
    """By a typed error that says what to do, whichever of its files is damaged or missing."""
    folder = shutil.copytree(trained[1], tmp_path / "copy")
    spoil(folder)
    with pytest.raises(InputFileError, match=message):
        Encoder(folder)


def test_an_encoder_of_an_earlier_release_is_named(tmp_path):
    """It has to be trained again."""
    older = {"widths": [8, 16, 32, 32], "steps": 3, "seed": 1, "cohort": "a", "weights": "b", "lineage": {}}
    (tmp_path / "encoder.json").write_text(json.dumps(older))
    (tmp_path / "encoder.safetensors").write_bytes(b"weights")
    with pytest.raises(InputFileError, match=r"of an earlier release \(encoder.json\).*train it again: repeat"):
        Encoder(tmp_path)
    assert kind_of_folder(tmp_path) == "an encoder"
