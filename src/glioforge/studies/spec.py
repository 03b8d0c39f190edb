"""Settings of an augmentation study: arms, sources and budgets, complete in one YAML."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self, final

from pydantic import Field, model_validator

from glioforge.segmentation import AnySegmenter, Demand, SegmenterSpec
from glioforge.studies.also import AlsoSpec
from glioforge.studies.arms import (
    STANDARD_ARMS,
    Arm,
    ArmSpec,
    CurveSpec,
    control_arms,
    control_sources,
    require_able,
    require_changeable,
)
from glioforge.studies.base import Slices
from glioforge.studies.beforehand import PlanSpec
from glioforge.studies.shown import ShownSpec
from glioforge.studies.sourced import PartName, SourceBudget, SourcedSpec, require_arms
from glioforge.studies.sources import (
    FolderSource,
    MixingSource,
    NoiseSource,
    Source,
    SubjectsSpec,
    SynthesizerSource,
    require_models,
    stored_alone,
)
from glioforge.training import Budget

__all__ = ["STANDARD_ARMS", "ArmSpec", "AugmentationSpec", "StudyBudget"]

LEAKY = "-leaky"
"""What names of arms on shuffled slices end with."""


@final
class StudyBudget(SourceBudget):
    """How much a run may spend."""

    segmenter: Budget
    """Steps of each segmenter at most.  With `gain` (or `patience`) a trial run of the baseline finds at how many it
    levels off on validation subjects; the trial is thrown away, and every segmenter is trained for as many."""
    match: Literal["steps", "epochs", "exposure"] = "steps"
    """What arms have in common: their number of steps; their passes over their own cases, in `segmenter.epochs`, as the
    papers have it; or how often each real slice is seen, for which arms with synthetic cases get more steps."""
    one_subject_steps: int = Field(300, ge=1)
    """Steps of the arms with a single training subject, at most those of `segmenter`, where a trial run is asked for,
    which one subject cannot support: the median plateau of phantoms (`experiments/one_subject_length.py`,
    benchmarks/results)."""

    @model_validator(mode="after")
    def _length_fits(self) -> Self:
        """Refuse epochs where arms are matched in steps, and a trial run where they are not."""
        epochs = self.segmenter.epochs
        if epochs is not None and self.match != "epochs":
            msg = f"epochs {epochs}: arms are matched in steps, and an epoch of more cases has more of them"
            raise ValueError(msg)
        if self.match == "epochs" and (epochs is None or self.trial):
            msg = "match epochs: give segmenter.epochs, and neither gain nor patience"
            raise ValueError(msg)
        return self

    @property
    def trial(self) -> bool:
        """Whether a trial run finds the number of steps."""
        return self.segmenter.gain is not None or self.segmenter.patience is not None


class AugmentationSpec(SourcedSpec):
    """Does synthetic data help a segmenter on unseen real subjects?"""

    kind: Literal["augmentation"] = "augmentation"
    segmenter: AnySegmenter | None = None
    """The segmenter of every arm that names none."""
    segmenters: Mapping[PartName, AnySegmenter] = Field(default_factory=dict)
    """Segmenters by their names, for arms that name them; without `segmenter`, an arm that names none is trained with
    each."""
    arms: tuple[ArmSpec, ...] = STANDARD_ARMS
    """What segmenters are trained on; the first arm is the baseline."""
    controls: tuple[PartName, ...] = Field((), exclude_if=lambda names: not names)
    """Controls, each an arm of its own with share, amount and schedule of the first arm under test: names of sources,
    ways of mixing such as `cutmix`, or synthesizers such as `painted`."""
    fresh_workers: int = Field(1, ge=0, exclude_if=lambda workers: workers == 1)
    """Processes beside each training whose arm has a `reuse`, which make its fresh cases; 0 for none."""
    curve: CurveSpec | None = None
    """Numbers of real training subjects at which all arms are trained; all subjects unless given."""
    classes: bool = Field(False, exclude_if=lambda classes: not classes)
    """Whether every class that a segmenter tells apart is scored too, tissue included, on the prepared grid, with
    weighted and unweighted Dice over all of them."""
    also: AlsoSpec = Field(AlsoSpec(), exclude_if=lambda also: also == AlsoSpec())
    """Further grids and metrics, and means of arms, which decide no conclusion."""
    tuning: tuple[Mapping[str, Any], ...] = ()
    """Changes to the segmenter's settings, each of which is a tuning trial: every arm is trained with each, and keeps
    the one with the best validation score; none tunes nothing."""
    shown: ShownSpec | None = Field(None, exclude_if=lambda shown: shown is None)
    """Edited label maps and lesions in a healthy brain to make pictures of; nothing is trained on them."""
    plan: PlanSpec | None = Field(None, exclude_if=lambda plan: plan is None)
    """Primary contrast, family, margins and spread, fixed before the look; without it no power is planned."""
    budgets: Mapping[str, StudyBudget]
    """Named budgets."""
    budget: str = "small"
    """The budget used; `--budget` overrides it."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        require_arms(self.all_arms, self.budget, self.budgets)
        names = [arm.name for arm in self.all_arms]
        known = sorted(self.all_sources)
        bare = sorted(name for name, source in self.all_sources.items() if isinstance(source, NoiseSource))
        if bare:
            msg = f"sources {bare}: slices from noise have no label maps to learn from, ask `kind: classification`"
            raise ValueError(msg)
        for arm in self.all_arms:
            _require(arm.name, "source", arm.source, known)
            _require(arm.name, "segmenter", arm.segmenter, sorted(self.segmenters))
            _require(arm.name, "reference", arm.reference, names)
        require_models(self.all_sources, self.segmenter or next(iter(self.segmenters.values()), None))
        return self

    @model_validator(mode="after")
    def _segmenters_fit(self) -> Self:
        """Refuse an arm without a segmenter or a reference of the same one, and a segmenter that no arm is of."""
        if self.segmenter is None and not self.segmenters:
            msg = "give segmenter, or segmenters by their names"
            raise ValueError(msg)
        unused = sorted(set(self.segmenters) - {arm.segmenter for arm in self.all_arms})
        if self.segmenter is not None and unused:
            msg = f"segmenters {unused} that no arm names: leave segmenter out, so that every arm is trained with each"
            raise ValueError(msg)
        theirs = {arm.name: arm.segmenter for arm in self.every_arm}
        alone = [
            arm.name
            for arm in self.every_arm
            if any(theirs.get(other) != arm.segmenter for other in (arm.reference, arm.baseline))
        ]
        if alone:
            msg = (
                f"arms {alone} have no arm to be compared with that has their segmenter: leave out its `segmenter`, or "
                "list an arm of real cases with theirs before them"
            )
            raise ValueError(msg)
        self._require_able()
        return self

    def _require_able(self) -> None:
        """Refuse arms whose segmenter cannot be trained as they ask."""
        length: list[Demand] = [] if self.spending.segmenter.epochs is None else ["epochs"]
        for arm in self.every_arm:
            require_able(arm.segmenter, [*length, *arm.demands], f"arm {arm.name!r}")
            if length and arm.spec.schedule.average is not None:
                msg = f"arm {arm.name!r}: schedule.average is a share of steps, and arms are matched in epochs"
                raise ValueError(msg)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        for changes in self.tuning:
            for segmenter in (self.segmenter, *self.segmenters.values()):
                if segmenter is not None:
                    require_changeable(segmenter, changes)
        if self.shown is not None:
            self.shown.require_sources(self._trained_sources)
        self.also.require_arms([arm.name for arm in self.every_arm])
        reserved = sorted({"generator", "control"} & set(self.sources))
        if reserved:
            msg = f"sources {reserved}: these names belong to synthesizer and control"
            raise ValueError(msg)
        names = [arm.name for arm in self.every_arm]
        if len(set(names)) != len(names):
            msg = f"arms {names} are not named uniquely once segmenters and numbers of subjects are added"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _fresh_cases_fit(self) -> Self:
        """Refuse fresh cases of sources that make none, or whose filters would not see them."""
        sources = self.all_sources
        for arm in self.all_arms:
            why = "" if arm.reuse is None else stored_alone(sources[arm.source or ""])
            if why:
                msg = f"arm {arm.name!r} has a reuse, and source {arm.source!r} {why}: leave one of them out"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _plan_fits(self) -> Self:
        """Refuse a plan with arms that the study has not."""
        if self.plan is not None:
            compared = (arm for arm in self.every_arm if arm.reference != arm.name and arm.split != "leaky")
            self.plan.require_arms([arm.name for arm in compared])
        return self

    @model_validator(mode="after")
    def _generator_apart_from_validation(self) -> Self:
        """Refuse a generator chosen by the subjects that also choose the segmenters of its cases."""
        for name, source in self.all_sources.items():
            if isinstance(source, SynthesizerSource) and getattr(source.synthesizer, "select", False):
                where = "synthesizer" if name == "generator" else f"sources.{name}.synthesizer"
                msg = f"{where}.select: validation subjects choose the segmenters, and may not choose the generator too"
                raise ValueError(msg)
        return self

    def identity(self) -> dict[str, Any]:
        """What decides the numbers of all arms; each arm's own settings are the key of its own tasks.

        An arm can therefore be added to a study that has run, with its source or its segmenter: only the new one is
        trained.  What is also scored is the key of the scores.
        """
        added = {"arms", "sources", "segmenters", "curve", "controls", "fresh_workers", "also", "shown"}
        return {name: value for name, value in super().identity().items() if name not in added}

    @property
    def spending(self) -> StudyBudget:
        """The budget in force."""
        return self.budgets[self.budget]

    @property
    def all_sources(self) -> dict[str, Source]:
        """Every source by its name, with those of controls."""
        named = super().all_sources
        return {**named, **control_sources(self.controls, named)}

    @property
    def screener(self) -> tuple[SegmenterSpec, Budget]:
        """The segmenter of arms that name none, else the first of `segmenters`."""
        return self.segmenter or next(iter(self.segmenters.values())), self.spending.segmenter

    @property
    def all_arms(self) -> tuple[ArmSpec, ...]:
        """Settings of every arm, with those of controls."""
        return (*self.arms, *control_arms(self.controls, self.arms))

    @property
    def every_arm(self) -> tuple[Arm, ...]:
        """The arms as they are trained: each with every segmenter, at every number of real subjects."""
        sound = tuple(self._expanded())
        return sound if not isinstance(self.split, Slices) else (*sound, *self._leaky(sound))

    @property
    def baseline(self) -> Arm:
        """The first arm, with which others are compared unless they say otherwise."""
        return self.every_arm[0]

    @property
    def _trained_sources(self) -> tuple[str, ...]:
        """Sources with a synthesizer whose cases a sound arm has."""
        named = dict.fromkeys(arm.source for arm in self.all_arms if arm.source)
        return tuple(name for name in named if isinstance(self.all_sources[name], SynthesizerSource))

    def _expanded(self) -> Iterator[Arm]:
        """Arms of each segmenter and number of subjects together, the baseline of each first."""
        sizes = (SubjectsSpec(),) if self.curve is None else self.curve.sizes
        draws = 1 if self.curve is None else self.curve.draws
        # Only an arm that is trained with each of several segmenters needs names that tell them apart.
        each = self.segmenter is None
        named: dict[str | None, SegmenterSpec | None] = {} if each else {None: self.segmenter}
        named.update(self.segmenters)
        for name, segmenter in named.items():
            mine = [arm for arm in self.all_arms if arm.segmenter == name or (each and arm.segmenter is None)]
            first = self.arms[0].name if not mine or mine[0].source else mine[0].name
            shown = name if each and len(self.segmenters) > 1 else None
            for size in sizes:
                end = f"{f'-{shown}' if shown else ''}{size.suffix}"
                words = ", ".join(filter(None, (shown, size.words if len(sizes) > 1 else "")))
                for arm in mine:
                    title = f"{arm.title}, {words}" if words else arm.title
                    real, repeats = (size, draws) if arm.real is None else (arm.real, arm.draws)
                    reference = f"{arm.reference or first}{end}"
                    many = 1 if real.all else repeats
                    yield Arm(f"{arm.name}{end}", title, arm, real, many, segmenter, reference, f"{first}{end}")

    def _leaky(self, sound: Sequence[Arm]) -> Iterator[Arm]:
        """Twins of arms on shuffled slices; edits and mixings need whole cases, a folder has subjects of its own."""
        for arm in sound:
            source = self.all_sources.get(arm.source or "")
            edited = isinstance(source, SynthesizerSource) and (
                source.sampler or source.maps or source.recipe or self.recipe
            )
            if not edited and not isinstance(source, FolderSource | MixingSource):
                own = arm.reference == arm.name
                against = arm.name if own else f"{arm.reference}{LEAKY}"
                first = f"{arm.baseline}{LEAKY}"
                yield replace(arm, name=f"{arm.name}{LEAKY}", reference=against, baseline=first, split="leaky")


def _require(arm: str, key: str, name: str | None, known: list[str]) -> None:
    """Refuse an arm that names a part which the study has not."""
    if name is not None and name not in known:
        msg = f"arm {arm!r} names {key} {name!r}, which is not among {known}"
        raise ValueError(msg)
