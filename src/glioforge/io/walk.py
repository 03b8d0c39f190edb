"""One walk over a folder of scans: image files, and everything that is passed over, with the reason.

Conventions
-----------
order     names sorted within each folder, a folder's files before its subfolders
links     a link to a file counts as the file; a linked folder within the folder is read at its own place only; one that
          leads out of it is followed where asked for, each real folder once, so that circles end
entries   what is named as an image but is none (a folder, a pipe, a broken link) is given as well, so that reading
          it says so
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import final

from glioforge.core import InputFileError, shortened
from glioforge.io.folder_kind import is_export
from glioforge.io.scan_names import is_image

CONVERT = "convert them to NIfTI (.nii.gz)"
_FOREIGN = {
    ".mgz": "FreeSurfer files",
    ".mgh": "FreeSurfer files",
    ".mnc": "MINC files",
    ".nii.bz2": "files compressed by bzip2",
    ".nii.xz": "files compressed by xz",
    ".nii.zst": "files compressed by Zstandard",
    ".hdr.gz": "compressed .hdr/.img pairs",
    ".img.gz": "compressed .hdr/.img pairs",
    ".par": "Philips PAR/REC files",
    ".gipl": "GIPL files",
    ".zip": "archives",
    ".tar": "archives",
    ".tar.gz": "archives",
    ".tgz": "archives",
    ".7z": "archives",
    ".rar": "archives",
}
_ELSEWHERE = "linked folders whose files are read at another place"
_MOST_FOLDERS = 10_000
_DICOM = (".dcm", ".dicom", ".ima")


@final
@dataclass(frozen=True)
class PassedOver:
    """A file or folder that is not used.

    Args:
        path: The file or folder.
        kind: The reason, the same words for the same reason.
        remedy: What to do where the file is needed.
    """

    path: Path
    kind: str
    remedy: str = ""


@final
@dataclass(frozen=True)
class Walk:
    """What a folder holds.

    Args:
        root: The folder.
        images: Entries named as image files.
        passed: What is passed over.
        leading_out: Linked folders that lead out of the folder and hold images, where links are not followed.
    """

    root: Path
    images: tuple[Path, ...]
    passed: tuple[PassedOver, ...]
    leading_out: tuple[Path, ...]


def walk(root: Path, *, follow_links: bool = False) -> Walk:
    """Look at every name below a folder; no image is opened.

    Args:
        root: The folder; one that is not there is empty.
        follow_links: Also read linked folders that lead out of the folder.

    Raises:
        InputFileError: A folder cannot be listed.
    """
    walker = _Walker(root, follow_links=follow_links)
    if root.is_dir():
        walker.visit(root)
    return Walk(root, tuple(walker.images), tuple(walker.passed), tuple(walker.leading_out))


def scan_files(folder: Path, *, follow_links: bool = False) -> Iterator[Path]:
    """All entries below a folder that are named as image files; arguments and errors as `walk`."""
    yield from walk(folder, follow_links=follow_links).images


def refuse_leading_out(found: Walk) -> None:
    """Refuse linked folders that lead out of the folder.

    Raises:
        InputFileError: There are some, which would be left out otherwise.
    """
    if not found.leading_out:
        return
    links = [f"{path.relative_to(found.root)} -> {path.resolve()}" for path in found.leading_out]
    lines = [f"  {line}" for line in shortened(links)]
    raise InputFileError(
        "\n".join([f"{len(links)} linked folder(s) that lead out of the folder", *lines]),
        "scans inside the folder",
        "read what they lead to by --follow-links (follow_links: true in a layout's YAML), or remove the links",
        found.root,
    )


def summary(passed: Iterable[PassedOver], root: Path) -> list[str]:
    """One line for each reason: how many, an example, the remedy.

    Args:
        passed: What is passed over; nothing gives no line.
        root: Folder that examples are named from.
    """
    grouped: defaultdict[tuple[str, str], list[Path]] = defaultdict(list)
    for entry in passed:
        grouped[entry.kind, entry.remedy].append(entry.path)
    return [
        f"passed over {len(paths)} {kind}, such as {_below(paths[0], root)}{f' ({remedy})' if remedy else ''}"
        for (kind, remedy), paths in grouped.items()
    ]


def _below(path: Path, root: Path) -> str:
    """Path below a folder, where it lies there."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


