"""Tests of `segmentation.nnunet*` against commands that do what nnU-Net documents, without its network."""

import json
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

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
from glioforge.core.lineage import Lineage
from glioforge.core.modality import Modality
from glioforge.core.protocols import Segmenter
from glioforge.core.schemes import BRATS2023
from glioforge.io.nifti import write_labels
from glioforge.segmentation.evaluate import evaluate_predictions
from glioforge.segmentation.nnunet import NnunetRunSpec, load_nnunet
from glioforge.segmentation.nnunet_command import LOG, call_nnunet, find_command
from glioforge.segmentation.nnunet_folds import nnunet_folds, single_fold
from glioforge.segmentation.nnunet_masks import segment_with_nnunet
from glioforge.segmentation.nnunet_training import train_nnunet
from toy_cohort import cohort_of_cases, toy_case, toy_cohort
from toy_nnunet import calls_in, install_commands

SPEC = NnunetRunSpec(device="cpu", folds=2)


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Stand-ins on the path."""
    return install_commands(tmp_path, monkeypatch)


def test_a_cohort_is_planned_trained_fold_by_fold_and_loaded(commands):
    """The documented commands with the spec's arguments; the second call finds all done."""
    train = toy_cohort([1, 2, 3, 4])
    made = train_nnunet(SPEC, train, commands / "run", seed=1)
    said = calls_in(commands)
    assert said[0] == (
        "plan_and_preprocess -d 1 -c 3d_fullres -pl nnUNetPlannerResEncM -np 4 -npfp 4 "
        "--verify_dataset_integrity --clean --no_pbar"
    )
    assert said[1:] == [
        f"train 1 3d_fullres {fold} -tr nnUNetTrainer -p nnUNetResEncUNetMPlans -device cpu" for fold in (0, 1)
    ]
    again = train_nnunet(SPEC, train, commands / "run", seed=1)
    assert calls_in(commands) == said
    assert (again.weights_hash, again.folds) == (made.weights_hash, (0, 1))
    assert (made.modalities, made.lineage_subjects) == (train.modalities, tuple(sorted(train.subject_ids)))


def test_our_folds_take_the_place_of_its_own(commands):
    """A split that is given is the only fold."""
    train_nnunet(SPEC, toy_cohort([1, 2]), commands / "run", seed=1, validation=toy_cohort([3], "held"))
    written = json.loads((commands / "run/nnUNet_preprocessed/Dataset001_glioforge/splits_final.json").read_text())
    assert written == [{"train": ["s01-1", "s02-1"], "val": ["s03-1"]}]


def test_masks_come_back_in_order_on_the_grid_of_the_case(commands):
    """One call for many cases; the segmenter is one like any other."""
    made = train_nnunet(SPEC, toy_cohort([1, 2, 3, 4]), commands / "run", seed=1)
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
    made = train_nnunet(SPEC, toy_cohort([1, 2, 3, 4]), commands / "run", seed=1)
    test = toy_cohort([5, 6])
    paths = segment_with_nnunet(made, test, commands / "masks")
    assert {row.value for row in evaluate_predictions(commands / "masks", test, metrics=("dice",))} == {1.0}
    (commands / "masks" / "done.json").unlink()
    paths[0].unlink()
    before = paths[1].stat().st_mtime_ns
    assert segment_with_nnunet(made, test, commands / "masks") == paths
    assert (paths[0].exists(), paths[1].stat().st_mtime_ns) == (True, before)


def test_a_training_that_failed_goes_on_from_its_checkpoint(commands, monkeypatch):
    """The message ends with the log; the same command then continues."""
    train = toy_cohort([1, 2, 3, 4])
    monkeypatch.setenv("BREAK", "broken")
    with pytest.raises(TrainingError, match=r"nnUNetv2_train ended with code 1: .*out of memory"):
        train_nnunet(SPEC, train, commands / "run", seed=1)
    assert "out of memory" in (commands / "run" / LOG).read_text()
    monkeypatch.setenv("BREAK", "")
    train_nnunet(SPEC, train, commands / "run", seed=1)
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
    train = toy_cohort([1, 2, 3, 4])
    with pytest.raises(SpecError, match=r"folds \[5\].*some of 0 to 1"):
        train_nnunet(SPEC.model_copy(update={"trained": (5,)}), train, commands / "bad", seed=1)
    made = train_nnunet(SPEC, train, commands / "run", seed=1)
    with pytest.raises(CaseError, match="t2"):
        replace(made, modalities=(Modality.T2,)).segment(toy_case(5))
    geometry = Geometry.isotropic(toy_case(5).geometry.shape, 9.0)
    other = LabelMap(np.zeros(geometry.shape, np.uint8), geometry, BRATS2023)
    write_labels(commands / "truth" / "s05-1.nii.gz", other)
    with pytest.raises(InputFileError, match="nnU-Net's mask lies on grid"):
        made.segment(toy_case(5))
    next((commands / "run").rglob("fold_1/checkpoint_final.pth")).write_text("changed")
    with pytest.raises(InputFileError, match="weights with hash"):
        load_nnunet(commands / "run")
    (commands / "run" / "card.json").write_text('{"type": "segmenter"}')
    with pytest.raises(InputFileError, match="a card of type 'segmenter'"):
        load_nnunet(commands / "run")


def test_the_device_is_made_out_when_it_is_left_open():
    """No GPU here: the CPU."""
    import torch

    assert NnunetRunSpec().resolved_device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert NnunetRunSpec.model_validate(NnunetRunSpec.PRESETS["paper"]).plans == "nnUNetPlans"
