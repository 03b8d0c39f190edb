"""Laws of every lesion edit: replayable, pure, inside the brain, true to the asked volume."""

import functools
import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import ndimage

from glioforge.core.errors import EditError, LabelError
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import EditRecord, LesionEdit
from glioforge.core.schemes import BRATS2023
from glioforge.lesions.base import EDITS, Edit
from glioforge.lesions.edited_cohort import edited_lineage
from glioforge.lesions.patch import cut, is_lesion
from glioforge.lesions.recipe import replay
from toy_brain import toy_bank, toy_brain

KINDS = EDITS.kinds()
MOVING = {"most_shift_mm": 40.0}
SETTINGS = {
    "translate": {"distance_mm": (4, 40)},
    "rotate": {"angle_deg": (10, 90), **MOVING},
    "mirror": MOVING,
    "scale": {"volume_factor": (0.25, 4), "mass_effect": None},
    "deform": {"amplitude_mm": (1, 6), **MOVING},
    "resize_subregion": {"subregion": "oedema", "factor": (0.4, 2)},
    "transplant": {"most_shift_mm": 60.0},
    "insert": {"mass_effect": None},
    "remove": {},
    "warp_brain": {"amplitude_mm": (3, 8)},
    "mirror_brain": {},
    "widen_ventricles": {"by_mm": (3, 8)},
}
"""Settings under which an edit does something; a new edit joins here and so comes under every law."""
ZERO = {
    "translate": {"distance_mm": (0, 0)},
    "rotate": {"angle_deg": (0, 0)},
    "scale": {"volume_factor": (1, 1)},
    "deform": {"amplitude_mm": (0, 0)},
    "resize_subregion": {"factor": (1, 1)},
    "warp_brain": {"amplitude_mm": (0, 0)},
    "widen_ventricles": {"by_mm": (0, 0)},
}
"""Settings of no strength, for the edits that have a strength."""
MASS = {"mass_effect": {"strength": 1.0, "reach_mm": 24.0}}
SPACINGS = [(4.0, 4.0, 4.0), (3.0, 3.0, 9.0)]
BRAINS = {spacing: toy_brain(spacing) for spacing in SPACINGS}
BANK = toy_bank()

BRAIN = {"warp_brain", "mirror_brain", "widen_ventricles"}
"""Edits of the whole map; a lesion moves with it."""
LESION = [kind for kind in KINDS if kind not in BRAIN]

every_edit = pytest.mark.parametrize("kind", KINDS)
every_lesion_edit = pytest.mark.parametrize("kind", LESION)
every_brain_edit = pytest.mark.parametrize("kind", sorted(BRAIN))
every_spacing = pytest.mark.parametrize("spacing", SPACINGS)
seeds = st.integers(0, 5)
few = settings(max_examples=4)


def built(kind, **changes):
    """The edit of a kind with its settings, changed by others; needs donors where it takes some."""
    if kind not in SETTINGS:
        pytest.fail(f"add {kind!r} to SETTINGS of tests/contracts/test_edits.py")
    spec = EDITS.parse({"kind": kind, **SETTINGS[kind], **changes})
    return Edit(spec, BANK)


def edited(kind, seed, spacing=SPACINGS[0], **changes):
    """A map, the record of an edit and the map after it; drawn anew until a place is found."""
    return found(kind, seed, spacing, json.dumps(changes, sort_keys=True))


@functools.cache
def found(kind, seed, spacing, changed):
    """As `edited`; kept, because many laws look at the same edit."""
    changes = json.loads(changed)
    labels, edit = BRAINS[spacing], built(kind, **changes)
    for attempt in range(20):
        try:
            record = edit.draw(labels, np.random.default_rng([seed, attempt]))
        except EditError:
            continue
        return labels, record, edit.apply(labels, record)
    raise AssertionError(f"{kind} found no valid place in twenty draws")


def count(labels):
    """Lesion voxels."""
    return int(labels.lesion.sum())


def test_every_edit_is_under_the_laws():
    """An edit without settings here would escape them."""
    assert set(SETTINGS) == set(KINDS), "name settings for the new edit in SETTINGS above"
    assert all(isinstance(built(kind), LesionEdit) for kind in KINDS)


@every_edit
@given(seed=seeds)
@few
def test_same_record_same_bytes(kind, seed):
    """A record that went through JSON replays to the same bytes, under any spec."""
    labels, record, after = edited(kind, seed)
    again = EditRecord.from_json(json.loads(json.dumps(record.to_json())))

    assert replay(labels, [again], BANK).voxels.tobytes() == after.voxels.tobytes()


@every_edit
@given(seed=seeds)
@few
def test_same_generator_same_record(kind, seed):
    """A draw depends on the map and the generator alone."""
    labels, edit = BRAINS[SPACINGS[0]], built(kind)

    def drawn():
        try:
            return edit.draw(labels, np.random.default_rng(seed))
        except EditError as error:
            return str(error)

    assert drawn() == drawn()


