"""The stages of a comparison of synthesizers: trainings side by side, then what each makes of unseen label maps."""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glioforge.core.case import Case, CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.errors import EditError
from glioforge.core.firewall import require_no_leak
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Progress
from glioforge.core.rng import stream
from glioforge.data.store import write_case
from glioforge.io.cohort_file import read_cohort, write_cohort
from glioforge.io.run_folder import DONE, ORPHAN_S, Step, read_json
from glioforge.lesions.bank import LesionBank
from glioforge.lesions.lineage import edited_lineage
from glioforge.lesions.recipe import RecipeSpec, edit_labels
from glioforge.segmentation.base import load_segmenter, train_segmenter
from glioforge.studies.comparing import SynthesizersSpec
from glioforge.studies.cost import Cost
from glioforge.studies.jobs import Facts, StudyFold
from glioforge.studies.likeness import judged_rows, method_rows
from glioforge.synthesis.base import TrainedSynthesizer, load_synthesizer, train_synthesizer
from glioforge.synthesis.compose import LabelCase, synthesize_cohort

Fold = StudyFold[SynthesizersSpec]
"""One fold of a comparison of synthesizers."""
REAL = "real scans"
"""Arm of the segmenter's marks on real scans."""
ORIGINAL = "original"
"""Name of the label map that the series starts from."""


def train_judge(fold: Fold, *, progress: Progress) -> Facts:
    """Train the segmenter that judges synthetic images on the fold's scans, and score it on unseen scans."""
    judge = fold.spec.judge
    if judge is None:
        return []
    split = fold.split()
    step = Step(fold.folder.judge / "scores", _key(fold, "judge", judge.model_dump(mode="json")), wait_s=ORPHAN_S)
    if not step.done:
        with step:
            cost = Cost()
            trained = train_segmenter(
                split.train,
                split.validation,
                judge.segmenter,
                fold.folder.judge / "model",
                seed=fold.seed("judge"),
                budget=judge.budget,
                accelerator=fold.spec.accelerator,
                progress=progress,
            )
            rows = judged_rows(fold.spec, (fold.index, REAL, 0), trained, split.test)
            step.finish({"rows": rows, "outcome": trained.outcome.to_json(), **cost.to_json()})
    return [{"stage": "judge", "fold": fold.index, **step.facts}]


def make_series(fold: Fold, *, progress: Progress) -> Facts:
    """Edit the label map of one test subject in every way of the series; only pictures are made of it."""
    names = [recipe.model_dump(mode="json") for recipe in fold.spec.series]
    step = Step(fold.folder.series, _key(fold, "series", {"recipes": names}), wait_s=ORPHAN_S)
    if not step.done:
        with step:
            cost = Cost()
            split = fold.split()
            donors = LesionBank.of(split.train)
            source = _typical(split.test.cases)
            made, left_out = (
                [
                    write_case(
                        fold.folder.series, _with_map(source, ORIGINAL, source.load().require_labels(), source.lineage)
                    )
                ],
                [],
            )
            for recipe in fold.spec.series:
                try:
                    made.append(write_case(fold.folder.series, _edited(fold, source, recipe, donors)))
                except EditError as error:
                    left_out.append(f"{recipe.name}: {error}")
                    progress.say(f"edit left out: {left_out[-1]}")
            write_cohort(Cohort("series", tuple(made), split.test.scheme, split.test.source), fold.folder.series)
            step.finish({"source": source.case_id, "left_out": left_out, **cost.to_json()})
    return [{"stage": "series", "fold": fold.index, **step.facts}]


def train_method(fold: Fold, name: str, seed: int, *, progress: Progress) -> Facts:
    """Train one synthesizer on the fold's training subjects; the facts say how long it took and how large it is."""
    folder = fold.folder.method(name, seed)
    spec = fold.spec.methods[name].trained_spec()
    step = Step(folder / "trained", _key(fold, name, spec.model_dump(mode="json"), seed), wait_s=ORPHAN_S)
    if not step.done:
        with step:
            cost = Cost()
            split = fold.split()
            trained = train_synthesizer(
                split.train,
                split.validation,
                spec,
                folder / "model",
                seed=fold.seed("synthesizer", seed),
                accelerator=fold.spec.accelerator,
                progress=progress,
            )
            step.finish({**_training_facts(trained, folder / "model"), **cost.to_json()})
    return [{"stage": "training", "fold": fold.index, "method": name, "seed": seed, **step.facts}]


