"""Label maps and schemes: validation, regions, and the laws of mapping between schemes."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import GeometryError, LabelError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.schemes import (
    BIDS_TISSUE,
    BRATS2013,
    BRATS2017,
    BRATS2023,
    BRATS2024,
    BRATS2024_PED,
    COMPLETE,
    DECATHLON,
    GUO2020,
    SCHEMES,
    TUMOUR,
    complete_scheme,
    scheme_named,
)
from strategies import known_schemes, label_maps, schemes

TOY = LabelScheme("toy", {"background": 0, "oedema": 2, "core": 7}, {"WT": ("oedema", "core")})


def toy_map(*values):
    """A map of one row in the toy scheme, on 2 mm voxels."""
    voxels = np.array(values, dtype=np.uint8).reshape(-1, 1, 1)
    return LabelMap(voxels, Geometry.isotropic(voxels.shape, 2.0), TOY)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"oedema": 1}, "scheme 'x' without background 0"),
        ({"background": 1}, "scheme 'x' without background 0"),
        ({"background": 0, "a": 1, "b": 1}, "expected distinct integers 0-255"),
        ({"background": 0, "a": 256}, "expected distinct integers 0-255"),
        ({"background": 0, "a": -1}, "expected distinct integers 0-255"),
    ],
)
def test_refuses_labels_that_are_no_scheme(labels, message):
    """Background is 0 and every integer is used once."""
    with pytest.raises(LabelError, match=message):
        LabelScheme("x", labels)


def test_refuses_regions_and_tissue_of_unknown_labels():
    """A typing error in a region is found when the scheme is made."""
    with pytest.raises(LabelError, match=r"scheme 'x' uses \['core', 'grey'\]; expected labels among \['background'\]"):
        LabelScheme("x", {"background": 0}, {"WT": ("core",)}, ("grey",))


def test_lesion_is_all_but_background_and_tissue():
    """The complete scheme's tumour labels are 1, 2 and 3."""
    assert COMPLETE.lesion == ("necrotic_core", "oedema", "enhancing")
    assert COMPLETE.lesion_values == (1, 2, 3)
    assert COMPLETE.is_complete
    assert not BRATS2023.is_complete


def test_value_names_the_known_labels():
    """An unknown label is answered with the known ones."""
    assert TOY.value("core") == 7
    with pytest.raises(LabelError, match=r"scheme toy: label 'tumour'; expected one of \['background', 'core', 'oed"):
        TOY.value("tumour")


def test_region_values_take_regions_and_labels():
    """A region is a union; a label is a region of itself."""
    assert TOY.region_values("WT") == (2, 7)
    assert TOY.region_values("core") == (7,)
    with pytest.raises(LabelError, match=r"region 'TC'; expected one of \['WT', 'background'"):
        TOY.region_values("TC")


def test_require_counts_strange_values():
    """The message names each strange value with its voxels, and the scheme's own values."""
    with pytest.raises(LabelError) as caught:
        TOY.require(np.array([0, 2, 4, 4, 9]), "case 7")

    assert str(caught.value) == (
        "case 7: label map holds 4 (2 voxels), 9 (1 voxels); "
        "expected values of scheme 'toy': {'background': 0, 'oedema': 2, 'core': 7}; "
        "name the scheme that this data set uses, or remap the file"
    )


@given(schemes())
def test_scheme_json_round_trip(scheme):
    """JSON keeps a scheme whole."""
    back = LabelScheme.from_json(scheme.to_json())

    assert back == scheme
    assert hash(back) == hash(scheme)


def test_scheme_equals_no_other_thing():
    """Equality is of schemes only."""
    assert TOY != "toy"


@given(schemes())
def test_mapping_to_itself_changes_nothing(scheme):
    """The table to the same scheme is the identity on its integers."""
    table = scheme.table_to(scheme)

    assert all(table[value] == value for value in scheme.labels.values())


@given(label_maps(BRATS2017), st.sampled_from([BRATS2023, COMPLETE]))
def test_schemes_of_the_same_labels_round_trip(labels, other):
    """2017, 2023 and complete maps of tumour labels convert without loss."""
    there = labels.to(other)

    np.testing.assert_array_equal(there.to(BRATS2017).voxels, labels.voxels)
    for region in ("WT", "TC", "ET"):
        np.testing.assert_array_equal(there.region(region), labels.region(region))


