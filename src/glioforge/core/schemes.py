"""The label schemes of the public data sets and of complete maps, as values.

Sources: BRATS 2013/2015 (Menze et al. 2015), BraTS 2016-2020 and 2023 challenge
pages, complete seven classes (Foroozandeh & Eklund, section on segmentation
masks: background, NCR/NET, ED, ET from experts, WM, GM, CSF from FAST).
"""

from glioforge.core.errors import LabelError
from glioforge.core.labels import LabelScheme

_COLOURS = {
    "necrosis": (122, 60, 150),
    "necrotic_core": (196, 48, 43),
    "non_enhancing": (224, 122, 38),
    "oedema": (78, 167, 92),
    "enhancing": (245, 208, 66),
    "white_matter": (214, 214, 220),
    "grey_matter": (140, 140, 152),
    "csf": (66, 99, 140),
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

COMPLETE = LabelScheme(
    "complete",
    {
        "background": 0,
        "necrotic_core": 1,
        "oedema": 2,
        "enhancing": 3,
        "white_matter": 4,
        "grey_matter": 5,
        "csf": 6,
    },
    _REGIONS,
    tissue=("white_matter", "grey_matter", "csf"),
    colours=_COLOURS,
)
"""Seven classes, tumour and normal tissue: the scheme of prepared cohorts."""

SCHEMES = {scheme.name: scheme for scheme in (BRATS2013, BRATS2017, BRATS2023, COMPLETE)}


def scheme_named(name: str) -> LabelScheme:
    """Return the scheme of this name.

    Raises:
        LabelError: There is none.
    """
    if name not in SCHEMES:
        raise LabelError(f"label scheme {name!r}", f"one of {sorted(SCHEMES)}")
    return SCHEMES[name]
