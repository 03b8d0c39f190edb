"""Promises of what a training leaves as it goes: snapshots, pictures, events."""

import sys

import numpy as np
import pytest
import torch

from glioforge.core.errors import DependencyError, InputFileError
from glioforge.io.png import read_png_labels
from glioforge.io.run_folder import read_json
from glioforge.training.budget import Budget
from glioforge.training.loop import train
from glioforge.training.recipe import Observation, observe_last, variety
from glioforge.training.record import sample_grid
from glioforge.training.snapshots import load_snapshots
from toy_scripted import Scripted, batch
from toy_training import fabric

BUDGET = Budget(steps=20, validate_every=4, checkpoint_every=5, snapshots=2)


def run(folder, budget=BUDGET, batches=batch):
    """Train a scripted recipe."""
    return train(Scripted(lambda step: {"loss": 1.0}), batches, budget, folder, seed=1, fabric=fabric())


def test_the_last_snapshots_are_kept_listed_and_loaded(tmp_path):
    """Two of five validations; each is the network of its step."""
    run(tmp_path)
    assert [entry["step"] for entry in read_json(tmp_path / "done.json")["facts"]["snapshots"]] == [16, 20]
    states = load_snapshots(tmp_path)
    assert {step: float(state["weight"]) for step, state in states.items()} == {16: 16.0, 20: 20.0}
    assert len(list((tmp_path / "snapshots").iterdir())) == 2


def test_interrupted_training_keeps_the_same_snapshots(tmp_path):
    """Files and hashes are those of an undisturbed run."""

    def failing(step):
        if step == 18:
            raise OSError(step)
        return batch(step)

    run(tmp_path / "whole")
    with pytest.raises(OSError, match="18"):
        run(tmp_path / "broken", batches=failing)
    run(tmp_path / "broken")
    whole, broken = (read_json(tmp_path / name / "done.json")["facts"] for name in ("whole", "broken"))
    assert whole["snapshots"] == broken["snapshots"]


def test_without_snapshots_there_are_none(tmp_path):
    """No folder, and an empty answer."""
    run(tmp_path, BUDGET.model_copy(update={"snapshots": 0, "samples": False}))
    assert load_snapshots(tmp_path) == {}
    assert {path.name for path in tmp_path.iterdir()} >= {"weights.safetensors", "done.json"}
    assert not (tmp_path / "snapshots").exists()
    assert not (tmp_path / "samples").exists()


def test_snapshots_of_an_unfinished_training_and_changed_ones_are_refused(tmp_path):
    """Nothing is taken on trust."""
    with pytest.raises(InputFileError, match=r"done\.json"):
        load_snapshots(tmp_path)
    run(tmp_path)
    path = tmp_path / "snapshots" / "step_00000016.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(InputFileError, match="weights with hash .* noted when they were written"):
        load_snapshots(tmp_path)


def test_a_picture_is_written_at_each_validation(tmp_path):
    """Four samples beside each other, a row of scans above a row of made images."""
    run(tmp_path)
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == [f"step_{step:06d}.png" for step in (4, 8, 12, 16, 20)]
    picture = read_png_labels(tmp_path / "samples" / "step_000020.png")
    assert picture.shape == (24, 12)
    assert np.array_equal(picture[:, 6:], picture[:, :6]), "the made images are the scans here"


def test_picture_shows_labels_scans_and_made_images_in_rows():
    """Top to bottom: map, then scan and made image of each contrast; black outside the brain."""
    brain = torch.ones(9, 5, 4, dtype=torch.bool)
    brain[:, 0] = False
    real = torch.stack([torch.linspace(0, 1, 20).view(5, 4), torch.linspace(1, 0, 20).view(5, 4)]).expand(9, 2, 5, 4)
    labels = torch.full((9, 3, 5, 4), 2)
    labels[:, 1, 0] = 0
    grid = sample_grid(Observation({"images": real, "brain": brain, "labels": labels}, real * 0, real * 0))
    assert grid.shape == (8 * 5, 5 * 4)
    made_second, real_second, made_first, real_first, top = (grid[:5, 4 * n : 4 * n + 4] for n in range(5))
    assert top[0].tolist() == [0] * 4
    assert top[1:].min() == 255
    assert real_first[1, 0] < real_first[4, 3] == 255
    assert real_second[4, 3] == 0 < real_second[1, 0]
    assert made_first.max() == made_second.max() == 0
    assert not grid.reshape(8, 5, 20)[:, 0, :16].any()


