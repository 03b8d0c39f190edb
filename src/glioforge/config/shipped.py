"""YAML files that come with the package and go by a name, next to a user's own, which go by a path."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources.abc import Traversable
from pathlib import Path

from glioforge.core import SpecError


def named_file(text: str, shipped: Mapping[str, Traversable], what: str) -> Traversable:
    """Return the file that a user means by a name or a path.

    A text that ends in `.yaml` or `.yml`, or holds a slash, is a path; it need not exist.

    Args:
        text: What the user gave.
        shipped: Files that come with the package, by name.
        what: What a file holds, as a message calls it.

    Raises:
        SpecError: No file that comes with the package has this name.
    """
    path = Path(text)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        return path
    if text not in shipped:
        near = get_close_matches(text, shipped, n=1)
        raise SpecError(
            f"{what} {text!r}{f', did you mean {near[0]!r}?' if near else ''}",
            f"one of {', '.join(shipped)}, or the path of a YAML file",
            "give a path that ends in .yaml for a file of your own",
        )
    return shipped[text]
