"""Tests of `segmentation.nnunet*` against commands that do what nnU-Net documents, without its network."""

import json
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import (
    CaseError,
    CohortError,
    DependencyError,
    InputFileError,
    LeakageError,
    SpecError,
    TrainingError,
)
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import VALIDATION, Lineage
from glioforge.core.protocols import Segmenter
from glioforge.core.schemes import BRATS2023
from glioforge.core.volume import Modality
from glioforge.data import FreshCases
from glioforge.io.nifti import write_labels
from glioforge.segmentation.base import SEGMENTERS, load_segmenter, train_segmenter
from glioforge.segmentation.evaluate import evaluate_predictions, segment_cohort
from glioforge.segmentation.nnunet import NnunetSpec, checkpoint
from glioforge.segmentation.nnunet_command import (
    LOG,
    Fold,
    call_nnunet,
    find_command,
    nnunet_folds,
    repeated,
    single_fold,
)
from glioforge.training.budget import Budget
from glioforge.training.model_folder import read_card
from hostile import forge_card
from toy_cohort import cohort_of_cases, toy_case, toy_cohort
from toy_nnunet import calls_in, install_commands, make_environment

SPEC = NnunetSpec(device="cpu", folds=2)
NOBODY = toy_cohort([], "nobody")


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Stand-ins on the path."""
    return install_commands(tmp_path, monkeypatch)


def train(folder, cohort=None, validation=NOBODY, spec=SPEC, **mix):
    """Train on four toys unless others are given."""
    return train_segmenter(cohort or toy_cohort([1, 2, 3, 4]), validation, spec, folder, **mix)


def test_a_cohort_is_planned_trained_fold_by_fold_and_loaded(commands):
    """The documented commands with the spec's arguments; the second call finds all done."""
    made = train(commands / "run")
    said = calls_in(commands)
    assert said[0] == (
        "plan_and_preprocess -d 1 -c 3d_fullres -pl nnUNetPlannerResEncM -np 4 -npfp 4 "
        "--verify_dataset_integrity --clean --no_pbar"
    )
    assert said[1:] == [
        f"train 1 3d_fullres {fold} -tr nnUNetTrainer -p nnUNetResEncUNetMPlans -device cpu" for fold in (0, 1)
    ]
    again = train(commands / "run")
    cohort = toy_cohort([1, 2, 3, 4])
    assert calls_in(commands) == said
    assert (again.weights_hash, again.folds) == (made.weights_hash, (0, 1))
    assert (made.modalities, made.lineage.subjects) == (cohort.modalities, tuple(sorted(cohort.subject_ids)))
    assert (made.outcome.steps, made.outcome.best_score) == (250_000, pytest.approx((0.05 + 0.15) / 2))


def test_its_card_is_that_of_any_segmenter(commands):
    """Folds among the record, the checkpoints among the files."""
    train(commands / "run")
    card = read_card(commands / "run", SEGMENTERS)
    assert (card.kind, card.spec, card.training["folds"], card.scheme) == ("nnunet", SPEC, [0, 1], BRATS2023)
    assert list(card.files) == [checkpoint(SPEC, 0), checkpoint(SPEC, 1)]


def test_our_folds_take_the_place_of_its_own(commands):
    """A split that is given is the only fold, and its validation subjects stand behind the model."""
    made = train(commands / "run", toy_cohort([1, 2]), toy_cohort([3], "held"))
    written = json.loads((commands / "run/nnUNet_preprocessed/Dataset001_glioforge/splits_final.json").read_text())
    assert written == [{"train": ["s01-1", "s02-1"], "val": ["s03-1"]}]
    assert made.lineage.ways == {VALIDATION: ("s03",)}


@pytest.mark.parametrize(("share", "names"), [(0.5, "abxx"), (0.8, "abxxxxxxxx"), (0.25, "aaabbbxx"), (1, "x")])
def test_a_share_of_synthetic_cases_is_one_of_names_in_the_fold(commands, share, names):
    """As its loader draws names; without real cases only synthetic ones are listed."""
    real, made = toy_cohort([1, 2]), cohort_of_cases([synthetic("made", "s01")], "made")
    train(commands / "run", real, toy_cohort([3], "held"), synthetic=made, synthetic_share=share)
    written = json.loads((commands / "run/nnUNet_preprocessed/Dataset001_glioforge/splits_final.json").read_text())
    known = {"s01-1": "a", "s02-1": "b", "made": "x"}
    assert "".join(sorted(known[name] for name in written[0]["train"])) == names


