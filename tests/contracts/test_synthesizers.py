"""Laws that every synthesizer obeys, in every preset."""

from pathlib import Path

import numpy as np
import pytest
import torch

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.compute.precision import native_precision
from glioforge.core.errors import CohortError, InputFileError, LabelError, LeakageError, OutputError
from glioforge.core.labels import LabelMap
from glioforge.core.protocols import ImageSynthesizer
from glioforge.core.rng import stream
from glioforge.core.schemes import BRATS2023
from glioforge.core.volume import Modality
from glioforge.synthesis.base import SYNTHESIZERS, SynthesizerSpec, load_synthesizer, train_synthesizer
from toy_cohort import toy_cohort, toy_labels
from toy_processors import pretend

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
SMALL = {
    "ensemble": {
        "members": [{"kind": "regression", "widths": (2, 4), "batch_size": 2}, {"kind": "painted"}],
        "seeds": 2,
        "budget": {"steps": 3, "epochs": None, "validate_every": 2, "checkpoint_every": 2},
    },
    "augmentation_net": {
        "width_mult": 1 / 256,
        "doublings": 2,
        "size": None,
        "critic_width": 2,
        "critic_layers": 2,
        "batch_size": 2,
        "features": {"widths": (2, 4), "budget": {"steps": 2, "validate_every": 2, "checkpoint_every": 2}},
        "budget": {"steps": 3, "epochs": None, "validate_every": 2, "checkpoint_every": 2},
    },
    "spade": {
        "ngf": 2,
        "hidden": 4,
        "critic_width": 2,
        "critic_layers": 2,
        "batch_size": 2,
        "modalities": None,
        "budget": {"steps": 3, "epochs": None, "validate_every": 2, "checkpoint_every": 2},
    },
    "pix2pix": {
        "ngf": 2,
        "levels": 3,
        "size": None,
        "critic_width": 2,
        "critic_layers": 2,
        "batch_size": 2,
        "budget": {"steps": 3, "epochs": None, "validate_every": 2, "checkpoint_every": 2},
    },
    "pix2pixhd": {
        "ngf": 2,
        "halvings": 1,
        "blocks": 1,
        "enhancer_blocks": 1,
        "critic_width": 2,
        "critic_layers": 2,
        "batch_size": 2,
        "budget": {"steps": 3, "epochs": None, "validate_every": 2, "checkpoint_every": 2},
    },
    "regression": {
        "widths": (2, 4),
        "batch_size": 2,
        "budget": {"steps": 3, "epochs": None, "validate_every": 2, "checkpoint_every": 2},
    },
    "sound": {
        "widths": (2, 4),
        "critic_width": 2,
        "critic_layers": 2,
        "batch_size": 2,
        "size": None,
        "budget": {"steps": 3, "epochs": None, "validate_every": 2, "checkpoint_every": 2},
    },
    "samr": {
        "ngf": 2,
        "widest": 4,
        "blocks": 1,
        "critic_width": 2,
        "critic_layers": 2,
        "atlas_shape": (6, 6, 5),
        "consistency": {"widths": (2, 4)},
        "batch_size": 2,
        "budget": {"steps": 3, "epochs": None, "validate_every": 2, "checkpoint_every": 2},
    },
}
"""Settings that make a synthesizer of each kind small enough for a test; presets keep the rest."""
DETERMINISTIC = {(kind, False, 0.0) for kind in ("augmentation_net", "spade", "regression", "samr", "pix2pixhd")}
DETERMINISTIC.add(("painted", None, None))
"""Kinds that may give one image for one map: kind, style, grain."""
SHORT = {"budget": {"steps": 3, "epochs": None, "validate_every": 2, "checkpoint_every": 2}}
"""For a kind that is not listed above."""


