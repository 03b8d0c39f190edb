"""Provenance of a case: every subject whose data contributed to it, directly or indirectly.

A synthetic case inherits the subjects of its parents, of the generator's
training cases, and of every atlas, filter and statistics object that had a
part in it; a scan that was prepared with something fitted on other subjects
lists them as well.  The leakage firewall reads nothing but `Lineage.subjects`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, final

Kind = Literal["real", "phantom", "synthetic"]


@final
@dataclass(frozen=True)
class Lineage:
    """Origin of a case.

    Args:
        kind: `real`, `phantom` (computed from nothing) or `synthetic` (made from others).
        source: Where it was read from, or the method that made it.
        subjects: All subjects behind it, sorted.
        parents: Case ids of the cases whose labels it was made from.
        seed: Seed of its random streams, if it was made.
        weights: Hash of the generator's weights, if one was used.
        edits: Records of the lesion edits applied, in order.
    """

    kind: Kind
    source: str
    subjects: tuple[str, ...]
    parents: tuple[str, ...] = ()
    seed: int | None = None
    weights: str | None = None
    edits: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def real(cls, source: str, subject_id: str) -> "Lineage":
        """A scan of one subject, read from `source`."""
        return cls("real", source, (subject_id,))

    @classmethod
    def phantom(cls, subject_id: str, seed: int) -> "Lineage":
        """A computed subject that no patient stands behind."""
        return cls("phantom", "glioforge phantom", (subject_id,), seed=seed)

    @classmethod
    def synthetic(
        cls,
        method: str,
        parents: Mapping[str, "Lineage"],
        *,
        seed: int,
        generator_subjects: Iterable[str] = (),
        weights: str | None = None,
        edits: Iterable[Mapping[str, Any]] = (),
    ) -> "Lineage":
        """A case made from others; its subjects are the union over all of them.

        Args:
            method: Kind of the synthesizer.
            parents: Lineage of each parent (mask, lesion donor, style) by case id.
            seed: Seed of its random streams.
            generator_subjects: Subjects behind generator, atlas, filters and statistics.
            weights: Hash of the generator's weights.
            edits: Records of the edits applied, in order.
        """
        subjects = set(generator_subjects).union(*(parent.subjects for parent in parents.values()))
        return cls("synthetic", method, tuple(sorted(subjects)), tuple(sorted(parents)), seed, weights, tuple(edits))

    def shaped_by(self, fitted: Iterable["Lineage"]) -> "Lineage":
        """Add the subjects behind what was fitted before and shaped the case, such as intensity landmarks.

        Example:
            >>> landmarks = Lineage("real", "intensity landmarks", ("b", "c"))
            >>> Lineage.real("scan", "a").shaped_by([landmarks]).subjects
            ('a', 'b', 'c')
        """
        behind = set(self.subjects).union(*(lineage.subjects for lineage in fitted))
        return replace(self, subjects=tuple(sorted(behind)))

    @property
    def is_synthetic(self) -> bool:
        """Whether the case was made from others."""
        return self.kind == "synthetic"

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "kind": self.kind,
            "source": self.source,
            "subjects": list(self.subjects),
            "parents": list(self.parents),
            "seed": self.seed,
            "weights": self.weights,
            "edits": [dict(edit) for edit in self.edits],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Lineage":
        """Inverse of `to_json`."""
        return cls(
            values["kind"],
            values["source"],
            tuple(values["subjects"]),
            tuple(values["parents"]),
            values["seed"],
            values["weights"],
            tuple(values["edits"]),
        )
