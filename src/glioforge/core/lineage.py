"""Provenance of a case: every subject whose data contributed to it, directly or indirectly.

A synthetic case inherits the subjects of its parents, of the generator's
training cases, and of every atlas, filter and statistics object that had a
part in it; a scan that was prepared with something fitted on other subjects
lists them as well.  A model has a lineage too, of everyone whom it has seen in
any way.  The leakage firewall stops on `Lineage.subjects`; `Lineage.ways` is
for its message.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, final

Kind = Literal["real", "phantom", "synthetic"]
VALIDATION: Final = "validation cases that chose the weights"
"""Way of subjects on whom a model was only validated."""


@final
@dataclass(frozen=True)
class Lineage:
    """Origin of a case or of a trained model.

    Args:
        kind: `real`, `phantom` (computed from nothing) or `synthetic` (made from others).
        source: Where it was read from, or the method that made it.
        subjects: All subjects behind it, sorted.
        parents: Case ids of the cases whose labels it was made from.
        seed: Seed of its random streams, if it was made.
        weights: Hash of the generator's weights, if one was used.
        edits: Records of the lesion edits applied, in order.
        ways: Subjects that had a part in one way alone, such as `intensity landmarks` or `validation cases`, by that
            way; all others are the case's own, its parents, or training cases.
    """

    kind: Kind
    source: str
    subjects: tuple[str, ...]
    parents: tuple[str, ...] = ()
    seed: int | None = None
    weights: str | None = None
    edits: tuple[Mapping[str, Any], ...] = ()
    ways: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

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
        union = cls.union(method, parents.values()).through("", generator_subjects)
        return replace(union, parents=tuple(sorted(parents)), seed=seed, weights=weights, edits=tuple(edits))

    @classmethod
    def union(cls, source: str, lineages: Iterable["Lineage"], *, weights: str | None = None) -> "Lineage":
        """Join everyone behind several cases into one lineage, as of a model that was trained on them.

        Args:
            source: What was made of the cases.
            lineages: Of each case; none give a lineage without subjects.
            weights: Hash of the model's weights.
        """
        everyone: set[str] = set()
        plain: set[str] = set()
        ways: dict[str, set[str]] = {}
        for lineage in lineages:
            everyone.update(lineage.subjects)
            plain.update(set(lineage.subjects) - lineage.apart)
            for way, subjects in lineage.ways.items():
                ways.setdefault(way, set()).update(subjects)
        return cls("synthetic", source, tuple(sorted(everyone)), weights=weights, ways=_sorted(ways, without=plain))

    def through(self, way: str, other: "Lineage | Iterable[str]") -> "Lineage":
        """Add everyone behind something else that had a part: landmarks, a filter, validation cases.

        Args:
            way: How they had a part, for the message of the firewall; empty for the way of training cases and parents.
            other: Its lineage, or its subjects.  Who is known already keeps the way that is known.

        Example:
            >>> landmarks = Lineage("real", "intensity landmarks", ("b", "c"))
            >>> Lineage.real("scan", "a").through("landmarks", landmarks).ways
            {'landmarks': ('b', 'c')}
        """
        lineage = other if isinstance(other, Lineage) else Lineage(self.kind, way, tuple(other))
        fresh = set(lineage.subjects) - set(self.subjects)
        ways = {known: set(subjects) for known, subjects in self.ways.items()}
        for inner, subjects in lineage.ways.items():
            ways.setdefault(": ".join(filter(None, (way, inner))), set()).update(fresh & set(subjects))
        if way:
            ways.setdefault(way, set()).update(fresh - lineage.apart)
        return replace(self, subjects=tuple(sorted(fresh.union(self.subjects))), ways=_sorted(ways))

    def shaped_by(self, fitted: Iterable["Lineage"]) -> "Lineage":
        """Add the subjects behind what was fitted before and shaped the case, such as intensity landmarks.

        Example:
            >>> landmarks = Lineage("real", "intensity landmarks", ("b", "c"))
            >>> Lineage.real("scan", "a").shaped_by([landmarks]).subjects
            ('a', 'b', 'c')
        """
        shaped = self
        for lineage in fitted:
            shaped = shaped.through(lineage.source, lineage)
        return shaped

    @property
    def apart(self) -> frozenset[str]:
        """Subjects that had a part only in one of the named ways."""
        return frozenset(subject for subjects in self.ways.values() for subject in subjects)

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
            **({"ways": {way: list(subjects) for way, subjects in self.ways.items()}} if self.ways else {}),
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
            {str(way): tuple(subjects) for way, subjects in values.get("ways", {}).items()},
        )


def _sorted(ways: Mapping[str, Iterable[str]], without: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """Ways in alphabetical order with sorted subjects, each subject in its first way alone; empty ways left out."""
    known = set(without)
    found: dict[str, tuple[str, ...]] = {}
    for way in sorted(ways):
        subjects = tuple(sorted(set(ways[way]) - known))
        known.update(subjects)
        if subjects:
            found[way] = subjects
    return found
