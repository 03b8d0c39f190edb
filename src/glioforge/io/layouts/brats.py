"""The folders of the BraTS challenges since 2016: one folder a case.

Namings known
-------------
2017-2021   `BraTS20_Training_001/BraTS20_Training_001_{t1,t1ce,t2,flair,seg}`
2023-       `BraTS-GLI-00005-100/BraTS-GLI-00005-100-{t1n,t1c,t2w,t2f,seg}`;
            GLI also after treatment, MET metastases, PED children, SSA Africa
2013-2015   `brats_2013_pat0001_1/{Flair,T1c,...}_subtrMeanDivStd`,
            `OTMultiClass`, `brainmask`, as normalised by DeepMedic

Cases may lie at any depth.  Grade is read from a folder `HGG` or `LGG` above a
case and from `name_mapping.csv`, site from the names of 2017 to 2019.

Copies of other data sets are often named in this way, so it is asked after the
layouts of those.

Source: challenge pages of BraTS 2017-2025; DeepMedic (Kamnitsas et al. 2017).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, final

from glioforge.core import BRATS2013, InputFileError, composed
from glioforge.io import LAYOUTS, PATTERN, FoundCase, Hint, Layout, LayoutSpec, ScanFile, read_csv, role_of, stem

_HINT_2013 = Hint((BRATS2013.name,), "named as in BRATS 2012-2015")
_NAMES_2013 = {
    "t1_subtrmeandivstd": "t1",
    "t1c_subtrmeandivstd": "t1ce",
    "t2_subtrmeandivstd": "t2",
    "flair_subtrmeandivstd": "flair",
    "otmulticlass": "labels",
    "brainmask": "brain",
}
_NAME = re.compile(rf"(?P<case>.+?)[-_. ](?P<token>{PATTERN})", re.IGNORECASE)
_SITE = re.compile(r"(?i:brats)1[7-9]_(?P<site>2013|[A-Z]+)")


@final
class BratsSpec(LayoutSpec):
    """Folders of the BraTS challenges."""

    kind: Literal["brats"] = "brats"


@LAYOUTS.register(BratsSpec)
@final
class BratsLayout(Layout):
    """Finds cases by the names of the BraTS challenges."""

    general: ClassVar[bool] = True

    def matches(self, folder: Path) -> bool:
        """Whether some file is named after its folder as in BraTS, or as in DeepMedic's copy of 2013."""
        return any(_named_2013(file.stem) or _after_folder(file) for file in self.files(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """Folders that hold at least one known contrast, as cases named after the folder."""
        cases = self.by_case(self.files(folder), _place)
        tables = _name_mapping(folder)
        found = []
        for place, files in cases.items():
            if self.only_masks(files):
                continue
            name = composed(place.name or place.resolve().name)
            hint = _HINT_2013 if any(_named_2013(stem(path)) for _, path in files) else None
            facts = _facts(place.relative_to(folder), name, tables)
            found.append(self.case(name, files, hint=hint, facts=facts))
        return sorted(found, key=lambda case: case.case_id)


def _place(file: ScanFile) -> tuple[Path, str] | None:
    """Folder of a file, and what it holds."""
    role = _role(file)
    return (file.path.parent, role) if role else None


def _role(file: ScanFile) -> str | None:
    """What a file holds, by its name: the part behind its folder's name, else the longest known ending."""
    if file.stem.lower() in _NAMES_2013:
        return _NAMES_2013[file.stem.lower()]
    match = _NAME.fullmatch(file.stem)
    return _after_folder(file) or (role_of(match["token"]) if match else None)


def _named_2013(name: str) -> bool:
    """Whether a file is named as in DeepMedic's copy of BRATS 2013-2015; a brain mask's name does not show that."""
    return _NAMES_2013.get(name.lower(), "brain") != "brain"


def _after_folder(file: ScanFile) -> str | None:
    """What a file holds that is named as in BraTS since 2017: its folder's name and what it holds."""
    begin = composed(file.path.parent.name)
    rest = file.composed.removeprefix(begin) if file.composed.startswith(begin) else ""
    return role_of(rest[1:]) if rest[:1] in {"_", "-", ".", " "} else None


def _facts(place: Path, case_id: str, tables: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Grade and site of a case, as far as names and tables tell."""
    facts: dict[str, Any] = dict(tables.get(case_id, {}))
    grades = [part.upper() for part in place.parts if part.upper() in {"HGG", "LGG"}]
    if grades:
        facts["grade"] = grades[-1]
    site = _SITE.match(case_id)
    if site:
        facts["site"] = site["site"]
    return facts


def _name_mapping(folder: Path) -> dict[str, dict[str, str]]:
    """Grade and site by case id, from every `name_mapping*.csv` in the folder or one level below."""
    tables: dict[str, dict[str, str]] = {}
    for path in sorted([*folder.glob("name_mapping*.csv"), *folder.glob("*/name_mapping*.csv")]):
        rows = read_csv(path)
        for row in rows:
            _add_row(tables, row, path)
    return tables


def _add_row(tables: dict[str, dict[str, str]], row: Mapping[str, str], path: Path) -> None:
    """Note grade and site of one row under each id that it gives the case."""
    ids = [composed(v) for k, v in row.items() if "subject_id" in k.lower() and v and v not in {"NA", "N/A"}]
    sites = [match["site"] for match in map(_SITE.match, ids) if match]
    grade = next((v for k, v in row.items() if k.lower() == "grade" and v), None)
    facts = {**({"grade": grade} if grade else {}), **({"site": sites[0]} if sites else {})}
    for case_id in ids:
        if tables.setdefault(case_id, facts) != facts:
            raise InputFileError(f"two different rows for {case_id!r}", "one row a case", "remove the wrong row", path)
