"""Named random streams: every draw depends on a seed and a name, on nothing else.

Deriving a stream from `(seed, "lesions", case_id)` makes a case's draw
independent of batch order, worker count and of what ran before it, so that a
resumed or a parallel run gives the same bytes as an undisturbed one.
"""

import hashlib

import numpy as np

StreamName = str | int


def stream_seed(seed: int, *names: StreamName) -> int:
    """Return a 63-bit integer that depends on the seed and every name.

    Example:
        >>> stream_seed(7, "noise", 0) == stream_seed(7, "noise", 0)
        True
        >>> stream_seed(7, "noise", 0) == stream_seed(7, "noise", 1)
        False
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in (seed, *names):
        digest.update(f"{type(part).__name__}:{part}".encode())
        digest.update(b"\x00")
    return int.from_bytes(digest.digest(), "big") >> 1


def stream(seed: int, *names: StreamName) -> np.random.Generator:
    """Return an independent numpy generator for this seed and these names."""
    return np.random.default_rng(stream_seed(seed, *names))
