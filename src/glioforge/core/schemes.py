"""The label schemes of the public data sets and of complete maps, as values.

What a scheme does not tell apart, another cannot get back: maps go from a
scheme to another and return unchanged where the other names all of its labels.
A resection cavity belongs to none of WT, TC and ET, and is a region of its own, RC.
Schemes of prepared cases and of targets keep it where the cases have it; in a
scheme of tissue without a name for it, it counts as CSF, which fills it.

Sources: BRATS 2013/2015 (Menze et al. 2015); BraTS 2016-2020, 2023 and 2024
challenge pages, post-treatment glioma (de Verdier et al. 2024), paediatric
tumours (Kazerooni et al. 2024); Medical Segmentation Decathlon, task 1
(Antonelli et al. 2022); complete seven classes (Foroozandeh & Eklund, section
on segmentation masks: background, NCR/NET, ED, ET from experts, WM, GM, CSF
from FAST); five classes (Guo et al. 2020, section on data); intensity bands
(Carver et al., section on the augmentation network); tissue (BIDS 1.8,
common image-derived labels).
"""

from glioforge.core.anatomy_schemes import ALIASES, ANATOMIES, COMPLETE_STRUCTURES
from glioforge.core.errors import LabelError
from glioforge.core.labels import LabelScheme
from glioforge.core.scheme_text import is_scheme_text, scheme_from_text

_COLOURS = {
    "necrosis": (122, 60, 150),
    "necrotic_core": (196, 48, 43),
    "non_enhancing": (224, 122, 38),
    "oedema": (78, 167, 92),
    "enhancing": (245, 208, 66),
    "white_matter": (214, 214, 220),
    "grey_matter": (140, 140, 152),
    "csf": (66, 99, 140),
    "resection_cavity": (56, 166, 200),
    "cystic": (130, 90, 190),
    "tumour": (245, 208, 66),
    "brain": (150, 150, 158),
    "quarter_1": (70, 70, 76),
    "quarter_2": (120, 120, 128),
    "quarter_3": (170, 170, 178),
    "quarter_4": (220, 220, 226),
}
_REGIONS = {
    "WT": ("necrotic_core", "oedema", "enhancing"),
    "TC": ("necrotic_core", "enhancing"),
    "ET": ("enhancing",),
}
_REGIONS_2013 = {
    "WT": ("necrosis", "oedema", "non_enhancing", "enhancing"),
    "TC": ("necrosis", "non_enhancing", "enhancing"),
    "ET": ("enhancing",),
}

BRATS2013 = LabelScheme(
    "brats2013",
    {"background": 0, "necrosis": 1, "oedema": 2, "non_enhancing": 3, "enhancing": 4},
    _REGIONS_2013,
    broader={"necrosis": "necrotic_core", "non_enhancing": "necrotic_core"},
    colours=_COLOURS,
)
"""BRATS 2012-2015: necrosis and non-enhancing core apart, enhancing is 4."""

BRATS2017 = LabelScheme(
    "brats2017",
    {"background": 0, "necrotic_core": 1, "oedema": 2, "enhancing": 4},
    _REGIONS,
    colours=_COLOURS,
)
"""BraTS 2016-2021: label 3 unused, enhancing is 4."""

BRATS2023 = LabelScheme(
    "brats2023",
    {"background": 0, "necrotic_core": 1, "oedema": 2, "enhancing": 3},
    _REGIONS,
    colours=_COLOURS,
)
"""BraTS 2023 adult glioma: enhancing is 3."""

BRATS2024 = LabelScheme(
    "brats2024",
    {"background": 0, "necrotic_core": 1, "oedema": 2, "enhancing": 3, "resection_cavity": 4},
    {**_REGIONS, "RC": ("resection_cavity",)},
    broader={"resection_cavity": "csf"},
    colours=_COLOURS,
)
"""BraTS 2024 post-treatment glioma: 4 is the resection cavity, part of no region but its own."""

BRATS2024_PED = LabelScheme(
    "brats2024_ped",
    {"background": 0, "enhancing": 1, "non_enhancing": 2, "cystic": 3, "oedema": 4},
    {
        "WT": ("enhancing", "non_enhancing", "cystic", "oedema"),
        "TC": ("enhancing", "non_enhancing", "cystic"),
        "ET": ("enhancing",),
    },
    broader={"non_enhancing": "necrotic_core", "cystic": "necrotic_core"},
    colours=_COLOURS,
)
"""BraTS 2024 paediatric tumours: enhancing is 1, oedema is 4."""

DECATHLON = LabelScheme(
    "decathlon",
    {"background": 0, "oedema": 1, "necrotic_core": 2, "enhancing": 3},
    _REGIONS,
    colours=_COLOURS,
)
"""Medical Segmentation Decathlon, task 1, and nnU-Net's copies of BraTS: 1 and 2 the other way round than in BraTS."""

GUO2020 = LabelScheme(
    "guo2020",
    {"background": 0, "brain": 1, "oedema": 2, "resection_cavity": 3, "tumour": 4},
    {"WT": ("oedema", "tumour"), "TC": ("tumour",), "ET": ("tumour",), "RC": ("resection_cavity",)},
    tissue=("brain",),
    broader={
        "tumour": "enhancing",
        "necrotic_core": "tumour",
        "enhancing": "tumour",
        "resection_cavity": "csf",
        "white_matter": "brain",
        "grey_matter": "brain",
        "csf": "brain",
    },
    colours=_COLOURS,
)
"""Five classes of Guo et al. 2020: the core is one label, which counts as enhancing where cores are told apart."""