def test_picture_of_volumes_shows_the_middle_slice_and_of_no_brain_is_black():
    """Three dimensions and empty masks are no special case for the user."""
    volume = torch.rand(2, 1, 6, 5, 3)
    inside = torch.ones(2, 6, 5, 3, dtype=torch.bool)
    assert sample_grid(Observation({"images": volume, "brain": inside}, volume, volume)).shape == (12, 10)
    assert not sample_grid(Observation({"images": volume, "brain": ~inside}, volume, volume)).any()
    labels = torch.zeros(volume.shape[0], 1, *volume.shape[2:], dtype=torch.int64)
    labels[..., labels.shape[-1] // 2] = 3
    shown = sample_grid(Observation({"images": volume, "brain": inside, "labels": labels}, volume, volume))
    assert (shown == 255).sum() >= labels[..., 0].numel()


def test_variety_of_what_cannot_vary_is_not_stated():
    """A batch of one, no brain in common, or equal scans."""
    images, inside = torch.rand(2, 1, 3, 3), torch.ones(2, 3, 3, dtype=torch.bool)
    assert variety(images[:1], images[:1], images[:1], inside[:1]) == {}
    assert variety(images, images, images, ~inside) == {}
    assert variety(images, images, images * 0, inside) == {}


def test_variety_counts_every_pair_of_samples_that_share_brain():
    """A slice at the rim without common brain takes nothing away; equal images are collapsed."""
    real = torch.tensor([0.0, 2.0, 9.0]).view(3, 1, 1, 1).expand(3, 1, 2, 2)
    brain = torch.tensor([[[True, False], [True, False]]] * 2 + [[[False, True], [False, True]]])
    found = variety(real / 2, real / 2 + 1, real, brain)
    assert found == pytest.approx({"diversity": 0.5, "noise_response": 1 / 2**0.5})
    assert variety(real * 0, real * 0, real, brain)["diversity"] == 0


@pytest.mark.parametrize(("size", "expected"), [(1, [9, 8, 7, 6]), (3, [9, 8]), (4, [9])])
def test_small_batches_are_joined_before_they_are_observed(size, expected):
    """Batches of one show variety too; all of the last steps, on the full grid."""
    asked = []

    def batches(step):
        asked.append(step)
        images = torch.full((size, 1, 3, 3), float(step))
        images += torch.arange(size).view(-1, 1, 1, 1)
        return {"images": images, "brain": torch.ones(size, 3, 3, dtype=torch.bool)}

    seen = observe_last(lambda b: Observation(b, b["images"], b["images"]), batches, 10, torch.device("cpu"))
    assert asked == expected
    assert seen.scalars["diversity"] == 1
    assert len(seen.made) == len(expected) * size


def test_batches_of_another_size_are_not_joined():
    """Halved batches of an earlier stage are passed over."""

    def batches(step):
        side = 4 if step % 3 == 2 else 2
        return {"images": torch.rand(1, 1, side, side), "brain": torch.ones(1, side, side, dtype=torch.bool)}

    seen = observe_last(lambda b: Observation(b, b["images"], b["images"]), batches, 12, torch.device("cpu"))
    assert seen.made.shape == (4, 1, 4, 4)


def test_events_hold_curves_and_pictures(tmp_path):
    """What TensorBoard reads is what the history says."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    outcome = run(tmp_path, BUDGET.model_copy(update={"tensorboard": True}))
    events = EventAccumulator(str(tmp_path / "events")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [4, 8, 12, 16, 20]
    found = [event.value for event in events.Scalars("diversity")]
    assert found == pytest.approx([row["diversity"] for row in outcome.history])
    assert (events.Images("samples")[0].width, events.Images("samples")[0].height) == (24, 12)


def test_events_without_tensorboard_are_refused_before_training(tmp_path, monkeypatch):
    """One line says what to install."""
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"events asked for without TensorBoard.*glioforge\[tensorboard\]"):
        run(tmp_path, BUDGET.model_copy(update={"tensorboard": True}))
    assert not (tmp_path / "step.json").exists()