@pytest.mark.parametrize("kind", sorted(ZERO))
@every_spacing
def test_no_strength_is_the_identity(kind, spacing):
    """An edit of no strength gives the map back, with or without mass effect."""
    for mass in ({},) if kind in BRAIN else ({"mass_effect": None}, MASS):
        labels, _, after = edited(kind, 1, spacing, **ZERO[kind], **mass)

        assert after.voxels.tobytes() == labels.voxels.tobytes()


@every_lesion_edit
@every_spacing
@given(seed=seeds)
@few
def test_voxels_off_the_lesions_stay(kind, spacing, seed):
    """Without mass effect nothing changes but what is or was lesion."""
    labels, _, after = edited(kind, seed, spacing)
    changed = labels.voxels != after.voxels

    assert not (changed & ~labels.lesion & ~after.lesion).any()


@every_lesion_edit
@every_spacing
@given(seed=seeds)
@few
def test_the_filling_holds_no_island(kind, spacing, seed):
    """No component of a class lies wholly where the lesion was; one that lesion alone surrounds has no other class."""
    labels, _, after = edited(kind, seed, spacing, **MASS)
    filled = labels.lesion & ~after.lesion
    touching = np.ones((3, 3, 3))
    for value in (4, 5, 6):
        parts, count = ndimage.label(after.voxels == value, structure=touching)
        inside = set(range(1, count + 1)) - set(np.unique(parts[~filled]))
        for part in inside:
            around = after.voxels[ndimage.binary_dilation(parts == part, touching) & (parts != part)]
            assert (is_lesion(around) | (around == 0)).all()


@every_lesion_edit
@given(seed=seeds)
@few
def test_mass_effect_ends_within_its_reach(kind, seed):
    """With mass effect nothing changes further away from the new lesion than the reach says."""
    labels, _, after = edited(kind, seed, **MASS)
    changed = (labels.voxels != after.voxels) & ~labels.lesion
    if after.lesion.any():
        distance = ndimage.distance_transform_edt(~after.lesion, labels.geometry.spacing)
        changed &= distance > MASS["mass_effect"]["reach_mm"] + np.linalg.norm(labels.geometry.spacing)

    assert not changed.any()


@every_lesion_edit
@every_spacing
@given(seed=seeds)
@few
def test_labels_stay_within_scheme_and_brain(kind, spacing, seed):
    """No new label, no hole in the brain, no tissue outside it."""
    labels, _, after = edited(kind, seed, spacing, **MASS)

    assert after.scheme == labels.scheme
    assert after.geometry == labels.geometry
    assert np.array_equal(after.voxels == 0, labels.voxels == 0)


@every_lesion_edit
@every_spacing
@given(seed=seeds)
@few
def test_volume_is_the_one_asked_for(kind, spacing, seed):
    """The volume in mm³ follows the record within 2 % or one voxel."""
    labels, record, after = edited(kind, seed, spacing)
    before = count(labels)
    donor = BANK.donor(record.values["donor"]).lesion.volume_mm3 if "donor" in record.values else 0
    donor /= labels.geometry.voxel_volume
    oedema = before - int(labels.region("TC").sum())
    expected = {
        "scale": lambda: before * record.values["volume_factor"],
        "resize_subregion": lambda: before + oedema * (record.values["factor"] - 1),
        "transplant": lambda: donor,
        "insert": lambda: before + donor,
        "remove": lambda: 0,
    }.get(kind, lambda: before)()

    assert abs(count(after) - expected) <= max(0.02 * expected, 1)


@every_brain_edit
@every_spacing
@given(seed=seeds)
@few
def test_a_brain_edit_keeps_scheme_grid_and_classes(kind, spacing, seed):
    """No class vanishes or appears, and nothing leaves the grid: the brain keeps its volume, roughly in a warp."""
    labels, _, after = edited(kind, seed, spacing)
    before, now = np.count_nonzero(labels.voxels), np.count_nonzero(after.voxels)

    assert after.scheme == labels.scheme
    assert after.geometry == labels.geometry
    assert set(np.unique(after.voxels)) == set(np.unique(labels.voxels))
    assert now == pytest.approx(before, rel=0.15 if kind == "warp_brain" else 0)
    assert (after.voxels != labels.voxels).any()


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "remove"])
@given(seed=seeds)
@few
def test_subregions_keep_their_order(kind, seed):
    """Necrosis lies deeper in the lesion than the rim, the rim deeper than the oedema."""
    labels, _, after = edited(kind, seed)
    depth = ndimage.distance_transform_edt(after.lesion, labels.geometry.spacing)
    necrotic, rim, oedema = (depth[after.region(n)].mean() for n in ("necrotic_core", "enhancing", "oedema"))

    assert necrotic > rim > oedema


