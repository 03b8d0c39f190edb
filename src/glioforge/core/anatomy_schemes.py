"""Label schemes of healthy anatomies, whose structures go to white matter, grey matter and CSF in coarser schemes.

`freesurfer` holds the values of FreeSurfer's `aseg` up to 255, which SynthSeg and
FastSurfer write too.  `structures` keeps what placement of lesions and tissue
contrast need apart: brainstem, cerebellum, deep grey matter and ventricles.
Cortical parcels (FreeSurfer's and FastSurfer's `aparc` values above 1000) are no
bytes and have to become the cortex of their side first: `whole_cortex`.

Sources: FreeSurferColorLUT (Fischl et al. 2002); SynthSeg (Billot et al. 2023);
FastSurfer (Henschel et al. 2020).
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Integer

from glioforge.core.labels import LabelScheme

_NO_TUMOUR: Mapping[str, tuple[str, ...]] = {"WT": (), "TC": (), "ET": ()}
_BROADER = {
    "brainstem": "white_matter",
    "cerebellum_white": "white_matter",
    "cerebellum_grey": "grey_matter",
    "deep_grey": "grey_matter",
    "ventricles": "csf",
}
"""Where a structure goes in a scheme of tissue."""
_TISSUES = ("white_matter", "grey_matter", "csf", *_BROADER)
_COLOURS = {
    "white_matter": (214, 214, 220),
    "grey_matter": (140, 140, 152),
    "csf": (66, 99, 140),
    "ventricles": (90, 130, 180),
    "deep_grey": (120, 110, 160),
    "cerebellum_white": (220, 200, 180),
    "cerebellum_grey": (170, 140, 120),
    "brainstem": (190, 170, 110),
}

STRUCTURES = LabelScheme(
    "structures",
    {"background": 0, **{name: value for value, name in enumerate(_TISSUES, start=1)}},
    _NO_TUMOUR,
    tissue=_TISSUES,
    broader=_BROADER,
    colours=_COLOURS,
)
"""Tissue, with brainstem, cerebellum, deep grey matter and ventricles as classes of their own."""

_LEFT_AND_RIGHT: Mapping[str, tuple[int, int, str]] = {
    "cerebral_white_matter": (2, 41, "white_matter"),
    "cerebral_cortex": (3, 42, "grey_matter"),
    "lateral_ventricle": (4, 43, "ventricles"),
    "inferior_lateral_ventricle": (5, 44, "ventricles"),
    "cerebellum_white_matter": (7, 46, "cerebellum_white"),
    "cerebellum_cortex": (8, 47, "cerebellum_grey"),
    "thalamus": (10, 49, "deep_grey"),
    "caudate": (11, 50, "deep_grey"),
    "putamen": (12, 51, "deep_grey"),
    "pallidum": (13, 52, "deep_grey"),
    "hippocampus": (17, 53, "grey_matter"),
    "amygdala": (18, 54, "grey_matter"),
    "accumbens": (26, 58, "deep_grey"),
    "ventral_diencephalon": (28, 60, "deep_grey"),
    "vessel": (30, 62, "csf"),
    "choroid_plexus": (31, 63, "ventricles"),
}
_MIDLINE: Mapping[str, tuple[int, str]] = {
    "third_ventricle": (14, "ventricles"),
    "fourth_ventricle": (15, "ventricles"),
    "brain_stem": (16, "brainstem"),
    "outer_csf": (24, "csf"),
    "fifth_ventricle": (72, "ventricles"),
    "white_matter_hypointensities": (77, "white_matter"),
    "other_hypointensities": (80, "grey_matter"),
    "optic_chiasm": (85, "white_matter"),
    "corpus_callosum_posterior": (251, "white_matter"),
    "corpus_callosum_mid_posterior": (252, "white_matter"),
    "corpus_callosum_central": (253, "white_matter"),
    "corpus_callosum_mid_anterior": (254, "white_matter"),
    "corpus_callosum_anterior": (255, "white_matter"),
}
_NAMED: Mapping[str, tuple[int, str]] = {
    **{f"left_{name}": (left, tissue) for name, (left, _, tissue) in _LEFT_AND_RIGHT.items()},
    **{f"right_{name}": (right, tissue) for name, (_, right, tissue) in _LEFT_AND_RIGHT.items()},
    **_MIDLINE,
}

FREESURFER = LabelScheme(
    "freesurfer",
    {"background": 0, **{name: value for name, (value, _) in _NAMED.items()}},
    _NO_TUMOUR,
    tissue=tuple(_NAMED),
    broader={**{name: tissue for name, (_, tissue) in _NAMED.items()}, **_BROADER},
    colours={name: _COLOURS[tissue] for name, (_, tissue) in _NAMED.items()},
)
"""FreeSurfer's `aseg`, SynthSeg and FastSurfer without cortical parcels; no tumour."""

