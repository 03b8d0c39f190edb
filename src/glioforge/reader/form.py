"""What a reader's form holds: checked against the settings of the study before anything is stored."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import numpy as np
from jaxtyping import Bool

from glioforge.reader.folder import Study

LONGEST_COMMENT: Final = 2000
_NUMBER: Final = re.compile(r"\d{1,9}")
_KEY: Final = re.compile(r"[0-9a-zA-Z-]{8,64}")
TUMOUR: Final = ("tumour", "no tumour")
ENHANCING: Final = ("yes", "no")

Form = Mapping[str, Sequence[str]]


@final
class RefusedError(Exception):
    """A request that cannot be fulfilled, for a reason that the reader is shown.

    Args:
        status: HTTP status.
        text: The reason, one sentence.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def read_answer(study: Study, form: Form) -> tuple[str, dict[str, Any]]:
    """Return the idempotency key and the answer of a form.

    Args:
        study: The study.
        form: Values of each field.

    Raises:
        RefusedError: 422 with what is missing or no answer to what was asked.
    """
    spec = study.spec
    key = _one(form, "key")
    if not _KEY.fullmatch(key):
        raise RefusedError(422, "The form is incomplete: reload the page.")
    body: dict[str, Any] = {"call": "", "confidence": None, "score": None}
    if spec.calls:
        body["call"] = _chosen(form, "call", spec.calls, "Choose an answer.")
    if spec.confidence_levels and spec.calls:
        body["confidence"] = _step(form, "confidence", spec.confidence_levels, "Choose how confident you are.")
    if spec.scores:
        body["score"] = _step(form, "score", spec.scores, "Choose a score.")
    body["cues"] = _cues(form, spec.cues)
    body["comment"] = _comment(form) if spec.comment else ""
    body.update(_diagnosis(study, form))
    if spec.kind == "delineation":
        body.update(_drawing(study, form))
    body["ms"] = _milliseconds(form)
    return key, body


def drawn(text: str, shape: tuple[int, int]) -> Bool[np.ndarray, "row column"]:
    """Return the mask of a drawing: rows of bits, packed and written in base64.

    Args:
        text: The drawing.
        shape: Rows and columns of the image.

    Raises:
        RefusedError: 422 where it is none of this size.
    """
    count = shape[0] * shape[1]
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(422, "The drawing is damaged: reload the page and draw again.") from error
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    if len(data) != (count + 7) // 8 or bits[count:].any():
        raise RefusedError(422, f"The drawing is not of {shape[0]} rows and {shape[1]} columns: reload the page.")
    return bits[:count].reshape(shape).astype(bool)


def _one(form: Form, name: str) -> str:
    """The one value of a field; empty where it is missing."""
    values = form.get(name, ())
    if len(values) > 1:
        raise RefusedError(422, f"The field {name} was sent twice.")
    return values[0].strip() if values else ""


def _chosen(form: Form, name: str, choices: Sequence[str], missing: str) -> str:
    """A value that is one of the choices."""
    value = _one(form, name)
    if value not in choices:
        raise RefusedError(422, missing)
    return value


def _step(form: Form, name: str, steps: int, missing: str) -> int:
    """A whole number from 1 to a number of steps."""
    value = _one(form, name)
    if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= steps:
        raise RefusedError(422, missing)
    return int(value)


def _cues(form: Form, known: Sequence[str]) -> list[str]:
    """Reasons that were ticked, in the order of the settings."""
    ticked = set(form.get("cue", ()))
    if not ticked <= set(known):
        raise RefusedError(422, "A reason was ticked that was not on the list.")
    return [cue for cue in known if cue in ticked]


def _comment(form: Form) -> str:
    """Free text without control characters."""
    text = "".join(c for c in _one(form, "comment").replace("\r\n", "\n") if c == "\n" or c.isprintable())
    if len(text) > LONGEST_COMMENT:
        raise RefusedError(422, f"The comment is longer than {LONGEST_COMMENT} letters.")
    return text


def _diagnosis(study: Study, form: Form) -> dict[str, Any]:
    """Tumour, enhancement and place, where they are asked for."""
    spec = study.spec
    if spec.kind != "diagnosis" and not spec.diagnose:
        return {}
    found = _chosen(form, "call" if spec.kind == "diagnosis" else "tumour", TUMOUR, "Say whether there is a tumour.")
    if found == "no tumour":
        return {"tumour": found, "enhancing": "", "where": []}
    enhancing = _chosen(form, "enhancing", ENHANCING, "Say whether the tumour enhances.")
    return {"tumour": found, "enhancing": enhancing, "where": _place(study, _one(form, "where"))}


def _place(study: Study, text: str) -> list[int]:
    """Position in the pixels of the image: `k,row,column`, of a volume `i,j,k`."""
    numbers = text.split(",")
    shape = study.shape[1:]
    if len(numbers) != 3 or not all(_NUMBER.fullmatch(number) for number in numbers):
        raise RefusedError(422, "Mark the tumour in the image.")
    place = [int(number) for number in numbers]
    if not all(at < size for at, size in zip(place, shape, strict=True)):
        raise RefusedError(422, "The mark lies outside the image.")
    return place


def _drawing(study: Study, form: Form) -> dict[str, Any]:
    """The outline that was drawn, or that there is no tumour."""
    if _one(form, "nothing") == "yes":
        return {"tumour": "no tumour", "drawing": ""}
    rows, columns = study.shape[2:]
    if (_one(form, "rows"), _one(form, "columns")) != (str(rows), str(columns)):
        raise RefusedError(422, "The drawing belongs to another image: reload the page.")
    text = _one(form, "drawing")
    if not text or not drawn(text, (rows, columns)).any():
        raise RefusedError(422, "Outline the tumour, or say that there is none.")
    return {"tumour": "tumour", "drawing": text}


def _milliseconds(form: Form) -> int | None:
    """Time to the answer as the browser measured it; none where it did not."""
    text = _one(form, "ms")
    return int(text) if _NUMBER.fullmatch(text) else None
