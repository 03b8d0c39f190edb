"""What is asked of a slice from noise: findings in words, as rows of findings that training slices show.

A request leaves those rows of a table that fulfil it; each draw takes one of them, so that findings that nobody asked
for are as frequent, and go together, as in the training slices.

Conventions
-----------
table       `(row, finding)` in the order of the sampler's conditions, as `sampling.slices` measures them
request     `tumour`: present, absent; `size`: small, medium, large (thirds of the slices with tumour); `side`: left,
            right (of the patient)
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float32

from glioforge.core import SpecError
from glioforge.sampling.slice_spec import Finding

WORDS: Final[Mapping[Finding, tuple[str, ...]]] = {
    "tumour": ("present", "absent"),
    "size": ("small", "medium", "large"),
    "side": ("left", "right"),
}
"""What can be asked of each finding."""
_BESIDES: Final = 0.1
"""Distance from the middle, in halves of the brain's width, from which on a tumour is on a side."""

Rows = Float32[np.ndarray, "row finding"]


def request_of(texts: Sequence[str]) -> dict[str, str]:
    """Read a request as the command line takes it.

    Raises:
        SpecError: A text is not `finding=word`.

    Example:
        >>> request_of(["tumour=present", "side=left"])
        {'tumour': 'present', 'side': 'left'}
    """
    request = {}
    for text in texts:
        finding, equals, word = text.partition("=")
        if not (finding and equals and word):
            raise SpecError(f"finding {text!r}", "finding=word, such as tumour=present", where="--ask")
        request[finding] = word
    return request


def fulfilling(table: Rows, conditions: Sequence[Finding], request: Mapping[str, str]) -> Bool[np.ndarray, "row"]:
    """Mark the rows that fulfil a request; all for an empty one.

    Raises:
        SpecError: The sampler was not conditioned on a finding, the word is unknown, or no row fulfils the request.

    Example:
        >>> table = np.array([[0.0], [1.0]], dtype=np.float32)
        >>> fulfilling(table, ("tumour",), {"tumour": "present"}).tolist()
        [False, True]
    """
    kept = np.ones(len(table), dtype=bool)
    for finding, word in request.items():
        column = next((place for place, name in enumerate(conditions) if name == finding), None)
        if column is None:
            known = ", ".join(conditions) or "nothing"
            raise SpecError(
                f"{finding} {word!r} asked of a sampler that was conditioned on {known}",
                "a finding that it was conditioned on",
                "train it with `conditions: [tumour, size, side]`",
            )
        words = WORDS[conditions[column]]
        if word not in words:
            raise SpecError(f"{finding} {word!r}", f"one of {', '.join(words)}")
        values: Float32[np.ndarray, "row"] = table[:, column]
        kept &= _holds(conditions[column], word, values)
    if not kept.any():
        told = ", ".join(f"{finding} {word}" for finding, word in request.items())
        raise SpecError(f"no training slice with {told}", "findings that go together", "ask for fewer at once")
    return kept


def _holds(finding: Finding, word: str, values: Float32[np.ndarray, "row"]) -> Bool[np.ndarray, "row"]:
    """Which values a word means."""
    if finding == "tumour":
        return (values > 0.5) == (word == "present")
    if finding == "side":
        return values < -_BESIDES if word == "left" else values > _BESIDES
    shown = values[values > 0]
    edges = np.quantile(shown, (1 / 3, 2 / 3)) if len(shown) else np.zeros(2)
    third = np.searchsorted(edges, values, side="left")
    return np.asarray((values > 0) & (third == WORDS["size"].index(word)))


def described(row: Float32[np.ndarray, "finding"], conditions: Sequence[Finding]) -> dict[str, Any]:
    """Return a row in words, as facts of a case: `asked_tumour`, `asked_size_percent` of the brain, `asked_side`.

    Example:
        >>> described(np.array([1.0, 0.3], dtype=np.float32), ("tumour", "size"))
        {'asked_tumour': 'present', 'asked_size_percent': 9.0}
    """
    told: dict[str, Any] = {}
    for finding, value in zip(conditions, row.tolist(), strict=True):
        if finding == "tumour":
            told["asked_tumour"] = "present" if value > 0.5 else "absent"
        elif finding == "size":
            told["asked_size_percent"] = round(100 * value**2, 1)
        elif abs(value) > _BESIDES:
            told["asked_side"] = "left" if value < 0 else "right"
    return told