def test_copies_of_real_cases_are_those_cases(commands):
    """An arm that shows real cases twice draws the same names."""
    real = toy_cohort([1, 2])
    train(commands / "run", real, toy_cohort([3], "held"), synthetic=replace(real, name="copies"), synthetic_share=0.5)
    written = json.loads((commands / "run/nnUNet_preprocessed/Dataset001_glioforge/splits_final.json").read_text())
    assert written[0]["train"] == ["s01-1", "s02-1"]


def test_what_its_loop_cannot_do_is_refused(commands):
    """A mixture that changes, passes over the cases, training without augmentation: nothing is planned."""
    made = cohort_of_cases([synthetic("made", "s01")], "made")
    with pytest.raises(SpecError, match="segmenter nnunet with last steps on real cases alone"):
        train(commands / "run", synthetic=made, synthetic_share=0.5, real_steps=0.5)
    fresh = FreshCases(toy_case, Lineage.real("toy", "s77"), {"toy": 1}, reuse=0.1, workers=0)
    with pytest.raises(SpecError, match="with fresh cases while it trains; expected stored cases; leave reuse out"):
        train(commands / "run", synthetic=made, synthetic_share=0.5, fresh=fresh)
    with pytest.raises(SpecError, match="a length in passes over the cases"):
        train(commands / "run", budget=Budget(epochs=3))
    with pytest.raises(SpecError, match="segmenter nnunet with classical augmentation switched off"):
        SPEC.without_augmentation()
    assert not (commands / "run").exists()


def test_a_share_of_few_among_many_is_met_closely():
    """Real names are repeated where synthetic cases are many; a fold of one kind stays as it is."""
    fold = Fold(train=[f"r{n}" for n in range(3)] + [f"m{n}" for n in range(500)], val=["v"])
    made = frozenset(name for name in fold["train"] if name[0] == "m")
    found = repeated(fold, made, 0.3)["train"]
    assert sum(name in made for name in found) / len(found) == pytest.approx(0.3, abs=0.01)
    assert set(found) == set(fold["train"])
    assert repeated(fold, frozenset(), 0.3) == fold


def test_masks_come_back_in_order_on_the_grid_of_the_case(commands):
    """One call for many cases; the segmenter is one like any other."""
    made = train(commands / "run")
    cases = [toy_case(7), toy_case(5)]
    masks = list(made.segment_many(cases))
    assert isinstance(made, Segmenter)
    assert sum(line.startswith("predict") for line in calls_in(commands)) == 1
    for case, mask in zip(cases, masks, strict=True):
        assert mask.geometry == case.geometry
        assert np.array_equal(mask.voxels, case.require_labels().to(BRATS2023).voxels)
    assert calls_in(commands)[-1].endswith("-f 0 1 -device cpu -npp 1 -nps 1 --disable_progress_bar")
    assert list(made.segment_many([])) == []
    replace(made, spec=SPEC.model_copy(update={"mirror": False})).segment(toy_case(6))
    assert calls_in(commands)[-1].endswith("--disable_tta")


def test_a_cohort_gets_masks_that_are_there_once(commands):
    """A folder that anybody's evaluation reads; only what is missing is predicted again."""
    made = train(commands / "run")
    test = toy_cohort([5, 6])
    paths = segment_cohort(made, test, commands / "masks")
    assert {row.value for row in evaluate_predictions(commands / "masks", test, metrics=("dice",))} == {1.0}
    (commands / "masks" / "done.json").unlink()
    paths[0].unlink()
    before = paths[1].stat().st_mtime_ns
    assert segment_cohort(made, test, commands / "masks") == paths
    assert (paths[0].exists(), paths[1].stat().st_mtime_ns) == (True, before)


def test_its_length_is_the_budget(commands):
    """Its own trainer where there is one of that length, else one of ours, which the command finds."""
    assert NnunetSpec(epochs=100).trainer_class == "nnUNetTrainer_100epochs"
    assert NnunetSpec(epochs=1).trainer_class == "nnUNetTrainer_1epoch"
    assert NnunetSpec(trainer="nnUNetTrainerDA5", epochs=3).own_length is None
    lengths = [NnunetSpec(budget=Budget(steps=steps)).own_length for steps in (60, 1000, 997, 2500)]
    assert lengths == [(1, 60), (4, 250), (4, 249), None]
    spec = SPEC.model_copy(update={"budget": Budget(steps=60)})
    made = train(commands / "run", spec=spec)
    assert calls_in(commands)[1].split()[5] == "nnUNetTrainer_glioforge_60steps"
    written = (commands / "run" / "trainers" / "nnUNetTrainer_glioforge_60steps.py").read_text()
    assert "self.num_epochs = 1\n        self.num_iterations_per_epoch = 60\n" in written
    assert made.outcome.steps == 60
    for values in ({"epochs": 5, "budget": {"steps": 9}}, {"budget": {"epochs": 9}}, {"epochs": "many"}):
        with pytest.raises(ValueError, match="epochs"):
            NnunetSpec.model_validate(values)


