"""The rules of an audit and the recipient of the release, fixed and hashed before it looks at anything.

Who receives a release decides which attacks are reasonably likely.  Identifiability is
judged for the recipient, so that an audit names one before it looks, and its verdict
holds for that recipient alone.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final, Literal, final

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.privacy.finding import Limits

ERROR: Final = 0.05
"""Error of all one-sided bounds of a release together, over its parts and attempts."""


SPLIT: Final = (0.04, 0.01)
"""Error of the first audit of a generator, and of the one re-audit on fresh seeds."""


CONTROL_ERROR: Final = 0.05
"""Error that all controls of an audit share."""


VERSION: Final = 2
"""Changes whenever an attack, a bound or the gate is defined otherwise."""


Access = Literal["open", "registered", "secure"]


class AuditSpec(Spec):
    """How a release is audited."""

    recipient: Access = "open"
    """Who receives the release: `open` (anybody), `registered` researchers, or a `secure` environment."""
    weights_released: bool = False
    """Whether the weights of the generator leave the house as well; attacks on the model are then required."""
    parts: int = Field(1, ge=1, le=50)
    """Parts in which the release is made; they share one error."""
    part: int = Field(1, ge=1)
    """Which part this is."""
    copies: float = Field(0.01, gt=0, lt=1)
    """Largest bound of the excess share of near copies."""
    nearer: float = Field(0.55, gt=0.5, lt=1)
    """Largest bound of the share nearer to training than to held-out subjects."""
    auc: float = Field(0.60, gt=0.5, lt=1)
    """Largest bound of the area under the ROC curve of any attack."""
    tpr: float = Field(0.15, gt=0.05, lt=1)
    """Largest bound of the true-positive rate at 5 % false positives."""
    linkage: float = Field(0.02, gt=0, lt=1)
    """Largest bound of the share of cases whose donor is the nearest training subject."""
    fewest_subjects: int = Field(100, ge=20)
    """Training and held-out subjects without which nothing is concluded."""
    fewest_control: int = Field(50, ge=10)
    """Control subjects without which nothing is concluded."""
    fewest_cases: int = Field(300, ge=50)
    """Synthetic cases without which nothing is concluded."""
    planted: int = Field(40, ge=1)
    """Planted copies of each disguise."""
    expires_months: int = Field(24, ge=1)
    """Months after which the verdict is out of date and the release is audited again."""
    seed: int = Field(1, ge=0)
    """Root of all draws."""

    @model_validator(mode="after")
    def _within(self) -> "AuditSpec":
        if self.part > self.parts:
            message = f"part {self.part} of {self.parts} parts: declare all parts of a release beforehand"
            raise ValueError(message)
        return self

    @property
    def limits(self) -> Limits:
        """The limits of all measures."""
        return Limits(self.copies, self.nearer, self.auc, self.tpr, self.linkage)

    def level(self, attempt: int) -> float:
        """Error of each bound in an attempt, 1 or 2.

        Example:
            >>> AuditSpec().level(1), AuditSpec(parts=4, part=2).level(2)
            (0.04, 0.0025)
        """
        return SPLIT[attempt - 1] / self.parts


def rules_hash(spec: AuditSpec, **inputs: str) -> str:
    """Return a hash of all that decides a verdict: the settings, the version of the rules, and what is audited.

    Args:
        spec: Settings.
        **inputs: Fingerprints of the cohorts, by what they are.
    """
    values: dict[str, Any] = {"rules": VERSION, "spec": spec.model_dump(mode="json"), **inputs}
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).hexdigest()


def decides(access: Access, attack: str) -> bool:
    """Whether the bound of an attack decides for this recipient.

    Example:
        >>> decides("secure", "membership by distance"), decides("open", "membership by distance")
        (False, True)
    """
    return attack.startswith(RECIPIENTS[access].decides)


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
