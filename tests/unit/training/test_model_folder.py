"""Promises of the one folder of trained models: any family uses it, and what earlier releases wrote is read."""

import hashlib
import json
import shutil
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.config.registry import Registry
from glioforge.config.spec import Spec
from glioforge.core import Silent
from glioforge.core.cohort import Cohort
from glioforge.core.errors import InputFileError, OutputError
from glioforge.core.schemes import COMPLETE
from glioforge.io.folder_kind import kind_of_folder
from glioforge.segmentation.base import SEGMENTERS, load_segmenter, train_segmenter
from glioforge.segmentation.methods.unet import UNetSpec
from glioforge.synthesis.base import SYNTHESIZERS, load_synthesizer, train_synthesizer
from glioforge.training.budget import Budget, Fitting
from glioforge.training.model_folder import Card, hash_of_files, keep_trained, lineage_of, read_card, write_model
from toy_cohort import toy_case, toy_cohort

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
TRAIN, HELD = toy_cohort([1, 2]), toy_cohort([3], "held")


class Noise(Spec):
    """Settings of a sampler."""

    kind: Literal["from_noise"] = "from_noise"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A control, and a U-Net after one step."""
    place = tmp_path_factory.mktemp("models")
    spec = SYNTHESIZERS.parse("painted")
    train_synthesizer(TRAIN, None, spec, place / "synthesizer", seed=1, accelerator=PLAIN)
    spec = UNetSpec(widths=(4, 8), batch_size=2, augment=None, budget=Budget(steps=1, validate_every=1))
    train_segmenter(TRAIN, HELD, spec, place / "segmenter", seed=1, accelerator=PLAIN)
    return place


def card_in(folder):
    """Values of a card."""
    return json.loads((folder / "card.json").read_text())


def test_a_new_family_needs_a_name_and_nothing_else(tmp_path):
    """Its card comes back whole, and no other family takes its folder."""
    samplers = Registry("sampler", "glioforge.segmentation.methods")
    samplers.register(Noise)(Noise)
    made = Card("sampler", Noise(), TRAIN.modalities, TRAIN.lineage, {"a": "1", "b/c": "2"})
    made = replace(made, facts={"of": "noise"}, training={"seed": 3})
    write_model(tmp_path, made, TRAIN, HELD)
    card = read_card(tmp_path, samplers)

    assert (card.family, card.kind, card.spec, card.facts) == ("sampler", "from_noise", Noise(), {"of": "noise"})
    assert (card.scheme, card.outcome, card.modalities, card.training) == (None, None, TRAIN.modalities, {"seed": 3})
    assert (card.lineage.subjects, card.model_lineage.weights) == (("s01", "s02"), hash_of_files({"a": "1", "b": "2"}))
    assert kind_of_folder(tmp_path) == "a sampler"
    assert json.loads((tmp_path / "split.json").read_text()) == {"train": ["s01", "s02"], "validation": ["s03"]}
    with pytest.raises(InputFileError, match="this is a sampler; expected a segmenter; name the folder that"):
        load_segmenter(tmp_path)


def test_a_model_is_trained_once_and_written_by_the_first_process(tmp_path, monkeypatch):
    """A finished folder is left alone, other settings are refused, and further processes train without writing."""
    trained = []
    fitting = Fitting(TRAIN, HELD, tmp_path / "training", 1, PLAIN, Silent())

    def card(_fitted):
        return Card("sampler", Noise(), TRAIN.modalities, lineage_of(Noise(), TRAIN, HELD), {"a": "1"})

    def keep(name, **changes):
        keep_trained(tmp_path / name, Noise(), replace(fitting, **changes), lambda: trained.append(name), card)

    keep("model")
    keep("model")
    monkeypatch.setenv("RANK", "1")
    keep("second", accelerator=PLAIN.model_copy(update={"devices": 2}))

    assert trained == ["model", "second"]
    assert not (tmp_path / "second").exists()
    assert set(card_in(tmp_path / "model")["lineage"]["subjects"]) == {*TRAIN.subject_ids, *HELD.subject_ids}
    with pytest.raises(OutputError, match="seed"):
        keep("model", seed=2)


def test_all_families_write_the_same_entries(models):
    """Versions among them, and a training that people can read."""
    one, other = (card_in(models / name) for name in ("synthesizer", "segmenter"))
    assert one.keys() == other.keys()
    assert {"seed", "train", "device", "threads", "precision", "outcome"} <= one["training"].keys()
    assert {"glioforge", "torch"} <= other["versions"].keys()
    assert list(one["files"]) == list(other["files"]) == ["weights.safetensors"]


def test_grid_and_preparation_come_from_the_training_cases(tmp_path):
    """The grid that they share; none where one of them has no record."""
    case = toy_case(1)
    plan = {"source": case.geometry.to_json(), "start": [0, 0, 0], "factor": [1, 1, 1], "size": [4, 5, 6]}
    refs = [replace(ref, facts={"prepared": {"grid": plan}, "preparation": "abc"}) for ref in TRAIN]
    made = Card("segmenter", UNetSpec(), TRAIN.modalities, TRAIN.lineage, {"a": "1"})
    write_model(tmp_path, made, Cohort("train", tuple(refs), COMPLETE), None)
    card = read_card(tmp_path, SEGMENTERS)
    assert (card.grid.shape, card.grid.spacing, card.preparations) == ((4, 5, 6), case.geometry.spacing, ("abc",))
    mixed = Cohort("train", (refs[0], list(TRAIN)[1]), COMPLETE)
    assert write_model(tmp_path, made, mixed, None).grid is None


def test_a_changed_card_is_refused(models, tmp_path):
    """A lineage that was shortened by hand would let the firewall pass what it must stop."""
    folder = shutil.copytree(models / "segmenter", tmp_path / "copy")
    values = card_in(folder)
    values["lineage"]["subjects"] = ["s01"]
    (folder / "card.json").write_text(json.dumps(values))
    with pytest.raises(InputFileError, match="a card that was changed; expected the card as train wrote it"):
        load_segmenter(folder)


def as_older_synthesizer(folder):
    """Rewrite a synthesizer's folder as the format before had it."""
    card = card_in(folder)
    older = {name: card[name] for name in ("kind", "weights", "scheme", "modalities", "facts")}
    spec = hashlib.blake2b(json.dumps(card["spec"], sort_keys=True).encode(), digest_size=16).hexdigest()
    older |= {"format": 2, "spec": spec, "ways": card["lineage"]["ways"], "subjects": card["lineage"]["subjects"]}
    (folder / "spec.json").write_text(json.dumps(card["spec"]))
    (folder / "card.json").write_text(json.dumps({**older, "preparation": ["abc"], "precision": "32-true", "seed": 1}))


