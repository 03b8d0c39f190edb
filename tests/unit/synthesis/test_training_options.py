"""Promises of a budget's options for synthesizers: early stopping, snapshots, pictures, alarms on the card."""

from dataclasses import replace

import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import CohortError, LeakageError, SpecError
from glioforge.core.firewall import require_no_leak
from glioforge.core.volume import Modality
from glioforge.io.png import read_png_labels
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from glioforge.training.snapshots import load_snapshots
from toy_cohort import cohort_of_cases, toy_case, toy_cohort
from toy_training import Lines

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
TINY = {"kind": "spade", "ngf": 2, "hidden": 4, "critic_width": 2, "critic_layers": 2, "batch_size": 2}


def train(folder, validation=None, budget=None, **changes):
    """A tiny generator on toys."""
    spec = SYNTHESIZERS.parse({**TINY, **changes, "budget": {"steps": 8, "validate_every": 1, **(budget or {})}})
    held_out = None if validation is None else toy_cohort(validation, "validation")
    return train_synthesizer(toy_cohort([1, 2]), held_out, spec, folder, seed=1, accelerator=PLAIN)


def test_training_stops_when_the_figures_on_held_out_subjects_rise_no_more(tmp_path):
    """No score rises by so much: two validations after the first one it ends."""
    made = train(tmp_path, [3], {"patience": 2, "min_delta": 1e6}, select=True)
    assert made.card.outcome.steps == 3
    assert made.card.outcome.best_score < 0


def test_subjects_that_selected_the_weights_are_behind_the_model(tmp_path):
    """The firewall then keeps them out of its evaluation; without selection they have no part in it."""
    chosen, last = train(tmp_path / "a", [3], select=True), train(tmp_path / "b", [3])
    assert chosen.lineage_subjects == chosen.lineage.subjects == ("s01", "s02", "s03")
    assert last.lineage_subjects == ("s01", "s02")
    with pytest.raises(LeakageError, match=r"\['s03'\] through validation cases that chose the weights"):
        require_no_leak({"generator": chosen.lineage}, toy_cohort([3], "test"))


def test_validation_cases_that_lack_a_contrast_select_nothing_in_silence(tmp_path):
    """Refused where weights are selected by them."""
    case = toy_case(3)
    bare = cohort_of_cases([replace(case, images={Modality.T1: case.images[Modality.T1]})], "validation")
    spec = SYNTHESIZERS.parse({**TINY, "select": True})
    with pytest.raises(CohortError, match=r"validation cases without \['flair'\]; expected all contrasts"):
        train_synthesizer(toy_cohort([1, 2]), bare, spec, tmp_path / "m", seed=1, accelerator=PLAIN)


def test_selection_without_anyone_to_select_is_said(tmp_path):
    """The last weights are kept then, and a line says so."""
    lines, spec = Lines(), SYNTHESIZERS.parse({**TINY, "select": True, "budget": {"steps": 1}})
    train_synthesizer(toy_cohort([1, 2]), None, spec, tmp_path, seed=1, accelerator=PLAIN, progress=lines)
    assert "warning: select is true, but no validation subjects select: the last weights are kept" in lines.lines


def test_patience_without_held_out_subjects_is_refused(tmp_path):
    """Also where the model is selected, but on nobody."""
    for name, how in (("a", {"select": True}), ("b", {"validation": [3]})):
        with pytest.raises(SpecError, match="patience 2 without a score to wait for"):
            train(tmp_path / name, budget={"patience": 2}, **how)


def test_snapshots_are_networks_of_the_method_and_pictures_show_all_contrasts(tmp_path):
    """The last snapshot is the network kept, before its grain was measured; a picture has a map and two contrasts."""
    made = train(tmp_path, budget={"validate_every": 4, "snapshots": 2})
    states = load_snapshots(tmp_path / "training")
    assert list(states) == [4, 8]
    assert states[8].keys() == states[4].keys()
    assert any((states[4][name] != states[8][name]).any() for name in states[4])
    picture = read_png_labels(tmp_path / "training" / "samples" / "step_000008.png")
    assert (picture.shape[0] % 2, picture.shape[1] % 5) == (0, 0)
    assert picture.max() == 255
    assert made.card.outcome.alarms == ()


def test_alarms_stand_on_the_card(tmp_path):
    """A watch that no images can content."""
    watch = {"collapse": 0.999999, "saturation": None, "rows": 1}
    made = train(tmp_path, budget={"watch": watch}, style=False)
    assert made.card.outcome.alarms
    assert made.card.outcome.alarms[0].startswith("step 1: made images hardly differ any more")