@given(label_maps(BRATS2013))
def test_2013_core_labels_join(labels):
    """Necrosis and non-enhancing core become the necrotic core; regions stay the same."""
    coarse = labels.to(BRATS2023)

    for region in ("WT", "TC", "ET"):
        np.testing.assert_array_equal(coarse.region(region), labels.region(region))
    np.testing.assert_array_equal(coarse.voxels == 1, np.isin(labels.voxels, [1, 3]))


@given(label_maps(COMPLETE))
def test_normal_tissue_becomes_background(labels):
    """A lesion scheme keeps the tumour and drops white matter, grey matter and fluid."""
    lesion = labels.to(BRATS2017)

    np.testing.assert_array_equal(lesion.lesion, labels.lesion)
    assert lesion.to(lesion.scheme) is lesion


def test_a_lesion_label_without_counterpart_is_refused():
    """Nothing of a tumour is dropped silently."""
    with pytest.raises(LabelError, match="label 'core' of scheme 'toy'; expected a label of scheme 'brats2023'"):
        TOY.table_to(BRATS2023)


def test_refuses_voxels_of_another_shape():
    """Voxels fill the grid."""
    with pytest.raises(GeometryError, match=r"label voxels of shape \(2, 2, 2\); expected shape \(2, 2, 3\)"):
        LabelMap(np.zeros((2, 2, 2), np.uint8), Geometry.isotropic((2, 2, 3)), TOY)


@pytest.mark.usefixtures("unchecked_types")
def test_refuses_voxels_of_another_type():
    """Labels that came as float are not truncated silently."""
    with pytest.raises(LabelError, match="label voxels of type float32; expected uint8; convert exact integers first"):
        LabelMap(np.zeros((2, 2, 2), np.float32), Geometry.isotropic((2, 2, 2)), TOY)


def test_refuses_voxels_that_have_no_name():
    """A map in the wrong scheme stops when it is made."""
    with pytest.raises(LabelError, match=r"label map holds 3 \(1 voxels\)"):
        toy_map(0, 2, 3)


def test_voxels_become_read_only():
    """A map in use cannot be changed under its reader."""
    with pytest.raises(ValueError, match="read-only"):
        toy_map(0, 2).voxels[0, 0, 0] = 7


def test_regions_and_volumes_by_hand():
    """Three of four voxels of 8 mm³ are 0.024 ml; an absent region has none."""
    labels = toy_map(0, 2, 7, 7)

    assert labels.region("WT").ravel().tolist() == [False, True, True, True]
    assert labels.lesion.sum() == 3
    assert labels.volume_ml("WT") == pytest.approx(0.024)
    assert toy_map(0, 0).volume_ml("WT") == 0.0


@given(label_maps())
def test_with_voxels_keeps_grid_and_scheme(labels):
    """Only the voxels change."""
    emptied = labels.with_voxels(np.zeros_like(labels.voxels))

    assert (emptied.geometry, emptied.scheme) == (labels.geometry, labels.scheme)
    assert not emptied.lesion.any()


@given(known_schemes)
def test_known_schemes_have_colours_and_the_three_regions(scheme):
    """Whatever draws or measures can rely on colours, WT, TC and ET; a cavity is lesion and no tumour."""
    assert set(scheme.lesion) | set(scheme.tissue) <= set(scheme.colours)
    assert {"WT", "TC", "ET"} <= set(scheme.regions)
    assert set(scheme.region_values("ET")) <= set(scheme.region_values("TC")) <= set(scheme.region_values("WT"))
    cavity = set(scheme.region_values("RC")) if "RC" in scheme.regions else set()
    assert set(scheme.region_values("WT")) | cavity == set(scheme.lesion_values)
    assert not set(scheme.region_values("WT")) & cavity


def alike(first, second):
    """Whether the second scheme names all labels of the first, and the first the lesion of the second."""
    return set(second.lesion) <= set(first.labels) <= set(second.labels)


PAIRS = [(a, b) for a in SCHEMES.values() for b in SCHEMES.values() if alike(a, b)]


