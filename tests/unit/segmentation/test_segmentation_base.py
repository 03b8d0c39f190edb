"""Tests of `segmentation.base`: train, go on, load, refuse."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import CaseError, CohortError, InputFileError, LeakageError, OutputError, SpecError
from glioforge.core.firewall import require_no_leak
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Segmenter, Silent
from glioforge.core.schemes import BRATS2023, TUMOUR
from glioforge.core.volume import Modality, Volume
from glioforge.data.replay import FreshCases
from glioforge.segmentation.base import load_segmenter, train_segmenter
from glioforge.segmentation.method import Task
from glioforge.segmentation.methods.unet import UNetSpec
from glioforge.segmentation.network import weighted_dice
from glioforge.segmentation.objective import reported_weights
from glioforge.segmentation.target import target_named
from glioforge.training.budget import Budget
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_labels
from toy_training import Lines

TINY = UNetSpec(widths=(4, 8), batch_size=4, augment=None)
PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)


BUDGET = Budget(steps=4, validate_every=2, checkpoint_every=2)


def train(folder, *, spec=TINY, steps=4, real=(1, 2), validation=(3,), **more):
    """Train a tiny U-Net on toys for a few steps."""
    settings = {"seed": 1, "budget": BUDGET.model_copy(update={"steps": steps}), "accelerator": PLAIN, **more}
    return train_segmenter(toy_cohort(real), toy_cohort(validation, "validation"), spec, folder, **settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a finished segmenter, and what training returned."""
    folder = tmp_path_factory.mktemp("segmenter")
    return folder, train(folder)


def test_a_segmenter_labels_a_case_on_its_grid(trained):
    """Scheme BRATS2023, the case's geometry, background outside the brain."""
    _, segmenter = trained
    case = toy_case(5)
    labels = segmenter.segment(case)
    assert isinstance(segmenter, Segmenter)
    assert labels.scheme == BRATS2023
    assert labels.geometry == case.geometry
    assert not labels.voxels[~case.brain].any()


def test_loading_gives_the_segmenter_that_training_returned(trained):
    """Same settings, same weights, same answers."""
    folder, segmenter = trained
    loaded = load_segmenter(folder)
    assert loaded.spec == segmenter.spec == TINY.model_copy(update={"budget": BUDGET})
    assert loaded.weights_hash == segmenter.weights_hash
    assert loaded.outcome == segmenter.outcome
    assert loaded.precision == "32-true"
    assert np.array_equal(loaded.segment(toy_case(5)).voxels, segmenter.segment(toy_case(5)).voxels)


def test_lineage_holds_training_and_validation_subjects(trained):
    """Weights are fitted on some and chosen by others; a test subject may be neither."""
    segmenter = trained[1]

    assert segmenter.lineage_subjects == segmenter.lineage.subjects == ("s01", "s02", "s03")
    assert segmenter.lineage.weights == segmenter.weights_hash
    with pytest.raises(LeakageError, match=r"model was made from subjects \['s02'\]; expected"):
        require_no_leak({"model": segmenter.lineage}, toy_cohort([2], "test"))
    with pytest.raises(LeakageError, match=r"\['s03'\] through validation cases that chose the weights"):
        require_no_leak({"model": load_segmenter(trained[0]).lineage}, toy_cohort([3], "test"))


def test_the_outcome_keeps_the_validation_score(trained):
    """Two validations in four steps, the better one kept."""
    outcome = trained[1].outcome
    assert outcome.steps == 4
    assert len(outcome.history) == 2
    assert outcome.best_score == max(row["score"] for row in outcome.history)


def test_the_same_call_again_trains_nothing(trained, tmp_path):
    """And another folder gives the same weights."""
    folder, segmenter = trained
    before = (folder / "weights.safetensors").stat().st_mtime_ns
    assert train(folder).weights_hash == segmenter.weights_hash
    assert (folder / "weights.safetensors").stat().st_mtime_ns == before
    assert train(tmp_path / "again").weights_hash == segmenter.weights_hash


def test_seed_cases_and_settings_decide_the_weights(trained, tmp_path):
    """Each of them changes the hash."""
    others = [
        train(tmp_path / "seed", seed=2),
        train(tmp_path / "cases", real=(1, 4)),
        train(tmp_path / "spec", spec=TINY.model_copy(update={"ema": None})),
    ]
    hashes = {segmenter.weights_hash for segmenter in (trained[1], *others)}
    assert len(hashes) == 4


def test_a_folder_of_other_settings_is_refused(trained):
    """The message says what differs."""
    with pytest.raises(OutputError, match="made with other settings"):
        train(trained[0], real=(1, 4))


def test_leaks_are_refused_before_anything_is_written(tmp_path):
    """A validation subject among the training cases."""
    with pytest.raises(LeakageError, match="s02"):
        train(tmp_path / "leak", validation=(2,))
    assert not (tmp_path / "leak").exists()