TUMOUR = LabelScheme(
    "tumour",
    {"background": 0, "tumour": 1},
    {"WT": ("tumour",)},
    broader={"necrotic_core": "tumour", "oedema": "tumour", "enhancing": "tumour", "csf": "background"},
    colours=_COLOURS,
)
"""Two classes, whole tumour or not, oedema included; for predictions alone, since it knows no core and no tissue."""

LESION = LabelScheme(
    "lesion",
    {"background": 0, "tumour": 1},
    {"WT": ("tumour",), "TC": ("tumour",), "ET": ("tumour",)},
    broader={
        "tumour": "enhancing",
        "necrotic_core": "tumour",
        "oedema": "tumour",
        "enhancing": "tumour",
        "csf": "background",
    },
    colours=_COLOURS,
)
"""Binary masks of BIDS derivatives: one label, which counts as enhancing, as Guo's one core does, in finer schemes."""

CARVER_BRAINMAP = LabelScheme(
    "carver_brainmap",
    {
        "background": 0,
        "necrotic_core": 1,
        "oedema": 2,
        "enhancing": 3,
        "quarter_1": 4,
        "quarter_2": 5,
        "quarter_3": 6,
        "quarter_4": 7,
    },
    _REGIONS,
    tissue=("quarter_1", "quarter_2", "quarter_3", "quarter_4"),
    colours=_COLOURS,
)
"""Brain map of Carver et al.: tumour and four bands of intensity, cut at 1/4, 1/2 and 3/4 of the largest."""

BIDS_TISSUE = LabelScheme(
    "bids_tissue",
    {"background": 0, "grey_matter": 1, "white_matter": 2, "csf": 3},
    {"WT": (), "TC": (), "ET": ()},
    tissue=("grey_matter", "white_matter", "csf"),
    colours=_COLOURS,
)
"""Tissue of healthy brains in BIDS derivatives; no tumour."""

_COMPLETE = {
    "background": 0,
    "necrotic_core": 1,
    "oedema": 2,
    "enhancing": 3,
    "white_matter": 4,
    "grey_matter": 5,
    "csf": 6,
}
COMPLETE = LabelScheme(
    "complete",
    _COMPLETE,
    _REGIONS,
    tissue=("white_matter", "grey_matter", "csf"),
    colours=_COLOURS,
)
"""Seven classes, tumour and normal tissue: the scheme of prepared cohorts."""

COMPLETE_CAVITY = LabelScheme(
    "complete_cavity",
    {**_COMPLETE, "resection_cavity": 7},
    {**_REGIONS, "RC": ("resection_cavity",)},
    tissue=("white_matter", "grey_matter", "csf"),
    broader={"resection_cavity": "csf"},
    colours=_COLOURS,
)
"""The same with the resection cavity, a lesion label: the scheme of cohorts prepared from post-treatment labels."""

SCHEMES = {
    scheme.name: scheme
    for scheme in (
        BRATS2013,
        BRATS2017,
        BRATS2023,
        BRATS2024,
        BRATS2024_PED,
        DECATHLON,
        GUO2020,
        LESION,
        CARVER_BRAINMAP,
        BIDS_TISSUE,
        COMPLETE,
        COMPLETE_CAVITY,
    )
}
"""All schemes that cases come in, by name."""


def complete_scheme(source: LabelScheme) -> LabelScheme:
    """Return the complete scheme that keeps all that a source names: a cavity, or the structures of a healthy anatomy.

    Example:
        >>> [complete_scheme(scheme_named(name)).name for name in ("brats2024", "brats2017", "freesurfer")]
        ['complete_cavity', 'complete', 'complete_structures']
    """
    if source.name in ANATOMIES:
        return COMPLETE_STRUCTURES
    return COMPLETE_CAVITY if "resection_cavity" in source.labels else COMPLETE


def tumour_scheme(source: LabelScheme) -> LabelScheme:
    """Return the challenge's scheme for a map whose normal tissue is left out: of 2024 with a cavity, else of 2023.

    Example:
        >>> tumour_scheme(COMPLETE_CAVITY).name, tumour_scheme(COMPLETE).name
        ('brats2024', 'brats2023')
    """
    return BRATS2024 if "resection_cavity" in source.labels else BRATS2023


def scheme_named(name: str) -> LabelScheme:
    """Return the scheme of this name, or the one that a text such as `oedema=1,enhancing=2` lists.

    Raises:
        LabelError: There is no such scheme.
    """
    if is_scheme_text(name):
        return scheme_from_text(name, _COLOURS)
    known = {**SCHEMES, **ANATOMIES, TUMOUR.name: TUMOUR}
    name = ALIASES.get(name, name)
    if name not in known:
        raise LabelError(
            f"label scheme {name!r}",
            f"one of {', '.join(sorted({*known, *ALIASES}))}, or labels with their integers, such as "
            "oedema=1,enhancing=2",
        )
    return known[name]