def test_it_may_live_in_an_environment_of_its_own(tmp_path):
    """Named in the spec; on a machine without that environment its commands are looked for as usual."""
    spec = SPEC.model_copy(update={"environment": make_environment(tmp_path / "env")})
    made = train(tmp_path / "run", spec=spec)
    assert made.segment(toy_case(5)).voxels.any()
    assert [line.split()[0] for line in calls_in(tmp_path / "env")] == ["plan_and_preprocess", "train", "train"]
    (tmp_path / "env").rename(tmp_path / "moved")
    assert load_segmenter(tmp_path / "run").spec.environment is None


def test_a_folder_of_the_verb_of_before_is_read(commands):
    """Its card named spec, folds and one hash; changed weights are refused."""
    made = train(commands / "run")
    card = json.loads((commands / "run" / "card.json").read_text())
    own = ("configuration", "planner", "regions", "folds", "trained", "device", "processes", "mirror")
    older = {"type": "nnunet", "version": 1, "folds": [0, 1], "weights": card["weights"], "scheme": "brats2023"}
    older["spec"] = {name: card["spec"][name] for name in own} | {"trainer": "nnUNetTrainer"}
    older |= {"modalities": card["modalities"], "lineage_subjects": card["lineage"]["subjects"], "lineage_ways": {}}
    (commands / "run" / "card.json").write_text(json.dumps(older))
    read = load_segmenter(commands / "run")
    assert (read.weights_hash, read.folds, read.lineage) == (made.weights_hash, (0, 1), made.lineage)
    assert np.array_equal(read.segment(toy_case(5)).voxels, made.segment(toy_case(5)).voxels)
    next((commands / "run").rglob("fold_1/checkpoint_final.pth")).write_text("changed")
    with pytest.raises(InputFileError, match="weights with hash"):
        load_segmenter(commands / "run")


def test_a_training_that_failed_goes_on_from_its_checkpoint(commands, monkeypatch):
    """The message ends with the log; the same command then continues."""
    monkeypatch.setenv("BREAK", "broken")
    with pytest.raises(TrainingError, match=r"nnUNetv2_train ended with code 1: .*out of memory"):
        train(commands / "run")
    assert "out of memory" in (commands / "run" / LOG).read_text()
    monkeypatch.setenv("BREAK", "")
    train(commands / "run")
    assert [line.split()[0] for line in calls_in(commands)] == ["plan_and_preprocess", "train", "train", "train"]
    assert calls_in(commands)[2].endswith("-device cpu --c")


def test_without_nnunet_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    """Name of the extra."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match=r"nnUNetv2_train is not on the path.*glioforge\[nnunet\]"):
        find_command("nnUNetv2_train")


def test_the_command_sees_its_roots(commands):
    """Three variables of the environment, and the log notes what they were."""
    script = commands / "bin" / "show"
    script.write_text("#!/bin/sh\nenv | grep ^nnUNet_[rp] | sort\n")
    script.chmod(0o755)
    call_nnunet(["show"], commands / "run")
    roots = [f"nnUNet_{name}={commands}/run/nnUNet_{name}" for name in ("preprocessed", "raw", "results")]
    assert (commands / "run" / LOG).read_text().splitlines()[-3:] == roots


def test_the_command_ends_with_us(commands, monkeypatch):
    """A stop of ours stops the command and what it started."""
    script, note = commands / "bin" / "long", commands / "pid"
    script.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {note}\nwait\n")
    script.chmod(0o755)

    def stop(_process, timeout=None):
        while not note.exists() or not note.read_text().strip():
            time.sleep(0.01)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.wait", stop)
    with pytest.raises(KeyboardInterrupt):
        call_nnunet([str(script)], commands / "run")
    sleeper = int(note.read_text())
    deadline = time.monotonic() + 5
    while _runs(sleeper) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(sleeper)


def _runs(process):
    """Whether a process exists and is no zombie."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_every_real_subject_is_validated_once_and_never_trained_on_in_its_fold():
    """Two sessions of a subject stay together."""
    second = replace(toy_case(1), case_id="s01-2")
    cohort = cohort_of_cases([*(toy_case(seed) for seed in range(1, 6)), second])
    folds = nnunet_folds(cohort, 3, seed=1)
    assert sorted(case for fold in folds for case in fold["val"]) == sorted(ref.case_id for ref in cohort)
    for fold in folds:
        assert not {cohort[case].subject_id for case in fold["val"]} & {cohort[c].subject_id for c in fold["train"]}
        assert len(fold["train"]) + len(fold["val"]) == len(cohort)


