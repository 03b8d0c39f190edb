"""A trained sampler: label maps or images from noise, one draw after the other."""

from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from glioforge.compute import AcceleratorSpec, precision_for
from glioforge.core import LabelScheme, Lineage
from glioforge.sampling.method import Sampler
from glioforge.training import Card


@final
class TrainedSampler:
    """An `ImageSampler` or a `LabelSampler`, whichever `makes` says, with what it was trained on.

    Args:
        sampler: Sampler with its weights.
        card: What the model's folder says of it.
        folder: That folder.
        accelerator: Where it runs; the CPU takes one thread unless a number is given.
    """

    def __init__(self, sampler: Sampler, card: Card, folder: Path, accelerator: AcceleratorSpec) -> None:
        self.card, self.folder, self.method = card, folder, sampler
        precision = precision_for(card.precision, accelerator)
        self.accelerator = accelerator.model_copy(update={"precision": precision})

    @property
    def makes(self) -> Literal["labels", "images"]:
        """What it draws."""
        return self.method.makes

    @property
    def scheme(self) -> LabelScheme:
        """Scheme of the training cases' label maps."""
        return self.method.knowledge.scheme

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts of every case that it makes."""
        return self.method.facts()

    @property
    def lineage(self) -> Lineage:
        """Origin of the model itself, for the leakage firewall."""
        return self.card.model_lineage

    @property
    def kept(self) -> dict[str, Any]:
        """Precision and threads that it runs with, for folders that remember them."""
        return {"precision": self.accelerator.precision, "threads": self.accelerator.threads or 1}

    @property
    def conditions(self) -> tuple[Any, ...]:
        """Findings that draws can be asked for; empty for samplers that cannot be asked."""
        return tuple(getattr(self.card.spec, "conditions", ()))

    @property
    def request(self) -> dict[str, str]:
        """Findings that every draw shall show; empty for none."""
        return dict(self.method.asked)

    def asked(self, request: Mapping[str, str]) -> "TrainedSampler":
        """Return the same sampler, every draw of which shows these findings, such as `tumour` present.

        Raises:
            SpecError: The sampler cannot be asked for them.
        """
        sampler = copy(self.method)
        sampler.ask(request)
        return TrainedSampler(sampler, self.card, self.folder, self.accelerator)

    def findings(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return what is asked of the next draw from the same state of the generator, as facts of its case."""
        return self.method.findings(rng)

    def sample(self, count: int, rng: np.random.Generator) -> Iterator[Any]:
        """Yield `count` label maps, or images by contrast, one after the other; none for 0.

        The same state of the generator gives the same bytes; the first draws do not depend on `count`.
        """
        for _ in range(count):
            yield self.method.make(rng, self.accelerator)
