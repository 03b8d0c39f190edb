"""What trains a segmenter and opens its folder: the project's own loop for networks, or a program of others.

`segmentation.base` does what is the same for all: the mix of cases, the firewall, the card.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, final

from glioforge.compute import AcceleratorSpec
from glioforge.config import Spec
from glioforge.core import Case, Cohort, LabelMap, LabelScheme, Lineage, Modality, Progress
from glioforge.segmentation.mix import Mix
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
