"""What file names say: the ending of an image file, what the scan shows, and in which label scheme.

Names are read without regard to capitals; `-`, `_`, `.`, a space or nothing may
stand between their parts.

    t1, t1w, t1n, t1_native, t1_pre                                  T1
    t1c, t1ce, t1gd, t1gad, t1km, ct1, t1_post, t1w_ce, ce-gd_t1w    T1ce
    t2, t2w                                                          T2
    flair, fla, t2f, t2_flair                                        FLAIR
    seg, segm, segmentation, label, labels, tumor_mask, gtv          labels
    brain, brainmask, brain_mask, bet_mask, t1_brain_mask            brain mask

What a tool adds to a contrast does not change what it shows: `_brain` and
`_bet` (BET, HD-BET), `_n4`, `_reg`, `_stripped` and their like.  `mask` alone
may be a brain or a tumour, and is not decided here.

Names of cases and folders point to label schemes:

    BraTS2021_00001, Brats18_TCIA02_1_1, UCSF-PDGM-0004, UPENN-GBM-00001_11   brats2017
    BraTS-GLI-00005-100, BraTS-MET-00001-000                                  brats2023 or brats2024
    BraTS-GLI-02405-100 and above, the patients after treatment               brats2024
    BraTS-PED-00001-000                                                       brats2024_ped or brats2023
    BraTS-MEN-00001-000, BraTS-SSA-00002-000, BraTS-GoAT-00000                brats2023
    BraTS-MEN-RT-0001-1                                                       lesion, the target volume
    brats_2013_pat0001_1, brats_tcia_pat123_0456                              brats2013
    a folder of a year, such as MICCAI_BraTS2020_TrainingData                 the schemes of that year

The name of the case comes first, then its folders from the inside out, up to the
folder that is read.  Contrasts named as in the challenges (`P1_t1ce`, `P1-t2f`)
only lean towards their years, because many tools write such names.

Conventions
-----------
ending    `.nii.gz`, `.nii`, `.mha`, `.mhd`, `.nrrd`, `.nhdr`, and `.hdr` with an `.img` of the same name
stem      a file name without its ending

Sources: data sets of `io.layouts`; file names of FSL's BET, HD-BET, ANTs, CaPTk and FreeSurfer's SynthStrip; challenge
pages of BraTS 2012-2025; BraTS-Africa and BraTS-MEN-RT on The Cancer Imaging Archive and Synapse.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from glioforge.core import BRATS2013, BRATS2017, BRATS2023, BRATS2024, BRATS2024_PED, LESION, Modality

SUFFIXES = (".nii.gz", ".nii", ".mha", ".mhd", ".seg.nrrd", ".nrrd", ".nhdr", ".hdr")
"""Endings of the files that can be read."""


def is_image(path: Path) -> bool:
    """Tell by its name whether a file is an image.

    Example:
        >>> is_image(Path("T1.NII.GZ")), is_image(Path("T1.nii.gz.md5"))
        (True, False)
    """
    return path.name.lower().endswith(SUFFIXES)


def stem(path: Path) -> str:
    """File name without the ending of an image file; the whole name of other files.

    Example:
        >>> stem(Path("case/BraTS20_001_t1.nii.gz")), stem(Path("T1.NII"))
        ('BraTS20_001_t1', 'T1')
    """
    lower = path.name.lower()
    for suffix in SUFFIXES:
        if lower.endswith(suffix) and len(lower) == len(path.name):
            return path.name[: -len(suffix)]
    return path.name


LABELS = "labels"
BRAIN = "brain"
UNCLEAR = "unclear mask"
"""A mask of which the name does not say whether it is the brain or the tumour."""

_S = r"[-_. ]?"
_GD = r"(?:gadolinium|gadovist|gad|gd|ce|km)"
_T1 = "t1w?"
_TOOL = (
    r"(?:brain|bet|hd-?bet|synthstrip|ss|skull[-_]?strip(?:ped)?|stripped|noskull|n4|n4itk|bias[-_]?corr(?:ected)?|biascorr|"
    r"reg|registered|coreg|coregistered|warped|resampled|rai|lps|ras|defaced|norm|normali[sz]ed|preproc|corrected)"
)
_TOOLS = rf"(?:[-_. ]{_TOOL})*"
_CONTRASTS: Mapping[str, str] = {
    Modality.T1CE: rf"{_T1}{_S}(?:c|\+c|{_GD}|post(?:{_S}(?:contrast|{_GD}))?|contrast)|c{_T1}|{_GD}{_S}{_T1}"
    rf"|ce-{_GD}_{_T1}|post{_S}contrast{_S}{_T1}",
    Modality.T1: rf"t1n|{_T1}{_S}(?:native|pre(?:{_S}(?:contrast|{_GD}))?)|{_T1}",
    Modality.FLAIR: rf"(?:t2w?{_S})?flair|fla|t2f",
    Modality.T2: r"t2w?",
    Modality.APTW: r"aptw?",
}
_ROLES: Mapping[str, str] = {
    **{role: f"(?:{text}){_TOOLS}" for role, text in _CONTRASTS.items()},
    BRAIN: rf"(?:(?:{'|'.join(_CONTRASTS.values())}){_TOOLS}[-_. ])?(?:{_TOOL}[-_. ])*?"
    rf"(?:brain{_S}mask|bet{_S}mask|hd-?bet{_S}mask|synthstrip{_S}mask|mask{_S}brain)|brain",
    LABELS: rf"seg(?:m|mentation)?(?:{_S}(?:simple|mask|label))?|labels?|(?:tumou?r|lesion|glioma)"
    rf"(?:{_S}(?:mask|seg(?:m|mentation)?|label))?|ground{_S}truth|gtv",
    UNCLEAR: rf"(?:(?:{'|'.join(_CONTRASTS.values())})[-_. ])?mask",
}
_EXPRESSIONS = {role: re.compile(text, re.IGNORECASE) for role, text in _ROLES.items()}


def pattern_of(roles: Collection[str]) -> str:
    """Regular expression of every known name of some contrasts or masks, for `re.IGNORECASE`; it has no groups."""
    return "|".join(f"(?:{text})" for role, text in _ROLES.items() if role in roles)


PATTERN = pattern_of(_ROLES)
"""Regular expression of every known name."""


def role_of(name: str) -> str | None:
    """What a file of this name, without case and ending, shows; none where the name is not known.

    Returns:
        A contrast, `labels`, `brain` or `unclear mask`.

    Example:
        >>> [role_of(name) for name in ("T1Gd", "t1_brain", "t1_brain_mask", "FLAIR_n4_reg", "mask", "dwi")]
        ['t1ce', 't1', 'brain', 'flair', 'unclear mask', None]
    """
    return next((str(role) for role, text in _EXPRESSIONS.items() if text.fullmatch(name)), None)


@final
@dataclass(frozen=True)
class Hint:
    """What is known of a case's label scheme before its labels are read.

    Args:
        schemes: Names of the schemes that it may have, the likeliest first; none where nothing is known.
        reason: Where that is known from, for people.
        firm: Whether only these are possible; else they are likely, if the values agree.
    """

    schemes: tuple[str, ...]
    reason: str
    firm: bool = True


_ADULT = (BRATS2023.name, BRATS2024.name)
_NAMED: Mapping[str, Hint] = {
    r"^(UCSF-PDGM|UPENN-GBM)-": Hint((BRATS2017.name,), "named as in UCSF-PDGM and UPENN-GBM"),
    r"^BraTS-MEN-RT": Hint((LESION.name,), "named as in BraTS meningioma radiotherapy"),
    r"^BraTS-GLI-0[2-9]": Hint((BRATS2024.name,), "named as in BraTS 2024 glioma after treatment"),
    r"^BraTS-(GLI|MET)-": Hint(_ADULT, "named as in BraTS since 2023"),
    r"BraTS.*PED": Hint((BRATS2024_PED.name, BRATS2023.name), "named as in BraTS paediatric tumours"),
    r"^BraTS-(MEN|SSA|GoAT|Africa)\b": Hint((BRATS2023.name,), "named as in BraTS since 2023"),
    r"^brats_(tcia|201[2-5])_pat": Hint((BRATS2013.name,), "named as in BRATS 2012-2015"),
}
_YEARS: Mapping[range, Hint] = {
    range(12, 16): Hint((BRATS2013.name,), "named as in BRATS 2012-2015"),
    range(16, 23): Hint((BRATS2017.name,), "named as in BraTS 2016-2021"),
    range(23, 24): Hint((BRATS2023.name,), "named as in BraTS 2023"),
    range(24, 30): Hint((*_ADULT, BRATS2024_PED.name), "named as in BraTS since 2024"),
}
NAME_HINTS = frozenset({*_NAMED.values(), *_YEARS.values()})
"""What names of cases and folders say; they say nothing on masks that somebody has made of such labels."""
_YEAR = re.compile(r"brats[-_ ]?(?:20)?(?P<year>\d\d)(?!\d)", re.IGNORECASE)
_TOKEN = re.compile(r".+(?P<sign>[_-])(?P<token>[A-Za-z0-9]+)")
OLD_NAMES = Hint((BRATS2017.name,), "contrasts named as in BraTS 2017-2021", firm=False)
NEW_NAMES = Hint((*_ADULT, BRATS2024_PED.name), "contrasts named as in BraTS since 2023", firm=False)
_OLD, _NEW = frozenset({"t1ce", "flair"}), frozenset({"t1n", "t1c", "t2w", "t2f"})


def hint_of_names(case_id: str, files: Iterable[Path], root: Path) -> Hint | None:
    """Return what the names of a case say; none where they say nothing.

    Args:
        case_id: Id of the case.
        files: Its images and labels.
        root: Folder that is read; folders above it do not count.

    Example:
        >>> hint_of_names("BraTS2021_00001", (), Path("scans")).schemes
        ('brats2017',)
        >>> hint_of_names("P1", [Path("scans/P1/P1_t1ce.nii.gz")], Path("scans")).firm
        False
    """
    files = list(files)
    for text in dict.fromkeys([case_id, *map(stem, files), *_folders(files, root)]):
        hint = _hint_of(text)
        if hint is not None:
            return hint
    tokens = {match["token"] for match in map(_TOKEN.fullmatch, map(stem, files)) if match}
    return OLD_NAMES if tokens & _OLD else NEW_NAMES if tokens & _NEW else None


def _hint_of(text: str) -> Hint | None:
    """What one name says."""
    for pattern, hint in _NAMED.items():
        if re.search(pattern, text, re.IGNORECASE):
            return hint
    year = _YEAR.search(text)
    return next((hint for years, hint in _YEARS.items() if year and int(year["year"]) in years), None)


def _folders(files: Iterable[Path], root: Path) -> list[str]:
    """Names of the folders above the files, from the inside out, the last one being that which is read."""
    names: list[str] = []
    for path in files:
        if path.is_relative_to(root):
            names += reversed(path.parent.relative_to(root).parts)
    return [*names, root.resolve().name]