def test_synthetic_cases_are_mixed_in_and_enter_the_lineage(tmp_path):
    """The subjects behind the synthetic cases stand behind the segmenter too."""
    made = replace(toy_case(7), case_id="made", subject_id="made")
    segmenter = train(tmp_path, synthetic=cohort_of_cases([made], "made"), synthetic_share=1.0)
    assert segmenter.lineage_subjects == ("made", "s01", "s02", "s03", "s07")
    assert segmenter.lineage.ways == {"validation cases that chose the weights": ("s03",)}


def test_the_contrasts_asked_for_are_the_ones_needed(tmp_path):
    """A segmenter of one contrast labels cases that have no other."""
    spec = TINY.model_copy(update={"modalities": (Modality.FLAIR,)})
    segmenter = train(tmp_path, spec=spec)
    case = toy_case(5)
    assert segmenter.modalities == (Modality.FLAIR,)
    segmenter.segment(replace(case, images={Modality.FLAIR: case.images[Modality.FLAIR]}))


def test_a_missing_contrast_is_named(trained):
    """The case cannot be labelled."""
    case = toy_case(5)
    bare = replace(case, images={Modality.T1: case.images[Modality.T1]})
    with pytest.raises(CaseError, match=r"s05-1: contrasts \['t1'\]; expected also \['flair'\]"):
        trained[1].segment(bare)


def test_raw_scans_are_refused(trained):
    """Intensities of a scanner would give nonsense without an error."""
    case = toy_case(5)
    raw = {m: Volume(v.voxels * 100, v.geometry, m) for m, v in case.images.items()}
    with pytest.raises(CaseError, match=r"prepared images within \[-5, 5\]; prepare the case first"):
        trained[1].segment(replace(case, images=raw))


def test_another_models_folder_is_refused(tmp_path):
    """A card of another family."""
    (tmp_path / "card.json").write_text(json.dumps({"family": "sampler"}))
    with pytest.raises(InputFileError, match=r"this is a sampler; expected a segmenter"):
        load_segmenter(tmp_path)


def test_a_folder_without_a_card_is_refused(tmp_path):
    """Nothing was trained there, or it was not finished."""
    with pytest.raises(InputFileError, match=r"card\.json"):
        load_segmenter(tmp_path)


def test_changed_weights_are_refused(trained, tmp_path):
    """The card knows their hash."""
    folder, _ = trained
    other = train(tmp_path / "other", seed=3)
    (tmp_path / "other" / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    with pytest.raises(InputFileError, match=other.weights_hash):
        load_segmenter(tmp_path / "other")


def test_a_loaded_segmenter_can_be_put_on_a_device(trained):
    """The CPU here."""
    segmenter = load_segmenter(trained[0], PLAIN)
    assert next(segmenter.networks[0].parameters()).device.type == "cpu"


@pytest.mark.parametrize("dims", [2, 3])
def test_several_views_are_trained_and_asked_together(tmp_path, dims):
    """A folder, weights and a score each; the same answers after loading, from none of them alone."""
    size = {2: None, 3: (8, 8, 6)}[dims]
    spec = TINY.model_copy(update={"views": ("axial", "sagittal"), "dims": dims, "size": size, "batch_size": 2})
    segmenter = train(tmp_path, spec=spec)
    loaded, case = load_segmenter(tmp_path), toy_case(5)
    assert {path.name for path in tmp_path.iterdir()} == {"axial", "sagittal", "card.json", "split.json"}
    assert np.array_equal(loaded.probabilities(case), segmenter.probabilities(case))
    alone = [
        replace(segmenter, spec=spec.model_copy(update={"views": (view,)}), networks=(network,)).probabilities(case)
        for view, network in zip(spec.views, segmenter.networks, strict=True)
    ]
    assert np.allclose(segmenter.probabilities(case), np.mean(alone, axis=0), atol=1e-6)
    assert not np.allclose(alone[0], alone[1])
    outcomes = [json.loads((tmp_path / view / "done.json").read_text())["facts"]["outcome"] for view in spec.views]
    assert segmenter.outcome.best_score == pytest.approx(np.mean([o["best_score"] for o in outcomes]))
    assert segmenter.outcome.steps == 4
    assert segmenter.parameter_count == 2 * sum(p.numel() for p in segmenter.networks[0].parameters())


@pytest.mark.parametrize("target", ["complete", "tumour", "nested", "guo2020"])
def test_predictions_come_in_the_scheme_of_the_target(tmp_path, target):
    """With a probability for each channel, and the score over what the scheme knows."""
    segmenter = train(tmp_path, spec=TINY.model_copy(update={"target": target}), steps=2)
    case = toy_case(5)
    probabilities = segmenter.probabilities(case)
    assert segmenter.segment(case).scheme == segmenter.scheme == segmenter.target.scheme
    assert probabilities.shape == (len(segmenter.target.channels), *case.geometry.shape)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert segmenter.outcome.best_score is not None
    assert 0 <= segmenter.outcome.best_score <= 1


def test_tissue_is_learned_from_healthy_brains_alone(tmp_path):
    """A tumour among the training cases is refused before anything is written."""
    with pytest.raises(CohortError, match="cases with a lesion: s01-1, s02-1"):
        train(tmp_path / "ill", spec=TINY.model_copy(update={"target": "tissue"}))
    assert not (tmp_path / "ill").exists()


def test_a_size_must_have_the_methods_dimensions(tmp_path):
    """Two numbers for slices, three for volumes."""
    with pytest.raises(SpecError, match=r"size \(8, 8, 8\); expected 2 numbers for a method of 2 dimensions"):
        train(tmp_path, spec=TINY.model_copy(update={"size": (8, 8, 8)}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "regions"}, "target 'regions'; expected one of"),
        ({"views": ("axial", "axial")}, "name one twice"),
        ({"modalities": ("t1", "t1")}, "modalities .*name one twice"),
        ({"views": ()}, "at least 1 item"),
        ({"flips": (3,)}, "flips"),
    ],
)
def test_settings_that_mean_nothing_are_refused(change, message):
    """With the setting's name."""
    with pytest.raises(ValidationError, match=message):
        UNetSpec(**change)


