"""Phantoms: what is promised of every one of them, and of those after surgery, where nothing else changes."""

import hashlib
import json

import numpy as np
import pytest
from scipy import ndimage

from glioforge.core import BRATS2024
from glioforge.core.schemes import BRATS2017, COMPLETE
from glioforge.core.volume import Modality
from glioforge.data.phantom.anatomy import atlas
from glioforge.data.phantom.cohort import promised_phantoms
from glioforge.data.phantom.make import Phantom, make_phantom, phantom_id
from glioforge.data.phantom.spec import PhantomSpec

SMALL = PhantomSpec(shape=(32, 32, 24))
CASES = range(6)


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    """Six phantoms on a coarse grid."""
    return [make_phantom(11, index, SMALL) for index in CASES]


def bytes_of(phantom: Phantom) -> str:
    """Hash of everything that a phantom holds."""
    digest = hashlib.blake2b()
    for volume in [*phantom.case.images.values(), *phantom.noise_free.values()]:
        digest.update(volume.voxels.tobytes())
    digest.update(phantom.truth.voxels.tobytes() + phantom.case.labels.voxels.tobytes() + phantom.case.brain.tobytes())
    digest.update(json.dumps(phantom.parameters, sort_keys=True).encode())
    return digest.hexdigest()


def largest_hole(mask: np.ndarray) -> int:
    """Voxels enclosed by a mask."""
    return int((ndimage.binary_fill_holes(mask) & ~mask).sum())


def test_same_arguments_same_bytes(phantoms):
    """A case is the same whatever was made before it."""
    assert bytes_of(make_phantom(11, 3, SMALL)) == bytes_of(phantoms[3])


def test_no_two_are_alike(phantoms):
    """Subjects differ from each other, and seeds from each other."""
    assert len({bytes_of(p) for p in phantoms}) == len(phantoms)
    assert bytes_of(make_phantom(12, 3, SMALL)) != bytes_of(phantoms[3])


def test_case_says_that_it_is_a_phantom(phantoms):
    """Id, lineage and facts tell what it is."""
    case = phantoms[3].case
    assert case.case_id == case.subject_id == phantom_id(11, 3) == "phantom-011-0003"
    assert (case.lineage.kind, case.lineage.seed, case.lineage.subjects) == ("phantom", 11, ("phantom-011-0003",))
    assert case.facts.keys() == {"grade", "site", "field_strength", "tumour_ml"}
    assert case.facts["tumour_ml"] == pytest.approx(case.require_labels().volume_ml("WT"), abs=1e-3)


def test_schemes_and_contrasts(phantoms):
    """Four contrasts, tumour labels as in BraTS 2017, truth complete."""
    for phantom in phantoms:
        assert phantom.case.modalities == (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)
        assert phantom.case.labels.scheme == BRATS2017
        assert phantom.truth.scheme == COMPLETE
        assert set(phantom.noise_free) == set(phantom.case.images)


def test_labels_lie_in_the_brain(phantoms):
    """No tumour outside the brain; truth is 0 exactly outside it and never inside."""
    for phantom in phantoms:
        assert not (phantom.case.labels.voxels[~phantom.case.brain]).any()
        assert np.array_equal(phantom.truth.voxels > 0, phantom.case.brain)


def test_truth_and_labels_agree(phantoms):
    """The tumour of the complete map is that of the labels."""
    for phantom in phantoms:
        for region in ("WT", "TC", "ET"):
            assert np.array_equal(phantom.truth.region(region), phantom.case.labels.region(region))


def test_tumours_and_brain_have_no_holes(phantoms):
    """Whole tumour, core and brain are free of holes; the brain is one piece that touches no border."""
    for phantom in phantoms:
        brain = phantom.case.brain
        assert largest_hole(phantom.case.labels.region("WT")) == 0
        assert largest_hole(phantom.case.labels.region("TC")) == 0
        assert largest_hole(brain) == 0
        assert ndimage.label(brain)[1] == 1
        assert not any(np.take(brain, end, axis=axis).any() for axis in range(3) for end in (0, -1))


def test_images_are_whole_numbers_in_the_brain_only(phantoms):
    """Intensities are whole numbers, above 0 in the brain and 0 outside, that int16 holds."""
    for phantom in phantoms:
        for volume in phantom.case.images.values():
            assert np.array_equal(volume.voxels > 0, phantom.case.brain)
            assert np.array_equal(volume.voxels, np.rint(volume.voxels))
            assert volume.voxels.max() <= 32767


def test_fractions_fill_the_brain(phantoms):
    """Fractions of all tissues are shares that sum to 1 in the brain and 0 outside."""
    for phantom in phantoms[:5]:
        parts = np.stack(list(phantom.tissue_fractions.values()))
        assert parts.min() >= 0
        assert np.allclose(parts.sum(axis=0), phantom.case.brain, atol=1e-4)


