"""Synthetic cohorts: a case for each label map, kept one by one, and exported as NIfTI that says what it is.

A case depends on the seed, its id, its label map and the synthesizer, and on
nothing else: neither on the order of the cases nor on the number of workers.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, final

from glioforge.compute import AcceleratorSpec, ParallelSpec, fan_out
from glioforge.core import (
    COMPLETE_DISTRACTORS,
    COMPLETE_STRUCTURES,
    PREPARATION,
    Case,
    CaseRef,
    Cohort,
    InputFileError,
    LabelError,
    LabelMap,
    LabelScheme,
    LabelSource,
    Lineage,
    OutputError,
    Progress,
    Silent,
    stream,
    stream_seed,
)
from glioforge.data import CASES, find_case, write_case
from glioforge.io import ORPHAN_S, Step, write_cohort
from glioforge.synthesis.base import TrainedSynthesizer, load_synthesizer
from glioforge.synthesis.export import export_cohort

__all__ = ["LabelCase", "export_cohort", "synthesize_cohort"]


@final
class LabelCase(NamedTuple):
    """A label map to make images for.

    Args:
        case_id: Id of the new case; safe as a file name.
        labels: Complete label map.
        parents: Lineage of each case that had a part in the map, by id.
        edits: Records of the edits applied, plain values, in order.
    """

    case_id: str
    labels: LabelMap
    parents: Mapping[str, Lineage]
    edits: tuple[Mapping[str, Any], ...] = ()


def synthesize_cohort(  # noqa: PLR0913 - source, place and run settings, by keyword
    synthesizer: TrainedSynthesizer,
    label_cases: Iterable[LabelCase],
    out: Path,
    *,
    name: str,
    seed: int,
    source: LabelSource | None = None,
    total: int | None = None,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Synthesize one case for each label map, continuing where an earlier call stopped.

    Args:
        synthesizer: Trained synthesizer.
        label_cases: Label maps, drawn lazily; none give an empty cohort.
        out: Folder of the new cohort: `cases/`, `cohort.json`.
        name: Name of the new cohort.
        seed: Root of all draws.
        source: Scheme of the label files that the maps come from, if known.
        total: Number of label maps, where `label_cases` has no length; for progress only.
        parallel: How cases are distributed over processes; one unless given. Each worker
            loads the synthesizer once, from its folder.
        progress: Where progress is shown.

    Raises:
        LabelError: A map is in another scheme than the synthesizer's, or has a class that no training case had.
        OutputError: The folder was made with other settings or from other maps, or cannot be written.
    """
    progress = progress or Silent()
    key = {"synthesizer": synthesizer.weights_hash, "seed": seed, "name": name, "precision": synthesizer.runs_in}
    with Step(out, key, wait_s=ORPHAN_S, kept=synthesizer.kept) as step:
        if synthesizer.note:
            progress.say(synthesizer.note)
        make = partial(_made, Imager(synthesizer, seed), out / CASES)
        refs: list[CaseRef] = []
        for ref, line in fan_out(make, label_cases, parallel, title="synthesizing", total=total, progress=progress):
            refs.append(ref)
            if line:
                progress.say(line)
        cohort = Cohort(name, tuple(refs), synthesizer.scheme, source)
        write_cohort(cohort, out)
        step.finish({"cases": len(refs), "fingerprint": cohort.fingerprint, "note": synthesizer.note})
    return cohort