def specs():
    """Every kind in every preset, small."""
    for kind in SYNTHESIZERS.kinds():
        for preset in SYNTHESIZERS.spec_class(kind).PRESETS or (None,):
            chosen = {} if preset is None else {"preset": preset}
            yield pytest.param({"kind": kind, **chosen, **SMALL.get(kind, SHORT)}, id=f"{kind}-{preset}")


@pytest.fixture(scope="module", params=list(specs()))
def trained(request, tmp_path_factory):
    """Each synthesizer, trained for three steps on three toy subjects."""
    folder = tmp_path_factory.mktemp("model") / "m"
    spec = SYNTHESIZERS.parse(request.param)
    return train_synthesizer(
        toy_cohort([1, 2, 3]), toy_cohort([9], "validation"), spec, folder, seed=1, accelerator=PLAIN
    )


def pixels(images):
    """All contrasts as one array."""
    return np.stack([volume.voxels for volume in images.values()])


def test_spec_survives_a_round_trip_and_every_field_is_explained(trained):
    """A run folder's spec gives back the same settings; the file names its source."""
    spec = trained.spec
    assert isinstance(spec, SynthesizerSpec)
    assert SYNTHESIZERS.parse(spec.model_dump(mode="json")) == spec
    assert [name for name, field in type(spec).model_fields.items() if not field.description] == []
    part = SYNTHESIZERS.part_for(spec)
    text = Path(__import__(part.__module__, fromlist=["x"]).__file__).read_text(encoding="utf-8")
    assert "arXiv:" in text
    assert "Deviations" in text


def test_it_is_an_image_synthesizer_with_its_lineage(trained):
    """Contrasts, scheme, subjects and hash are told."""
    assert isinstance(trained, ImageSynthesizer)
    assert trained.modalities == (Modality.T1, Modality.FLAIR)
    assert trained.lineage_subjects == ("s01", "s02", "s03"), "the validation subject did not select the weights"
    assert trained.lineage.subjects == trained.lineage_subjects
    assert trained.lineage.weights == trained.weights_hash
    assert (trained.kind, trained.scheme.name) == (trained.spec.kind, "complete")


def test_same_generator_state_gives_same_bytes_and_geometry_is_kept(trained):
    """On the map's own grid, float32."""
    labels = toy_labels(5)
    first, again = (trained.synthesize(labels, stream(7, "x")) for _ in range(2))
    assert pixels(first).tobytes() == pixels(again).tobytes()
    assert list(first) == list(trained.modalities)
    assert all(volume.geometry == labels.geometry for volume in first.values())


def test_outside_the_brain_is_exactly_0_and_inside_within_5(trained):
    """No matter what the network says."""
    labels = toy_labels(5)
    made = pixels(trained.synthesize(labels, stream(7, "x")))
    assert not made[:, labels.voxels == 0].any()
    assert np.abs(made).max() <= 5
    assert made[:, labels.voxels > 0].any()


@pytest.mark.parametrize("shape", [(5, 7, 3), (17, 9, 1), (1, 1, 1)])
def test_odd_sizes_and_thin_volumes_are_taken(trained, shape):
    """Any grid, down to one voxel."""
    labels = toy_labels(5)
    grid = labels.geometry.box((0, 0, 0), shape)
    voxels = np.full(shape, 4, np.uint8)
    made = trained.synthesize(LabelMap(voxels, grid, labels.scheme), stream(1))
    assert pixels(made).shape == (2, *shape)
    empty = trained.synthesize(LabelMap(np.zeros(shape, np.uint8), grid, labels.scheme), stream(1))
    assert not pixels(empty).any()


def test_missing_classes_are_taken(trained):
    """A map without lesion gives images."""
    labels = toy_labels(5)
    healthy = np.where(np.isin(labels.voxels, labels.scheme.lesion_values), 4, labels.voxels).astype(np.uint8)
    assert pixels(trained.synthesize(labels.with_voxels(healthy), stream(1))).any()


