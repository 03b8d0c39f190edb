"""Tests of `studies.scoring`: segmenters of any target are scored on the regions that they know."""

from dataclasses import dataclass, replace

import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.schemes import BRATS2023, COMPLETE, GUO2020, TUMOUR
from glioforge.data.prepare.pipeline import PrepareSpec, prepare_case
from glioforge.studies.base import StudySpec
from glioforge.studies.scoring import overlap_rows
from toy_cohort import cohort_of_cases, toy_case


@dataclass(frozen=True)
class Knows:
    """A segmenter that says the truth in its own scheme."""

    scheme: LabelScheme

    def segment(self, case) -> LabelMap:
        """The case's own labels."""
        return case.require_labels().to(self.scheme)


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