@final
@dataclass(frozen=True, eq=False)
class Imager:
    """Makes the case of a label map; picklable without the weights, which a worker reads from the model's folder.

    Args:
        synthesizer: Trained synthesizer.
        seed: Root of all draws.
    """

    synthesizer: TrainedSynthesizer
    seed: int

    def __reduce__(self) -> tuple[Callable[..., "Imager"], tuple[Any, ...]]:
        model = self.synthesizer
        return _unpickled, (model.folder, model.accelerator, model.weights_hash, self.seed)

    def case(self, label_case: LabelCase) -> Case:
        """Make the images of one label map.

        Raises:
            LabelError: The map is in another scheme than the synthesizer's, or has a class that no training case had.
        """
        labels, shown = for_generator(label_case.labels, self.synthesizer.scheme), self.shown(label_case.labels)
        try:
            images = self.synthesizer.synthesize(shown, stream(self._seed_of(label_case), "images"))
        except LabelError as error:
            raise LabelError(error.found, error.expected, error.remedy, label_case.case_id) from error
        known = self.synthesizer.preparations
        preparation = {PREPARATION: known[0]} if len(known) == 1 else {}
        return Case(
            case_id=label_case.case_id,
            subject_id=f"synthetic-{label_case.case_id}",
            images=images,
            lineage=self.lineage(label_case),
            labels=labels,
            brain=labels.foreground,
            facts={"label_digest": _digest(shown), "tumour_ml": labels.volume_ml("WT"), **preparation},
        )

    def lineage(self, label_case: LabelCase) -> Lineage:
        """Everyone behind the case of a label map, the synthesizer's subjects among them."""
        generator = self.synthesizer.lineage
        return Lineage.synthetic(
            self.synthesizer.kind,
            label_case.parents,
            seed=self._seed_of(label_case),
            generator_subjects=set(generator.subjects) - generator.apart,
            weights=generator.weights,
            edits=label_case.edits,
        ).through("generator", generator)

    def shown(self, labels: LabelMap) -> LabelMap:
        """Return the map that the synthesizer is shown: as it is where it knows distractors, else with tissue there."""
        scheme = self.synthesizer.scheme
        return labels if self.synthesizer.takes(labels.scheme) else for_generator(labels, scheme)

    def _seed_of(self, label_case: LabelCase) -> int:
        """Seed of one case."""
        return stream_seed(self.seed, "synthesize", label_case.case_id)


def _unpickled(folder: Path, accelerator: AcceleratorSpec, weights: str, seed: int) -> Imager:
    """The imager in a worker, with the synthesizer from its folder."""
    return Imager(_opened(folder, accelerator, weights), seed)


@lru_cache(maxsize=1)
def _opened(folder: Path, accelerator: AcceleratorSpec, weights: str) -> TrainedSynthesizer:
    """The synthesizer of a folder, loaded once per worker."""
    synthesizer = load_synthesizer(folder, accelerator)
    if synthesizer.weights_hash != weights:
        raise InputFileError(
            f"weights {synthesizer.weights_hash[:8]}",
            f"weights {weights[:8]}, as when the command began",
            "do not train into the folder while it is used; repeat the command",
            str(folder),
        )
    return synthesizer


def _made(imager: Imager, store: Path, label_case: LabelCase) -> tuple[CaseRef, str]:
    """Return the case of one label map, found in the store or synthesized, and a line for the user."""
    line = ""
    try:
        found = find_case(store, label_case.case_id)
    except InputFileError as error:
        found, line = None, f"{label_case.case_id}: damaged, made again ({error.found})"
    if found is not None:
        _require_same(found, imager.lineage(label_case), _digest(imager.shown(label_case.labels)))
        return found, line
    return write_case(store, imager.case(label_case)), line


def for_generator(labels: LabelMap, scheme: LabelScheme) -> LabelMap:
    """Return a map with the tissue that a generator knows in place of structures and distractors; others as is."""
    finer = labels.scheme in (COMPLETE_STRUCTURES, COMPLETE_DISTRACTORS)
    return labels.to(scheme) if finer and scheme.is_complete else labels


def _digest(labels: LabelMap) -> str:
    """Hash of a label map's voxels and grid."""
    text = labels.voxels.tobytes() + repr(labels.geometry.to_json()).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _require_same(found: CaseRef, lineage: Lineage, digest: str) -> None:
    """Refuse a finished case that was made from another map."""
    if found.facts.get("label_digest") != digest or found.lineage.subjects != lineage.subjects:
        raise OutputError(
            "a finished case made from another label map",
            "the map of this call",
            "choose another --out, or delete the folder to synthesize it again",
            found.case_id,
        )
