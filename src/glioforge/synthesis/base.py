"""Train a synthesizer on a cohort, or continue its training, and keep it in a folder.

Conventions
-----------
input       prepared cases: complete labels, z-scores within the brain, exactly 0 outside
output      see `synthesis.trained`
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glioforge.compute import AcceleratorSpec, described, device_of
from glioforge.config import Spec
from glioforge.core import (
    Case,
    Cohort,
    CohortError,
    Modality,
    Progress,
    Silent,
    not_prepared,
    require_no_leak,
)
from glioforge.io import settled
from glioforge.synthesis.appearance import Appearance, require_stand_ins, unseen_classes, warning_of
from glioforge.synthesis.method import (
    SYNTHESIZERS,
    Knowledge,
    Method,
    SynthesizerSpec,
    chosen_modalities,
    known_modalities,
)
from glioforge.synthesis.trained import TrainedSynthesizer, load_synthesizer, write_tensors
from glioforge.training import Budget, Card, Fitting, Outcome, keep_trained, lineage_of

__all__ = [
    "SYNTHESIZERS",
    "Method",
    "SynthesizerSpec",
    "TrainedSynthesizer",
    "load_synthesizer",
    "train_synthesizer",
]


def train_synthesizer(  # noqa: PLR0913 - cohort, place and run settings, by keyword
    train: Cohort,
    validation: Cohort | None,
    spec: Spec,
    out: Path,
    *,
    budget: Budget | None = None,
    seed: int = 1,
    accelerator: AcceleratorSpec | None = None,
    progress: Progress | None = None,
) -> TrainedSynthesizer:
    """Train a synthesizer, or go on with its training, or load it when it is done.

    Args:
        train: Prepared cases with complete labels.
        validation: Cases of other subjects for model selection, if any.
        spec: Method and settings, of a kind in `SYNTHESIZERS`.
        out: The model's own folder; also gets the subjects of each side and, where the training cases come from a
            folder that `prepare` wrote, its record.
        budget: Length, validation and plateau; the spec's own unless given.
        seed: Root of all draws.
        accelerator: Devices, precision, threads; `auto` and none take those that the folder began with, else this
            machine's.
        progress: Where progress is shown.

    Raises:
        CohortError: The cohort is empty, lacks a contrast or has no tissue labels; or weights are selected on
            validation cases that lack a contrast.
        LeakageError: A validation subject contributed to a training case.
        OutputError: The folder was made with other settings.
        SpecError: `stand_ins` names unknown classes, or unseen ones as those to paint.
        TrainingError: The training diverged.
    """
    progress = progress or Silent()
    spec = spec if budget is None else spec.model_copy(update={"budget": budget})
    kind = SYNTHESIZERS.part_for(spec)
    modalities = _usable(spec, train)
    if validation is not None and len(validation):
        require_no_leak({"training cases": train}, validation)
        validation = _judging(spec, validation, modalities, progress)
    elif getattr(spec, "select", False):
        progress.say("warning: select is true, but no validation subjects select: the last weights are kept")
    settings = settled(accelerator or AcceleratorSpec(), out)
    fitting = Fitting(train, validation, out / "training", seed, settings, progress)

    def fit() -> tuple[Method, Outcome | None]:
        progress.say(described(settings))
        knowledge = Knowledge(modalities, train.scheme, Appearance.of(_loaded(train), modalities, train.scheme))
        _announce_unseen(spec, knowledge, progress)
        method = kind(spec, knowledge)
        return method, method.fit(fitting)

    def card(fitted: tuple[Method, Outcome | None]) -> Card:
        method, outcome = fitted
        return Card(
            family=SYNTHESIZERS.family,
            spec=spec,
            modalities=modalities,
            lineage=lineage_of(spec, train, validation if getattr(spec, "select", False) else None),
            files=write_tensors(out, method),
            scheme=train.scheme,
            outcome=outcome,
            precision=settings.precision,
            facts=method.facts,
            training=_record(train, seed, settings),
        )

    keep_trained(out, spec, fitting, fit, card)
    return load_synthesizer(out, accelerator)


def _usable(spec: Any, train: Cohort) -> tuple[Modality, ...]:  # noqa: ANN401 - any method's spec
    """Contrasts to make, once the cohort is seen to have them and tissue labels."""
    if not len(train):
        raise CohortError("no training cases", "at least one", "check the split", train.where)
    if not train.scheme.is_complete:
        raise not_prepared(train.scheme.name, train.folder, train.where)
    known = known_modalities(train, gaps=spec.gaps)
    modalities = chosen_modalities(spec.modalities, train, gaps=spec.gaps)
    missing = [str(m) for m in modalities if m not in known]
    if missing or not modalities:
        raise CohortError(
            f"contrasts {[str(m) for m in known]} in {'any' if spec.gaps else 'every'} case",
            f"also {missing}" if missing else "some",
            "leave incomplete cases out, or ask for fewer contrasts",
            train.where,
        )
    return modalities


def _announce_unseen(spec: Any, knowledge: Knowledge, progress: Progress) -> None:  # noqa: ANN401 - any method's spec
    """Warn of classes that no training case has, once their stand-ins are seen to be fit."""
    unseen = unseen_classes(knowledge.appearance, knowledge.scheme)
    require_stand_ins(spec.stand_ins, unseen, knowledge.scheme)
    if warning := warning_of(unseen, spec.stand_ins):
        progress.say(f"warning: {warning}")


def _judging(spec: Any, validation: Cohort, modalities: tuple[Modality, ...], progress: Progress) -> Cohort | None:  # noqa: ANN401 - any method's spec
    """Return the validation cohort if it has all contrasts; else none, unless weights are to be selected by it."""
    missing = [str(m) for m in modalities if m not in known_modalities(validation, gaps=spec.gaps)]
    if not missing:
        return validation
    if getattr(spec, "select", False):
        raise CohortError(
            f"validation cases without {missing}",
            "all contrasts that the model makes, as select is true",
            "leave incomplete cases out, ask for fewer contrasts, or set select to false",
            validation.name,
        )
    progress.say(f"warning: no validation score, as validation cases lack {missing}")
    return None


def _loaded(cohort: Cohort) -> Iterator[Case]:
    """Cases one after the other, so that memory holds one."""
    return (ref.load() for ref in cohort)


def _record(train: Cohort, seed: int, accelerator: AcceleratorSpec) -> dict[str, Any]:
    """What the card says of the training for people to read."""
    return {
        "seed": seed,
        "train": [{"name": train.name, "cases": len(train), "fingerprint": train.fingerprint}],
        "device": device_of(accelerator).type,
        "threads": accelerator.threads,
    }
