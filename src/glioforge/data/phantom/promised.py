"""A cohort of phantoms before they are made: their names and contrasts, for plans."""

from pathlib import Path

from glioforge.core.case import Case, CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CaseError
from glioforge.core.lineage import Lineage
from glioforge.core.modality import Modality
from glioforge.core.schemes import BRATS2023
from glioforge.data.phantom.make import phantom_id


def promised_phantoms(seed: int, cases: int) -> Cohort:
    """Return the cohort that `write_phantom_cohort` will make, without files.

    Args:
        seed: Seed of the cohort.
        cases: Number of subjects; 0 gives an empty cohort.

    Example:
        >>> promised_phantoms(7, 2).subject_ids
        ('phantom-007-0000', 'phantom-007-0001')
    """
    names = [phantom_id(seed, index) for index in range(cases)]
    images = {Modality(name): Path(name) for name in ("t1", "t1ce", "t2", "flair")}
    refs = (CaseRef(n, n, images, BRATS2023.name, Lineage.phantom(n, seed), "", _unmade, Path("seg")) for n in names)
    return Cohort("phantoms", tuple(refs), BRATS2023)


def _unmade(ref: CaseRef) -> Case:
    """Refuse to read a phantom that is not made yet."""
    raise CaseError("a phantom that is not made yet", "one that is", where=ref.case_id)