@pytest.mark.parametrize("kind", ["translate", "rotate", "mirror", "deform"])
@given(seed=seeds)
@few
def test_subregions_keep_their_volumes(kind, seed):
    """Moving, turning and bending change no volume."""
    labels, _, after = edited(kind, seed)

    for name in ("necrotic_core", "enhancing", "oedema"):
        assert after.volume_ml(name) == pytest.approx(labels.volume_ml(name))


@every_edit
@given(seed=seeds)
@few
def test_the_parent_is_not_touched(kind, seed):
    """An edit makes a new map."""
    before = {spacing: labels.voxels.tobytes() for spacing, labels in BRAINS.items()}
    labels, _, after = edited(kind, seed)

    assert before[SPACINGS[0]] == labels.voxels.tobytes()
    assert not after.voxels.flags.writeable


@given(seed=seeds)
@few
def test_a_shift_and_back_returns_the_lesion(seed):
    """Shifting by the opposite offset restores the lesion to the voxel."""
    labels, record, after = edited("translate", seed, placement={"outside_share": 0.0})
    back = EditRecord("translate", {**record.values, "offset": [-o for o in record.values["offset"]]})
    returned = replay(after, [back])

    assert np.array_equal(np.where(returned.lesion, returned.voxels, 0), np.where(labels.lesion, labels.voxels, 0))


@pytest.mark.parametrize(
    ("kind", "inverse"),
    [
        ("mirror", lambda values: {"offset": [0, 0, 0]}),
        ("rotate", lambda values: {"angle_deg": -values["angle_deg"]}),
        ("scale", lambda values: {"volume_factor": 1 / values["volume_factor"]}),
    ],
)
@given(seed=seeds)
@few
def test_an_edit_and_its_inverse_return_the_lesion(kind, inverse, seed):
    """Up to resampling on a coarse grid the lesion comes back."""
    mild = {"volume_factor": (0.7, 2)} if kind == "scale" else {}
    labels, record, after = edited(kind, seed, SPACINGS[0], **mild)
    if record.values.get("offset", [0, 0, 0]) != [0, 0, 0]:
        return
    returned = replay(after, [EditRecord(kind, {**record.values, **inverse(record.values)})])
    shared = 2 * int((returned.lesion & labels.lesion).sum()) / (count(returned) + count(labels))

    assert shared > 0.88


@every_spacing
def test_an_edit_means_the_same_on_an_anisotropic_grid(spacing):
    """A factor is of volume, a distance of millimetres, whatever the voxels are."""
    labels, record, _ = edited("translate", 3, spacing, distance_mm=(12, 24))
    way = np.linalg.norm(np.array(record.values["offset"]) * np.array(labels.geometry.spacing))

    assert 12 <= way <= 24
    _, _, larger = edited("scale", 3, spacing, volume_factor=(2, 2))
    assert larger.volume_ml("WT") == pytest.approx(2 * labels.volume_ml("WT"), rel=0.02)


@pytest.mark.parametrize("kind", ["transplant", "insert"])
@given(seed=seeds)
@few
def test_lineage_carries_every_donor(kind, seed):
    """Whoever gave a lesion stands behind the case."""
    _, record, _ = edited(kind, seed)
    lineage = edited_lineage({"case": Lineage.real("here", "self")}, [record], seed=seed)
    donor = BANK.donor(record.values["donor"])

    assert set(lineage.subjects) == {"self", *donor.subjects}
    assert lineage.parents == tuple(sorted(("case", donor.case_id)))


@pytest.mark.parametrize("kind", [k for k in LESION if k != "insert"])
def test_a_healthy_brain_has_nothing_to_edit(kind):
    """Without lesion the edit says so."""
    with pytest.raises(EditError, match="no lesion in the label map"):
        built(kind).draw(toy_brain(centre=None), np.random.default_rng(0))


@every_edit
def test_a_map_without_tissue_is_refused(kind):
    """Labels of the tumour alone leave nothing to fill from."""
    labels = toy_brain().to(BRATS2023)
    with pytest.raises(LabelError, match="scheme 'brats2023'; expected scheme 'complete'"):
        built(kind).draw(labels, np.random.default_rng(0))


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in {"insert", "remove", "transplant", "resize_subregion"}])
def test_one_voxel_is_a_lesion(kind):
    """A lesion of one voxel can be moved, turned and scaled."""
    voxels = toy_brain(centre=None).voxels.copy()
    voxels[10, 24, 20] = 2
    labels = LabelMap(voxels, BRAINS[SPACINGS[0]].geometry, BRAINS[SPACINGS[0]].scheme)
    edit = built(kind, **({"volume_factor": (2, 2)} if kind == "scale" else {}))
    after = edit.apply(labels, edit.draw(labels, np.random.default_rng(2)))

    assert count(after) == (2 if kind == "scale" else 1)
    assert cut(after).voxels.max() == 2
