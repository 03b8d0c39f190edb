r"""Names of cases and files: compared whatever the Unicode form and the capitals; their lists and counts in messages.

macOS stores names decomposed (NFD: `u` and a combining diaeresis), keyboards write them composed (NFC); both look
alike and are one name.
"""

import unicodedata
from collections.abc import Sequence


def composed(name: str) -> str:
    r"""Write a name in composed Unicode (NFC).

    Example:
        >>> composed("Mu\u0308ller") == "M\u00fcller"
        True
    """
    return unicodedata.normalize("NFC", name)


def name_key(name: str) -> str:
    r"""Reduce a name to what file systems compare that ignore capitals: composed and case-folded.

    Example:
        >>> name_key("Mu\u0308ller") == name_key("M\u00fcLLER")
        True
    """
    return composed(composed(name).casefold())


def listed(names: Sequence[str], most: int = 5, separator: str = ", ") -> str:
    """List the first names, and say how many more there are; an empty text for none.

    Example:
        >>> listed(["a", "b", "c", "d"], 2)
        'a, b and 2 more'
        >>> listed(["a", "b"], 2)
        'a, b'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{separator.join(names[:most])}{more}"


def shortened(lines: Sequence[str], most: int = 5) -> list[str]:
    """Return the first lines, and one that says how many more there are.

    Example:
        >>> shortened(["a", "b", "c", "d"], 2)
        ['a', 'b', 'and 2 more']
    """
    return [*lines[:most], *([f"and {len(lines) - most} more"] if len(lines) > most else [])]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun; the plural takes an s.

    Example:
        >>> counted(1, "case"), counted(0, "subject"), counted(2, "picture")
        ('1 case', '0 subjects', '2 pictures')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
