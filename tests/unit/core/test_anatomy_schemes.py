"""Structures of healthy brains become tissue, and keep apart what placement needs."""

import numpy as np
import pytest

from glioforge.core.anatomy_schemes import FREESURFER, STRUCTURES, whole_cortex
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BIDS_TISSUE, COMPLETE, scheme_named


@pytest.mark.parametrize(
    ("value", "structure", "tissue"),
    [
        (2, "white_matter", "white_matter"),
        (42, "grey_matter", "grey_matter"),
        (43, "ventricles", "csf"),
        (24, "csf", "csf"),
        (16, "brainstem", "white_matter"),
        (7, "cerebellum_white", "white_matter"),
        (47, "cerebellum_grey", "grey_matter"),
        (51, "deep_grey", "grey_matter"),
        (255, "white_matter", "white_matter"),
    ],
)
def test_each_structure_has_its_class_and_its_tissue(value, structure, tissue):
    """The same tissue comes out by way of the structures."""
    labels = LabelMap(np.full((2, 2, 2), value, np.uint8), Geometry.isotropic((2, 2, 2)), FREESURFER)
    assert labels.to(STRUCTURES).region(structure).all()
    for scheme in (COMPLETE, BIDS_TISSUE):
        assert labels.to(scheme).region(tissue).all()
        np.testing.assert_array_equal(labels.to(STRUCTURES).to(scheme).voxels, labels.to(scheme).voxels)
    assert not labels.lesion.any()


def test_no_structure_is_lost():
    """Every label of an anatomy has a class in `structures` and a tissue in complete maps."""
    for scheme in (FREESURFER, STRUCTURES):
        values = [value for value in scheme.labels.values() if value]
        assert scheme.table_to(STRUCTURES)[values].all()
        assert scheme.table_to(COMPLETE)[values].all()
        assert scheme_named(scheme.name) is scheme


def test_parcels_become_the_cortex_of_their_side():
    """Values above 1000 are no bytes; others stay."""
    parcels = np.array([[[0, 17, 1035, 2002, 3007, 4001]]])
    assert whole_cortex(parcels).ravel().tolist() == [0, 17, 3, 42, 2, 41]
