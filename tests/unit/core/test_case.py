"""Cases: one grid, named contrasts, errors that name the case."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from glioforge.core.case import Case, CaseRef
from glioforge.core.errors import CaseError, GeometryError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume
from strategies import case_ref, cases
from toy_cohort import toy_case

GRID = Geometry.isotropic((2, 3, 4))
OTHER = Geometry.isotropic((2, 3, 4), 2.0)
LINEAGE = Lineage.real("scan", "p1")


def volume(modality=Modality.T1, geometry=GRID, value=0.0):
    """A volume of one value."""
    return Volume(np.full(geometry.shape, value, np.float32), geometry, modality)


def label_map(geometry=GRID):
    """An empty label map."""
    return LabelMap(np.zeros(geometry.shape, np.uint8), geometry, COMPLETE)


def test_refuses_a_case_of_nothing():
    """Neither image nor labels is no case."""
    with pytest.raises(CaseError, match="p1-1: no image and no label map; expected at least one of them"):
        Case("p1-1", "p1", {}, LINEAGE)


def test_refuses_a_contrast_under_another_name():
    """A T2 volume under the name FLAIR would train without an error."""
    with pytest.raises(CaseError, match="p1-1: t2 image under the name flair"):
        Case("p1-1", "p1", {Modality.FLAIR: volume(Modality.T2)}, LINEAGE)


def test_refuses_images_on_two_grids():
    """The message names the case and the contrast that differs."""
    images = {Modality.T1: volume(), Modality.T2: volume(Modality.T2, OTHER)}

    with pytest.raises(GeometryError, match="p1-1 t2 lies on grid"):
        Case("p1-1", "p1", images, LINEAGE)


def test_refuses_labels_on_another_grid():
    """Labels fit the images."""
    with pytest.raises(GeometryError, match="p1-1 label map lies on grid"):
        Case("p1-1", "p1", {Modality.T1: volume()}, LINEAGE, label_map(OTHER))


def test_refuses_a_brain_mask_of_another_shape():
    """A mask has the grid's shape."""
    with pytest.raises(GeometryError, match=r"p1-1: brain mask of shape \(2, 3, 5\); expected \(2, 3, 4\)"):
        Case("p1-1", "p1", {Modality.T1: volume()}, LINEAGE, brain=np.ones((2, 3, 5), bool))


def test_a_bare_label_map_is_a_case():
    """Label samplers make cases without images."""
    case = Case("p1-1", "p1", {}, LINEAGE, label_map())

    assert case.geometry == GRID
    assert case.modalities == ()


def test_require_labels_says_what_to_do():
    """An unlabelled case is named."""
    with pytest.raises(CaseError, match="p1-1: no label map; expected a labelled case; leave the case out or label it"):
        Case("p1-1", "p1", {Modality.T1: volume()}, LINEAGE).require_labels()


def test_stack_names_missing_contrasts():
    """Channels are never made up."""
    case = Case("p1-1", "p1", {Modality.T1: volume()}, LINEAGE)

    with pytest.raises(CaseError, match=r"p1-1: contrasts \['t1'\]; expected also \['t2', 'flair'\]; leave the case"):
        case.stack((Modality.T1, Modality.T2, Modality.FLAIR))


@given(cases())
def test_stack_has_the_order_asked_for(case):
    """Channel n is the n-th contrast asked for, whatever the mapping's order."""
    asked = case.modalities[::-1]

    stacked = case.stack(asked)

    assert stacked.shape == (len(asked), *case.geometry.shape)
    for channel, modality in enumerate(asked):
        np.testing.assert_array_equal(stacked[channel], case.images[modality].voxels)


def test_a_reference_loads_through_its_reader():
    """The reader gets the reference itself."""
    case = Case("p1-1", "p1", {Modality.T1: volume()}, LINEAGE)
    seen = []

    def reader(ref):
        seen.append(ref)
        return case

    ref = CaseRef("p1-1", "p1", {}, "complete", LINEAGE, "digest", reader=reader)

    assert ref.load() is case
    assert seen == [ref]


def test_the_reader_is_no_part_of_a_references_identity():
    """The same case read by two readers is the same case."""
    ref = case_ref("p1-1", "p1")

    assert ref.modalities == (Modality.T1, Modality.FLAIR)
    assert ref == CaseRef("p1-1", "p1", ref.images, ref.scheme, ref.lineage, ref.digest, reader=lambda ref: ref.load())
    assert ref != case_ref("p1-2", "p1")


def test_the_brain_mask_is_the_own_one_else_that_of_images_else_that_of_labels():
    """Labels are asked where there is no image alone, so that a mask never holds the truth."""
    case = toy_case(1)
    smaller = case.brain.copy()
    smaller[8:] = False
    unlabelled = case.labels.with_voxels(np.zeros_like(case.labels.voxels))

    assert replace(case, brain=smaller).brain_mask is smaller
    assert np.array_equal(replace(case, brain=None, labels=unlabelled).brain_mask, case.labels.foreground)
    assert np.array_equal(replace(case, brain=None, images={}).brain_mask, case.labels.foreground)
