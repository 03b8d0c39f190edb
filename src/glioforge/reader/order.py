"""The order in which a reader sees the items: practice first, then a permutation of his own, with repeats later on.

Order and sides depend on the seed of the study and on the reader's name, and on nothing else, so that they can be
computed again.  Sides are counter-balanced over each pair of methods and so over the whole list; a repeat of a pair
swaps its sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from glioforge.core import stream

LEFT: Final = "left"
RIGHT: Final = "right"
_GAP: Final = 10
"""Items between an item and its repeat, where the study has as many."""


@final
@dataclass(frozen=True)
class Place:
    """One showing of an item.

    Args:
        item: Key of the item.
        repeat: Whether the reader has seen it before.
        side: Side on which the item's first stimulus is shown; empty for single items.
    """

    item: str
    repeat: bool = False
    side: str = ""


def reading_order(
    seed: int, reader: str, items: Mapping[str, str], practice: Sequence[str] = (), repeats: float = 0.0
) -> tuple[Place, ...]:
    """Return the showings of a reader.

    Args:
        seed: Seed of the study.
        reader: Name of the reader, case-folded.
        items: What is counter-balanced (the two methods of a pair, empty for single items) by the key of the item.
        practice: Keys of practice items, in their order.
        repeats: Share of the items that are shown twice.

    Example:
        >>> [place.item for place in reading_order(1, "a", {"x": "", "y": ""}, ["p"])]
        ['p', 'y', 'x']
    """
    rng = stream(seed, "order", reader)
    keys = [sorted(items)[int(n)] for n in rng.permutation(len(items))]
    sides = _sides(rng, keys, items)
    count = min(len(keys), round(repeats * len(keys)))
    gap = min(_GAP, len(keys) // 3)
    early = keys[: max(count, len(keys) - gap)]
    again = {early[int(n)] for n in rng.choice(len(early), count, replace=False)} if count else set()
    shown = [(float(n), Place(key, side=sides[key])) for n, key in enumerate(keys)]
    for n, key in enumerate(keys):
        if key in again:
            later = float(rng.uniform(min(n + gap, len(keys) - 1), len(keys))) + 0.5
            shown.append((later, Place(key, repeat=True, side=_other(sides[key]))))
    shown.sort(key=lambda one: one[0])
    return (*(Place(key) for key in practice), *(place for _, place in shown))


def _sides(rng: np.random.Generator, keys: Sequence[str], items: Mapping[str, str]) -> dict[str, str]:
    """Alternate sides within each group, beginning where the groups before left off."""
    sides = dict.fromkeys(keys, "")
    turn = int(rng.integers(2))
    for group in sorted({items[key] for key in keys} - {""}):
        for key in (key for key in keys if items[key] == group):
            sides[key] = (LEFT, RIGHT)[turn]
            turn = 1 - turn
    return sides


def _other(side: str) -> str:
    """The other side; empty for a single item."""
    return {LEFT: RIGHT, RIGHT: LEFT}.get(side, "")
