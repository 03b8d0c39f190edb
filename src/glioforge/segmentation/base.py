"""Train a segmenter, go on with one, or load it: one call for all methods, targets and views.

Conventions
-----------
score      mean volumetric Dice of the validation subjects over the target's regions and tissue
unseen     a class that no training case has is named on screen and card, and a region of it alone is not scored
lineage    everyone behind training and validation cases, and behind real cases that only weigh the classes
views      a training each, with the same budget; their outcomes are given as one
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glioforge.compute.accelerator import AcceleratorSpec, described, seed_torch, start
from glioforge.core.cohort import Cohort
from glioforge.core.firewall import require_no_leak
from glioforge.core.modality import Modality
from glioforge.core.protocols import Progress, Silent
from glioforge.data.epoch import steps_of_an_epoch
from glioforge.io.digest import hash_of_file
from glioforge.io.run_accelerator import kept_of, settled
from glioforge.segmentation.batches import SegmenterBatches
from glioforge.segmentation.method import SEGMENTERS, SegmenterMethod, SegmenterSpec, Task
from glioforge.segmentation.mix import Mix
from glioforge.segmentation.target import CAVITY, Target, target_named, unseen_classes
from glioforge.segmentation.trained import (
    TrainedSegmenter,
    inference_of,
    load_onto,
    load_segmenter,
    method_of,
    view_folders,
)
from glioforge.segmentation.validate import Validation
from glioforge.segmentation.view import ORDER, View
from glioforge.training.budget import Budget, Outcome
from glioforge.training.model_folder import WEIGHTS, Card, write_model

__all__ = [
    "SEGMENTERS",
    "SegmenterMethod",
    "SegmenterSpec",
    "Task",
    "TrainedSegmenter",
    "load_segmenter",
    "train_segmenter",
]


def train_segmenter(  # noqa: PLR0913 - what a training consists of, by keyword
    train: Cohort,
    validation: Cohort,
    spec: SegmenterSpec,
    out: Path,
    *,
    budget: Budget | None = None,
    synthetic: Cohort | None = None,
    synthetic_share: float = 0.0,
    real_steps: float = 0.0,
    seed: int = 1,
    accelerator: AcceleratorSpec | None = None,
    progress: Progress | None = None,
) -> TrainedSegmenter:
    """Train a segmenter, go on with one, or load it when it is done; the same call does all three.

    Args:
        train: Prepared, labelled real cases.
        validation: Prepared, labelled real cases of other subjects, for model selection; with an empty cohort the last
            weights are kept, and the budget may have no patience.
        spec: Method and settings.
        out: The segmenter's own folder; also gets the subjects of each side and, where the training cases come
            from a folder that `prepare` wrote, its record, which `segment_folder` needs.
        budget: Length, validation and plateau, for each view; the spec's own unless given.
        synthetic: Synthetic cases to mix in.
        synthetic_share: Share of synthetic slices or patches in every batch; 1 leaves the real cases out.
        real_steps: Share of the steps, the last ones, that draw from real cases alone, whatever the share before.
        seed: Seed of weights, batches and augmentation.
        accelerator: Device, precision and threads; `auto` and none take those that the folder began with, else this
            machine's.
        progress: Where progress is shown.

    Raises:
        CohortError: There is no case to train on, no common contrast, or a lesion in a brain
            that must have none.
        LabelError: The target cannot express a label.
        LeakageError: A validation subject had a part in a training case, or in a real case that weighs the classes.
        SpecError: The synthetic share does not fit the synthetic cohort, or the size not the method.
        OutputError: The folder was made with other settings or is in use.
    """
    from glioforge.segmentation.objective import reported_weights
    from glioforge.training.loop import train as run

    spec = spec if budget is None else spec.model_copy(update={"budget": budget})
    mix = Mix(train, synthetic, synthetic_share, real_steps)
    modalities = mix.modalities(spec.modalities, validation)
    require_no_leak(mix.inputs, validation)
    target = target_named(spec.target)
    for cohort in (*mix.used, validation):
        target.require_usable(cohort)
    unseen = _unseen(mix, target, progress)
    accelerator = settled(accelerator or AcceleratorSpec(), view_folders(out, spec.views)[0])
    (progress or Silent()).say(described(accelerator))
    fabric = start(accelerator)
    method = method_of(spec)
    settings = _settings(spec, mix, validation, modalities, accelerator)
    outcomes = []
    for view, place in zip(spec.views, view_folders(out, spec.views), strict=True):
        length = _length(spec, method.dims, mix, view)
        task = Task(modalities, target, train, length.steps, view, mix.used)
        how = inference_of(spec, method.dims, fabric.autocast)
        seed_torch(seed, "network")
        network = method.build(modalities, target)
        outcome = run(
            method.recipe(network, task),
            SegmenterBatches(
                mix, modalities, spec, dims=method.dims, view=view, seed=seed, steps=length.steps, device=fabric.device
            ),
            length,
            place,
            seed=seed,
            fabric=fabric,
            validate=Validation(validation, modalities, how, view, unseen, reported_weights(spec, task))
            if len(validation)
            else None,
            progress=progress,
            settings=settings if len(spec.views) == 1 else {**settings, "view": view},
            kept=kept_of(accelerator),
        )
        outcomes.append(outcome)
    if fabric.is_global_zero:
        places = [place / WEIGHTS for place in view_folders(out, spec.views)]
        card = Card(
            family=SEGMENTERS.family,
            spec=spec,
            modalities=modalities,
            lineage=mix.lineage("segmenter", validation),
            files={place.relative_to(out).as_posix(): hash_of_file(place) for place in places},
            scheme=target.scheme,
            outcome=joined(outcomes),
            precision=accelerator.precision,
            facts={"unseen classes": ", ".join(unseen)} if unseen else {},
            training={
                **{name: settings[name] for name in ("train", "synthetic_share", "validation")},
                "seed": seed,
                "device": fabric.device.type,
                "threads": accelerator.threads,
            },
        )
        write_model(out, card, train, validation)
    fabric.barrier()
    return load_onto(out, fabric.device, accelerator)


def _unseen(mix: Mix, target: Target, progress: Progress | None) -> tuple[str, ...]:
    """Classes of the target that no training case has; said aloud, as is a cavity that the target does not name."""
    unseen = unseen_classes(mix.used, target)
    if progress is not None and CAVITY in mix.used[0].scheme.labels and CAVITY not in target.scheme.labels:
        progress.say(f"note: target {target.name} has no class for a resection cavity, which it takes as normal tissue")
    if unseen and progress is not None:
        progress.say(f"warning: no training case has {', '.join(unseen)}; the segmenter cannot learn to find it")
    return unseen


def _length(spec: SegmenterSpec, dims: int, mix: Mix, view: View) -> Budget:
    """The spec's budget in steps; where it is in epochs, the slices or cases of all training cohorts are counted."""
    axis = ORDER[view][2] if dims == 2 else None
    counted = partial(steps_of_an_epoch, axis=axis, lesions_only=spec.lesion_share == 1, slab=spec.slab)
    return spec.budget.in_steps(lambda: counted(mix.used, spec.batch_size))


