"""Any folder whose file names follow one pattern, described in a few lines of YAML.

For example `layout: {kind: flat, pattern: "{case}_{contrast}", contrasts: {fla: flair}, labels: [tumour]}`.

The pattern is matched against the path below the folder, without `.nii` or
`.nii.gz`.  `{contrast}` stands for a name among `contrasts`, `labels` and
`brain`, `{case}` for the case id and `*` for anything within a name.  Without
`{case}` the whole folder is one case.  The patterns are Glioforge's own.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, final

from pydantic import field_validator

from glioforge.core import Modality, composed
from glioforge.io import LAYOUTS, UNCLEAR, FoundCase, Layout, LayoutSpec, ScanFile, pattern_of, role_of

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
            **dict.fromkeys(map(composed, spec.labels), "labels"),
            **dict.fromkeys(map(composed, spec.brain), "brain"),
        }
        usual = {"labels"} if not spec.labels else set()
        usual |= {"brain"} if not spec.brain else set()
        usual |= {UNCLEAR} if usual == {"labels", "brain"} else set()
        self._usual = usual | ({str(m) for m in Modality} if not spec.contrasts else set())
        self._spec = spec

    def matches(self, folder: Path) -> bool:
        """Whether a file follows the pattern, or one of the usual ones."""
        return bool(self.find(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """Cases of the pattern; without one, of the usual pattern that most files follow."""
        patterns = _USUAL_PATTERNS if self._spec.pattern is None else (self._spec.pattern,)
        files = list(self.files(folder))
        read = [self.by_case(files, partial(self._place, self._expression(pattern))) for pattern in patterns]
        cases = [{key: files for key, files in by.items() if not self.only_masks(files)} for by in read]
        best = max(cases, key=lambda by: sum(map(len, by.values())))
        return [self.case(name, files) for (name, _), files in sorted(best.items())]

    def _place(self, expression: re.Pattern[str], file: ScanFile) -> tuple[Key, str] | None:
        """Case and Unicode form of a file, and what it holds, as one pattern reads its name."""
        name = "/".join((*file.parts[:-1], file.stem))
        match = expression.fullmatch(composed(name))
        if match is None:
            return None
        case = match.groupdict().get("case") or file.root.resolve().name
        role = self._roles.get(match["contrast"]) or role_of(match["contrast"])
        return (case, name == composed(name)), str(role)

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
