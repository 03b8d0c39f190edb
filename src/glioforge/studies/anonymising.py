"""Settings of an anonymisation study: routes from a subject's label map to a case, and the rules of their audits."""

from collections.abc import Mapping
from typing import Literal, Self, final

from pydantic import Field, model_validator

from glioforge.privacy import AuditSpec
from glioforge.segmentation import AnySegmenter
from glioforge.studies.sourced import PartName, SourceBudget, SourcedSpec
from glioforge.studies.sources import CopiesSource, NoiseSource
from glioforge.training import Budget

REAL = "real"
"""Arm of the segmenter that is trained on the scans themselves."""


@final
class AnonymisationBudget(SourceBudget):
    """How much a run may spend."""

    segmenter: Budget = Budget(steps=400, validate_every=100)
    """Steps of each segmenter, where the study has one."""


class AnonymisationSpec(SourcedSpec):
    """Does what is made of a subject's label map lead back to the subject, and at what utility does it not?"""

    kind: Literal["anonymisation"] = "anonymisation"
    routes: Mapping[PartName, str] = Field(min_length=1)
    """Title of each route by its name: `generator`, `control`, or one of `sources`; with the first one others are
    compared, which is the subjects' own label maps."""
    audit: AuditSpec = AuditSpec()
    """Rules of the audits."""
    segmenter: AnySegmenter | None = None
    """Segmenter that is trained on each release alone and scored on unseen subjects; none leaves this out."""
    budgets: Mapping[str, AnonymisationBudget]
    """Named budgets."""
    budget: str = "small"
    """The budget used; `--budget` overrides it."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if self.budget not in self.budgets:
            raise ValueError(f"budget {self.budget!r} is not among the budgets {sorted(self.budgets)}")
        unknown = sorted(set(self.routes) - set(self.all_sources))
        if unknown:
            raise ValueError(f"routes {unknown} are not among the sources {sorted(self.all_sources)}")
        others = [name for name in self.routes if isinstance(self.all_sources[name], CopiesSource | NoiseSource)]
        if others:
            raise ValueError(f"routes {others} make no cases: copies of scans, and slices from noise, are no release")
        if self.audit.weights_released:
            raise ValueError("audit.weights_released: a study audits cases; use `glioforge shadow` for weights")
        return self

    @property
    def spending(self) -> AnonymisationBudget:
        """The budget in force."""
        return self.budgets[self.budget]
