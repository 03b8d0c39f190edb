"""Folders of masks: one NIfTI file a case, named by the case, ours or anybody's.

    <folder>/<case id>.nii.gz       label map on the scan's own grid
    <folder>/masks.json             the label scheme; written by Glioforge, optional

Which scheme a folder is read with is decided in `segmentation.mask_scheme`.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from glioforge.core import Cohort, InputFileError, LabelScheme, composed, listed, scheme_named
from glioforge.io import is_image, read_json, stem, write_json

FACTS = "masks.json"


def write_facts(folder: Path, scheme: LabelScheme, maker: str) -> None:
    """Note the scheme of a folder's masks, and what made them."""
    write_json(folder / FACTS, {"scheme": scheme.name, "maker": maker})


def find_masks(folder: Path, cohort: Cohort) -> dict[str, Path]:
    """File of each case of the cohort, in its order; files of other names are passed over.

    Raises:
        InputFileError: The folder is missing, a case has no mask, or has two.
    """
    if not folder.is_dir():
        raise InputFileError("no such folder", "a folder of NIfTI masks", "check the path", folder)
    found: dict[str, Path] = {}
    for path in _files(folder):
        name = composed(stem(path))
        if name in found:
            raise InputFileError(
                f"two masks of case {name!r}: {found[name].name} and {path.name}",
                "one mask a case, whatever its ending and the Unicode form of its name",
                "remove one of them",
                folder,
            )
        found[name] = path
    missing = [ref.case_id for ref in cohort if composed(ref.case_id) not in found]
    if missing:
        raise _missing(missing, found, cohort, folder)
    return {ref.case_id: found[composed(ref.case_id)] for ref in cohort}


def _files(folder: Path) -> list[Path]:
    """Files of a folder that are named as images, sorted; hidden ones are passed over."""
    return sorted(path for path in folder.iterdir() if is_image(path) and not path.name.startswith("."))


def written_scheme(folder: Path) -> LabelScheme:
    """Scheme that a folder's `masks.json` names.

    Raises:
        InputFileError: There is no such file.
        LabelError: There is no such scheme.
    """
    return scheme_named(str(read_json(folder / FACTS)["scheme"]))


def stray_masks(folder: Path, cohort: Cohort) -> list[str]:
    """Names of masks that belong to no case of the cohort, sorted; a folder that is not there has none."""
    known = {composed(ref.case_id) for ref in cohort}
    files = _files(folder) if folder.is_dir() else ()
    return sorted(path.name for path in files if composed(stem(path)) not in known)


def _missing(missing: list[str], found: Iterable[str], cohort: Cohort, folder: Path) -> InputFileError:
    """The error that lists cases without a mask, with the nearest name that belongs to no case."""
    strangers = sorted(set(found) - {composed(ref.case_id) for ref in cohort})
    pairs = [(case_id, get_close_matches(case_id, strangers, 1)) for case_id in missing]
    near = [f"{match[0]} to {case_id}" for case_id, match in pairs if match]
    return InputFileError(
        f"no mask of {len(missing)} of {len(cohort)} cases: {listed(missing, 10)}",
        "a file <case id>.nii or <case id>.nii.gz for every case",
        f"rename {', '.join(near[:5])}" if near else "add the masks, or evaluate a cohort of fewer cases",
        folder,
    )
