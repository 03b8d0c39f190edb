"""Tests of `studies.scoring`: segmenters of any target are scored on the regions that they know."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.schemes import BRATS2023, BRATS2024, COMPLETE, COMPLETE_CAVITY, GUO2020, TUMOUR
from glioforge.data.preparation.pipeline import PrepareSpec, prepare_case
from glioforge.studies.base import StudySpec
from glioforge.studies.scoring import class_rows, overlap_rows
from toy_cohort import cohort_of_cases, toy_case


@dataclass(frozen=True)
class Knows:
    """A segmenter that says the truth in its own scheme."""

    scheme: LabelScheme

    def segment_many(self, cases):
        """Answer in order."""
        return map(self.segment, cases)

    def segment(self, case) -> LabelMap:
        """The case's own labels."""
        return case.require_labels().to(self.scheme)


@pytest.mark.parametrize("scheme", [COMPLETE_CAVITY, GUO2020, BRATS2024])
def test_a_resection_cavity_is_scored_as_a_region_of_its_own(scheme):
    """Of post-treatment truth, by segmenters that know it; one that paints none of it has Dice 0."""
    old = toy_case(1).require_labels()
    truth = LabelMap(np.array([0, 4, 2, 3, 0, 0, 0], dtype=np.uint8)[old.voxels], old.geometry, BRATS2024)
    scan = replace(toy_case(1), labels=truth)
    prepared = prepare_case(scan, PrepareSpec(), scan.modalities, (16, 16, 16))
    refs = [replace(cohort_of_cases([case]).cases[0], scheme=case.labels.scheme.name) for case in (prepared, scan)]
    test = Cohort("prepared", (replace(refs[0], facts=prepared.facts),), COMPLETE_CAVITY)
    study = StudySpec.model_construct(name="study", regions=("WT", "RC"))
    rows = overlap_rows(study, (0, "arm", 0), Knows(scheme), test, Cohort("scans", (refs[1],), BRATS2024))
    blind = overlap_rows(study, (0, "arm", 0), Blind(), test, Cohort("scans", (refs[1],), BRATS2024))

    assert dice_of(rows) == {"WT": 1.0, "RC": 1.0}
    assert dice_of(blind)["RC"] == 0.0


def dice_of(rows):
    """Dice of each region."""
    return {row["region"]: row["value"] for row in rows if row["metric"] == "dice"}


@dataclass(frozen=True)
class Blind:
    """A segmenter that finds no cavity."""

    def segment_many(self, cases):
        """Answer in order."""
        return map(self.segment, cases)

    def segment(self, case) -> LabelMap:
        """The case's own labels with fluid in place of the cavity."""
        labels = case.require_labels()
        return labels.with_voxels(np.where(labels.voxels == 7, np.uint8(6), labels.voxels))


@pytest.mark.parametrize(
    ("scheme", "regions"),
    [(BRATS2023, ("WT", "TC", "ET")), (COMPLETE, ("WT", "TC", "ET")), (GUO2020, ("WT", "TC")), (TUMOUR, ("WT",))],
)
def test_a_segmenter_that_knows_the_truth_is_perfect_in_every_scheme(scheme, regions):
    """Also where its labels have no counterpart among those of the truth."""
    scan = replace(toy_case(1), labels=toy_case(1).require_labels().to(BRATS2023))
    prepared = prepare_case(scan, PrepareSpec(tissue=None), scan.modalities, (16, 16, 16))
    prepared = replace(prepared, labels=prepared.require_labels().to(COMPLETE))
    ref = replace(cohort_of_cases([prepared]).cases[0], facts=prepared.facts)
    test = Cohort("prepared", (ref,), COMPLETE)
    rows = overlap_rows(
        StudySpec.model_construct(name="study", regions=regions),
        (0, "arm", 0),
        Knows(scheme),
        test,
        cohort_of_cases([scan]),
    )
    assert [row["region"] for row in rows if row["metric"] == "dice"] == list(regions)
    assert {row["value"] for row in rows if row["metric"] == "dice"} == {1.0}


def test_every_class_is_scored_with_tissue_and_over_all_of_them():
    """A class in neither map has no number; weights decide what an error costs."""
    labels = toy_case(1).require_labels().to(COMPLETE)
    wrong = labels.voxels.copy()
    wrong[wrong == COMPLETE.value("csf")] = COMPLETE.value("grey_matter")
    rows = class_rows({"arm": "real"}, replace(labels, voxels=wrong), labels, {"white_matter": 1.0, "csf": 9.0})
    values = {(row["region"], row["metric"]): row["value"] for row in rows}

    assert values["white_matter", "dice"] == 1.0
    assert values["csf", "dice"] == 0.0
    assert 0 < values["classes", "weighted_class_dice"] < 1
    assert values["classes", "class_dice"] < 1
    assert {row["grid"] for row in rows} == {"prepared"}
