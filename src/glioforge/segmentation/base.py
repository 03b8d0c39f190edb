"""Train a segmenter, go on with one, or load it: one call for all methods, targets and views.

Conventions
-----------
lineage    everyone behind training and validation cases, and behind real cases that only weigh the classes
engine     `segmentation.network` for networks; a method with a program of its own brings an engine
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from glioforge import training
from glioforge.compute import AcceleratorSpec, set_threads
from glioforge.config import Spec
from glioforge.core import Cohort, Progress, Silent, require_no_leak
from glioforge.data import FreshCases
from glioforge.segmentation.engine import Fitted, Fitting, Mix, SegmenterEngine, TrainedSegmenter
from glioforge.segmentation.method import SEGMENTERS, Demand, NetworkSpec, SegmenterMethod, SegmenterSpec, Task
from glioforge.segmentation.network import NetworkEngine
from glioforge.training import Budget, Card, read_card, write_model

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
    fresh: FreshCases | None = None,
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
        fresh: What makes further synthetic cases while the segmenter trains; those of `synthetic` are the first, and
            each is replaced once its slices have been drawn as often as `fresh.reuse` says.
        seed: Seed of weights, batches and augmentation.
        accelerator: Device, precision and threads; `auto` and none take those that the folder began with, else this
            machine's.
        progress: Where progress is shown.

    Raises:
        CohortError: There is no case to train on, no common contrast, or a lesion in a brain
            that must have none.
        LabelError: The target cannot express a label.
        LeakageError: A validation subject had a part in a training case, or in a real case that weighs the classes.
        SpecError: The synthetic share does not fit the synthetic cohort, the size not the method, or its trainings
            cannot do what is asked.
        DependencyError: The method needs a program that is not installed; nothing is trained.
        OutputError: The folder was made with other settings or is in use.
    """
    spec = spec if budget is None else spec.model_copy(update={"budget": budget})
    mix = Mix(train, synthetic, synthetic_share, real_steps, fresh)
    modalities = mix.modalities(spec.modalities, validation)
    require_no_leak(mix.inputs, validation)
    spec.require_able(*_demands(spec, mix))
    spec.require_available()
    asked, shown = accelerator or AcceleratorSpec(), progress or Silent()
    engine = engine_of(spec)
    fitted = engine.fit(Fitting(mix, validation, modalities, out, seed, asked, shown))

    if training.leads(fitted.accelerator):
        card = Card(
            family=SEGMENTERS.family,
            spec=spec,
            modalities=modalities,
            lineage=mix.lineage("segmenter", validation),
            files=fitted.files,
            scheme=fitted.scheme,
            outcome=fitted.outcome,
            precision=fitted.precision,
            facts=fitted.facts,
            training=_record(mix, validation, seed, fitted),
        )
        write_model(out, card, train, validation)
    training.meet()
    return engine.open(out, read_card(out, SEGMENTERS), fitted.accelerator, fitted.place)


def load_segmenter(folder: Path, accelerator: AcceleratorSpec | None = None) -> TrainedSegmenter:
    """Load a trained segmenter.

    Args:
        folder: Made by `train_segmenter`.
        accelerator: Where it runs, one device whatever it says of devices, and with how many threads.  Without a
            precision of its own it takes the one of the training (see `compute.accelerator.precision_for`).

    Raises:
        InputFileError: The folder holds no finished segmenter, or its weights were changed.
        DependencyError: The device asked for is not there.
    """
    asked = accelerator or AcceleratorSpec()
    card = read_card(folder, SEGMENTERS)
    if asked.threads is not None:
        set_threads(asked.threads)
    return engine_of(card.spec).open(folder, card, asked)


def engine_of(spec: Spec) -> SegmenterEngine:
    """Return what trains and opens the segmenters of a spec."""
    part = SEGMENTERS.part_for(spec)(spec)
    return part if isinstance(part, SegmenterEngine) else NetworkEngine(cast("NetworkSpec", spec), part)


def _demands(spec: SegmenterSpec, mix: Mix) -> Iterator[Demand]:
    """What budget and mixture ask of a training."""
    if spec.budget.epochs is not None:
        yield "epochs"
    if mix.real_steps:
        yield "real_steps"
    if mix.fresh is not None:
        yield "fresh"


def _record(mix: Mix, validation: Cohort, seed: int, fitted: Fitted) -> dict[str, Any]:
    """What the card says of the training for people to read."""
    cohorts = [{"name": cohort.name, "fingerprint": cohort.fingerprint} for cohort in (*mix.used, validation)]
    return {
        "seed": seed,
        "train": cohorts[:-1],
        "synthetic_share": mix.share,
        "real_steps": mix.real_steps,
        "reuse": None if mix.fresh is None else mix.fresh.reuse,
        "validation": cohorts[-1],
        "device": fitted.device,
        "threads": fitted.accelerator.threads,
        **fitted.training,
    }