def as_older_segmenter(folder, **changes):
    """Rewrite a segmenter's folder as the format before had it."""
    card = card_in(folder)
    older = {"type": "segmenter", "version": 2, "lineage_subjects": card["lineage"]["subjects"], "synthetic_share": 0}
    older |= {name: card[name] for name in ("spec", "modalities", "weights")}
    older |= {name: card["training"][name] for name in ("precision", "outcome")}
    older |= {"view_weights": list(card["files"].values()), "preparation": [], "unseen_classes": []}
    (folder / "card.json").write_text(json.dumps(older | changes))


def test_a_synthesizer_of_the_format_before_is_read(models, tmp_path):
    """With the same images; a changed spec is refused as it was."""
    folder = shutil.copytree(models / "synthesizer", tmp_path / "copy")
    today = load_synthesizer(folder, PLAIN)
    as_older_synthesizer(folder)
    older = load_synthesizer(folder, PLAIN)
    case = toy_case(5).require_labels()
    images = [model.synthesize(case, np.random.default_rng(1)) for model in (today, older)]

    assert all(np.array_equal(images[0][m].voxels, images[1][m].voxels) for m in today.modalities)
    assert (older.weights_hash, older.lineage, older.preparations) == (today.weights_hash, today.lineage, ("abc",))
    (folder / "spec.json").write_text(json.dumps({**json.loads((folder / "spec.json").read_text()), "width": 0.9}))
    with pytest.raises(InputFileError, match="a spec that was changed"):
        load_synthesizer(folder)


def test_a_segmenter_of_the_version_before_is_read(models, tmp_path):
    """It says who was seen, not in which way; a model whose class weights came from unnamed cases is refused."""
    folder = shutil.copytree(models / "segmenter", tmp_path / "copy")
    today = load_segmenter(folder, PLAIN)
    as_older_segmenter(folder)
    older = load_segmenter(folder, PLAIN)

    assert np.array_equal(older.segment(toy_case(5)).voxels, today.segment(toy_case(5)).voxels)
    assert (older.lineage.subjects, older.lineage.ways) == (("s01", "s02", "s03"), {})
    assert (older.outcome, older.weights_hash) == (today.outcome, today.weights_hash)
    shutil.copy(models / "segmenter" / "card.json", folder)
    as_older_segmenter(folder, synthetic_share=1.0)
    with pytest.raises(InputFileError, match="does not name the real cases whose voxels weighed the classes"):
        load_segmenter(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 1}, "a card of version 1; expected version 2; use the release"),
        ({"spec": 7}, "a damaged card"),
        ({"view_weights": ["a", "b"]}, "a damaged card"),
        ({"outcome": []}, "a damaged card"),
        ({"modalities": 3}, "a damaged card"),
        ({"lineage_subjects": None}, "a damaged card"),
        ({"type": "nnunet"}, "a damaged card"),
    ],
)
def test_damaged_cards_of_versions_before_are_refused(models, tmp_path, changes, words):
    """Each as a damaged card, or by its version."""
    folder = shutil.copytree(models / "segmenter", tmp_path / "copy")
    as_older_segmenter(folder, **changes)
    with pytest.raises(InputFileError, match=words):
        load_segmenter(folder)
