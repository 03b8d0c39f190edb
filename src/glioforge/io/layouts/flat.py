"""Any folder whose file names follow one pattern, described in a few lines of YAML.

For example `layout: {kind: flat, pattern: "{case}_{contrast}", contrasts: {fla: flair}, labels: [tumour]}`.

The pattern is matched against the path below the folder, without `.nii` or
`.nii.gz`.  `{contrast}` stands for a name among `contrasts`, `labels` and
`brain`, `{case}` for the case id and `*` for anything within a name.  Without
`{case}` the whole folder is one case.  The patterns are Glioforge's own.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal, final

from pydantic import field_validator

from glioforge.core import Modality, composed
from glioforge.io import (
    BRAIN,
    LABELS,
    LAYOUTS,
    UNCLEAR,
    FoundCase,
    Layout,
    LayoutSpec,
    assemble,
    pattern_of,
    role_of,
    scan_files,
    stem,
)

_USUAL_PATTERNS = (
    "{contrast}",
    "{case}/{contrast}",
    "{case}/{case}_{contrast}",
    "{case}_{contrast}",
    "{case}-{contrast}",
)
Key = tuple[str, bool]
"""A case and whether its files are named in composed Unicode: both forms of one name are two cases, and refused."""
_PARTS = re.compile(r"(\{case\}|\{contrast\}|\*)")


@final
class FlatSpec(LayoutSpec):
    """Files named by one pattern."""

    kind: Literal["flat"] = "flat"
    pattern: str | None = None
    """Path below the folder, such as `{case}/{contrast}`; the usual ones are tried when none is given."""
    contrasts: Mapping[str, Modality] = {}
    """What each name in the place of `{contrast}` shows; none stands for the usual names (see `io.scan_names`)."""
    labels: tuple[str, ...] = ()
    """Names of label files in the place of `{contrast}`; none stands for the usual ones."""
    brain: tuple[str, ...] = ()
    """Names of brain masks in the place of `{contrast}`; none stands for the usual ones."""

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
            **{composed(name): str(modality) for name, modality in spec.contrasts.items()},
            **dict.fromkeys(map(composed, spec.labels), LABELS),
            **dict.fromkeys(map(composed, spec.brain), BRAIN),
        }
        usual = {LABELS} if not spec.labels else set()
        usual |= {BRAIN} if not spec.brain else set()
        usual |= {UNCLEAR} if usual == {LABELS, BRAIN} else set()
        self._usual = usual | ({str(m) for m in Modality} if not spec.contrasts else set())
        self._spec = spec

    def matches(self, folder: Path) -> bool:
        """Whether a file follows the pattern, or one of the usual ones."""
        return bool(self.find(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """Cases of the pattern; without one, of the usual pattern that most files follow."""
        paths = list(scan_files(folder, follow_links=self._spec.follow_links))
        patterns = _USUAL_PATTERNS if self._spec.pattern is None else (self._spec.pattern,)
        sorted_out = [self._sort_out(pattern, paths, folder) for pattern in patterns]
        best = max(sorted_out, key=lambda cases: sum(len(roles) for roles in cases.values()))
        return [assemble(case, roles, subject=self._spec.subject) for (case, _), roles in sorted(best.items())]

    def _sort_out(self, pattern: str, paths: Sequence[Path], folder: Path) -> dict[Key, list[tuple[str, Path]]]:
        """Files with what they hold, by case and Unicode form, as one pattern reads their names."""
        expression = self._expression(pattern)
        cases: defaultdict[Key, list[tuple[str, Path]]] = defaultdict(list)
        for path in paths:
            name = path.relative_to(folder).with_name(stem(path)).as_posix()
            match = expression.fullmatch(composed(name))
            if match:
                case = match.groupdict().get("case") or folder.resolve().name
                role = self._roles.get(match["contrast"]) or role_of(match["contrast"])
                cases[case, name == composed(name)].append((str(role), path))
        return {c: roles for c, roles in cases.items() if any(role not in {BRAIN, UNCLEAR} for role, _ in roles)}

    def _expression(self, pattern: str) -> re.Pattern[str]:
        """The pattern as a regular expression; a second `{case}` must repeat the first."""
        own = [re.escape(composed(name)) for name in sorted(self._roles, key=len, reverse=True)]
        names = "|".join([*own, f"(?i:{pattern_of(self._usual)})"] if self._usual else own)
        text, seen = "", False
        for part in _PARTS.split(pattern):
            if part == "{case}":
                text += "(?P=case)" if seen else "(?P<case>[^/]+?)"
                seen = True
            elif part == "{contrast}":
                text += f"(?P<contrast>{names})"
            else:
                text += "[^/]*" if part == "*" else re.escape(composed(part))
        return re.compile(text)
