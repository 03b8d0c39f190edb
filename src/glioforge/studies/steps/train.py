"""Train a synthesizer, a sampler or a segmenter on the training subjects of a fold."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from glioforge.compute import AcceleratorSpec
from glioforge.core import Cohort, Lineage
from glioforge.data import FreshCases
from glioforge.sampling import train_sampler
from glioforge.segmentation import SEGMENTERS, SegmenterSpec, TrainedSegmenter, load_segmenter, train_segmenter
from glioforge.studies import Context, Record, Training
from glioforge.studies.steps.join import with_joined
from glioforge.synthesis import TrainedSynthesizer, load_synthesizer, train_synthesizer
from glioforge.training import Budget, read_card

MODEL: Final = "model"
"""Folder of the model below that of a task."""

_open: dict[str, tuple[Path, Any]] = {}
"""The last model of each family in this process, so that what follows a training need not read its weights again."""


def made_of(weights: str, lineage: Lineage) -> dict[str, str]:
    """Return what tasks that need a model depend on: its weights, and everyone behind them.

    Other validation subjects may choose the same weights; cases made by the one model must not stand for the other's.
    """
    behind = json.dumps(lineage.to_json(), sort_keys=True)
    return {"weights": weights, "behind": hashlib.sha256(behind.encode()).hexdigest()[:32]}


def fit_synthesizer(
    context: Context,
    *,
    synthesizer: Any,  # noqa: ANN401 - any registered spec
    seed: int,
    subjects: Sequence[str] | None = None,
) -> Record:
    """Train a synthesizer.

    Args:
        context: The task; reads the sides train and validation, and may need a second cohort to train on.
        synthesizer: Settings, with the budget.
        seed: Seed of the training.
        subjects: Training subjects; all unless given.
    """
    folder = context.folder / MODEL
    train = context.cohort("train")
    trained = train_synthesizer(
        with_joined(context, train if subjects is None else train.of_subjects(subjects, train.name)),
        context.cohort("validation"),
        synthesizer,
        folder,
        seed=seed,
        accelerator=context.accelerator,
        progress=context.progress,
    )
    _open["synthesizer"] = (folder.resolve(), trained)
    outcome = trained.card.outcome
    training = Training() if outcome is None else Training.of(trained.parameters, outcome)
    return context.record(training=training, made=made_of(trained.card.weights, trained.card.lineage))


def fit_sampler(
    context: Context,
    *,
    sampler: Any,  # noqa: ANN401 - any registered spec
    seed: int,
    subjects: Sequence[str] | None = None,
    chosen_by: Literal["validation", "training"] = "validation",
) -> Record:
    """Train a sampler.

    Args:
        context: The task; reads the sides train and validation.
        sampler: Settings, with the budget.
        seed: Seed of the training.
        subjects: Training subjects; all unless given.
        chosen_by: Whose cases choose among snapshots: not validation subjects, where segmenters that train on what
            the sampler makes are validated on the same ones.
    """
    train = context.cohort("train")
    chosen = train if subjects is None else train.of_subjects(subjects, train.name)
    judges = context.cohort("validation") if chosen_by == "validation" else None
    return sampler_record(context, sampler, seed, chosen, judges)


def sampler_record(
    context: Context,
    sampler: Any,  # noqa: ANN401 - any registered spec
    seed: int,
    train: Cohort,
    validation: Cohort | None,
    **made: str,
) -> Record:
    """Train a sampler on some cases, and record its weights with what else was made."""
    trained = train_sampler(
        train,
        validation,
        sampler,
        context.folder / MODEL,
        seed=seed,
        accelerator=context.accelerator,
        progress=context.progress,
    )
    outcome = trained.card.outcome
    training = Training() if outcome is None else Training.of(None, outcome)
    return context.record(training=training, made=made_of(trained.card.weights, trained.card.lineage) | made)


def fit_segmenter(  # noqa: PLR0913 - what decides the weights, by keyword
    context: Context,
    *,
    segmenter: SegmenterSpec,
    budget: Budget | None,
    seed: int,
    train: Cohort | None = None,
    validation: Cohort | None = None,
    synthetic: Cohort | None = None,
    share: float = 0.0,
    real_steps: float = 0.0,
    fresh: FreshCases | None = None,
) -> Record:
    """Train a segmenter.

    Args:
        context: The task; reads the sides train and validation.
        segmenter: Settings.
        budget: Length of the training; that of the settings where it is none.
        seed: Seed of the training.
        train: Real cases; the whole training side unless given.  Like `synthetic` not part of a key.
        validation: Cases that choose the weights, maybe none; the validation side unless given.
        synthetic: Synthetic cases to mix in; not part of a key, as they come from a needed task.
        share: Share of synthetic slices in every batch.
        real_steps: Share of the steps, the last ones, that draw from real cases alone.
        fresh: What makes further synthetic cases meanwhile; not part of a key.
    """
    folder = context.folder / MODEL
    trained = train_segmenter(
        context.cohort("train") if train is None else train,
        context.cohort("validation") if validation is None else validation,
        segmenter,
        folder,
        synthetic=synthetic,
        synthetic_share=share,
        real_steps=real_steps,
        fresh=fresh,
        seed=seed,
        budget=budget,
        accelerator=context.accelerator,
        progress=context.progress,
    )
    _open["segmenter"] = (folder.resolve(), trained)
    training = Training.of(trained.parameter_count, trained.outcome)
    made = {} if fresh is None else read_card(folder, SEGMENTERS).training["fresh"]
    details = {} if fresh is None else {"reuse": fresh.reuse, "fresh_cases": made["cases"]}
    return context.record(training=training, made={"weights": trained.weights_hash}, details=details)


def open_synthesizer(folder: Path, accelerator: AcceleratorSpec) -> TrainedSynthesizer:
    """Load the synthesizer of a task's folder, unless this process has just trained or loaded it."""
    path = (folder / MODEL).resolve()
    if _open.get("synthesizer", (None,))[0] != path:
        _open["synthesizer"] = (path, load_synthesizer(path, accelerator))
    trained: TrainedSynthesizer = _open["synthesizer"][1]
    return trained


def open_segmenter(folder: Path, accelerator: AcceleratorSpec) -> TrainedSegmenter:
    """Load the segmenter of a task's folder, unless this process has just trained or loaded it."""
    path = (folder / MODEL).resolve()
    if _open.get("segmenter", (None,))[0] != path:
        _open["segmenter"] = (path, load_segmenter(path, accelerator))
    trained: TrainedSegmenter = _open["segmenter"][1]
    return trained
