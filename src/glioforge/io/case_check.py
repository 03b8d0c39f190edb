"""Open every file of found cases, once, and report all that is wrong with each, between them and between cases.

The outcome is small and plain, so that cases can be checked by several processes:
problems, grid, content hashes and how often each label occurs.  Then the cases of a
folder are compared with each other: clashing ids, missing files, the same image twice.
"""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from isal import isal_zlib
from jaxtyping import Float32, Integer

from glioforge.core import CaseError, Geometry, GlioforgeError, InputFileError, Lineage, Modality, in_standard_order
from glioforge.io.digest import case_digest
from glioforge.io.layout import BRAIN, LABELS, FoundCase
from glioforge.io.nifti_reader import read_file
from glioforge.io.scan import Scan, Series
from glioforge.io.sidecar import MARKS, Sidecar, read_sidecar


@final
@dataclass(frozen=True)
class CheckedCase:
    """What the files of a case hold.

    Args:
        found: The case as it was found.
        problems: Everything that is wrong; none for a sound case.
        digest: Hash of the contents of all files.
        images: Hash of the voxels of each contrast, whatever their type and compression.
        label_counts: How many voxels hold each label value; none without labels.
        voxel_volume: Volume of a voxel in mm³; 0 where no file could be read.
        sidecar: What is known of a computed case; none for a scan.
        elsewhere: Contrasts on other grids than the reference's, where they may be.
        notes: What is good to know about files that are sound.
    """

    found: FoundCase
    problems: tuple[GlioforgeError, ...]
    digest: str
    images: Mapping[Modality, str]
    label_counts: Mapping[int, int] | None
    voxel_volume: float
    sidecar: Sidecar | None
    elsewhere: tuple[Modality, ...] = ()
    notes: tuple[str, ...] = ()


def check_case(
    found: FoundCase,
    root: Path,
    look: Callable[[str, Scan], None] | None = None,
    register_to: Modality | None = None,
) -> CheckedCase:
    """Open and judge every file of a case; problems are collected, not raised.

    Args:
        found: The case as a layout found it.
        root: Folder that the files must lie in, resolved.
        look: Shown every sound file with what it holds, so that nothing is read twice.
        register_to: Contrast on whose grid labels and brain mask must lie, while other contrasts need not; none
            wants all on one grid.
    """
    problems: list[GlioforgeError] = list(found.problems)
    notes: list[str] = []
    digests: dict[str, str] = {}
    images: dict[Modality, str] = {}
    counts: Mapping[int, int] | None = None
    grids = _Grids(register_to if register_to in found.images else None)
    marks: set[str] = set()
    sidecar: Sidecar | None = None
    opened = _LastSeries()
    for role, path in grids.reference_first(found.files):
        try:
            _require_inside(path, root)
            scan = opened.read(path).channel(found.channel(role))
            digests[role] = scan.digest
            marks |= {kind for kind, mark in MARKS.items() if scan.header.description.startswith(mark)}
            grids.require(scan, role)
            if role == LABELS:
                counts = _label_counts(scan)
                notes += scan.rounding_notes()
            elif role == BRAIN:
                _require_brain(scan)
            else:
                images[Modality(role)] = _voxel_hash(scan, Modality(role))
            if look is not None:
                look(role, scan)
        except GlioforgeError as error:
            problems.append(error)
    try:
        sidecar = _sidecar(found, marks)
    except GlioforgeError as error:
        problems.append(error)
    volume = 0.0 if grids.grid is None else grids.grid.voxel_volume
    digest = case_digest(digests)
    return CheckedCase(
        found, tuple(problems), digest, images, counts, volume, sidecar, tuple(grids.elsewhere), tuple(notes)
    )


@final
class _LastSeries:
    """Reads files and keeps the last one, so that the contrasts of one file are unpacked together."""

    def __init__(self) -> None:
        self._last: Series | None = None

    def read(self, path: Path) -> Series:
        """All images of a file; errors as `read_file`."""
        if self._last is None or self._last.path != path:
            self._last = None
            self._last = read_file(path)
        return self._last


def _require_inside(path: Path, root: Path) -> None:
    """Refuse a link that leads out of the folder."""
    if not Path(os.path.realpath(path)).is_relative_to(root):
        raise InputFileError(
            f"a link that leads out of {root}",
            "files inside the folder",
            "copy the file into the folder, or ingest the folder that it lies in",
            path,
        )


@final
class _Grids:
    """The grid of a case, from its first file, or from the contrast that the others are registered to.

    Args:
        reference: That contrast; none where all must lie on one grid.
    """

    def __init__(self, reference: Modality | None) -> None:
        self._reference = reference
        self.grid: Geometry | None = None
        self.elsewhere: list[Modality] = []

    def reference_first(self, files: Mapping[str, Path]) -> list[tuple[str, Path]]:
        """Files with what they hold, the reference's before the others."""
        return sorted(files.items(), key=lambda pair: pair[0] != self._reference)

    def require(self, scan: Scan, role: str) -> None:
        """Note a contrast on another grid where that is allowed, else refuse it."""
        geometry = scan.header.geometry
        if self.grid is None:
            self.grid = geometry
        elif self._reference is not None and role not in (LABELS, BRAIN) and not self.grid.matches(geometry):
            self.elsewhere.append(Modality(role))
        try:
            if role not in self.elsewhere:
                self.grid.require_same(geometry, f"{role} image")
        except GlioforgeError as error:
            remedy = f"name the contrast on whose grid the {role} lie"
            if role not in (LABELS, BRAIN):
                remedy = "have contrasts registered: --register-to t1ce, or register_to in the layout's YAML"
            raise InputFileError(error.found, error.expected, f"{remedy}; or resample first", scan.path) from error


