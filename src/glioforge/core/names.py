r"""Names of cases and files, compared whatever the Unicode form and the capitals.

macOS stores names decomposed (NFD: `u` and a combining diaeresis), keyboards write them composed (NFC); both look
alike and are one name.
"""

import unicodedata


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