def test_mirrored_axes_are_left_and_right_unless_named():
    """`flips: true` is short for the first axis."""
    assert [UNetSpec(flips=flips).mirrored for flips in (False, True, (0, 1))] == [(), (0,), (0, 1)]


def without(seed, *values):
    """A toy whose tumour lacks some labels; oedema takes their place."""
    case = toy_case(seed)
    voxels = case.labels.voxels
    return with_labels(case, np.where(np.isin(voxels, values), 2, voxels), case.case_id)


def test_a_class_that_no_training_case_has_is_named_and_not_scored(tmp_path):
    """A network that never finds it would score 1 for that; nothing is NaN, whatever the loss."""
    progress = Lines()
    cohorts = [cohort_of_cases([without(seed, 3)], name) for seed, name in ((1, "train"), (3, "validation"))]
    spec = TINY.model_copy(update={"loss": "weighted_dice"})
    segmenter = train_segmenter(*cohorts, spec, tmp_path, seed=1, budget=BUDGET, accelerator=PLAIN, progress=progress)
    card = json.loads((tmp_path / "card.json").read_text())

    assert any("no training case has enhancing" in line for line in progress.lines)
    assert card["facts"] == {"unseen classes": "enhancing"}
    assert segmenter.target.scored_without(("enhancing",)) == ("WT", "TC")
    assert np.isfinite(segmenter.outcome.best_score)
    assert segmenter.outcome.best_score < 0.3
    assert all(0 < row["weighted_dice"] < 1 for row in segmenter.outcome.history)


def test_a_weighted_dice_is_reported_beside_the_score_by_hand():
    """One overlap over all classes, each weighed; right answers give 1, and other losses report none."""
    labels = toy_case(1).require_labels().to(TUMOUR)
    masks = np.stack([labels.voxels == 0, labels.voxels == 1]).astype(np.float32)
    half = np.full_like(masks, 0.5)
    counts = masks.sum(axis=(1, 2, 3))
    target = target_named("tumour")
    expected = (
        2
        * (1 * counts[0] / 2 + 3 * counts[1] / 2)
        / (1 * (labels.voxels.size / 2 + counts[0]) + 3 * (labels.voxels.size / 2 + counts[1]))
    )

    assert weighted_dice(masks, labels, target, (1.0, 3.0)) == pytest.approx(1)
    assert weighted_dice(half, labels, target, (1.0, 3.0)) == pytest.approx(expected)
    assert reported_weights(TINY, Task((Modality.T1,), target, toy_cohort([1]), 1)) is None


def test_cases_made_while_training_are_guarded_named_and_survive_a_stop(tmp_path):
    """The card says what was made and who is behind it; going on gives the weights of an undisturbed training."""
    made = toy_cohort([1], "made")
    fresh = FreshCases(toy_fresh, Lineage.real("toy", "s77"), {"toy": 1}, reuse=0.1, workers=0)
    more = {"synthetic": made, "synthetic_share": 0.5, "fresh": fresh, "steps": 6}
    whole = train(tmp_path / "whole", **more)
    card = json.loads((tmp_path / "whole" / "card.json").read_text())

    assert "s77" in whole.lineage.subjects
    assert card["training"]["reuse"] == 0.1
    assert card["training"]["fresh"]["cases"] > 3
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", **{**more, "progress": StopsAt(4)})
    assert train(tmp_path / "stopped", **more).weights_hash == whole.weights_hash
    with pytest.raises(LeakageError, match="cases made while training was made from subjects"):
        train(tmp_path / "leak", **{**more, "fresh": replace(fresh, lineage=Lineage.real("toy", "s03"))})
    with pytest.raises(OutputError, match="fresh"):
        train(tmp_path / "whole", **{**more, "fresh": replace(fresh, reuse=0.2)})
    with pytest.raises(SpecError, match="fresh cases without a synthetic cohort"):
        train(tmp_path / "none", fresh=fresh)


def toy_fresh(number):
    """A toy case of a number."""
    return toy_case(100 + number)


class StopsAt(Silent):
    """A progress that interrupts the training at a step."""

    def __init__(self, step):
        self.left = step

    def note(self, text):
        """Count down."""
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