def _label_counts(scan: Scan) -> dict[int, int]:
    """Voxels of each label value."""
    values = scan.integers()
    counts = _counted(values)
    if 0 not in counts:
        raise InputFileError(
            "a label map without background", "some voxels of value 0", "check that this is the label file", scan.path
        )
    return counts


def _counted(values: Integer[np.ndarray, "i j k"]) -> dict[int, int]:
    """How often each value occurs; quick where the values are small."""
    flat = values.ravel(order="K")
    if flat.min() >= 0 and flat.max() < 65536:
        counts = np.bincount(flat)
        return {int(v): int(counts[v]) for v in np.flatnonzero(counts)}
    found, number = np.unique(flat, return_counts=True)
    return {int(v): int(n) for v, n in zip(found, number, strict=True)}


def _require_brain(scan: Scan) -> None:
    """Refuse a mask without a voxel."""
    if not scan.mask().any():
        raise InputFileError("an empty brain mask", "a mask of the brain", "remove it or make it again", scan.path)


def _voxel_hash(scan: Scan, modality: Modality) -> str:
    """Hash of the intensities; refuses an image in which all voxels are equal."""
    voxels: Float32[np.ndarray, "i j k"] = scan.image(modality).voxels
    low, high = float(voxels.min()), float(voxels.max())
    if low == high:
        raise InputFileError(
            f"an image in which every voxel is {low:g}", "an image", "copy or download it again", scan.path
        )
    flat = voxels.ravel(order="F")
    return f"{'x'.join(map(str, voxels.shape))}-{isal_zlib.crc32(flat):08x}-{low.hex()}-{high.hex()}"


def _sidecar(found: FoundCase, marks: set[str]) -> Sidecar | None:
    """What the sidecar tells; refuses images marked as synthetic without one."""
    sidecar = None if found.sidecar is None else read_sidecar(found.sidecar, found.case_id)
    if sidecar is None and "synthetic" in marks:
        path = next(iter(found.files.values())).with_name(f"{found.case_id}.json")
        raise InputFileError(
            "an image marked SYNTHETIC without its sidecar",
            "the JSON file that says which subjects stand behind it",
            "restore the file that was written with the images",
            path,
        )
    if sidecar is None and "phantom" in marks:
        return Sidecar(Lineage("phantom", "glioforge phantom", (found.subject_id,)))
    return sidecar


_LONGEST_ID = 120
Problem = tuple[str, GlioforgeError]
"""A case id and what is wrong with the case."""


def id_problems(found: Sequence[FoundCase]) -> list[Problem]:
    """Report ids that are used twice, differ by capitals or Unicode form only, or cannot be file names."""
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for case in found:
        name = case.case_id
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in seen:
            problems.append(
                (
                    name,
                    CaseError(
                        f"a case id like that of {seen[folded]!r}",
                        "ids that differ",
                        "rename one folder; capitals, and composed or decomposed letters, do not tell two cases apart",
                    ),
                )
            )
        seen.setdefault(folded, name)
        if name.startswith(("-", ".")) or len(name) > _LONGEST_ID or not name.isprintable() or name != name.strip():
            problems.append(
                (
                    name,
                    CaseError(
                        f"case id {name!r}",
                        f"printable text of at most {_LONGEST_ID} characters that begins with a letter or digit",
                        "rename the folder or file",
                    ),
                )
            )
    return problems


def missing_files(found: Sequence[FoundCase], require: Iterable[Modality] | None) -> list[Problem]:
    """Contrasts and label maps that some cases lack."""
    wanted = in_standard_order({m for case in found for m in case.images} if require is None else set(require))
    labelled = any(case.labels for case in found)
    problems: list[Problem] = []
    for case in found:
        missing = [str(m) for m in wanted if m not in case.images]
        remedy = "add the files, leave the case out, or take incomplete cases with --allow-missing"
        if labelled and case.labels is None:
            missing.append("labels")
            remedy = "add the file, or leave unlabelled cases out (layout: {kind: ..., only_labelled: true})"
        if missing:
            problems.append((case.case_id, CaseError(f"no {', '.join(missing)} file", "one in every case", remedy)))
    return problems


def same_images(checked: Sequence[CheckedCase], root: Path) -> list[Problem]:
    """Return images with the same voxels, in two cases or under two contrasts.

    Args:
        checked: Cases of a folder.
        root: The folder, which the other file is named from.
    """
    places: defaultdict[str, list[tuple[CheckedCase, Modality]]] = defaultdict(list)
    for case in checked:
        for modality, voxels in case.images.items():
            places[voxels].append((case, modality))
    problems: list[Problem] = []
    for (first, modality), *others in places.values():
        for other, again in others:
            path = first.found.images[modality]
            below = path.relative_to(root) if path.is_relative_to(root) else path
            where = f"{first.found.case_id} {modality} ({below})"
            error = InputFileError(
                f"the same image as {where}",
                "every image once",
                "remove the copy: the same scan under two names leaks between training and test",
                other.found.images[again],
            )
            problems.append((other.found.case_id, error))
    return problems