def score_method(fold: Fold, name: str, seed: int, *, progress: Progress) -> Facts:
    """Make images of the test subjects' label maps and of the series, and compare the former with the truth."""
    folder = fold.folder.method(name, seed)
    synthesizer = load_synthesizer(folder / "model", fold.spec.accelerator)
    step = Step(folder / "scores", _key(fold, name, {"weights": synthesizer.weights_hash}, seed), wait_s=ORPHAN_S)
    if not step.done:
        with step:
            cost = Cost()
            split = fold.split()
            require_no_leak({name: synthesizer.lineage}, split.test)
            started = time.monotonic()
            maps = [_label_case(ref, ref.case_id) for ref in split.test]
            made = _synthesized(fold, synthesizer, maps, folder / "images", progress)
            per_volume = (time.monotonic() - started) / max(1, len(made))
            if fold.index == 0 and seed == 0:
                _synthesized(fold, synthesizer, _shown_maps(fold), folder / "series", progress)
            rows = method_rows(fold.spec, (fold.index, name, seed), synthesizer, split.test, made)
            if fold.spec.judge is not None:
                judge = load_segmenter(fold.folder.judge / "model", fold.spec.accelerator)
                rows += judged_rows(fold.spec, (fold.index, name, seed), judge, made, split.test)
            step.finish({"rows": rows, "seconds_per_volume": round(per_volume, 3), **cost.to_json()})
    return [{"stage": "scores", "fold": fold.index, "method": name, "seed": seed, **step.facts}]


def draws_of(images: Cohort) -> tuple[CaseRef, ...]:
    """Cases of a series that are draws of the original map, in order."""
    return tuple(ref for ref in images if ref.case_id.startswith("draw-"))


def _key(fold: Fold, name: str, settings: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
    """What a step depends on: the study but its methods, the method's own settings, fold and seed."""
    return {"study": fold.spec.identity(), "name": name, "settings": settings, "fold": fold.index, "seed": seed}


def _training_facts(trained: TrainedSynthesizer, folder: Path) -> dict[str, Any]:
    """Size, length and history of a training; no history without a network."""
    training = trained.card.get("training") or {"steps": 0, "seconds": None}
    done = folder / "training" / DONE
    history = read_json(done)["facts"]["outcome"]["history"] if done.is_file() else []
    return {
        "parameters": trained.parameters,
        "steps": training["steps"],
        "training_seconds": training["seconds"],
        "history": history,
    }


def _synthesized(
    fold: Fold, synthesizer: TrainedSynthesizer, maps: Sequence[LabelCase], out: Path, progress: Progress
) -> Cohort:
    """One image set a map; the same random streams for every method."""
    return synthesize_cohort(synthesizer, maps, out, name=out.name, seed=fold.seed("images"), progress=progress)


def _shown_maps(fold: Fold) -> list[LabelCase]:
    """Every map of the series once, and the original one several times more."""
    refs = read_cohort(fold.folder.series).cases
    original = next(ref for ref in refs if ref.case_id == ORIGINAL)
    draws = [_label_case(original, f"draw-{number + 1}") for number in range(fold.spec.shown_draws)]
    return [_label_case(ref, ref.case_id) for ref in refs] + draws


def _label_case(ref: CaseRef, case_id: str) -> LabelCase:
    """A case's label map under an id; the case itself, or those it was edited from, are its parents."""
    parents = dict.fromkeys(ref.lineage.parents or (ref.case_id,), ref.lineage)
    return LabelCase(case_id, ref.load().require_labels(), parents, ref.lineage.edits)


def _typical(cases: Sequence[CaseRef]) -> CaseRef:
    """The case whose tumour has the median volume; of those with a tumour, where there are any."""
    volumes = {ref.case_id: ref.load().require_labels().volume_ml("WT") for ref in cases}
    order = sorted(cases, key=lambda ref: (volumes[ref.case_id], ref.case_id))
    with_tumour = [ref for ref in order if volumes[ref.case_id] > 0] or order
    return with_tumour[len(with_tumour) // 2]


def _edited(fold: Fold, source: CaseRef, recipe: RecipeSpec, donors: LesionBank) -> Case:
    """The source's label map after a recipe."""
    labels = source.load().require_labels()
    edited, records = edit_labels(labels, recipe, stream(fold.seed("series"), recipe.name), donors)
    lineage = edited_lineage({source.case_id: source.lineage}, records, seed=fold.spec.seed)
    return _with_map(source, slug(recipe.name), edited, lineage)


def _with_map(source: CaseRef, case_id: str, labels: LabelMap, lineage: Lineage) -> Case:
    """A case with a label map and no images."""
    return Case(case_id, source.subject_id, {}, lineage, labels, labels.voxels > 0)


def slug(name: str) -> str:
    """A name as a folder may be called.

    Example:
        >>> slug("healthy brain, new lesion")
        'healthy-brain-new-lesion'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