COMPLETE_STRUCTURES = LabelScheme(
    "complete_structures",
    {
        "background": 0,
        **{name: value for value, name in enumerate(("necrotic_core", "oedema", "enhancing", *_TISSUES[:3]), start=1)},
        **{name: value for value, name in enumerate(_TISSUES[3:], start=8)},
    },
    {
        "WT": ("necrotic_core", "oedema", "enhancing"),
        "TC": ("necrotic_core", "enhancing"),
        "ET": ("enhancing",),
    },
    tissue=_TISSUES,
    broader=_BROADER,
    colours={"necrotic_core": (196, 48, 43), "oedema": (78, 167, 92), "enhancing": (245, 208, 66), **_COLOURS},
)
"""Tumour, tissue and structures: the scheme of prepared healthy anatomies; values up to CSF are those of `complete`."""

_DISTRACTORS = {"ventricle_cap": "white_matter", "vessel_spot": "csf"}
"""Normal tissue that looks like tumour, and what it is in a scheme without a name for it."""

COMPLETE_DISTRACTORS = LabelScheme(
    "complete_distractors",
    {
        **COMPLETE_STRUCTURES.labels,
        "resection_cavity": 7,
        **{name: value for value, name in enumerate(_DISTRACTORS, start=13)},
    },
    {**COMPLETE_STRUCTURES.regions, "RC": ("resection_cavity",)},
    tissue=(*_TISSUES, *_DISTRACTORS),
    broader={**_BROADER, **_DISTRACTORS, "resection_cavity": "csf"},
    colours={
        **COMPLETE_STRUCTURES.colours,
        "resection_cavity": (56, 166, 200),
        "ventricle_cap": (205, 150, 190),
        "vessel_spot": (230, 110, 90),
    },
)
"""Structures, a resection cavity, and normal tissue that looks like tumour: the scheme of drawn label maps."""

ANATOMIES = {scheme.name: scheme for scheme in (FREESURFER, STRUCTURES, COMPLETE_STRUCTURES)}
"""Schemes of healthy anatomies, by name; they are never taken without being named."""


ALIASES: Mapping[str, str] = {"synthseg": FREESURFER.name, "fastsurfer": FREESURFER.name}
"""Tools that write FreeSurfer's values."""


def brain_values(voxels: Integer[np.ndarray, "i j k"]) -> Integer[np.ndarray, "i j k"]:
    """Return FreeSurfer's values of the brain alone; cortical parcels become the cortex of their side.

    Lesions of white matter (25 and 57) become white matter.  All else without a name in `FREESURFER`, such as
    SynthSeg's skull, eyes and skin, becomes background.

    Example:
        >>> brain_values(np.array([[[2, 57, 507, 1002, 12133]]])).ravel().tolist()
        [2, 41, 0, 3, 42]
    """
    found = whole_cortex(voxels)
    for lesion, white in ((25, 2), (57, 41)):
        found[voxels == lesion] = white
    return np.where(np.isin(found, list(FREESURFER.labels.values())), found, 0)


def whole_cortex(voxels: Integer[np.ndarray, "i j k"]) -> Integer[np.ndarray, "i j k"]:
    """Return a map in which cortical parcels are the cortex of their side, and their white matter likewise.

    Args:
        voxels: Values of `aparc+aseg`, `aparc.a2009s+aseg`, `wmparc` or FastSurfer's `aparc.DKTatlas+aseg`; others
            stay as they are.

    Example:
        >>> whole_cortex(np.array([[[2, 1002, 2035, 3001, 4035]]])).ravel().tolist()
        [2, 3, 42, 2, 41]
    """
    found = voxels.copy()
    for thousand, value in ((1000, 3), (2000, 42), (3000, 2), (4000, 41)):
        fine = 10_000 + thousand
        found[(voxels >= thousand) & (voxels < thousand + 1000)] = value
        found[(voxels >= fine) & (voxels < fine + 1000)] = value
    return found