def test_regions_are_those_of_the_grade(phantoms):
    """High grade: oedema, necrosis and rim; low grade: core and oedema, and at most a little enhancement."""
    grades = [p.case.facts["grade"] for p in phantoms]
    assert set(grades) == {"HGG", "LGG"}
    for phantom, grade in zip(phantoms, grades, strict=True):
        volumes = phantom.parameters["volumes_ml"]
        assert volumes["WT"] > volumes["TC"] > 0
        if grade == "HGG":
            assert 0 < volumes["ET"] < volumes["TC"]
            assert 0.1 < volumes["TC"] / volumes["WT"] < 0.65
        else:
            assert volumes["ET"] < 0.35 * volumes["TC"]


def test_volumes_are_realistic(phantoms):
    """Brains of 1.3 to 2.2 litres; tumours near what was aimed at."""
    tumours = np.array([p.parameters["volumes_ml"]["WT"] for p in phantoms])
    aims = np.array([p.parameters["tumour"]["aim_ml"] for p in phantoms])
    assert all(1300 < p.parameters["brain_ml"] < 2200 for p in phantoms)
    assert np.all((tumours > 3) & (tumours < 200))
    assert 0.8 < np.median(tumours / aims) < 1.2


def test_shares_of_normal_tissue_are_realistic(phantoms):
    """White and grey matter and fluid have their usual shares of the brain."""
    for phantom in phantoms:
        names = ("white_matter", "grey_matter", "csf")
        white, grey, fluid = (phantom.tissue_fractions[t].sum() / phantom.case.brain.sum() for t in names)
        assert 0.2 < white < 0.4
        assert 0.35 < grey < 0.6
        assert 0.1 < fluid < 0.3


def test_contrasts_have_the_published_order(phantoms):
    """In every scan T1 shows white > grey > fluid, T2 the reverse, FLAIR dark fluid and bright oedema."""
    for phantom in phantoms:
        fractions = phantom.tissue_fractions

        def level(modality, tissue, phantom=phantom, fractions=fractions):
            share = fractions[tissue]
            return np.median(phantom.case.images[modality].voxels[share > 0.85 * share.max()])

        tissues = ("white_matter", "grey_matter", "csf", "oedema")
        t1, t2, flair = ({t: level(m, t) for t in tissues} for m in (Modality.T1, Modality.T2, Modality.FLAIR))
        assert t1["white_matter"] > t1["grey_matter"] > t1["csf"]
        assert t2["csf"] > t2["grey_matter"] > t2["white_matter"]
        assert flair["oedema"] > flair["grey_matter"] > flair["csf"]
        assert flair["white_matter"] > flair["csf"]


def test_the_rim_lights_up_and_the_necrosis_stays_dark(phantoms):
    """On T1ce the enhancing rim is brighter than white matter, the core darker."""
    for phantom in (p for p in phantoms if p.case.facts["grade"] == "HGG"):
        t1ce = phantom.noise_free[Modality.T1CE].voxels
        white = np.median(t1ce[phantom.tissue_fractions["white_matter"] > 0.9])
        assert np.median(t1ce[phantom.case.labels.region("enhancing")]) > white
        assert np.median(t1ce[phantom.case.labels.region("necrotic_core")]) < white


def test_orientation_changes_the_storage_and_not_the_head():
    """LPS and RAS hold the same voxels at the same places in the world."""
    lps, ras = (make_phantom(11, 0, SMALL.model_copy(update={"orientation": o})) for o in ("LPS", "RAS"))
    assert (lps.case.geometry.orientation, ras.case.geometry.orientation) == ("LPS", "RAS")
    assert np.array_equal(lps.truth.voxels[::-1, ::-1], ras.truth.voxels)
    index = np.argwhere(ras.case.labels.voxels > 0)[0].tolist()
    world = ras.case.geometry.world_of(index)
    there = np.rint(lps.case.geometry.index_of(world)).astype(int)
    assert lps.case.labels.voxels[tuple(there)] == ras.case.labels.voxels[tuple(index)]


def test_left_stays_left():
    """A tumour seeded left of the midline lies at negative x in the world."""
    phantom = make_phantom(11, 0, SMALL)
    seed = phantom.parameters["tumour"]["seeds_mm"][0]
    indices = np.argwhere(phantom.case.labels.voxels > 0)
    centre = phantom.case.geometry.world_of(indices.mean(axis=0).tolist())
    assert np.sign(centre[0]) == np.sign(seed[0])
    assert np.linalg.norm(np.subtract(centre, seed)) < 35


