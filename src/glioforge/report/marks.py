"""Marks that no figure may lose when it leaves its page: leaks, and synthetic cases of unknown provenance."""

from collections.abc import Iterable
from typing import Final

LEAKY: Final = "LEAKY"
"""Slices of one person were trained on and tested."""
UNVERIFIED: Final = "provenance unverified"
"""Nobody declared which subjects are behind synthetic cases."""
_SENTENCES: Final = {
    LEAKY: "LEAKY: arms so marked were tested on people they were trained on",
    UNVERIFIED: "Provenance unverified: exploratory",
}


def banner_of(titles: Iterable[str]) -> str:
    """Return what a figure of these arms says above its panels; empty where no title bears a mark.

    Example:
        >>> banner_of(["Real", "Other tool (provenance unverified)"])
        'Provenance unverified: exploratory'
        >>> banner_of(["Real"])
        ''
    """
    shown = tuple(titles)
    return "\n".join(text for mark, text in _SENTENCES.items() if any(mark in title for title in shown))
