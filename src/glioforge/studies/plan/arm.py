"""Tasks of the arms: trial runs that find the number of steps, tuning trials, trainings, scores."""

from collections.abc import Iterator, Sequence
from typing import Any

from glioforge.studies import (
    COPIES,
    MIXED,
    Arm,
    AugmentationSpec,
    CopiesSource,
    Fold,
    MixingSource,
    SynthesizerSource,
    Task,
    changed,
    fit_arm,
    fit_pilot,
    score_segmenter,
    score_slices,
)
from glioforge.studies.plan.draw import Draw, draw_of, steps_of
from glioforge.studies.plan.source import Made
from glioforge.training import Budget

Trained = tuple[Arm, Draw, Made]
"""An arm, the draw of its real subjects, and its synthetic cases."""


def trial_run(spec: AugmentationSpec, fold: Fold, arm: Arm) -> list[Task]:
    """Return the run of an arm's baseline that finds the number of steps; none where steps are given.

    There is none either for a segmenter that never stops before its last step, whose number of steps is the budget's.
    It is trained on the first draw of the baseline's subjects, and shared by all arms and draws of that baseline.
    """
    if not spec.spending.trial:
        return []
    baseline = next(one for one in spec.every_arm if one.name == arm.baseline)
    draw = draw_of(fold, baseline.real, 0)
    if draw.size(fold) == 1 or "plateau" in baseline.segmenter.unable:
        return []
    budget = spec.spending.segmenter
    key = {"segmenter": baseline.segmenter, "budget": budget, "seed": fold.seed("trial"), **draw.key}
    own = baseline.name == spec.all_arms[0].name
    name = f"{fold.name}/pilot" if own else f"{fold.name}/pilots/{baseline.name}"
    return [Task(name, "pilot", fold, fit_pilot, key, amount=budget.steps)]


def arm_tasks(spec: AugmentationSpec, fold: Fold, trained: Trained, trial: Sequence[str]) -> Iterator[Task]:
    """Return trainings and scores of an arm's seeds on one draw and one generator, after its tuning trials."""
    arm, draw, made = trained
    key = _key(spec, fold, trained, trial)
    copied = isinstance(spec.all_sources.get(made.source), CopiesSource)
    needs = (*trial, *(() if not made.source or copied else made.needs(fold)))
    if arm.spec.reuse is not None and isinstance(spec.all_sources[made.source], SynthesizerSource):
        needs = (*needs, made.task(fold, "model"))
    trials = [f"{fold.name}/tuning/{arm.name}/trial-{number}" for number in range(len(spec.tuning))]
    if not draw.number and not made.seed:
        yield from _tuning_trials(spec, fold, trained, key, needs)
    tuning = {"tuning": spec.tuning} if trials else {}
    numbers: dict[str, Any] = {"draw": draw.number, "generator_seed": made.seed}
    for seed in range(spec.spending.seeds):
        place = "-".join([*_parts(draw, made), f"seed-{seed}"])
        training = Task(
            f"{fold.name}/segmenters/{arm.name}/{place}",
            "segmenter",
            fold,
            fit_arm,
            {**key, "seed": draw.seed(fold, "segmenter", seed), **tuning},
            needs=(*needs, *trials),
            arm=arm.name,
            seed=seed,
            amount=_amount(spec, arm, draw.size(fold)),
            **numbers,
        )
        yield training
        yield Task(
            f"{fold.name}/scores/{arm.name}/{place}",
            "scores",
            fold,
            score_slices if fold.leaky else score_segmenter,
            {"regions": spec.regions, **_scored(spec, fold)},
            inputs=("train", "test") if spec.classes else ("test",),
            needs=(training.name,),
            arm=arm.name,
            seed=seed,
            amount=len(fold.split.test),
            **numbers,
        )


def _scored(spec: AugmentationSpec, fold: Fold) -> dict[str, Any]:
    """What scores hold besides those of regions on the scan's grid; slices of a shuffle have no other grid."""
    return {**({"classes": True} if spec.classes else {}), **({} if fold.leaky else spec.also.key)}


def _tuning_trials(
    spec: AugmentationSpec, fold: Fold, trained: Trained, key: dict[str, Any], needs: tuple[str, ...]
) -> Iterator[Task]:
    """A training for each change of the segmenter's settings, on the first draw and generator, for all of the arm."""
    arm, draw, _ = trained
    for number, changes in enumerate(spec.tuning):
        yield Task(
            f"{fold.name}/tuning/{arm.name}/trial-{number}",
            "trial",
            fold,
            fit_arm,
            {**key, "segmenter": changed(key["segmenter"], changes), "seed": draw.seed(fold, "tuning")},
            needs=needs,
            arm=arm.name,
            seed=number,
            amount=key["budget"].steps,
        )


def _key(spec: AugmentationSpec, fold: Fold, trained: Trained, trial: Sequence[str]) -> dict[str, Any]:
    """Settings of an arm's trainings but their seed; what is as usual is left out, so that addresses stay."""
    arm, draw, made = trained
    own = arm.spec
    segmenter = arm.segmenter if own.augment else arm.segmenter.without_augmentation()
    key: dict[str, Any] = {"segmenter": segmenter, "budget": _budget(spec, fold, draw, trial)}
    key |= {"share": own.synthetic_share, **draw.key}
    if made.source:
        copied = isinstance(spec.all_sources[made.source], CopiesSource)
        key |= {"source": COPIES if copied else made.source, "order": fold.seed("order", made.source)}
    if own.amount is not None:
        key["amount"] = own.amount
    if own.schedule != MIXED:
        key["schedule"] = own.schedule
    if own.reuse is not None:
        key["fresh"] = _fresh(spec, made, own.reuse)
    if spec.spending.match == "exposure":
        key["exposure"] = True
    return key


def _fresh(spec: AugmentationSpec, made: Made, reuse: float) -> dict[str, Any]:
    """What decides the fresh cases of an arm."""
    source = spec.all_sources[made.source]
    if isinstance(source, MixingSource):
        return {"reuse": reuse, "mixing": source.mixing, **({"from": made.draw.key} if made.draw.key else {})}
    drawn = {"from": made.draw.key} if made.draw.key else {}
    if isinstance(source, SynthesizerSource) and source.maps is not None:
        return {"reuse": reuse, "maps": source.maps, **drawn}
    recipe = source.recipe if isinstance(source, SynthesizerSource) else None
    return {"reuse": reuse, "recipe": recipe or spec.recipe, **drawn}


def _budget(spec: AugmentationSpec, fold: Fold, draw: Draw, trial: Sequence[str]) -> Budget:
    """The study's budget; a fixed number of steps for a single subject, whose plateau no trial run can find."""
    budget = spec.spending.segmenter
    if spec.spending.trial and not trial and draw.size(fold) == 1:
        steps = min(budget.steps, spec.spending.one_subject_steps)
        return budget.model_copy(update={"steps": steps, "gain": None, "patience": None})
    return budget


def _amount(spec: AugmentationSpec, arm: Arm, subjects: int) -> float:
    """Steps of a training, for estimates."""
    budget, share = spec.spending.segmenter, min(arm.spec.synthetic_share, 0.9)
    longer = budget.epochs is not None or (spec.spending.match == "exposure" and share < 0.9)
    return steps_of(budget, subjects) / ((1 - share) if longer else 1)


def _parts(draw: Draw, made: Made) -> list[str]:
    """Parts of the name of a training; none for the first draw and generator."""
    drawn = [f"draw-{draw.number}"] if draw.number else []
    return [*drawn, *([f"generator-{made.seed}"] if made.seed else [])]
