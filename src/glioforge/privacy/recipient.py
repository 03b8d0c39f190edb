"""Who receives a release, and which attacks that makes reasonably likely.

Identifiability is judged for the recipient, so that an audit names one before it
looks, and its verdict holds for that recipient alone.
"""

from dataclasses import dataclass
from typing import Final, Literal, final

Access = Literal["open", "registered", "secure"]


@final
@dataclass(frozen=True)
class Recipient:
    """A class of access.

    Args:
        title: For pages.
        attacker: What an attacker among the recipients can be expected to hold and do.
        decides: Attacks whose bounds decide; the others are reported.
    """

    title: str
    attacker: str
    decides: tuple[str, ...]


_ALWAYS: Final = ("copy rate", "nearer to training", "donor linkage")
_ALL: Final = (*_ALWAYS, "membership", "attribute disclosure")

RECIPIENTS: Final[dict[Access, Recipient]] = {
    "open": Recipient(
        "anybody",
        "Anybody, without a contract: holds all synthetic cases for as long as wanted, may hold a scan of a person "
        "from elsewhere, knows this program and how the cases were made, and may train models on them.",
        _ALL,
    ),
    "registered": Recipient(
        "registered researchers",
        "Named researchers, bound by contract not to identify anybody: hold all synthetic cases, may hold scans of "
        "their own patients, and may train models on the cases. A contract forbids attacks and doesn't prevent them.",
        _ALL,
    ),
    "secure": Recipient(
        "researchers in a secure environment",
        "Researchers who see the cases where nothing can be brought in or taken out: they cannot compare with scans of "
        "a person from elsewhere, but they may recognise a person, and what leaves is checked for copies.",
        _ALWAYS,
    ),
}


def decides(access: Access, attack: str) -> bool:
    """Whether the bound of an attack decides for this recipient.

    Example:
        >>> decides("secure", "membership by distance"), decides("open", "membership by distance")
        (False, True)
    """
    return attack.startswith(RECIPIENTS[access].decides)
