"""Train shadow models of a synthesizer, and score every subject for an audit of the release of its weights.

Each shadow model is trained as the synthesizer was, on a random half of all
training, held-out and control subjects, and the next one on the other half, so
that everybody is in half of the models.  The score of a subject is how little
the images that a model makes of its label map differ from its scans.

Files
-----
models/shadow-<n>/   the models
scored/<model>.json  score of every subject under a model
scores.json          scores by attack and subject, for `glioforge audit --scores`
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from glioforge.compute import AcceleratorSpec
from glioforge.core import (
    CaseRef,
    Cohort,
    CohortError,
    Progress,
    Silent,
    listed,
    require_apart,
    require_no_leak,
    stream,
)
from glioforge.io import Step, read_json, write_json
from glioforge.privacy import LIKELIHOOD_RATIO, LOSS, SHADOWS, likelihood_ratios
from glioforge.synthesis import TrainedSynthesizer, train_synthesizer
from glioforge.training import Budget

SCORES: Final = "scores.json"
DRAWS: Final = 4
"""Images of a label map whose mean is compared with the scans, for a synthesizer that varies."""


def shadow_scores(  # noqa: PLR0913 - model, cohorts, place and settings, by keyword
    synthesizer: TrainedSynthesizer,
    out: Path,
    *,
    train: Cohort,
    held_out: Cohort,
    control: Cohort,
    models: int = SHADOWS,
    budget: Budget | None = None,
    seed: int = 1,
    accelerator: AcceleratorSpec | None = None,
    progress: Progress | None = None,
) -> Path:
    """Score all subjects by the loss and by the likelihood ratio, going on where an earlier call stopped.

    Args:
        synthesizer: The one whose weights are to be released.
        out: Folder of models and scores.
        train: Prepared cases of everybody whom it has seen, its validation subjects among them.
        held_out: Prepared cases of subjects whom nothing has seen.
        control: Further such subjects.
        models: Shadow models, an even number of at least 16.
        budget: Length of their trainings; that of the synthesizer unless given.
        seed: Root of all draws.
        accelerator: Device, precision and threads.
        progress: Where to show progress.

    Returns:
        The file of scores.

    Raises:
        CohortError: There are too few models, or a subject whom the synthesizer has seen is not among `train`.
        LeakageError: A subject is in two sets, or held out though the synthesizer has seen it.
        OutputError: The folder was made with other settings.
        TrainingError: A training diverged.
    """
    progress = progress or Silent()
    everyone = _everyone(synthesizer, train, held_out, control, models)
    spec = _spec_of(synthesizer, budget)
    key = {"verb": "shadow", "weights": synthesizer.weights_hash, "spec": spec.model_dump(mode="json")}
    key |= {"people": everyone.fingerprint, "models": models, "seed": seed}
    with Step(out, key, writes=("models", "scored", SCORES)) as step:
        firsts = everyone.first_cases
        target = _scores(synthesizer, firsts, out / "scored" / "released.json", seed, progress)
        halves = _halves(everyone.subject_ids, models, seed)
        shadows = []
        for number, half in enumerate(halves):
            name = f"shadow-{number:02d}"
            progress.say(f"shadow model {number + 1} of {models}, {len(half)} of {len(firsts)} subjects")
            model = train_synthesizer(
                everyone.of_subjects(half, name),
                None,
                spec,
                out / "models" / name,
                seed=seed + number,
                accelerator=accelerator,
                progress=progress,
            )
            shadows.append(_scores(model, firsts, out / "scored" / f"{name}.json", seed, progress))
        subjects = [ref.subject_id for ref in firsts]
        inside = np.array([[subject in half for subject in subjects] for half in halves])
        everything = np.array([[scores[subject] for subject in subjects] for scores in (target, *shadows)])
        ratios = likelihood_ratios(everything[0], everything[1:], inside)
        write_json(out / SCORES, {LOSS: target, LIKELIHOOD_RATIO: dict(zip(subjects, ratios.tolist(), strict=True))})
        if not step.done:
            step.finish({"models": models, "subjects": len(subjects)})
    return out / SCORES


def _everyone(synthesizer: TrainedSynthesizer, train: Cohort, held_out: Cohort, control: Cohort, models: int) -> Cohort:
    """All subjects, once nobody is on two sides and the synthesizer is seen to know the training side alone."""
    require_apart({"training": train, "held-out": held_out, "control": control})
    for cohort in (held_out, control):
        require_no_leak({"the synthesizer": synthesizer.lineage}, cohort)
    missing = sorted(set(synthesizer.lineage_subjects) - set(train.subject_ids))
    if missing:
        raise CohortError(
            f"subjects whom the synthesizer has seen who are not among the training cases: {listed(missing)}",
            "everybody whom it has seen",
            "name the whole cohort that it was trained and validated on",
            train.where,
        )
    if models < SHADOWS or models % 2:
        raise CohortError(f"{models} shadow models", f"an even number of at least {SHADOWS}", "train more of them")
    return train + held_out + control


def _spec_of(synthesizer: TrainedSynthesizer, budget: Budget | None) -> Any:  # noqa: ANN401 - each method has its own
    """Settings of the synthesizer without selection, as shadow models have no validation subjects."""
    spec = synthesizer.card.spec
    changes = {"select": False} if getattr(spec, "select", False) else {}
    return spec.model_copy(update={**changes, **({"budget": budget} if budget else {})})


def _halves(subjects: Sequence[str], models: int, seed: int) -> list[frozenset[str]]:
    """Subjects of each model: a random half, then the other half, and so on."""
    halves = []
    for pair in range(models // 2):
        order = stream(seed, "shadow", pair).permutation(len(subjects))
        middle = len(order) // 2
        halves += [frozenset(subjects[n] for n in part) for part in (order[:middle], order[middle:])]
    return halves


def _scores(
    synthesizer: TrainedSynthesizer, refs: Sequence[CaseRef], path: Path, seed: int, progress: Progress
) -> dict[str, float]:
    """Score of every subject, kept in a file."""
    if path.is_file():
        kept: dict[str, float] = read_json(path)
        return kept
    shown = progress.track(refs, "scoring subjects", len(refs))
    found = {ref.subject_id: score_of(synthesizer, ref, seed) for ref in shown}
    write_json(path, found)
    return found


def score_of(synthesizer: TrainedSynthesizer, ref: CaseRef, seed: int) -> float:
    """Return minus the mean absolute difference between a scan and the mean image of its label map, in z-scores.

    Args:
        synthesizer: Any.
        ref: A prepared case with labels and the contrasts that it makes.
        seed: Of style and noise; the same for all models.
    """
    case = ref.load()
    labels, brain = case.require_labels(), case.brain_mask
    case.require_images(synthesizer.modalities)
    draws = DRAWS if synthesizer.varied else 1
    made = [synthesizer.synthesize(labels, stream(seed, "shadow draw", ref.case_id, n)) for n in range(draws)]
    apart = [
        np.abs(np.mean([one[m].voxels for one in made], axis=0) - case.images[m].voxels)[brain].mean()
        for m in synthesizer.modalities
    ]
    return -float(np.mean(apart))
