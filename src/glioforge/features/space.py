"""A space of features: its extractor, which a number can't be reproduced without, and the features of a case."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

from glioforge.core import Case, Modality


@final
@dataclass(frozen=True)
class Extractor:
    """What features were computed with.

    Args:
        name: Name of the space: `random_convolution`.
        version: Version of the package or of our definition.
        settings: Everything else that decides the features, plain JSON values.
        weights: Hash of a network's weights; empty for none.
    """

    name: str
    version: str
    settings: Mapping[str, Any]
    weights: str = ""

    @property
    def digest(self) -> str:
        """Hash of all of it, 16 letters."""
        text = json.dumps([self.name, self.version, dict(self.settings), self.weights], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "settings": dict(self.settings),
            "weights": self.weights,
            "digest": self.digest,
        }


@runtime_checkable
class Space(Protocol):
    """Computes the features of a case."""

    @property
    def extractor(self) -> Extractor:
        """What it computes with."""
        ...

    def features(self, case: Case, modalities: tuple[Modality, ...]) -> dict[str, float]:
        """Features of a prepared case by name; the same names for all cases, nothing where the brain is empty."""
        ...
