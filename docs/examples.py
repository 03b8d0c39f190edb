"""Griffe extension: the section `Example:` of a docstring holds examples, as `Examples:` does."""

import re
from typing import Any

import griffe

_HEADING = re.compile(r"^Example:$", re.MULTILINE)


class SingularExamples(griffe.Extension):
    """Lets doctests under `Example:` be shown as code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:  # noqa: ANN401 - what Griffe hands over
        """Rename the section of one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = _HEADING.sub("Examples:", obj.docstring.value)