def _settings(
    spec: SegmenterSpec, mix: Mix, validation: Cohort, modalities: tuple[Modality, ...], accelerator: AcceleratorSpec
) -> dict[str, Any]:
    """What the weights depend on beside budget and seed; becomes part of the card."""
    return {
        "spec": spec.model_dump(mode="json"),
        "modalities": [str(modality) for modality in modalities],
        "precision": accelerator.precision,
        "train": [{"name": cohort.name, "fingerprint": cohort.fingerprint} for cohort in mix.used],
        "synthetic_share": mix.share,
        **({"real_steps": mix.real_steps} if mix.real_steps else {}),
        "validation": {"name": validation.name, "fingerprint": validation.fingerprint},
        "lineage_subjects": list(mix.lineage("segmenter", validation).subjects),
    }


def joined(outcomes: list[Outcome]) -> Outcome:
    """What the trainings of several views came to: the longest, the mean of their scores, the first one's history."""
    if len(outcomes) == 1:
        return outcomes[0]
    scores = [outcome.best_score for outcome in outcomes if outcome.best_score is not None]
    return Outcome(
        steps=max(outcome.steps for outcome in outcomes),
        best_step=max(outcome.best_step for outcome in outcomes),
        best_score=float(np.mean(scores)) if scores else None,
        plateaued=all(outcome.plateaued for outcome in outcomes),
        seconds=sum(outcome.seconds for outcome in outcomes),
        skipped=sum(outcome.skipped for outcome in outcomes),
        history=outcomes[0].history,
        alarms=tuple(alarm for outcome in outcomes for alarm in outcome.alarms),
    )
