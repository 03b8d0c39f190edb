"""The cases a segmenter is trained on: real ones, synthetic ones, or both in a stated share."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from glioforge.core import VALIDATION, Cohort, CohortError, Lineage, Modality, SpecError
from glioforge.data import FreshCases


@final
@dataclass(frozen=True)
class Mix:
    """Training cohorts, kept apart from validation.

    Args:
        real: Real (or phantom) cases; class weights and the like are taken from them alone.
        synthetic: Synthetic cases, if any.
        share: Share of the slices of a batch that are synthetic; 1 leaves the real cases out.
        real_steps: Share of the steps, the last ones, that draw from real cases alone.
        fresh: What makes further synthetic cases while the segmenter trains; those of `synthetic` are the first.

    Raises:
        SpecError: The share is out of range, or does not fit the absence of synthetic cases.
    """

    real: Cohort
    synthetic: Cohort | None = None
    share: float = 0.0
    real_steps: float = 0.0
    fresh: FreshCases | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 or (self.share > 0) != (self.synthetic is not None):
            given = "none" if self.synthetic is None else repr(self.synthetic.name)
            raise SpecError(
                f"synthetic share {self.share} with synthetic cohort {given}",
                "a share in (0, 1] with a synthetic cohort, or 0 without one",
            )
        if not 0 <= self.real_steps < 1 or (self.real_steps > 0 and self.synthetic is None):
            raise SpecError(f"real_steps {self.real_steps}", "a number in [0, 1), and 0 without a synthetic cohort")
        if self.fresh is not None and self.synthetic is None:
            raise SpecError("fresh cases without a synthetic cohort", "its first cases, and a share above 0")

    @property
    def used(self) -> tuple[Cohort, ...]:
        """Cohorts that slices are drawn from."""
        if self.synthetic is None:
            return (self.real,)
        return (self.synthetic,) if self.share == 1 and not self.real_steps else (self.real, self.synthetic)

    @property
    def inputs(self) -> dict[str, Cohort | Lineage]:
        """Everything that shapes the weights, by its name for the firewall's message.

        Real cases of which no slice is drawn are among it: class weights and scales are taken from them.
        """
        found: dict[str, Cohort | Lineage] = {f"training cohort {self.real.name!r}": self.real}
        if self.synthetic is not None:
            found[f"synthetic training cohort {self.synthetic.name!r}"] = self.synthetic
        if self.fresh is not None:
            found["cases made while training"] = self.fresh.lineage
        return found

    def lineage(self, source: str, validation: Cohort) -> Lineage:
        """Lineage of a model that is trained on these cases and chosen by validation cases."""
        behind = [part if isinstance(part, Lineage) else part.lineage for part in self.inputs.values()]
        trained = Lineage.union(source, behind)
        return trained.through(VALIDATION, validation.lineage)

    def modalities(self, wanted: Iterable[Modality] | None, validation: Cohort) -> tuple[Modality, ...]:
        """Contrasts to train on: those wanted, or those that all cases have, in standard order.

        Raises:
            CohortError: There is no case to train on, or a case lacks a contrast.
        """
        for cohort in self.used:
            if not len(cohort):
                raise CohortError("no cases", "at least one to train on", where=cohort.where)
        cohorts = (*self.used, *([validation] if len(validation) else []))
        shared = set.intersection(*(set(cohort.modalities) for cohort in cohorts))
        chosen = tuple(modality for modality in Modality if modality in shared) if wanted is None else tuple(wanted)
        if not chosen or not shared.issuperset(chosen):
            raise CohortError(
                f"contrasts {sorted(str(m) for m in shared)} that all cases have",
                f"also {sorted(str(m) for m in set(chosen) - shared)}" if chosen else "at least one",
                "leave cases out, or name other `modalities`",
            )
        return chosen
