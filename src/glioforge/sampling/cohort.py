"""Synthetic cohorts from noise: a case per draw, kept one by one.

A case depends on the seed, its number and the sampler, and on nothing else, so
that a command that is repeated with a larger count adds cases to those there are.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from glioforge.core import (
    PREPARATION,
    Case,
    CaseRef,
    Cohort,
    InputFileError,
    LabelMap,
    Lineage,
    Progress,
    Silent,
    stream,
    stream_seed,
)
from glioforge.data import CASES, find_case, read_bundle, write_bundle, write_case
from glioforge.io import ORPHAN_S, Step, require_no_loss, write_cohort
from glioforge.sampling.base import TrainedSampler

BUNDLE = 200
"""Cases of a bundle, for samplers of small label maps."""


def sample_cohort(
    sampler: TrainedSampler,
    count: int,
    out: Path,
    *,
    name: str = "sampled",
    seed: int = 1,
    progress: Progress | None = None,
) -> Cohort:
    """Draw a synthetic cohort, continuing where an earlier call stopped.

    Args:
        sampler: Trained sampler.
        count: Number of cases; 0 gives an empty cohort.
        out: Folder of the new cohort: `cases/`, `cohort.json`.
        name: Name of the new cohort.
        seed: Root of all draws.
        progress: Where progress is shown.

    Returns:
        The cohort: bare label maps, or images without labels, each with all training subjects in its lineage.

    Raises:
        OutputError: The folder was made with other settings, holds more cases, or cannot be written.
    """
    progress = progress or Silent()
    ids = [f"sample-{number:06d}" for number in range(count)]
    require_no_loss(out, ids)
    key: dict[str, Any] = {
        "sampler": sampler.card.weights,
        "seed": seed,
        "name": name,
        "precision": sampler.accelerator.precision,
    }
    if sampler.request:
        key["asked"] = sampler.request
    with Step(out, key, wait_s=ORPHAN_S, kept=sampler.kept) as step:
        tracked = progress.track(ids, "sampling", len(ids))
        bundles: list[Path] = []
        refs: list[CaseRef] = []
        if sampler.method.bundled:
            for first in range(0, count, BUNDLE):
                part = list(islice(tracked, BUNDLE))
                bundles.append(out / CASES / f"bundle-{first // BUNDLE:06d}.json")
                refs += _bundle(sampler, bundles[-1], part, seed, progress)
        else:
            refs += [_stored(sampler, out / CASES, case_id, seed, progress) for case_id in tracked]
        cohort = Cohort(name, tuple(refs), sampler.scheme)
        write_cohort(cohort, out, bundles)
        step.finish({"cases": len(refs), "fingerprint": cohort.fingerprint})
    return cohort


def _bundle(
    sampler: TrainedSampler, path: Path, ids: Sequence[str], seed: int, progress: Progress
) -> tuple[CaseRef, ...]:
    """Cases of one bundle, found or drawn; a bundle that lacks some is written again with those that it has."""
    found: tuple[CaseRef, ...] = ()
    if path.is_file():
        try:
            found = read_bundle(path)
        except InputFileError as error:
            progress.say(f"{path.name}: damaged, drawn again ({error.found})")
    if len(found) >= len(ids):
        return found[: len(ids)]
    cases = [ref.load() for ref in found]
    write_bundle(path, [*cases, *(_drawn(sampler, case_id, seed) for case_id in ids[len(cases) :])])
    return read_bundle(path)


def _stored(sampler: TrainedSampler, store: Path, case_id: str, seed: int, progress: Progress) -> CaseRef:
    """Return one case, found in the store or drawn."""
    try:
        found = find_case(store, case_id)
    except InputFileError as error:
        found = None
        progress.say(f"{case_id}: damaged, drawn again ({error.found})")
    return write_case(store, _drawn(sampler, case_id, seed)) if found is None else found


def _drawn(sampler: TrainedSampler, case_id: str, seed: int) -> Case:
    """Draw one case."""
    case_seed = stream_seed(seed, "sample", case_id)
    (made,) = sampler.sample(1, stream(case_seed, sampler.makes))
    labels = made if isinstance(made, LabelMap) else None
    known = sampler.card.preparations
    return Case(
        case_id=case_id,
        subject_id=f"synthetic-{case_id}",
        images={} if isinstance(made, LabelMap) else made,
        lineage=_lineage(sampler, case_seed),
        labels=labels,
        brain=None if labels is None else labels.foreground,
        facts={
            **sampler.facts,
            **({} if labels is None else {"tumour_ml": labels.volume_ml("WT")}),
            **sampler.findings(stream(case_seed, sampler.makes)),
            **({PREPARATION: known[0]} if labels is not None and len(known) == 1 else {}),
        },
    )


def _lineage(sampler: TrainedSampler, seed: int) -> Lineage:
    """Everyone behind the model; a draw has no parent case."""
    model = sampler.lineage
    trained_on = set(model.subjects) - model.apart
    made = Lineage.synthetic(sampler.card.kind, {}, seed=seed, generator_subjects=trained_on, weights=model.weights)
    return made.through("generator", model)
