"""A bank of lesions, cut from the cases of a training cohort.

The bank is a `DonorSource`.  It holds cut-outs in canonical axes and nothing of
the brains around them, so hundreds fit into memory; each donor names the
subjects behind its case, and every record and lineage that uses it names them
again, so the leakage firewall sees them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np

from glioforge.core.case import CaseRef
from glioforge.core.errors import EditError
from glioforge.data.store import read_labels
from glioforge.lesions.base import Donor
from glioforge.lesions.cutout import cut
from glioforge.lesions.donor import canonical
from glioforge.lesions.midline import midsagittal_plane
from glioforge.lesions.shape import LesionShape, shape_of

Bounds = tuple[float, float]


@final
@dataclass(frozen=True, eq=False)
class BankEntry:
    """One lesion with its descriptors."""

    donor: Donor
    shape: LesionShape


@final
@dataclass(frozen=True, eq=False)
class LesionBank:
    """Lesions of several cases; may be empty.

    Args:
        entries: One a case, in the cohort's order.
    """

    entries: tuple[BankEntry, ...]

    @classmethod
    def of(cls, cases: Iterable[CaseRef]) -> "LesionBank":
        """Cut the lesions of prepared cases; cases without lesion are passed over.

        Args:
            cases: A training cohort, in the complete scheme.

        Raises:
            CaseError: A case has no label map.
            LabelError: A map is not complete.
        """
        return cls(tuple(entry for ref in cases for entry in _entries(ref)))

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def case_ids(self) -> tuple[str, ...]:
        """Ids of the cases."""
        return tuple(entry.donor.case_id for entry in self.entries)

    def donor(self, case_id: str) -> Donor:
        """The lesion of a case.

        Raises:
            EditError: The bank has none of it.
        """
        for entry in self.entries:
            if entry.donor.case_id == case_id:
                return entry.donor
        raise EditError(f"donor {case_id!r}", f"one of {list(self.case_ids)[:20]}", "hand in the bank of the record")

    def without(self, subjects: Iterable[str]) -> "LesionBank":
        """The bank without lesions behind which any of these subjects stands."""
        left_out = set(subjects)
        return LesionBank(tuple(e for e in self.entries if not left_out & set(e.donor.subjects)))

    def where(
        self,
        *,
        volume_ml: Bounds | None = None,
        sphericity: Bounds | None = None,
        midline_mm: Bounds | None = None,
        hemisphere: str | None = None,
        zone: str | None = None,
    ) -> "LesionBank":
        """The lesions whose descriptors lie within all bounds given; all of them for none."""
        bounds = {"volume_ml": volume_ml, "sphericity": sphericity, "midline_mm": midline_mm}
        names = {"hemisphere": hemisphere, "zone": zone}

        def suits(shape: LesionShape) -> bool:
            values = shape.to_json()
            within = all(b is None or b[0] <= values[key] <= b[1] for key, b in bounds.items())
            return within and all(n is None or values[key] == n for key, n in names.items())

        return LesionBank(tuple(e for e in self.entries if suits(e.shape)))

    def evenly_by_volume(self, count: int, rng: np.random.Generator) -> "LesionBank":
        """A sample without repeats, spread evenly over the volumes' ranks.

        The ranks are divided into `count` equal spans and one lesion is drawn of each.

        Raises:
            EditError: Fewer lesions are there than asked for.
        """
        if not 0 < count <= len(self):
            raise EditError(f"a sample of {count} lesions", f"1 to {len(self)}", "cut more cases")
        order = np.argsort([e.shape.volume_ml for e in self.entries], kind="stable")
        edges = np.linspace(0, len(self), count + 1).astype(int)
        ranks = [int(rng.integers(a, b)) for a, b in pairwise(edges)]
        return LesionBank(tuple(self.entries[int(order[rank])] for rank in ranks))


def _entries(ref: CaseRef) -> list[BankEntry]:
    """The lesion of a case; none without one."""
    labels = read_labels(ref)
    if not labels.lesion.any():
        return []
    lesion = cut(labels)
    shape = shape_of(labels, lesion, midsagittal_plane(labels))
    subjects = tuple(sorted({ref.subject_id, *ref.lineage.subjects}))
    return [BankEntry(Donor(ref.case_id, subjects, canonical(lesion, labels.geometry)), shape)]
