"""A bank of lesions, cut from the cases of a training cohort.

The bank is a `DonorSource`.  It holds lesions in canonical axes and nothing of
the brains around them, so hundreds fit into memory; each donor names the
subjects behind its case, and every record and lineage that uses it names them
again, so the leakage firewall sees them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from glioforge.core.case import CaseRef
from glioforge.core.errors import EditError
from glioforge.data.store import read_labels
from glioforge.lesions.donor import Donor, canonical
from glioforge.lesions.patch import cut, require_complete


@final
@dataclass(frozen=True, eq=False)
class LesionBank:
    """Lesions of several cases; may be empty.

    Args:
        donors: One a case, in the cohort's order.
    """

    donors: tuple[Donor, ...]

    @classmethod
    def of(cls, cases: Iterable[CaseRef]) -> "LesionBank":
        """Cut the lesions of prepared cases; cases without lesion are passed over.

        Args:
            cases: A training cohort, in the complete scheme.

        Raises:
            CaseError: A case has no label map.
            LabelError: A map is not complete.
        """
        return cls(tuple(donor for ref in cases for donor in _donors(ref)))

    def __len__(self) -> int:
        return len(self.donors)

    @property
    def case_ids(self) -> tuple[str, ...]:
        """Ids of the cases."""
        return tuple(donor.case_id for donor in self.donors)

    def donor(self, case_id: str) -> Donor:
        """The lesion of a case.

        Raises:
            EditError: The bank has none of it.
        """
        for donor in self.donors:
            if donor.case_id == case_id:
                return donor
        raise EditError(f"donor {case_id!r}", f"one of {list(self.case_ids)[:20]}", "hand in the bank of the record")

    def without(self, subjects: Iterable[str]) -> "LesionBank":
        """The bank without lesions to which any of these subjects contributed."""
        left_out = set(subjects)
        return LesionBank(tuple(donor for donor in self.donors if not left_out & set(donor.subjects)))


def _donors(ref: CaseRef) -> list[Donor]:
    """The lesion of a case; none without one."""
    labels = read_labels(ref)
    require_complete(labels)
    if not labels.lesion.any():
        return []
    subjects = tuple(sorted({ref.subject_id, *ref.lineage.subjects}))
    return [Donor(ref.case_id, subjects, canonical(cut(labels), labels.geometry))]
