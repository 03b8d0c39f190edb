"""What a synthesizer must offer; free of torch, so that specs and the command line can read it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, final

import numpy as np
from jaxtyping import Float32
from pydantic import BeforeValidator, SerializeAsAny

from glioforge.compute import AcceleratorSpec
from glioforge.config import Registry, Spec
from glioforge.core import Cohort, LabelMap, LabelScheme, Modality, in_standard_order
from glioforge.synthesis.appearance import Appearance
from glioforge.training import Budget, Fitting, Outcome

if TYPE_CHECKING:
    from torch import nn

Images = Float32[np.ndarray, "contrast i j k"]


class SynthesizerSpec(Spec):
    """Settings that every synthesizer has; a method's spec adds `kind` and its own."""

    modalities: tuple[Modality, ...] | None = None
    """Contrasts made, jointly; none takes those that every training case has."""
    gaps: bool = False
    """Allow training cases with missing contrasts; losses and statistics ignore the missing ones. Where no contrasts
    are chosen, all that any case has are synthesized."""
    stand_ins: Mapping[str, str] = {}
    """Class to paint in place of each class that no training case had, such as `{enhancing: necrotic_core}`; label maps
    with any other such class are refused."""
    budget: Budget = Budget()
    """Length of the training; methods without a network need none."""


@final
@dataclass(frozen=True, eq=False)
class Knowledge:
    """What is known of the training cohort before any network is trained.

    Args:
        modalities: Contrasts made, in this order.
        scheme: Scheme of the label maps taken.
        appearance: Class statistics of the training cases.
    """

    modalities: tuple[Modality, ...]
    scheme: LabelScheme
    appearance: Appearance


class Method(ABC):
    """One way to make images from complete label maps.

    A method with a network returns it from `network` and trains it in `fit`;
    one without keeps both as they are here.  Masking, clipping, files, cards,
    lineage and resuming are the caller's business.

    Args:
        spec: The method's own spec.
        knowledge: Facts of the training cohort.
    """

    learns: ClassVar[bool] = True
    """Whether `fit` trains; a method that only measures the training cases says no."""

    def __init__(self, spec: Any, knowledge: Knowledge) -> None:  # noqa: ANN401 - each method has its own spec
        self.spec = spec
        self.knowledge = knowledge

    @property
    def network(self) -> "nn.Module | None":
        """The network whose weights are kept; none for a method without one."""
        return None

    @property
    def varied(self) -> bool:
        """Whether one label map gives differing images."""
        return True

    def takes(self, scheme: LabelScheme) -> bool:
        """Whether label maps of a scheme can be made images of; that of the training cases alone, as a rule."""
        return scheme == self.knowledge.scheme

    @property
    def facts(self) -> Mapping[str, str]:
        """What card and reports say of a training besides its spec; complete after `fit`."""
        return {}

    def fit(self, fitting: Fitting) -> Outcome | None:  # noqa: ARG002 - for methods with a network
        """Train the network; nothing to do without one."""
        return None

    @abstractmethod
    def images(self, labels: LabelMap, rng: np.random.Generator, accelerator: AcceleratorSpec) -> Images:
        """All contrasts for one label map, z-scores; what lies outside the brain is not looked at."""


_NARROW = {"kind": "painted", "preset": "means", "texture": 1.0}

SYNTHESIZERS: Registry[Method] = Registry(
    "synthesizer",
    "glioforge.synthesis.methods",
    former={"class_intensity": {"": _NARROW, "sound": _NARROW, "means": {"kind": "painted", "preset": "means"}}},
)
"""All synthesizers by kind."""

AnySynthesizer = Annotated[SerializeAsAny[Spec], BeforeValidator(SYNTHESIZERS.parse)]
"""Field of a spec that holds the settings of any registered synthesizer."""


def is_trained(spec: Spec) -> bool:
    """Return whether a synthesizer is trained in steps; others measure the training cases within seconds.

    Example:
        >>> is_trained(SYNTHESIZERS.parse("painted")), is_trained(SYNTHESIZERS.parse("sound"))
        (False, True)
    """
    return SYNTHESIZERS.part_for(spec).learns


def chosen_modalities(wanted: Sequence[Modality] | None, cohort: Cohort, *, gaps: bool = False) -> tuple[Modality, ...]:
    """Contrasts asked for, or those that every case has; with gaps, those that any case has."""
    return known_modalities(cohort, gaps=gaps) if wanted is None else tuple(wanted)


def known_modalities(cohort: Cohort, *, gaps: bool) -> tuple[Modality, ...]:
    """Contrasts that can be made: those that every case has; with gaps, those that any case has."""
    return in_standard_order({m for ref in cohort for m in ref.images}) if gaps else cohort.modalities
