"""What one segmenter is trained on: arms of real and synthetic cases, tuning trials that all try alike, and controls.

A control is an arm of its own, in the mode of the arm under test.  Its name is that of a source, of a way of mixing,
or of a synthesizer without a network with its usual settings.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, cast, final

from pydantic import Field, model_validator

from glioforge.config import Spec, with_overrides
from glioforge.core import SpecError
from glioforge.mixing import MIXINGS
from glioforge.segmentation import SEGMENTERS, Demand, SegmenterSpec
from glioforge.studies.sources import MixingSource, Source, SubjectsSpec, SynthesizerSource
from glioforge.synthesis import SYNTHESIZERS

NAME = r"^[a-z0-9_+-]+$"


@final
class AmountSpec(Spec):
    """How many synthetic cases an arm has; smaller amounts of a source lie within larger ones."""

    cases: int | None = Field(None, ge=1)
    """Number of cases."""
    multiple: float | None = Field(None, gt=0)
    """Number of cases as a multiple of the arm's real ones, such as 0.25 or 5."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.cases is None) == (self.multiple is None):
            msg = f"cases {self.cases} and multiple {self.multiple}: give one of them"
            raise ValueError(msg)
        return self

    def count(self, real: int) -> int:
        """Return the number of cases for so many real ones, at least one.

        Example:
            >>> AmountSpec(multiple=0.25).count(8)
            2
        """
        return self.cases if self.cases is not None else max(1, round((self.multiple or 0) * real))


@final
class ScheduleSpec(Spec):
    """When real and synthetic cases are drawn within one training."""

    real_steps: float = Field(0.0, ge=0, lt=1)
    """Share of the steps, the last ones, that draw from real cases alone; 0 mixes to the end."""
    real_share: float = Field(1.0, gt=0, le=1)
    """Share of the arm's real subjects in these last steps, of arms that are synthetic only before: fine-tuning on a
    few real subjects."""
    average: float | None = Field(None, gt=0, le=1)
    """Share of the steps over which the weights that are kept are averaged; none keeps the segmenter's own average."""


@final
class ArmSpec(Spec):
    """What one segmenter is trained on."""

    name: str = Field(pattern=NAME)
    """Name in tables and folders."""
    title: str
    """Name in figures."""
    source: str | None = None
    """Where synthetic cases come from: `generator`, `control`, or one of `sources`; none for real cases alone."""
    synthetic_share: float = Field(0.0, ge=0, le=1)
    """Share of synthetic slices in a batch; 1 is synthetic only.  With an `amount` and 0, cases count alike."""
    amount: AmountSpec | None = None
    """Number of synthetic cases; all that passed the filters unless given."""
    real: SubjectsSpec | None = None
    """Real subjects of this arm; those of the curve, or all, unless given."""
    draws: int = Field(1, ge=1)
    """Draws of these real subjects, each trained with all seeds."""
    segmenter: str | None = None
    """One of `segmenters`; every one of them unless given."""
    augment: bool = True
    """Whether classical augmentation is on, as the segmenter's settings say."""
    schedule: ScheduleSpec = ScheduleSpec()
    """When real and synthetic cases are drawn."""
    reuse: float | None = Field(None, gt=0, exclude_if=lambda reuse: reuse is None)
    """Make cases while the segmenter trains: the source's cases are the first in a buffer, and each is replaced by a
    fresh one once its slices have been drawn so often on average; none trains on the source's cases alone."""
    reference: str | None = None
    """Arm that it is compared with; the first arm unless given."""

    @model_validator(mode="after")
    def _share_needs_source(self) -> Self:
        given = self.synthetic_share > 0 or self.amount is not None
        if given != (self.source is not None):
            msg = "synthetic_share above 0 or an amount needs a source, and a source needs one of them"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _reuse_needs_source(self) -> Self:
        if self.reuse is not None and (self.source is None or not self.synthetic_share):
            msg = f"reuse {self.reuse}: only an arm with a source and a synthetic_share draws fresh cases"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _schedule_fits(self) -> Self:
        schedule = self.schedule
        if schedule.real_steps and self.source is None:
            msg = f"schedule.real_steps {schedule.real_steps} of an arm without synthetic cases"
            raise ValueError(msg)
        if schedule.real_share < 1 and not (schedule.real_steps and self.synthetic_share == 1):
            msg = (
                f"schedule.real_share {schedule.real_share}: only an arm with synthetic_share 1 and real_steps above 0 "
                "is fine-tuned on some of its real subjects"
            )
            raise ValueError(msg)
        if self.draws > 1 and (self.real is None or self.real.all):
            msg = f"draws {self.draws} of all real subjects are the same: give `real` a number or a share of them"
            raise ValueError(msg)
        return self


STANDARD_ARMS = (
    ArmSpec(name="real", title="Real"),
    ArmSpec(name="real+synthetic", title="Real + synthetic", source="generator", synthetic_share=0.5),
    ArmSpec(name="synthetic", title="Synthetic only", source="generator", synthetic_share=1.0),
    ArmSpec(name="real+control", title="Real + no-network control", source="control", synthetic_share=0.5),
)
"""The arms of a study that names none; the first is the baseline."""


