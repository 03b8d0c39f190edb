"""Hashes of the contents of a case's files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from glioforge.core import InputFileError


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
