"""Hashes of a case's files, and of its voxels, by which its scan is known again whatever its files, names and headers.

Each contrast and the mask of the lesion have a hash of their own.  Voxels are
hashed as float32 in the direction nearest to RAS, cut to the box of what is not
0, so that another file type, orientation, name, margin or ingest changes nothing.
Another grid, registration or normalisation does.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Shaped

from glioforge.core import Case, Geometry, InputFileError, bounding_box


def case_digest(digests: Mapping[str, str]) -> str:
    """One hash for a case from the hashes of its files.

    Args:
        digests: Hash of each file, by contrast, `labels` or `brain`; the order does not matter.

    Example:
        >>> case_digest({"t1": "aa", "t2": "bb"}) == case_digest({"t2": "bb", "t1": "aa"})
        True
    """
    text = "\n".join(f"{role} {digest}" for role, digest in sorted(digests.items()))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def hash_of_file(path: Path) -> str:
    """Hash of a file's contents.

    Raises:
        InputFileError: The file cannot be read.
    """
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise InputFileError(f"cannot be read ({error})", "a file", "check the path", path) from error


LEAST_VOXELS: Final = 100
"""Lesions of fewer voxels have no hash: two people may share one."""


def scan_keys(case: Case) -> tuple[str, ...]:
    """Return a hash of each contrast and one of the lesion, sorted; empty where every image is blank.

    Args:
        case: Any; the names of its contrasts and the values of its labels do not matter.
    """
    keys = [_key(volume.voxels + np.float32(0), volume.geometry) for volume in case.images.values()]
    if case.labels is not None and np.count_nonzero(case.labels.lesion) >= LEAST_VOXELS:
        keys.append(_key(case.labels.lesion, case.labels.geometry))
    return tuple(sorted({key for key in keys if key}))


def _key(voxels: Shaped[np.ndarray, "i j k"], geometry: Geometry) -> str:
    """Hash of an array in RAS without its blank margin; empty for one that is 0 everywhere."""
    axes, flips = geometry.canonical_axes()
    turned = voxels.transpose(axes)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    box = bounding_box(turned != 0)
    if box is None:
        return ""
    held = np.ascontiguousarray(turned[box])
    return hashlib.blake2b(f"{held.dtype} {held.shape}".encode() + held.tobytes(), digest_size=16).hexdigest()