@final
class _Walker:
    """Collects what a walk finds."""

    def __init__(self, root: Path, *, follow_links: bool) -> None:
        self.images: list[Path] = []
        self.passed: list[PassedOver] = []
        self.leading_out: list[Path] = []
        self._root = root.resolve()
        self._follow = follow_links
        self._seen = {self._root}

    def visit(self, folder: Path) -> None:
        """One folder: its files, then its subfolders."""
        try:
            entries = sorted(folder.iterdir(), key=lambda path: path.name)
        except OSError as error:
            raise InputFileError(
                f"a folder that cannot be listed ({error.strerror or error})",
                "a readable folder",
                "check its permissions",
                folder,
            ) from error
        folders = {path: os.path.isdir(path) for path in entries}  # noqa: PTH112 - Path.is_dir raises for what it may not see
        self._files(folder, [path for path in entries if not folders[path]])
        for path in (path for path in entries if folders[path]):
            if path.name.startswith(".") or path.name == "__MACOSX":
                self._pass([path], "hidden folders")
            elif (path / "step.json").is_file() or is_export(path):
                self._pass([path], "folders that Glioforge wrote", "name one as the folder to read it")
            elif path.is_symlink():
                self._link(path)
            else:
                self._inside(path)

    def _inside(self, path: Path) -> None:
        """A folder that is no link; below a followed link it may have been read already."""
        if path.resolve() in self._seen:
            self._pass([path], _ELSEWHERE)
            return
        self._seen.add(path.resolve())
        self.images += [path] if is_image(path) else []
        self.visit(path)

    def _files(self, folder: Path, paths: Sequence[Path]) -> None:
        """The files of one folder."""
        names = {path.name.lower() for path in paths}
        dicom = [path for path in paths if _is_dicom(path)]
        if dicom:
            self._pass([folder], "folders of DICOM files", "convert them to NIfTI, by dcm2niix for example")
        for path in paths:
            lower = path.name.lower()
            if path.name.startswith("."):
                apple = path.name.startswith("._")
                self._pass([path] if is_image(path) else [], "files of macOS' Finder" if apple else "hidden files")
            elif lower.endswith(".img"):
                alone = lower.removesuffix(".img") + ".hdr" not in names
                self._pass([path] if alone else [], ".img files without their .hdr", "add the .hdr file")
            elif lower.endswith(".hdr") and lower.removesuffix(".hdr") + ".img" not in names:
                self._pass([path], ".hdr files without their .img", "add the .img file")
            elif is_image(path):
                self.images.append(path)
            else:
                self._foreign(path, lower)

    def _foreign(self, path: Path, lower: str) -> None:
        """Formats that are not read, and links that lead nowhere."""
        kind = next((text for ending, text in _FOREIGN.items() if lower.endswith(ending)), None)
        if kind:
            self._pass([path], kind, "unpack them" if kind == "archives" else CONVERT)
        elif path.is_symlink() and not path.exists():
            self._pass([path], "links that lead nowhere", "restore what they lead to")

    def _link(self, path: Path) -> None:
        """A linked folder."""
        target = path.resolve()
        if target.is_relative_to(self._root) or target in self._seen or self._root.is_relative_to(target):
            self._pass([path], _ELSEWHERE)
        elif self._follow:
            self._seen.add(target)
            self.visit(path)
        elif any(is_image(Path(name)) for _, _, names in islice(os.walk(target), _MOST_FOLDERS) for name in names):
            self.leading_out.append(path)
        else:
            self._pass([path], "linked folders without an image file")

    def _pass(self, paths: Iterable[Path], kind: str, remedy: str = "") -> None:
        """Note what is passed over."""
        self.passed += [PassedOver(path, kind, remedy) for path in paths]


def _is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by its name, or by its contents where the name has no ending."""
    if path.suffix.lower() in _DICOM or path.name == "DICOMDIR":
        return True
    if path.suffix and not path.suffix[1:].isdigit():
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