@given(st.sampled_from(PAIRS).flatmap(lambda pair: st.tuples(label_maps(pair[0]), st.just(pair[1]))))
def test_there_and_back_is_the_identity_where_all_labels_are_named(drawn):
    """A scheme that names all labels of another gives its maps back unchanged, with the same regions."""
    labels, other = drawn
    there = labels.to(other)

    np.testing.assert_array_equal(there.to(labels.scheme).voxels, labels.voxels)
    for region in ("WT", "TC", "ET"):
        np.testing.assert_array_equal(there.region(region), labels.region(region))


@given(known_schemes.flatmap(label_maps))
def test_every_scheme_can_be_prepared(labels):
    """Each scheme has a way into a complete one; whole tumour, core and cavity stay."""
    complete, fluid = labels.to(complete_scheme(labels.scheme)), labels.to(COMPLETE)

    for region in ("WT", "TC", "ET"):
        np.testing.assert_array_equal(complete.region(region), labels.region(region))
    if "RC" in labels.scheme.regions:
        np.testing.assert_array_equal(complete.region("RC"), labels.region("RC"))
        assert (fluid.voxels[labels.region("RC")] == COMPLETE.value("csf")).all()


def test_a_cavity_is_not_dropped_silently():
    """A scheme without fluid and cavity cannot take a post-treatment map."""
    with pytest.raises(LabelError, match="label 'resection_cavity' of scheme 'brats2024'"):
        BRATS2024.table_to(BRATS2023)


def test_labels_of_the_decathlon_and_of_paediatric_tumours_keep_their_meaning():
    """Integers that are swapped against BraTS are swapped back; cysts join the core."""
    assert DECATHLON.table_to(BRATS2017)[:4].tolist() == [0, 2, 1, 4]
    assert BRATS2024_PED.table_to(BRATS2023)[:5].tolist() == [0, 3, 1, 1, 2]
    assert COMPLETE.table_to(BRATS2024)[:7].tolist() == [0, 1, 2, 3, 0, 0, 0]
    assert BRATS2024.region_values("RC") == (4,)


def test_the_core_is_one_label_of_five_classes_and_one_of_two():
    """Necrosis and enhancement join in Guo's tumour; oedema as well where tumour is all that is told apart."""
    assert COMPLETE.table_to(GUO2020)[:7].tolist() == [0, 4, 2, 4, 1, 1, 1]
    assert BRATS2024.table_to(GUO2020)[:5].tolist() == [0, 4, 2, 4, 3]
    assert COMPLETE.table_to(TUMOUR)[:7].tolist() == [0, 1, 1, 1, 0, 0, 0]
    assert BRATS2024.table_to(TUMOUR)[:5].tolist() == [0, 1, 1, 1, 0]
    assert GUO2020.table_to(BRATS2024)[:5].tolist() == [0, 0, 2, 4, 3]


def test_labels_that_point_at_each_other_have_no_counterpart():
    """Guo's tumour counts as enhancing, which counts as Guo's tumour: a scheme without both cannot take it."""
    with pytest.raises(LabelError, match=r"label 'oedema' of scheme 'guo2020'"):
        GUO2020.table_to(BIDS_TISSUE)
    core_only = LabelScheme("core", {"background": 0, "tumour": 1}, broader={"tumour": "enhancing"})
    with pytest.raises(LabelError, match=r"label 'tumour' of scheme 'core'"):
        core_only.table_to(LabelScheme("none", {"background": 0}, broader={"enhancing": "tumour"}))


def test_schemes_are_found_by_name():
    """A wrong name is answered with the known ones."""
    assert scheme_named("brats2017") is BRATS2017
    assert all(scheme_named(name).name == name for name in SCHEMES)
    assert scheme_named("tumour") is TUMOUR
    with pytest.raises(LabelError, match=r"label scheme 'brats'; expected one of bids_tissue, brats2013"):
        scheme_named("brats")


def test_the_foreground_is_all_that_is_labelled():
    """Lesion and tissue; nothing of an empty map."""
    labels = LabelMap(np.array([[[0, 1, 4]]], dtype=np.uint8), Geometry.isotropic((1, 1, 3)), COMPLETE)

    assert labels.foreground.tolist() == [[[False, True, True]]]
    assert not labels.with_voxels(np.zeros((1, 1, 3), dtype=np.uint8)).foreground.any()
