"""Whether a cohort fits into memory, or has to be read from the store while it is used."""

from glioforge.compute.memory import usable_memory
from glioforge.core.cohort import Cohort
from glioforge.data.store import stored_bytes

SHARE = 0.25
"""Share of the machine's memory that a cohort may take: a training often holds two, and several may run at once."""


def fits_in_memory(cohort: Cohort, *, bytes_per_voxel: int | None = None) -> bool:
    """Return whether the voxels of all stored cases fit into a quarter of the memory; other cases do not count.

    Args:
        cohort: Any cohort.
        bytes_per_voxel: Size of a voxel of an image in memory; that of the store (2) unless given.
    """
    room = SHARE * usable_memory()
    for ref in cohort:
        room -= stored_bytes(ref, bytes_per_voxel)
        if room < 0:
            return False
    return True
