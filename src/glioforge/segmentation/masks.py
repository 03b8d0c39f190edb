"""Folders of masks: one NIfTI file per case, named by the case, Glioforge's or anybody's, and their label scheme.

    <folder>/<case id>.nii.gz       label map on the scan's own grid
    <folder>/masks.json             the label scheme; written by Glioforge, optional

A folder is read with the first scheme that is known, and the reason is kept:

stated by the caller                       that scheme
`masks.json`                               as Glioforge wrote it
`dataset.json` in the folder or above it   as nnU-Net and the Decathlon name labels or regions
values of the truth's label files          the truth's scheme, unless the masks agree far better with the truth when
                                           they are read with another one
else                                       asked
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from glioforge.core import (
    BRATS2023,
    SCHEMES,
    Cohort,
    InputFileError,
    LabelError,
    LabelScheme,
    LabelSource,
    composed,
    listed,
    scheme_named,
    scheme_to_write,
)
from glioforge.io import (
    DatasetJson,
    Evidence,
    detect_scheme,
    is_image,
    question,
    read_integers,
    read_json,
    stem,
    write_json,
)

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


_REGIONS = ("WT", "TC", "ET")
_BETTER, _GOOD = 0.15, 0.5
"""By how much a mean Dice must be better with another scheme, and how good it must be, to be asked about."""


def source_of_masks(folder: Path, masks: Mapping[str, Path], truth: Cohort, named: str | None = None) -> LabelSource:
    """Decide on the scheme that a folder of masks is read with.

    Args:
        folder: The folder.
        masks: Its files by case.
        truth: Labelled cases.
        named: Name of the scheme, if the caller knows it.

    Raises:
        LabelError: There is no such scheme, or the values do not tell; the message lists what fits.
        InputFileError: A mask cannot be read.
    """
    if named is not None:
        return LabelSource(scheme_named(named).name, "stated")
    if (folder / FACTS).is_file():
        return LabelSource(written_scheme(folder).name, f"{FACTS} says so")
    try:
        return _told(folder, masks, truth)
    except LabelError as error:
        raise LabelError(error.found, error.expected, error.remedy, folder) from error


def mask_scheme(own: LabelScheme, cohort: Cohort) -> LabelScheme:
    """Return the scheme that a segmenter's masks of a cohort are written in.

    Args:
        own: Scheme of the segmenter's answers; kept where it labels normal tissue too.
        cohort: Cohort to be labelled.
    """
    return own if own.is_complete else scheme_to_write(own, cohort)


def scheme_key(scheme: LabelScheme, own: LabelScheme) -> dict[str, str]:
    """Return what a folder of masks depends on besides model and cohort: a scheme that is not the segmenter's own."""
    return {} if scheme == own else {"scheme": scheme.name}


def _told(folder: Path, masks: Mapping[str, Path], truth: Cohort) -> LabelSource:
    """The scheme that a table, or the truth, speaks for."""
    counts = {case_id: _counts(path) for case_id, path in masks.items()}
    values = {value for found in counts.values() for value in found if value}
    for place in (folder, folder.resolve().parent):
        table = DatasetJson.of(place)
        hint = table.hint if table else None
        if hint is not None and hint.schemes:
            return detect_scheme([Evidence(name, masks[name], found, 0.0, hint) for name, found in counts.items()])
    start = truth.file_scheme
    start = BRATS2023 if start.is_complete else start
    if not values <= set(start.labels.values()):
        totals = {value: sum(found.get(value, 0) for found in counts.values()) for value in sorted(values)}
        allowed = [scheme.name for scheme in SCHEMES.values() if not scheme.is_complete]
        raise question(totals, allowed, odd=[f"the truth is in scheme {start.name}, which lacks some of them"])
    if len(values) > 1:
        _require_no_better(masks, truth, start, values)
    return LabelSource(start.name, "scheme of the truth, whose values the masks have")


def _require_no_better(masks: Mapping[str, Path], truth: Cohort, own: LabelScheme, values: set[int]) -> None:
    """Ask where masks that have the truth's values agree far better when they are read with another scheme."""
    joint = {name: np.zeros((256, 2), dtype=np.int64) for name in _REGIONS if name in truth.scheme.regions}
    for case_id, path in masks.items():
        labels = truth[case_id].load().labels
        voxels = read_integers(path)[0]
        if labels is None or voxels.shape != labels.voxels.shape:
            return
        for region, table in joint.items():
            inside = labels.region(region)
            table[:, 0] += np.bincount(voxels[~inside].ravel(), minlength=256)
            table[:, 1] += np.bincount(voxels[inside].ravel(), minlength=256)
    dice = _mean_dice(own, joint)
    others = [s for s in SCHEMES.values() if values <= set(s.labels.values()) and set(joint) <= set(s.regions)]
    best = max(others, key=lambda scheme: _mean_dice(scheme, joint), default=own)
    better = _mean_dice(best, joint)
    if better >= max(dice + _BETTER, _GOOD):
        raise LabelError(
            f"masks with the values of {own.name}, the truth's scheme, that agree far better with the truth when they "
            f"are read as {best.name} (mean Dice {better:.2f} against {dice:.2f})",
            "masks whose label scheme is known",
            f"say which: --scheme {own.name}, or --scheme {best.name}",
        )


def _mean_dice(scheme: LabelScheme, joint: Mapping[str, Int64[np.ndarray, "256 2"]]) -> float:
    """Mean over regions of the Dice of all cases together; regions that neither side has are left out."""
    scores = []
    for region, table in joint.items():
        outside, inside = table[list(scheme.region_values(region))].sum(0) if scheme.regions[region] else (0, 0)
        either = outside + inside + table[:, 1].sum()
        scores += [2 * inside / either] if either else []
    return float(np.mean(scores)) if scores else 0.0


def _counts(path: Path) -> dict[int, int]:
    """How many voxels of a mask hold each value."""
    values, counts = np.unique(read_integers(path)[0], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
