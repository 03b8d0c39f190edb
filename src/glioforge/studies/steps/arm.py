"""Train the segmenters of an augmentation study: the trial run that finds their number of steps, and each arm."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

from glioforge.core import Cohort, stream
from glioforge.segmentation import SegmenterSpec
from glioforge.studies import AmountSpec, Context, Record, ScheduleSpec, SubjectsSpec, changed, cohort_in, drawn
from glioforge.studies.steps.fresh import fresh_cases
from glioforge.studies.steps.synthesize import MADE
from glioforge.studies.steps.train import fit_segmenter
from glioforge.training import Budget

MIXED: Final = ScheduleSpec()
COPIES: Final = "copies"


def fit_pilot(
    context: Context, *, segmenter: SegmenterSpec, budget: Budget, seed: int, subjects: Sequence[str] | None = None
) -> Record:
    """Train the baseline until its score levels off on validation subjects, and note at how many steps it did.

    The model is thrown away: no arm is this training.

    Args:
        context: The task.
        segmenter: Settings.
        budget: The study's budget.
        seed: Seed of the trial run, which no arm has.
        subjects: Training subjects; all unless given.
    """
    train = chosen(context.cohort("train"), subjects)
    record = fit_segmenter(context, segmenter=segmenter, budget=budget, seed=seed, train=train)
    steps = None if record.training is None else record.training.steps
    return replace(record, made={"steps": steps})


@final
@dataclass(frozen=True)
class _Mixture:
    """What an arm draws from.

    Args:
        real: Real cases.
        synthetic: Synthetic cases, if any.
        share: Share of synthetic slices in a batch.
        asked: Number of synthetic cases that the arm asks for; none takes all.
    """

    real: Cohort
    synthetic: Cohort | None = None
    share: float = 0.0
    asked: int | None = None


def fit_arm(  # noqa: PLR0913 - what decides an arm's weights, by keyword
    context: Context,
    *,
    segmenter: SegmenterSpec,
    budget: Budget,
    seed: int,
    share: float,
    subjects: Sequence[str] | None = None,
    amount: AmountSpec | None = None,
    source: str | None = None,
    schedule: ScheduleSpec = MIXED,
    order: int = 0,
    exposure: bool = False,
    tuning: Sequence[Mapping[str, Any]] = (),
    fresh: Mapping[str, Any] | None = None,
) -> Record:
    """Train a segmenter of an arm for the steps that the trial run found, to the last one.

    Args:
        context: The task; may need a trial run, tuning trials, and synthetic cases of a source with their screening.
        segmenter: Settings.
        budget: The study's budget; without a trial run it stays as it is.
        seed: Seed of the training.
        share: Share of synthetic slices in every batch; with an amount and 0, cases count alike.
        subjects: Real training subjects; all unless given.
        amount: Number of synthetic cases; all unless given.
        source: Name of the source; `copies` for the real cases once more.
        schedule: When real and synthetic cases are drawn.
        order: Seed of the order in which synthetic cases and subjects of a fine-tuning are taken.
        exposure: Whether steps rise so that each real slice is seen as often as in an arm of real cases alone.
        tuning: Changes that the needed tuning trials made to the segmenter.
        fresh: How cases are made while it trains (see `steps.fresh`); stored ones alone unless given.
    """
    budget = _length(context, budget)
    screened = context.need("synthetic")
    if screened is not None and not screened.made["kept"]:
        return context.record(left_out=f"no case of the {screened.arm} passed the quality check")
    mixture = _mixture(context, (subjects, amount, source, share), schedule, order)
    if exposure and mixture.share < 1 and budget.epochs is None:
        budget = budget.model_copy(update={"steps": math.ceil(budget.steps / (1 - mixture.share))})
    best = _best_trial(context)
    settings = segmenter if best is None else changed(segmenter, tuning[best])
    record = fit_segmenter(
        context,
        segmenter=_averaged(settings, schedule, budget),
        budget=budget,
        seed=seed,
        train=mixture.real,
        synthetic=mixture.synthetic,
        share=mixture.share,
        real_steps=schedule.real_steps,
        fresh=fresh_cases(context, fresh, context.cohort("train"), seed),
    )
    score = None if record.training is None else record.training.best_score
    details = {
        "real_subjects": len(mixture.real.subject_ids),
        "synthetic_cases": 0 if mixture.synthetic is None else len(mixture.synthetic),
        "share": round(mixture.share, 4),
        "tuning_trials": len(tuning),
        "tuned": None if best is None else dict(tuning[best]),
        **record.details,
    }
    notes = _short(mixture, context.task.arm)
    return replace(record, made={**record.made, "score": score}, details=details, notes=notes)


def chosen(cohort: Cohort, subjects: Sequence[str] | None) -> Cohort:
    """Return the cases of these subjects, in the order of the cohort; all for none."""
    return cohort if subjects is None else cohort.of_subjects(subjects, cohort.name)


def _length(context: Context, budget: Budget) -> Budget:
    """The steps that the needed trial run found, without a rule that ends a training before; else the budget."""
    pilot = context.need("pilot")
    if pilot is None:
        return budget
    return budget.model_copy(update={"steps": pilot.made["steps"], "patience": None, "gain": None})


def _mixture(
    context: Context,
    asked: tuple[Sequence[str] | None, AmountSpec | None, str | None, float],
    schedule: ScheduleSpec,
    order: int,
) -> _Mixture:
    """Real and synthetic cases of the arm, and the share of the latter."""
    subjects, amount, source, share = asked
    real = chosen(context.cohort("train"), subjects)
    count = None if amount is None else amount.count(len(real))
    if source is None:
        return _Mixture(real)
    if source == COPIES:
        synthetic, many = replace(real, name=COPIES), count or len(real)
    else:
        synthetic = _taken(context, count, order)
        many = len(synthetic)
    if schedule.real_share < 1:
        permutation = [int(p) for p in stream(order, "fine-tuning").permutation(len(real.subject_ids))]
        real = chosen(real, drawn(real.subject_ids, SubjectsSpec(share=schedule.real_share), permutation))
    return _Mixture(real, synthetic, share or many / (many + len(real)), count)


def _taken(context: Context, count: int | None, order: int) -> Cohort:
    """So many of the cases that passed the filters, in one seeded order of all cases that were made."""
    screened = context.need("synthetic")
    kept = set() if screened is None else set(screened.made["kept"])
    made = cohort_in(context.place("cases") / MADE)
    ids = sorted(ref.case_id for ref in made)
    ranked = [ids[int(place)] for place in stream(order, "synthetic order").permutation(len(ids))]
    wanted = [case_id for case_id in ranked if case_id in kept]
    return made.select(wanted if count is None else wanted[:count], screened.arm if screened else "synthetic")


def _averaged(segmenter: SegmenterSpec, schedule: ScheduleSpec, budget: Budget) -> SegmenterSpec:
    """The segmenter with weights averaged over a share of the steps, where the schedule asks for it."""
    if schedule.average is None:
        return segmenter
    segmenter.require_able("average")
    return segmenter.model_copy(update={"ema": 1 - 1 / max(schedule.average * budget.steps, 2)})


def _best_trial(context: Context) -> int | None:
    """Number of the tuning trial with the best validation score, the first of equal ones; none without trials."""
    scores = [record.made["score"] for record in context.needs.values() if record.kind == "trial"]
    if not scores:
        return None
    return max(range(len(scores)), key=lambda place: -1.0 if scores[place] is None else scores[place])


def _short(mixture: _Mixture, arm: str) -> tuple[str, ...]:
    """A note where fewer synthetic cases were left than the arm asks for."""
    found = 0 if mixture.synthetic is None else len(mixture.synthetic)
    if mixture.asked is None or found >= mixture.asked or mixture.synthetic is None or mixture.synthetic.name == COPIES:
        return ()
    return (f"arm {arm} asks for {mixture.asked} synthetic cases, and {found} were left by the filters",)
