"""What a file name says: the ending of an image file, and what the scan shows, as data sets and tools name their files.

Conventions
-----------
ending    `.nii.gz`, `.nii`, `.mha`, `.mhd`, `.nrrd`, `.nhdr`, and `.hdr` with an `.img` of the same name
stem      a file name without its ending

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

Sources: data sets of `io.layouts`; file names of FSL's BET, HD-BET, ANTs, CaPTk and FreeSurfer's SynthStrip.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from glioforge.core import Modality

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
