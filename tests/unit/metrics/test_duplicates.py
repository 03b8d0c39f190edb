"""The search for near-duplicates finds planted copies and takes different people for different."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from glioforge.core.case import Case
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.rng import stream
from glioforge.core.volume import Modality, Volume
from glioforge.metrics.duplicates import LABEL_MAP, Limits, near_duplicates
from glioforge.metrics.tumour_picture import nested_dice, tumour_of
from toy_brain import toy_brain
from toy_cohort import cohort_of_cases

SPACING = 4.0


def person(name, seed):
    """A head with texture and a lumpy lesion of its own; two contrasts that share the anatomy."""
    labels = toy_brain(centre=None)
    rng = stream(seed, "person")
    brain = labels.voxels > 0
    texture, lumps = (ndimage.gaussian_filter(rng.normal(size=brain.shape), sigma) for sigma in (1.2, 3.0))
    spot = np.unravel_index(np.argmax(np.where(ndimage.binary_erosion(brain, iterations=6), lumps, -9)), brain.shape)
    near = np.sqrt(sum((axis - place) ** 2 for axis, place in zip(np.indices(brain.shape), spot, strict=True)))
    voxels = labels.voxels.copy()
    for value, size in ((2, 7.0), (3, 4.5), (1, 2.0)):
        voxels[(near * (1 + 0.25 * lumps / lumps.std()) < size) & brain] = value
    base = 2 + texture / texture.std() * 0.3 + (voxels == 3) * 1.0
    images = {m: ((base**power) * brain).astype(np.float32) for m, power in ((Modality.T1, 1.0), (Modality.FLAIR, 1.3))}
    return case_of(name, images, LabelMap(voxels, labels.geometry, labels.scheme))


def case_of(name, images, labels):
    """A case of given arrays, without a brain mask."""
    volumes = {m: Volume(np.ascontiguousarray(v, np.float32), labels.geometry, m) for m, v in images.items()}
    return Case(name, f"subject of {name}", volumes, Lineage.real("toy", name), labels)


def copy_of(case, change):
    """The case with a change of its voxels; `change(voxels, order)` with order 0 for labels."""
    images = {m: change(v.voxels, 1) for m, v in case.images.items()}
    labels = case.require_labels()
    return replace(
        case_of("copy", images, labels.with_voxels(np.ascontiguousarray(change(labels.voxels, 0)).astype(np.uint8)))
    )


def turned(degrees):
    """Rotation about all three axes."""

    def change(voxels, order):
        for axes in ((0, 1), (1, 2), (0, 2)):
            voxels = ndimage.rotate(voxels, degrees, axes=axes, reshape=False, order=order)
        return voxels

    return change


def noisy(voxels, order):
    """Noise of half the spread, the background left alone."""
    spread = voxels[voxels != 0].std()
    return voxels + (voxels != 0) * stream(1, "noise").normal(0, spread / 2, voxels.shape) if order else voxels


DISGUISES = {
    "unchanged": lambda v, order: v,
    "noise": noisy,
    "noise outside too": lambda v, o: v + stream(2, "n").normal(0, 0.2 * v.std(), v.shape) if o else v,
    "flip": lambda v, order: v[::-1],
    "shift": lambda v, order: ndimage.shift(v, (2, -1.5, 1), order=order),
    "rotation": turned(4),
    "gamma": lambda v, order: v**2.0 if order else v,
    "blur": lambda v, order: ndimage.gaussian_filter(v, 2.0 / SPACING) if order else v,
    "all": lambda v, o: noisy(ndimage.shift(turned(3)(v[::-1], o), (1.5, 0, -1), order=o), o),
}


@pytest.fixture(scope="module")
def people():
    """Four different people."""
    return [person(f"p{n}", n) for n in range(4)]


def test_finds_every_disguised_copy_and_names_the_person(people):
    """Each planted copy hits its original by an image, and nobody else."""
    copies = [replace(copy_of(people[1], change), case_id=name) for name, change in DISGUISES.items()]

    hits = near_duplicates(cohort_of_cases(copies), cohort_of_cases(people[:2]), limits=Limits(dice=2.0))

    assert {hit.case_id for hit in hits} == set(DISGUISES)
    assert {hit.reference_id for hit in hits} == {"p1"}
    assert all(hit.mirrored == (hit.case_id in {"flip", "all"}) for hit in hits)


def test_finds_label_maps_without_images_moved_and_turned(people):
    """A tumour's map is found wherever it lies, however it is turned by a little."""
    labels = people[2].require_labels()
    made = {name: labels.with_voxels(np.ascontiguousarray(change(labels.voxels, 0))) for name, change in (
        ("moved", lambda v, o: np.roll(v, (3, -2, 2), (0, 1, 2))),
        ("turned", turned(5)),
        ("mirrored", lambda v, o: v[::-1]),
    )}  # fmt: skip
    bare = [Case(name, "someone", {}, Lineage.real("toy", "someone"), lesion_only(m)) for name, m in made.items()]

    hits = near_duplicates(cohort_of_cases(bare), cohort_of_cases(people))

    assert {(hit.case_id, hit.reference_id, hit.what) for hit in hits} == {(n, "p2", LABEL_MAP) for n in made}


def lesion_only(labels):
    """The map without normal tissue."""
    return labels.with_voxels(np.where(labels.lesion, labels.voxels, 0).astype(np.uint8))


def test_different_people_are_no_duplicates(people):
    """Neither images nor label maps of other people come near the limits."""
    assert near_duplicates(cohort_of_cases(people[:2]), cohort_of_cases(people[2:])) == ()
    pictures = [tumour_of(case.require_labels()) for case in people]
    assert max(nested_dice(a, b) for n, a in enumerate(pictures) for b in pictures[:n]) < Limits().dice - 0.05


def test_copies_on_another_grid_are_found(people):
    """Orientation and spacing do not matter."""
    case = people[0]
    zoomed = {m: ndimage.zoom(v.voxels[::-1], 2, order=1) for m, v in case.images.items()}
    shape = next(iter(zoomed.values())).shape
    geometry = Geometry(shape, np.diag([-2.0, 2.0, 2.0, 1.0]))
    images = {m: Volume(np.ascontiguousarray(v), geometry, m) for m, v in zoomed.items()}
    other = Case("fine", "unknown", images, Lineage.real("toy", "unknown"))

    (hit,) = near_duplicates(cohort_of_cases([other]), cohort_of_cases(people))

    assert (hit.reference_id, hit.mirrored) == ("p0", False)
    assert "fine" in str(hit)
    assert hit.to_json()["subject_id"] == "subject of p0"


def test_nothing_to_compare_gives_no_hits(people):
    """Empty sides, black images and tiny tumours are no hits."""
    geometry = Geometry.isotropic((8, 8, 8), 4.0)
    black = Case(
        "black",
        "b",
        {Modality.T1: Volume(np.zeros((8, 8, 8), np.float32), geometry, Modality.T1)},
        Lineage.real("t", "b"),
    )
    tiny = np.zeros((8, 8, 8), np.uint8)
    tiny[4, 4, 4] = 1

    assert near_duplicates([], cohort_of_cases(people[:1])) == ()
    assert near_duplicates(cohort_of_cases(people[:1]), []) == ()
    assert near_duplicates(cohort_of_cases([black]), cohort_of_cases(people[:1])) == ()
    assert tumour_of(LabelMap(tiny, geometry, people[0].require_labels().scheme)) is None
