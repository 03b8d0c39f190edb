"""What the names of files and folders say about the label scheme of a case.

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

Source: challenge pages of BraTS 2012-2025; BraTS-Africa and BraTS-MEN-RT on The
Cancer Imaging Archive and Synapse.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from glioforge.core import BRATS2013, BRATS2017, BRATS2023, BRATS2024, BRATS2024_PED, LESION
from glioforge.io.scan_names import stem


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
