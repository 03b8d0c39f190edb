"""What is sent of a case: fresh files, windows within the brain, labels with names, colours and volumes."""

from dataclasses import replace
from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.schemes import COMPLETE
from glioforge.viewer.shown import Shown, colour_of, grey_window, label_table
from toy_cohort import toy_case, toy_labels


def as_image(data):
    """The bytes as another reader sees them."""
    return nib.Nifti1Image.from_bytes(data)


def test_files_hold_voxels_and_grid_and_nothing_else():
    """Another reader finds the same numbers, and no text."""
    case = replace(toy_case(1), facts={"name": "CANARY"})
    shown = Shown.of_case(case)
    found = [as_image(shown.file(name)) for name in ("0", "1", "labels")]

    assert np.array_equal(np.asarray(found[2].dataobj), case.labels.voxels)
    assert all(np.allclose(image.affine, case.geometry.affine) for image in found)
    assert all(bytes(image.header["descrip"]).strip(b"\0") == b"" for image in found)
    assert not any(b"CANARY" in shown.file(name) or b"s01" in shown.file(name) for name in ("0", "1", "labels"))
    inside = case.brain
    for image, volume in zip(found, case.images.values(), strict=False):
        assert np.array_equal(np.asarray(image.dataobj)[inside], volume.voxels[inside])


@pytest.mark.parametrize("name", ["2", "-1", "t1", "", "00", "../0"])
def test_other_names_have_no_file(name):
    """Images by number, and labels."""
    assert Shown.of_case(toy_case(1)).file(name) is None
    assert Shown.of_labels(toy_labels(1)).file("0") is None


def test_a_background_within_the_window_is_sent_below_it():
    """The 0 around z-scores would be grey; voxels of the brain keep their values."""
    case = toy_case(1)
    shown = Shown.of_case(case)
    t1 = shown.to_json()["images"][0]
    voxels = np.asarray(as_image(shown.file("0")).dataobj)

    assert t1["title"] == "T1"
    assert t1["window"][0] < 0 < t1["window"][1]
    assert set(voxels[~case.brain]) == {np.float32(t1["outside"])}
    assert t1["outside"] < t1["window"][0]


def test_a_dark_background_is_left_as_it_is():
    """Raw intensities start at 0."""
    raw = np.zeros((6, 6, 6), dtype=np.float32)
    raw[2:4, 2:4, 2:4] = np.arange(100, 108, dtype=np.float32).reshape(2, 2, 2)
    shown = Shown.of_image("scan", raw, Geometry.isotropic(raw.shape))

    assert np.array_equal(np.asarray(as_image(shown.file("0")).dataobj), raw)
    assert shown.to_json()["images"][0]["window"] == pytest.approx((100.07, 106.93))


@pytest.mark.parametrize(("value", "expected"), [(3.0, (3.0, 4.0)), (0.0, (0.0, 1.0))])
def test_an_image_of_one_value_has_a_window(value, expected):
    """Neither empty nor reversed; an empty mask means all voxels."""
    voxels = np.full((2, 2, 2), value, dtype=np.float32)

    assert grey_window(voxels, voxels > 9) == expected


def test_labels_are_described_by_their_scheme():
    """Name, colour and volume of those that are there; the lesion comes first."""
    labels = toy_labels(1)
    table = label_table(labels)
    by_value = {item["value"]: item for item in table["items"]}

    assert set(by_value) == set(np.unique(labels.voxels).tolist()) - {0}
    assert by_value[2]["name"] == "oedema"
    assert by_value[2]["rgb"] == COMPLETE.colours["oedema"]
    assert by_value[2]["ml"] == pytest.approx(labels.volume_ml("oedema"))
    assert [item["lesion"] for item in table["items"]] == sorted((i["lesion"] for i in table["items"]), reverse=True)
    assert {r["name"]: r["ml"] for r in table["regions"]}["WT"] == pytest.approx(labels.volume_ml("WT"))


def test_labels_without_colours_get_different_ones():
    """Neighbouring values can be told apart."""
    scheme = LabelScheme("plain", {"background": 0, **{str(n): n for n in range(1, 9)}})
    colours = [colour_of(scheme, str(n)) for n in range(1, 9)]

    assert len(set(colours)) == 8
    assert min(np.abs(np.subtract(a, b)).sum() for a, b in pairwise(colours)) > 100


def test_the_lesion_is_shown_first():
    """The first position lies in the slice with most lesion, and near the lesion's middle."""
    labels = toy_labels(1)
    i, j, k = labels.geometry.index_of(Shown.of_labels(labels).to_json()["centre"])

    assert labels.lesion[round(i), round(j), round(k)]
    assert labels.lesion.sum(axis=(0, 1))[round(k)] == labels.lesion.sum(axis=(0, 1)).max()


def test_an_empty_map_is_shown_in_its_middle():
    """No label, no brain."""
    grid = Geometry.isotropic((8, 6, 4), 2.0)
    empty = Shown.of_labels(LabelMap(np.zeros((8, 6, 4), dtype=np.uint8), grid, COMPLETE))

    assert empty.to_json()["centre"] == grid.world_of((4, 3, 2))
    assert empty.to_json()["labels"]["items"] == []
