"""Tests of `release.label_values`: one scheme for all, and no label lost without an error."""

import numpy as np
import pytest

from glioforge.core.anatomy_schemes import FREESURFER
from glioforge.core.cohort import Cohort, LabelSource
from glioforge.core.errors import LabelError
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import (
    BIDS_TISSUE,
    BRATS2013,
    BRATS2017,
    BRATS2023,
    BRATS2024,
    COMPLETE,
    GUO2020,
    LESION,
    scheme_named,
)
from glioforge.release.label_values import (
    candidates,
    consecutive,
    expressed,
    given_values,
    lost,
    own_scheme,
    require_no_lost_label,
    scheme_of_export,
)
from toy_cohort import toy_labels
from toy_release import cohort_of, prepared, scan


def cohort(scheme, source):
    """An empty cohort of a scheme whose label files had another."""
    return Cohort(scheme.name, (), scheme, None if source is None else LabelSource(source, "stated"))


@pytest.mark.parametrize(
    ("own", "source", "written"),
    [
        ("brats2017", "brats2017", "brats2017"),
        ("brats2013", None, "brats2013"),
        ("complete", "brats2017", "brats2017"),
        ("complete", "decathlon", "decathlon"),
        ("complete", "lesion", "lesion"),
        ("complete", "brats2013", "brats2017"),
        ("complete_cavity", "guo2020", "guo2020"),
        ("complete_structures", "freesurfer", "complete_structures"),
    ],
)
def test_label_files_get_the_scheme_that_the_source_had(own, source, written):
    """Where prepared maps cannot go back, the nearest one that holds them."""
    assert own_scheme(cohort(scheme_named(own), source)).name == written


def test_several_schemes_are_asked_about():
    """The error lists schemes that hold all maps; a prepared cohort of unknown origin is asked about as well."""
    with pytest.raises(
        LabelError, match=r"brats2017: brats2017, brats2023: brats2023.*one scheme for all: brats2017, "
    ):
        scheme_of_export([cohort(BRATS2017, "brats2017"), cohort(BRATS2023, "brats2023")], None)
    with pytest.raises(LabelError, match="none holds all of their labels; export the cohorts one by one"):
        scheme_of_export([cohort(BRATS2017, "brats2017"), cohort(BRATS2013, "brats2013")], None)
    with pytest.raises(LabelError, match="complete: not known"):
        scheme_of_export([cohort(COMPLETE, None)], None)
    assert scheme_of_export([cohort(COMPLETE, None), cohort(BRATS2017, None)], "brats2023") == BRATS2023
    assert scheme_of_export([cohort(COMPLETE, "brats2017"), cohort(BRATS2017, None)], None) == BRATS2017


def test_candidates_hold_every_label():
    """Two kinds of core need the scheme that has both."""
    assert candidates([cohort(BRATS2013, "brats2013")]) == ["brats2013"]
    assert {"brats2017", "decathlon", "complete"} <= set(candidates([cohort(BRATS2017, "brats2017")]))
    assert candidates([cohort(FREESURFER, "freesurfer")]) == ["freesurfer"]
    assert candidates([]) == []


@pytest.mark.parametrize(
    ("own", "target", "gone"),
    [
        (BRATS2017, LESION, ("necrotic_core", "oedema", "enhancing")),
        (BRATS2024, BRATS2023, ("resection_cavity",)),
        (BRATS2024, COMPLETE, ("resection_cavity",)),
        (COMPLETE, GUO2020, ("necrotic_core", "enhancing", "white_matter", "grey_matter", "csf")),
        (COMPLETE, BRATS2023, ()),
        (BRATS2017, BRATS2023, ()),
        (BIDS_TISSUE, BRATS2023, ("grey_matter", "white_matter", "csf")),
        (BIDS_TISSUE, COMPLETE, ()),
    ],
)
def test_labels_are_lost_where_they_merge_or_have_no_place(own, target, gone):
    """A cavity that would count as fluid is lost too."""
    assert lost(own, target) == gone


def test_computed_tissue_may_be_left_out_or_merged_and_given_tissue_may_not():
    """A source whose files name tissue wants it back."""
    assert given_values(cohort(COMPLETE, "brats2017")) == {1, 2, 3}
    assert given_values(cohort(COMPLETE, "bids_tissue")) == {1, 2, 3, 4, 5, 6}
    assert given_values(cohort(COMPLETE, None)) == {1, 2, 3}


def test_what_the_maps_hold_decides_and_not_what_they_could():
    """A cavity that no case has stops nobody; one that a case has is refused before anything is written."""
    cases = [prepared(1), prepared(2)]
    require_no_lost_label([cohort_of(cases)], BRATS2017)

    with pytest.raises(LabelError, match=r"toys: labels necrotic_core, oedema, enhancing in 2 cases, such as s01-1.*"):
        require_no_lost_label([cohort_of(cases)], LESION)
    core = scan(1)
    only = LabelMap(np.where(core.labels.voxels == 4, np.uint8(4), np.uint8(0)), core.geometry, BRATS2017)
    require_no_lost_label([cohort_of([core.__class__("a", "a", {}, core.lineage, only)])], LESION)


def test_a_map_is_expressed_value_by_value():
    """Normal tissue becomes background; labels that would merge are refused."""
    labels = toy_labels(1)
    there = expressed(labels, BRATS2017, frozenset({1, 2, 3}))

    assert np.array_equal(there.voxels, labels.to(BRATS2017).voxels)
    assert expressed(there, BRATS2017, frozenset()) is there
    with pytest.raises(LabelError, match="distinguishes"):
        expressed(labels, LESION, frozenset({1, 2, 3}))


@pytest.mark.parametrize("name", ["brats2017", "brats2013", "guo2020", "freesurfer", "tumour=7,oedema=3"])
def test_consecutive_values_lead_back(name):
    """0 to n without a gap, in the order of the values; each knows what it was."""
    scheme = scheme_named(name)
    made = consecutive(scheme)

    assert sorted(made.scheme.labels.values()) == list(range(len(scheme.labels)))
    assert {label: made.values[value] for label, value in made.scheme.labels.items()} == dict(scheme.labels)