@final
class CurveSpec(Spec):
    """Learning curves: every arm at several numbers of real training subjects."""

    subjects: tuple[int, ...] = ()
    """Numbers of real subjects, such as 1, 2, 4, 8."""
    shares: tuple[float, ...] = ()
    """Shares of the real subjects, such as 0.1, 0.25, 0.5, 1."""
    draws: int = Field(1, ge=1)
    """Draws of the subjects of each number; within a draw the smaller numbers lie within the larger ones."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.subjects) == bool(self.shares):
            msg = f"subjects {self.subjects} and shares {self.shares}: give one of them"
            raise ValueError(msg)
        return self

    @property
    def sizes(self) -> tuple[SubjectsSpec, ...]:
        """One setting a point of the curve."""
        numbers = (SubjectsSpec(subjects=number) for number in self.subjects)
        return (*numbers, *(SubjectsSpec(share=share) for share in self.shares))


@final
@dataclass(frozen=True)
class Arm:
    """An arm as it is trained: one segmenter, one number of real subjects.

    Args:
        name: Name in tables and folders.
        title: Name in figures.
        spec: Its settings.
        real: Real subjects.
        draws: Draws of them.
        segmenter: Settings of the segmenter.
        reference: Name of the arm that it is compared with; its own for a baseline.
        baseline: Name of the arm whose trial run finds its steps.
        split: `sound`, or `leaky` for slices that were shuffled over subjects.
    """

    name: str
    title: str
    spec: ArmSpec
    real: SubjectsSpec
    draws: int
    segmenter: Any
    reference: str
    baseline: str
    split: Literal["sound", "leaky"] = "sound"

    @property
    def source(self) -> str | None:
        """Name of the source of synthetic cases."""
        return self.spec.source

    @property
    def demands(self) -> Iterator[Demand]:
        """What the arm asks of the trainings of its segmenter, whatever their length."""
        schedule = self.spec.schedule
        asked: dict[Demand, bool] = {
            "plain": not self.spec.augment,
            "fresh": self.spec.reuse is not None,
            "real_steps": schedule.real_steps > 0,
            "average": schedule.average is not None,
        }
        return (demand for demand, needed in asked.items() if needed)


def changed(segmenter: SegmenterSpec, changes: Mapping[str, Any]) -> SegmenterSpec:
    """Return a segmenter's settings with some changed.

    Args:
        segmenter: Settings.
        changes: New values by the path of the key.

    Raises:
        SpecError: A key or a value is wrong.

    Example:
        >>> unet = SEGMENTERS.parse({"kind": "unet"})
        >>> changed(unet, {"optimizer.learning_rate": 0.01}).optimizer.learning_rate
        0.01
    """
    overrides = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    return cast("SegmenterSpec", SEGMENTERS.parse(with_overrides(segmenter.model_dump(mode="json"), overrides)))


def require_changeable(segmenter: SegmenterSpec, changes: Mapping[str, Any]) -> None:
    """Refuse changes that a segmenter's settings do not take, while settings are read.

    Raises:
        ValueError: Names the key.
    """
    try:
        changed(segmenter, changes)
    except SpecError as error:
        msg = f"tuning {dict(changes)}: {error}"
        raise ValueError(msg) from error


def require_able(segmenter: SegmenterSpec, demands: Iterable[Demand], whose: str) -> None:
    """Refuse what a segmenter's trainings cannot do, while settings are read.

    Args:
        segmenter: Settings.
        demands: What is asked of a training.
        whose: Arm or setting that asks for it, for the message.

    Raises:
        ValueError: Says what cannot be done, and what to do.
    """
    try:
        segmenter.require_able(*demands)
    except SpecError as error:
        msg = f"{whose}: {error}"
        raise ValueError(msg) from error


def control_sources(names: Sequence[str], sources: Mapping[str, Source]) -> dict[str, Source]:
    """Return the sources of controls that no source of the study is named after.

    Args:
        names: Names of the controls.
        sources: Sources that the study defines itself.

    Raises:
        ValueError: A name is neither a source, a mixing, nor a synthesizer; for the validator of a spec.
    """
    made: dict[str, Source] = {}
    for name in names:
        if name in sources:
            continue
        if name in MIXINGS.kinds():
            made[name] = MixingSource(mixing=MIXINGS.parse(name))
        elif name in SYNTHESIZERS.kinds():
            made[name] = SynthesizerSource(synthesizer=SYNTHESIZERS.parse(name))
        else:
            msg = f"control {name!r} is not among the sources {sorted(sources)}, the mixings {sorted(MIXINGS.kinds())}"
            raise ValueError(f"{msg} and the synthesizers {sorted(SYNTHESIZERS.kinds())}")
    return made


def control_arms(names: Sequence[str], arms: Sequence[ArmSpec]) -> tuple[ArmSpec, ...]:
    """Return an arm for each control, in the mode of the arm under test: share, amount, schedule, reuse.

    A control that an arm draws from in this mode has its arm already.

    Args:
        names: Names of the controls.
        arms: Arms that the study defines itself, the baseline first.

    Raises:
        ValueError: No arm is under test; for the validator of a spec.

    Example:
        >>> tested = ArmSpec(name="more", title="More", source="generator", synthetic_share=0.5)
        >>> (arm,) = control_arms(["cutmix"], [ArmSpec(name="real", title="Real"), tested])
        >>> arm.name, arm.title, arm.synthetic_share
        ('real+cutmix', 'Real + cutmix', 0.5)
    """
    if not names:
        return ()
    tested = next((arm for arm in arms if arm.source not in {None, "control", *names}), None)
    if tested is None:
        raise ValueError(f"controls {list(names)} without an arm under test, whose share and schedule they take")
    made = []
    for name in names:
        title = f"{arms[0].title} + {name.replace('_', ' ')}"
        arm = tested.model_copy(update={"name": f"{arms[0].name}+{name}", "title": title, "source": name})
        if not any(_mode(arm) == _mode(other) for other in arms):
            made.append(arm)
    return tuple(made)


def _mode(arm: ArmSpec) -> tuple[Any, ...]:
    """What two arms of one source have in common where they are the same."""
    return arm.source, arm.synthetic_share, arm.amount, arm.schedule, arm.reuse, arm.augment, arm.real, arm.segmenter
