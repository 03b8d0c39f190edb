"""A case as a layout finds it: its files by what they hold, and whom its name is about."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from glioforge.core import InputFileError, Modality, composed
from glioforge.io.scan_names import BRAIN, LABELS, UNCLEAR, Hint


@final
@dataclass(frozen=True)
class FoundCase:
    """Files of one case, by what they hold.

    Args:
        case_id: Unique within the folder.
        subject_id: The person.
        images: File of each contrast.
        labels: Label file, if any.
        brain: Brain-mask file, if any.
        session: Visit, if it is part of the name.
        hint: What the layout knows of the label scheme; none leaves it to the names (see `io.scan_names`).
        facts: What names and tables tell: grade, site.
        sidecar: JSON file in the images' folder that describes a computed case, if any.
        problems: What is wrong with the names, for example a contrast that is there twice.
        channels: Which image of its file each contrast is, counted from 0; none for files of one image.
    """

    case_id: str
    subject_id: str
    images: Mapping[Modality, Path]
    labels: Path | None = None
    brain: Path | None = None
    session: str | None = None
    hint: Hint | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    sidecar: Path | None = None
    problems: tuple[InputFileError, ...] = ()
    channels: Mapping[Modality, int] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, Path]:
        """All image files by contrast, labels or brain."""
        extra = {LABELS: self.labels, BRAIN: self.brain}
        return {**{str(m): p for m, p in self.images.items()}, **{k: p for k, p in extra.items() if p is not None}}

    def channel(self, role: str) -> int | None:
        """Which image of its file a contrast is; none for a file of one image."""
        return next((number for modality, number in self.channels.items() if modality == role), None)


_SESSIONS = (
    re.compile(r"(?P<subject>BraTS-[A-Za-z]+-\d+)-(?P<session>\d+)"),
    re.compile(r"(?P<subject>brats_(?:2013|tcia)_pat\d+)_(?P<session>\d+)"),
    re.compile(r"(?P<subject>(?i:brats)1[7-9]_\w+_\w+?)_(?P<session>\d+)"),
    re.compile(r"(?P<subject>UCSF-PDGM-\d+)_(?P<session>FU\w+)"),
    re.compile(r"(?P<subject>UPENN-GBM-\d+)_(?P<session>\d+)"),
    re.compile(r"(?P<subject>Patient-\d+)_(?P<session>week-[\w-]+)"),
    re.compile(r"(?P<subject>sub-[A-Za-z0-9]+)_ses-(?P<session>[A-Za-z0-9]+)"),
)


def assemble(
    case_id: str,
    roles: Iterable[tuple[str, Path]],
    *,
    subject: str | None = None,
    hint: Hint | None = None,
    facts: Mapping[str, Any] | None = None,
    channels: Mapping[Modality, int] | None = None,
) -> FoundCase:
    """Put the files of one case together.

    Args:
        case_id: Id of the case; kept in composed Unicode (NFC), however the folder is spelt.
        roles: Files with what they hold: a contrast's name, `labels`, `brain` or `unclear mask`, which is asked for
            where there are no labels and passed over otherwise.
        subject: Regular expression for the subject within the case id (see `subject_of`).
        hint: What the layout knows of the label scheme.
        facts: What names and tables tell.
        channels: Which image of its file each contrast is, where a file holds several.
    """
    files: dict[str, Path] = {}
    problems = []
    given = sorted(roles, key=lambda pair: pair[1])
    if LABELS not in {role for role, _ in given}:
        problems += [_unclear(path) for role, path in given if role == UNCLEAR]
    for role, path in (pair for pair in given if pair[0] != UNCLEAR):
        if role in files:
            problems.append(
                InputFileError(
                    f"a second {role} file beside {files[role].name}",
                    f"one {role} file a case",
                    f"remove {_told_apart(files[role], path)}, or name the one that counts in a layout's YAML",
                    path,
                )
            )
        files.setdefault(role, path)
    name = composed(case_id)
    if subject is not None and not re.fullmatch(subject, name):
        problems.append(_unmatched(name, subject, next(iter(files.values()), None)))
    subject_id, session = subject_of(name, subject)
    folder = next(iter(files.values())).parent if files else Path()
    sidecar = folder / f"{case_id}.json"
    return FoundCase(
        name,
        subject_id,
        {m: files[m] for m in Modality if m in files},
        files.get(LABELS),
        files.get(BRAIN),
        session,
        hint,
        dict(facts or {}),
        sidecar if sidecar.is_file() else None,
        tuple(problems),
        dict(channels or {}),
    )


def _told_apart(first: Path, second: Path) -> str:
    """Two files by their names, with their folders where the names are the same."""
    same = first.name == second.name
    return " or ".join(str(Path(path.parent.name, path.name)) if same else path.name for path in (first, second))


def _unclear(path: Path) -> InputFileError:
    """The problem of a mask that may be the brain or the tumour."""
    return InputFileError(
        "a mask that may be the brain or the tumour",
        "a name that says so, such as brain_mask or seg",
        "rename it, or name it in a layout's YAML (kind: flat with `labels: [mask]` or `brain: [mask]`)",
        path,
    )


def _unmatched(name: str, subject: str, path: Path | None) -> InputFileError:
    """The problem of a case whose subject the expression does not give: it would be a subject of its own."""
    return InputFileError(
        f"the case {name!r}, which `subject: {subject}` does not match",
        "an expression that matches the whole name of every case",
        "widen it, as '(?P<subject>sub-[0-9]+).*' does for sub-01_ses-1",
        path,
    )


def subject_of(case_id: str, pattern: str | None = None) -> tuple[str, str | None]:
    """Subject and session that a case id names; the id itself and none where it names neither.

    Args:
        case_id: Id of a case.
        pattern: Regular expression with a group `subject` and perhaps `session`;
            the namings of BraTS are known without one.

    Example:
        >>> subject_of("BraTS-GLI-00005-100")
        ('BraTS-GLI-00005', '100')
        >>> subject_of("brats_2013_pat0001_1")
        ('brats_2013_pat0001', '1')
        >>> subject_of("site7_p12_v3", r"(?P<subject>.+)_v(?P<session>[0-9]+)")
        ('site7_p12', '3')
    """
    for known in _SESSIONS if pattern is None else (re.compile(pattern),):
        match = known.fullmatch(case_id)
        if match:
            return match["subject"], match.groupdict().get("session")
    return case_id, None
