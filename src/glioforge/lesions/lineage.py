"""Lineage of edited cases: every subject who gave a lesion contributed to them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from glioforge.core.lineage import Lineage
from glioforge.core.protocols import EditRecord

METHOD = "lesion edits"
"""Source of a label map that was edited and not yet imaged."""


def subjects_of(records: Iterable[EditRecord]) -> tuple[str, ...]:
    """Subjects that edits brought in as donors, sorted; none for no records."""
    return tuple(sorted({str(s) for record in records for s in record.values.get("subjects", ())}))


def donors_of(records: Iterable[EditRecord]) -> tuple[str, ...]:
    """Ids of the donor cases, sorted."""
    named = {record.values["donor"] for record in records if record.values.get("donor") is not None}
    return tuple(sorted(str(n) for n in named))


def edited_lineage(parents: Mapping[str, Lineage], records: Iterable[EditRecord], *, seed: int) -> Lineage:
    """Lineage of an edited label map.

    Args:
        parents: Lineage of the case that was edited, by its id.
        records: Edits that were applied, in order.
        seed: Seed of the draw.
    """
    edits = tuple(records)
    made = Lineage.synthetic(METHOD, parents, seed=seed, edits=[e.to_json() for e in edits])
    lineage = made.through("lesion donor of an edit", subjects_of(edits))
    return replace(lineage, parents=tuple(sorted({*lineage.parents, *donors_of(edits)})))