def test_healthy_phantoms_have_no_tumour():
    """Nothing displaces their brains, and nothing is said of a grade."""
    healthy = make_phantom(11, 0, SMALL.model_copy(update={"healthy": True}))
    undisplaced = make_phantom(11, 0, SMALL.model_copy(update={"mass_effect": 0.0}))

    assert set(np.unique(healthy.truth.voxels)) == {
        0,
        *(COMPLETE.value(n) for n in ("white_matter", "grey_matter", "csf")),
    }
    assert not healthy.case.require_labels().foreground.any()
    assert np.array_equal(healthy.case.brain, undisplaced.case.brain)
    assert healthy.case.facts.keys() == {"site", "field_strength", "tumour_ml"}
    assert healthy.case.facts["tumour_ml"] == 0
    assert "tumour" not in healthy.parameters


def test_the_same_tumour_on_another_grid():
    """A finer grid shows the same subject: volumes agree."""
    coarse, fine = (make_phantom(11, 2, PhantomSpec(shape=s)).parameters for s in ((32, 32, 24), (48, 48, 40)))
    assert coarse["volumes_ml"]["WT"] == pytest.approx(fine["volumes_ml"]["WT"], rel=0.1)
    assert coarse["brain_ml"] == pytest.approx(fine["brain_ml"], rel=0.05)


def test_without_noise_and_bias_the_scan_is_the_truth():
    """With noise and bias off, stored intensities are the noise-free ones, rounded."""
    phantom = make_phantom(11, 1, SMALL.model_copy(update={"noise": 0.0, "bias": 0.0}))
    for modality, volume in phantom.case.images.items():
        inside = phantom.case.brain
        difference = volume.voxels[inside] - phantom.noise_free[modality].voxels[inside]
        assert np.abs(difference).max() <= 1.0


def test_mass_effect_moves_the_brain_and_keeps_its_size():
    """The tumour displaces anatomy; the skull holds."""
    calm, pushed = (make_phantom(11, 0, SMALL.model_copy(update={"mass_effect": m})) for m in (0.0, 1.0))
    assert pushed.parameters["brain_ml"] == pytest.approx(calm.parameters["brain_ml"], rel=0.02)
    assert (calm.truth.voxels != pushed.truth.voxels).sum() > 50


def test_grades_follow_the_spec():
    """A share of 1 gives high grade only, of 0 low grade only."""
    for share, grade in ((1.0, "HGG"), (0.0, "LGG")):
        spec = SMALL.model_copy(update={"high_grade_share": share})
        assert make_phantom(5, 0, spec).case.facts["grade"] == grade


def test_atlas_is_kept_in_the_process():
    """The atlas is resampled once for a voxel size."""
    assert atlas(SMALL.spacing) is atlas(SMALL.spacing)


BEFORE = PhantomSpec(shape=(40, 40, 32))
AFTER = BEFORE.model_copy(update={"post_operative": True})


@pytest.fixture(scope="module")
def pair():
    """One subject before and after surgery."""
    return make_phantom(7, 0, BEFORE), make_phantom(7, 0, AFTER)


def test_the_cavity_lies_within_the_core_and_holds_fluid(pair):
    """Between half and nine tenths of it, to a voxel's coarseness; dark on FLAIR, bright on T2."""
    before, after = pair
    core = before.case.require_labels().region("TC")
    labels = after.case.require_labels()
    cavity = labels.region("RC")

    assert labels.scheme is BRATS2024
    assert not (cavity & ~core).any()
    assert 0.4 < cavity.sum() / core.sum() < 0.95
    white = after.tissue_fractions["white_matter"] > 0.9
    flair, t2 = (after.noise_free[m].voxels for m in (Modality.FLAIR, Modality.T2))
    assert np.median(flair[cavity]) < 0.3 * np.median(flair[white])
    assert np.median(t2[cavity]) > np.median(t2[white])


def test_everything_outside_the_core_stays_as_it_was(pair):
    """Images without noise, and labels."""
    before, after = pair
    away = ~before.case.require_labels().region("TC")

    for modality, image in before.noise_free.items():
        np.testing.assert_allclose(after.noise_free[modality].voxels[away], image.voxels[away], rtol=1e-5)
    oedema = before.case.require_labels().region("oedema")
    assert (after.case.require_labels().region("oedema") == oedema).all()


def test_tumour_is_brighter_than_brain_on_aptw(pair):
    """And APTw is promised before phantoms are made."""
    after = pair[1]
    image, labels = after.noise_free[Modality.APTW].voxels, after.case.require_labels()

    assert np.median(image[labels.region("enhancing")]) > np.median(image[after.tissue_fractions["white_matter"] > 0.9])
    assert Modality.APTW in promised_phantoms(7, 1, AFTER).modalities
    assert Modality.APTW not in promised_phantoms(7, 1, BEFORE).modalities


def test_settings_of_other_phantoms_stay_as_they_were():
    """So that their folders and addresses do."""
    assert "post_operative" not in BEFORE.model_dump(mode="json")
