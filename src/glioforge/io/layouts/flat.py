"""Any folder whose file names follow one pattern, described in a few lines of YAML.

For example `layout: {kind: flat, pattern: "{case}_{contrast}", contrasts: {fla: flair}, labels: [tumour]}`.

The pattern is matched against the path below the folder, without `.nii` or
`.nii.gz`.  `{contrast}` stands for a name among `contrasts`, `labels` and
`brain`, `{case}` for the case id and `*` for anything within a name.  Without
`{case}` the whole folder is one case.  The patterns are Glioforge's own.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, final

from pydantic import field_validator

from glioforge.core.modality import Modality
from glioforge.io.found_case import BRAIN, LABELS, FoundCase, assemble, scan_files
from glioforge.io.layout import LAYOUTS, Layout, LayoutSpec
from glioforge.io.nifti import stem

_USUAL_PATTERNS = (
    "{contrast}",
    "{case}/{contrast}",
    "{case}/{case}_{contrast}",
    "{case}_{contrast}",
    "{case}-{contrast}",
)
_PARTS = re.compile(r"(\{case\}|\{contrast\}|\*)")


@final
class FlatSpec(LayoutSpec):
    """Files named by one pattern."""

    kind: Literal["flat"] = "flat"
    pattern: str | None = None
    """Path below the folder, such as `{case}/{contrast}`; the usual ones are tried when none is given."""
    contrasts: Mapping[str, Modality] = {
        "t1": Modality.T1,
        "t1w": Modality.T1,
        "t1n": Modality.T1,
        "t1c": Modality.T1CE,
        "t1ce": Modality.T1CE,
        "t1gd": Modality.T1CE,
        "t2": Modality.T2,
        "t2w": Modality.T2,
        "fla": Modality.FLAIR,
        "flair": Modality.FLAIR,
        "t2f": Modality.FLAIR,
        "aptw": Modality.APTW,
    }
    """What each name in the place of `{contrast}` shows."""
    labels: tuple[str, ...] = ("seg", "seg_simple", "segmentation", "label", "labels")
    """Names of label files in the place of `{contrast}`."""
    brain: tuple[str, ...] = ("brain", "brainmask", "brain_mask")
    """Names of brain masks in the place of `{contrast}`."""

    @field_validator("pattern")
    @classmethod
    def _has_contrast(cls, pattern: str | None) -> str | None:
        """Refuse a pattern that does not tell contrasts apart."""
        if pattern is not None and pattern.count("{contrast}") != 1:
            raise ValueError(f"pattern {pattern!r} needs {{contrast}} once")
        return pattern


@LAYOUTS.register(FlatSpec)
@final
class FlatLayout(Layout):
    """Finds cases by a pattern of names."""

    general: ClassVar[bool] = True

    def __init__(self, spec: FlatSpec) -> None:
        self._roles: dict[str, str] = {
            **{name: str(modality) for name, modality in spec.contrasts.items()},
            **dict.fromkeys(spec.labels, LABELS),
            **dict.fromkeys(spec.brain, BRAIN),
        }
        self._spec = spec

    def matches(self, folder: Path) -> bool:
        """Whether a file follows the pattern, or one of the usual ones."""
        return bool(self.find(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """Cases of the pattern; without one, of the usual pattern that most files follow."""
        paths = {path.relative_to(folder).with_name(stem(path)).as_posix(): path for path in scan_files(folder)}
        patterns = _USUAL_PATTERNS if self._spec.pattern is None else (self._spec.pattern,)
        sorted_out = [self._sort_out(pattern, paths, folder) for pattern in patterns]
        best = max(sorted_out, key=lambda cases: sum(len(roles) for roles in cases.values()))
        return [assemble(case, roles, subject=self._spec.subject) for case, roles in sorted(best.items())]

    def _sort_out(self, pattern: str, paths: Mapping[str, Path], folder: Path) -> dict[str, list[tuple[str, Path]]]:
        """Files with what they hold, by case, as one pattern reads their names."""
        expression = self._expression(pattern)
        cases: defaultdict[str, list[tuple[str, Path]]] = defaultdict(list)
        for name, path in paths.items():
            match = expression.fullmatch(name)
            if match:
                case = match.groupdict().get("case") or folder.resolve().name
                cases[case].append((self._roles[match["contrast"]], path))
        return {case: roles for case, roles in cases.items() if any(role != BRAIN for role, _ in roles)}

    def _expression(self, pattern: str) -> re.Pattern[str]:
        """The pattern as a regular expression; a second `{case}` must repeat the first."""
        names = "|".join(re.escape(name) for name in sorted(self._roles, key=len, reverse=True))
        text, seen = "", False
        for part in _PARTS.split(pattern):
            if part == "{case}":
                text += "(?P=case)" if seen else "(?P<case>[^/]+?)"
                seen = True
            elif part == "{contrast}":
                text += f"(?P<contrast>{names})"
            else:
                text += "[^/]*" if part == "*" else re.escape(part)
        return re.compile(text)