def test_labels_of_another_scheme_are_refused(trained):
    """A bare tumour map can't be painted."""
    labels = toy_labels(5).to(BRATS2023)
    with pytest.raises(LabelError, match="labels in scheme 'brats2023'; expected scheme 'complete'"):
        trained.synthesize(labels, stream(1))


def test_loading_gives_the_same_synthesizer(trained):
    """Same hash, same bytes."""
    again = load_synthesizer(trained.folder, PLAIN)
    assert again.weights_hash == trained.weights_hash
    labels = toy_labels(5)
    assert (
        pixels(again.synthesize(labels, stream(2))).tobytes() == pixels(trained.synthesize(labels, stream(2))).tobytes()
    )


def test_training_again_loads_and_the_seed_decides_the_weights(trained, tmp_path):
    """Same seed, same file; a folder made with another seed is refused."""
    arguments = (toy_cohort([1, 2, 3]), toy_cohort([9], "validation"), trained.spec)
    twin = train_synthesizer(*arguments, tmp_path / "m", seed=1, accelerator=PLAIN)
    assert twin.weights_hash == trained.weights_hash
    with pytest.raises(OutputError, match="seed was 1, is now 2"):
        train_synthesizer(*arguments, tmp_path / "m", seed=2, accelerator=PLAIN)


@pytest.mark.parametrize("name", ["weights.safetensors", "card.json"])
def test_damaged_or_missing_files_are_refused(trained, tmp_path, name):
    """Cut short, swapped for a pickle, or gone: one typed error that names the file."""
    for file in trained.folder.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    with pytest.raises(InputFileError):
        load_synthesizer(tmp_path)
    for hostile in (whole[: len(whole) // 2], b"\x80\x04K\x01.", b"{}", b""):
        (tmp_path / name).write_bytes(hostile)
        with pytest.raises(InputFileError):
            load_synthesizer(tmp_path)


def test_unusable_cohorts_are_refused(trained, tmp_path):
    """Empty, without a contrast, without tissue, or with the validation subject inside."""

    def train(cohort, validation=None, **changes):
        spec = trained.spec.model_copy(update=changes)
        train_synthesizer(cohort, validation, spec, tmp_path / "m", seed=1, accelerator=PLAIN)

    with pytest.raises(CohortError, match="no training cases"):
        train(toy_cohort([]))
    with pytest.raises(CohortError, match=r"also \['t2'\]"):
        train(toy_cohort([1]), modalities=(Modality.T1, Modality.T2))
    with pytest.raises(LeakageError):
        train(toy_cohort([1, 2]), toy_cohort([2], "validation"))
    assert not (tmp_path / "m").exists()


def test_two_draws_differ_where_the_method_promises_it(trained):
    """A method that calls itself varied gives differing images for one map, any other the same one."""
    labels = toy_labels(5)
    first, second = (pixels(trained.synthesize(labels, stream(seed))) for seed in (1, 2))
    assert np.array_equal(first, second) == (not trained.varied)
    assert trained.varied or _said(trained) in DETERMINISTIC


def _said(trained):
    """Kind, style and grain of a synthesizer; none where the kind has no such setting."""
    return trained.kind, *(getattr(trained.spec, name, None) for name in ("style", "grain"))


def test_bfloat16_and_float32_agree_in_tolerance(trained, monkeypatch):
    """Half precision changes little, on a processor that is said to compute it."""
    labels = toy_labels(5)
    pretend(monkeypatch, "AVX-512 BF16")
    half = load_synthesizer(trained.folder, PLAIN.model_copy(update={"precision": native_precision("cpu")}))
    made, exact = pixels(half.synthesize(labels, stream(2))), pixels(trained.synthesize(labels, stream(2)))
    assert half.runs_in == "bf16-mixed"
    assert np.abs(made - exact).mean() < 0.05


def test_torch_threads_are_left_as_they_were(trained):
    """Inference borrows the setting."""
    before = torch.get_num_threads()
    trained.synthesize(toy_labels(5), stream(2))
    assert torch.get_num_threads() == before
