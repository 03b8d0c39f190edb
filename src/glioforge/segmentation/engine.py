"""What trains a segmenter and opens its folder: the project's own loop for networks, or a program of others.

`segmentation.base` does what is the same for all: the mix of cases, the firewall, the card.
A `Mix` has the cases: real ones, synthetic ones, or both in a stated share.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, final

from glioforge.compute import AcceleratorSpec
from glioforge.config import Spec
from glioforge.core import (
    VALIDATION,
    Case,
    Cohort,
    CohortError,
    LabelMap,
    LabelScheme,
    Lineage,
    Modality,
    Progress,
    SpecError,
)
from glioforge.data import FreshCases
from glioforge.training import Card, Outcome

if TYPE_CHECKING:
    import torch


class TrainedSegmenter(Protocol):
    """A segmenter with weights, whatever trained it; also a `core.protocols.Segmenter`."""

    @property
    def spec(self) -> Spec:
        """Its settings."""
        ...

    @property
    def folder(self) -> Path:
        """Where it was loaded from."""
        ...

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts it needs, in the order of its channels."""
        ...

    @property
    def scheme(self) -> LabelScheme:
        """Scheme of its maps."""
        ...

    @property
    def lineage(self) -> Lineage:
        """Everyone whom it has seen in any way, for the leakage firewall."""
        ...

    @property
    def weights_hash(self) -> str:
        """Hash of its weights."""
        ...

    @property
    def outcome(self) -> Outcome:
        """What its training came to."""
        ...

    @property
    def parameter_count(self) -> int | None:
        """Trained numbers of all its networks; none where that is not known."""
        ...

    @property
    def preparations(self) -> tuple[str, ...]:
        """Preparations of its training cases, where known."""
        ...

    @property
    def precision(self) -> str:
        """Precision that it predicts in."""
        ...

    @property
    def note(self) -> str:
        """What must be said of that precision; empty where it is the one of its training."""
        ...

    @property
    def kept(self) -> Mapping[str, Any]:
        """Settings that a folder of its masks remembers besides the key."""
        ...

    def segment(self, case: Case) -> LabelMap:
        """Label a case on its own grid."""
        ...

    def segment_many(self, cases: Iterable[Case]) -> Iterator[LabelMap]:
        """Label cases in their order; none for none."""
        ...


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


@final
@dataclass(frozen=True, eq=False)
class Fitting:
    """One call to train a segmenter.

    Args:
        mix: Training cases, real, synthetic or both.
        validation: Cases for model selection; perhaps none.
        modalities: Contrasts to train on.
        folder: The model's own folder.
        seed: Root of all draws.
        accelerator: Devices, precision, threads, as they were asked for.
        progress: Where progress is shown.
    """

    mix: Mix
    validation: Cohort
    modalities: tuple[Modality, ...]
    folder: Path
    seed: int
    accelerator: AcceleratorSpec
    progress: Progress


@final
@dataclass(frozen=True, eq=False)
class Fitted:
    """What an engine leaves in the folder of a model.

    Args:
        files: Hash of each file of weights, by its path below the folder.
        scheme: Scheme of the maps.
        outcome: What the training came to.
        accelerator: Where it ran, with `auto` made out.
        precision: Precision of the training.
        device: Type of the device, such as `cpu`.
        place: Device to load the weights onto in this process; the accelerator's unless given.
        facts: What reports say of the training besides the spec.
        training: Further entries of the card's record.
    """

    files: Mapping[str, str]
    scheme: LabelScheme
    outcome: Outcome
    accelerator: AcceleratorSpec
    precision: str
    device: str
    place: "torch.device | None" = None
    facts: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


class SegmenterEngine(ABC):
    """Trains the weights of one spec and opens its folder.

    A method that brings a program of its own registers a subclass; one with a network for the project's loop registers
    a `segmentation.method.SegmenterMethod`.

    Args:
        spec: The method's own spec.
    """

    takes_scans: ClassVar[bool] = False
    """Whether it normalises and resamples by itself, so that scans need no preparation."""

    def __init__(self, spec: Any) -> None:  # noqa: ANN401 - each method has its own spec
        self.spec = spec

    @abstractmethod
    def fit(self, fitting: Fitting) -> Fitted:
        """Train, go on, or find it done; the weights lie in the folder afterwards."""

    @abstractmethod
    def open(
        self, folder: Path, card: Card, accelerator: AcceleratorSpec, device: "torch.device | None" = None
    ) -> TrainedSegmenter:
        """Load what lies in a folder, to run where the accelerator says."""