def synthetic(case_id, *parents, generator=()):
    """A made case that these subjects stand behind."""
    lineage = Lineage.synthetic(
        "toy", {p: Lineage.real("toy", p) for p in parents}, seed=1, generator_subjects=generator
    )
    return replace(toy_case(9), case_id=case_id, subject_id=f"of-{case_id}", lineage=lineage)


def test_a_synthetic_case_trains_only_where_its_parents_are_not_validated():
    """It is validated nowhere."""
    cohort = cohort_of_cases([*(toy_case(seed) for seed in range(1, 5)), synthetic("made", "s01")])
    folds = nnunet_folds(cohort, 2, seed=1)
    with_parent = next(fold for fold in folds if "s01-1" in fold["val"])
    other = next(fold for fold in folds if fold is not with_parent)
    assert "made" not in with_parent["train"] + with_parent["val"] + other["val"]
    assert "made" in other["train"]


def test_folds_without_training_cases_and_splits_that_leak_are_refused():
    """A generator that saw all subjects; a parent on the other side; too few subjects."""
    everyone = [f"s{seed:02}" for seed in range(1, 5)]
    made = [synthetic(f"made{n}", generator=everyone) for n in range(2)]
    with pytest.raises(LeakageError, match="evaluation subjects"):
        single_fold(cohort_of_cases(made), toy_cohort([1]))
    with pytest.raises(CohortError, match="folds of 0 subjects"):
        nnunet_folds(cohort_of_cases(made), 2, seed=1)
    linked = [replace(toy_case(s), lineage=synthetic("x", generator=everyone).lineage) for s in (1, 2, 3, 4)]
    real = [replace(case, lineage=replace(case.lineage, kind="real")) for case in linked]
    with pytest.raises(LeakageError, match="every case comes from one of the subjects"):
        nnunet_folds(cohort_of_cases(real), 2, seed=1)


def test_what_cannot_be_right_is_refused(commands):
    """A fold that there is not, a missing contrast, changed weights, another card, a mask on another grid."""
    with pytest.raises(SpecError, match=r"folds \[5\].*some of 0 to 1"):
        train(commands / "bad", spec=SPEC.model_copy(update={"trained": (5,)}))
    made = train(commands / "run")
    with pytest.raises(CaseError, match="t2"):
        replace(made, modalities=(Modality.T2,)).segment(toy_case(5))
    geometry = Geometry.isotropic(toy_case(5).geometry.shape, 9.0)
    other = LabelMap(np.zeros(geometry.shape, np.uint8), geometry, BRATS2023)
    write_labels(commands / "truth" / "s05-1.nii.gz", other)
    with pytest.raises(InputFileError, match="nnU-Net's mask lies on grid"):
        made.segment(toy_case(5))
    next((commands / "run").rglob("fold_1/checkpoint_final.pth")).write_text("changed")
    with pytest.raises(InputFileError, match="weights with hash"):
        load_segmenter(commands / "run")
    files = read_card(commands / "run", SEGMENTERS).files
    for entries in ({"files": {"other.pth": "0"}}, {"scheme": None}, {"files": {**files, "gone.pth": "0"}}):
        forge_card(commands / "run", **entries)
        with pytest.raises(InputFileError):
            load_segmenter(commands / "run")


def test_the_device_is_that_of_the_run_unless_the_spec_names_one(commands):
    """A GPU if there is one; the command line decides when it is used."""
    import torch

    made = train(commands / "run", spec=NnunetSpec(folds=2))
    assert made.device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert load_segmenter(commands / "run", AcceleratorSpec(device="cpu")).device == "cpu"
    assert SEGMENTERS.parse({"kind": "nnunet", "preset": "paper"}).plans == "nnUNetPlans"
