"""Hypothesis strategies for the domain: geometries, schemes, label maps, volumes, cases, cohorts.

They give valid values only, small ones first, with the odd shapes, anisotropic
spacings, flipped and rotated axes, absent regions and repeated subjects that
real data has.  New domain types join here, so that every law sees them.
"""

import itertools
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glioforge.core.case import Case, CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE, SCHEMES
from glioforge.core.volume import Modality, Volume

names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)
"""Short lower-case names."""
seeds = st.integers(0, 2**31 - 1)
"""Seeds of random streams."""
shapes = st.tuples(*(st.integers(1, 6),) * 3)
"""Grid shapes of 1 to 6 voxels along each axis."""
modality_sets = st.sets(st.sampled_from(list(Modality)), min_size=1, max_size=3)
"""One to three contrasts."""


@st.composite
def rotations(draw: st.DrawFn, largest_radians: float = 0.3) -> np.ndarray:
    """3 x 3 rotations by up to the given angle about each axis in turn."""
    angles = draw(st.tuples(*(st.floats(-largest_radians, largest_radians),) * 3))
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = (n for n in range(3) if n != axis)
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        rotation = turn @ rotation
    return rotation


@st.composite
def geometries(draw: st.DrawFn, shape: tuple[int, int, int] | None = None, *, oblique: bool = True) -> Geometry:
    """Grids with any axis order and direction, spacings of 0.5 to 5 mm, slight obliqueness and any origin."""
    spacing = draw(st.tuples(*(st.sampled_from([0.5, 1.0, 1.25, 3.0, 5.0]),) * 3))
    order = draw(st.permutations(range(3)))
    signs = draw(st.tuples(*(st.sampled_from([-1.0, 1.0]),) * 3))
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, order] * np.array(signs) * np.array(spacing)
    if oblique:
        affine[:3, :3] = draw(rotations()) @ affine[:3, :3]
    affine[:3, 3] = draw(st.tuples(*(st.floats(-150, 150),) * 3))
    return Geometry(shape or draw(shapes), affine)


@st.composite
def schemes(draw: st.DrawFn) -> LabelScheme:
    """Schemes of one to six labels with any integers, regions and tissue."""
    labels = draw(st.lists(names.filter(lambda n: n != "background"), min_size=1, max_size=6, unique=True))
    values = draw(st.lists(st.integers(1, 255), min_size=len(labels), max_size=len(labels), unique=True))
    some = st.lists(st.sampled_from(labels), unique=True)
    regions = draw(st.dictionaries(names.map(str.upper), some.map(tuple), max_size=3))
    return LabelScheme(
        draw(names),
        {"background": 0, **dict(zip(labels, values, strict=True))},
        regions,
        tuple(draw(some)),
    )


known_schemes = st.sampled_from(list(SCHEMES.values()))
"""The schemes of Glioforge."""


@st.composite
def label_maps(
    draw: st.DrawFn, scheme: LabelScheme | None = None, geometry: Geometry | None = None, largest: int = 6
) -> LabelMap:
    """Label maps of a scheme (any known one unless given), regions often absent."""
    scheme = scheme or draw(known_schemes)
    geometry = geometry or draw(geometries(draw(st.tuples(*(st.integers(1, largest),) * 3))))
    values = draw(st.lists(st.sampled_from(sorted(scheme.labels.values())), min_size=1, max_size=4, unique=True))
    voxels = draw(hnp.arrays(np.uint8, geometry.shape, elements=st.sampled_from(values)))
    return LabelMap(voxels, geometry, scheme)


@st.composite
def volumes(draw: st.DrawFn, geometry: Geometry | None = None, modality: Modality | None = None) -> Volume:
    """Volumes of finite float32 intensities."""
    geometry = geometry or draw(geometries())
    voxels = draw(hnp.arrays(np.float32, geometry.shape, elements=st.floats(-5, 5, width=32)))
    return Volume(voxels, geometry, modality or draw(st.sampled_from(list(Modality))))


@st.composite
def lineages(draw: st.DrawFn) -> Lineage:
    """Lineages of the three kinds."""
    kind = draw(st.sampled_from(["real", "phantom", "synthetic"]))
    if kind == "real":
        return Lineage.real(draw(names), draw(names))
    if kind == "phantom":
        return Lineage.phantom(draw(names), draw(seeds))
    parents = {name: Lineage.real("scan", subject) for name, subject in draw(st.dictionaries(names, names)).items()}
    edits = draw(st.lists(st.fixed_dictionaries({"kind": names, "amount": st.floats(-1, 1)}), max_size=2))
    return Lineage.synthetic(
        draw(names),
        parents,
        seed=draw(seeds),
        generator_subjects=draw(st.sets(names, max_size=3)),
        weights=draw(st.none() | names),
        edits=edits,
    )


@st.composite
def cases(draw: st.DrawFn, scheme: LabelScheme = COMPLETE) -> Case:
    """Cases with one to three contrasts, labels and a brain mask on one grid."""
    geometry = draw(geometries())
    modalities = sorted(draw(modality_sets))
    labels = draw(label_maps(scheme, geometry))
    subject = draw(names)
    images = {m: draw(volumes(geometry, m)) for m in modalities}
    return Case(f"{subject}-1", subject, images, Lineage.real("scan", subject), labels, labels.voxels > 0)


def case_ref(case_id: str, subject_id: str, **facts: object) -> CaseRef:
    """A reference that nothing stands behind, for tests that load no voxels."""
    return CaseRef(
        case_id,
        subject_id,
        {Modality.T1: Path(f"{case_id}_t1.nii.gz"), Modality.FLAIR: Path(f"{case_id}_flair.nii.gz")},
        COMPLETE.name,
        Lineage.real("scan", subject_id),
        digest=f"digest of {case_id}",
        reader=unreadable,
        facts=facts,
    )


def unreadable(ref: CaseRef) -> Case:
    """A reader for references whose voxels no test should ask for."""
    msg = f"no voxels behind {ref.case_id}"
    raise AssertionError(msg)


@st.composite
def cohorts(draw: st.DrawFn, smallest: int = 0, largest: int = 14) -> Cohort:
    """Cohorts of `smallest` to `largest` subjects with one to three cases each, grades and tumour volumes."""
    count = draw(st.integers(smallest, largest))
    sessions = draw(st.lists(st.integers(1, 3), min_size=count, max_size=count))
    grades = draw(st.lists(st.sampled_from(["HGG", "LGG"]), min_size=count, max_size=count))
    volumes_ml = draw(st.lists(st.sampled_from([5.0, 80.0]), min_size=count, max_size=count))
    refs = [
        case_ref(f"s{n:02}-{session}", f"s{n:02}", grade=grades[n], tumour_ml=volumes_ml[n])
        for n in range(count)
        for session in range(sessions[n])
    ]
    return Cohort("drawn", tuple(draw(st.permutations(refs))), COMPLETE)


def cohort_of(subjects: int, sessions: int = 1, name: str = "cohort") -> Cohort:
    """A plain cohort: `s00`, `s01` ... with as many sessions each."""
    pairs = itertools.product(range(subjects), range(sessions))
    return Cohort(name, tuple(case_ref(f"s{n:02}-{m}", f"s{n:02}") for n, m in pairs), COMPLETE)
