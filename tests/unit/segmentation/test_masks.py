"""Masks are read with the scheme that is stated, written beside them or the truth's; else somebody is asked."""

import json
from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.cohort import Cohort, LabelSource
from glioforge.core.errors import LabelError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.schemes import BRATS2013, BRATS2017, BRATS2023, BRATS2024_PED, DECATHLON
from glioforge.io.nifti import write_labels
from glioforge.segmentation.evaluate import evaluate_predictions
from glioforge.segmentation.masks import source_of_masks, write_facts
from toy_cohort import cohort_of_cases, toy_case

GRID = Geometry.isotropic((6, 6, 6))


def blocks(scheme: LabelScheme, *names: str) -> LabelMap:
    """A slab of nine voxels for each label."""
    voxels = np.zeros(GRID.shape, np.uint8)
    for place, name in enumerate(names):
        voxels[place, 1:4, 1:4] = scheme.value(name)
    return LabelMap(voxels, GRID, scheme)


def truth_of(labels: LabelMap, name: str = "a") -> Cohort:
    """A cohort of one labelled case, with no image but its label map."""
    case = replace(toy_case(1), case_id=name, images={}, labels=labels, brain=None)
    cohort = cohort_of_cases([case])
    return replace(cohort, source=LabelSource(labels.scheme.name, "named so"))


def source(folder, truth: Cohort, mask: LabelMap, named: str | None = None) -> LabelSource:
    """What a folder of one mask is read as."""
    write_labels(folder / "masks" / "a.nii.gz", mask)
    return source_of_masks(folder / "masks", {"a": folder / "masks" / "a.nii.gz"}, truth, named)


@pytest.mark.parametrize("scheme", [BRATS2017, BRATS2023, DECATHLON])
def test_masks_with_the_values_of_the_truth_are_read_like_it(tmp_path, scheme):
    """Byte-equal masks are perfect in every scheme, also those of low grade, which lack a value."""
    truth = truth_of(blocks(scheme, "oedema", "necrotic_core"))
    found = source(tmp_path, truth, blocks(scheme, "oedema", "necrotic_core"))
    assert found == LabelSource(scheme.name, "scheme of the truth, whose values the masks have")
    rows = evaluate_predictions(tmp_path / "masks", truth, regions=("WT", "TC"), metrics=("dice",))
    assert [row.value for row in rows] == [1.0, 1.0]


def test_the_files_behind_a_prepared_truth_count(tmp_path):
    """A complete truth that came in as brats2017 is compared with masks of that scheme."""
    truth = replace(cohort_of_cases([toy_case(1)]), source=LabelSource("brats2017", "named so"))
    mask = toy_case(1).require_labels().to(BRATS2017)
    write_labels(tmp_path / "m.nii.gz", mask)
    assert source_of_masks(tmp_path, {"s01-1": tmp_path / "m.nii.gz"}, truth).scheme == "brats2017"
    write_labels(tmp_path / "m.nii.gz", mask.to(BRATS2023))
    assert (
        source_of_masks(tmp_path, {"s01-1": tmp_path / "m.nii.gz"}, replace(truth, source=None)).scheme == "brats2023"
    )


def test_values_that_the_truth_lacks_are_asked_about(tmp_path):
    """A 3 beside a truth of 2017 may be enhancing tumour or non-enhancing core."""
    truth = truth_of(blocks(BRATS2017, "oedema", "enhancing"))
    with pytest.raises(
        LabelError, match=r"(?s)truth is in scheme brats2017.*say which: --scheme.*brats2013.*decathlon"
    ):
        source(tmp_path, truth, blocks(BRATS2013, "oedema", "non_enhancing"))


def test_masks_that_agree_far_better_in_another_scheme_are_asked_about(tmp_path):
    """Masks numbered as in BraTS against a truth of the Decathlon have the same values and other meanings."""
    parts = ("oedema", "necrotic_core")
    with pytest.raises(LabelError, match=r"read as brats2013 \(mean Dice 1.00 against 0.50\).*--scheme decathlon, or"):
        source(tmp_path, truth_of(blocks(DECATHLON, *parts)), blocks(BRATS2013, "oedema", "necrosis"))


def test_masks_of_the_decathlon_beside_a_truth_of_2023_are_asked_about(tmp_path):
    """Only core and oedema are exchanged, and enhancing tumour has one value in both."""
    parts = ("oedema", "necrotic_core", "enhancing")
    with pytest.raises(LabelError, match=r"read as decathlon \(mean Dice 1.00 against 0.83\)"):
        source(tmp_path, truth_of(blocks(BRATS2023, *parts)), blocks(DECATHLON, *parts))


def test_tables_of_the_folder_decide(tmp_path):
    """`masks.json`, then `dataset.json` in the folder or above it."""
    truth = truth_of(blocks(BRATS2017, "oedema", "enhancing"))
    mask = blocks(BRATS2024_PED, "oedema", "enhancing")
    labels = {"background": 0, "ET": 1, "NET": 2, "CC": 3, "ED": 4}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}), encoding="utf-8")
    assert source(tmp_path, truth, mask) == LabelSource("brats2024_ped", "dataset.json names the labels; values 1, 4")
    write_facts(tmp_path / "masks", DECATHLON, "somebody")
    assert source(tmp_path, truth, mask).scheme == "decathlon"
    assert source(tmp_path, truth, mask, "brats2013") == LabelSource("brats2013", "stated")


def test_a_named_scheme_must_exist(tmp_path):
    """It may be a text of one's own."""
    truth = truth_of(blocks(BRATS2017, "oedema"))
    assert source_of_masks(tmp_path, {}, truth, "enhancing=2,oedema=1").scheme == "oedema=1,enhancing=2"
    with pytest.raises(LabelError, match="label scheme 'brats'"):
        source_of_masks(tmp_path, {}, truth, "brats")
