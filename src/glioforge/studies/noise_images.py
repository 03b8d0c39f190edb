"""Settings of a study of samplers: which GANs of slices, on which contrasts, and how many slices are compared."""

from collections.abc import Mapping
from typing import Literal, Self, final

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.sampling import AnySampler
from glioforge.studies.comparing import ComparisonSpec, MethodEntry, MethodName
from glioforge.training import Budget


@final
class SamplerEntry(MethodEntry):
    """A sampler of slices, and how long it is trained."""

    sampler: AnySampler
    """Any registered kind that makes slices, with its preset, contrasts and size."""
    budget: Budget | None = None
    """Length of its training; that of the sampler's own settings unless given."""

    def trained_spec(self) -> Spec:
        """Settings of the sampler under this budget."""
        return self.sampler if self.budget is None else self.sampler.model_copy(update={"budget": self.budget})


@final
class SamplersSpec(ComparisonSpec):
    """How near are slices that samplers make of noise to those of unseen subjects?"""

    kind: Literal["samplers"] = "samplers"
    """Name of the kind of study."""
    methods: Mapping[MethodName, SamplerEntry]
    """Samplers by name, in the order shown."""
    count: int = Field(50, ge=2)
    """Slices that each makes, and slices of unseen subjects that they are compared with."""

    @model_validator(mode="after")
    def _slices(self) -> Self:
        self._require_references(self.methods)
        for name, entry in self.methods.items():
            if not hasattr(entry.sampler, "plane"):
                msg = f"methods.{name}: {getattr(entry.sampler, 'kind', '')} makes no slices; take `dcgan` or `wgan`"
                raise ValueError(msg)
        return self
