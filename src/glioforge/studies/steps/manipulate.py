"""Edit the label maps of unseen subjects, and ask a frozen segmenter whether images show what was asked for."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from glioforge.core import Case, CaseRef, Cohort, EditError, stream
from glioforge.data import write_case
from glioforge.io import PREPARED, write_cohort
from glioforge.lesions import LesionBank, RecipeSpec, edit_labels, edited_lineage
from glioforge.metrics import evaluate_case
from glioforge.studies import Context, Record, cohort_in, labelled, row_of, tumour_of
from glioforge.studies.steps.series import label_case
from glioforge.studies.steps.train import open_segmenter, open_synthesizer
from glioforge.synthesis import synthesize_cohort

ASKED: Final = ("dice", "sensitivity", "precision", "volume_error")
"""Marks of what the segmenter finds against the label map that was asked for."""
IMAGES: Final = "images"


def edit_maps(context: Context, *, recipe: RecipeSpec | None, seed: int, root_seed: int) -> Record:
    """Edit the label map of every unseen subject in one way.

    Args:
        context: The task; reads the sides train, for donors, and test.
        recipe: The edit; none keeps the maps as they are.  A map that it suits nowhere is left out with a note.
        seed: Seed of the edits.
        root_seed: Seed that the lineage names.
    """
    donors, test = LesionBank.of(context.cohort("train")), context.cohort("test")
    made: list[CaseRef] = []
    notes: list[str] = []
    for ref in context.progress.track(test, "editing", len(test)):
        labels, lineage = ref.load().require_labels(), ref.lineage
        if recipe is not None:
            try:
                labels, records = edit_labels(labels, recipe, stream(seed, ref.case_id), donors)
            except EditError as error:
                notes.append(f"{ref.case_id}: {error}")
                continue
            lineage = edited_lineage({ref.case_id: ref.lineage}, records, seed=root_seed)
        made.append(
            write_case(context.folder, Case(ref.case_id, ref.subject_id, {}, lineage, labels, labels.foreground))
        )
    cohort = Cohort("edited", tuple(made), test.scheme, test.source)
    write_cohort(cohort, context.folder)
    return context.record(notes=tuple(notes), made={"cohort": cohort.fingerprint})


def judge_edits(context: Context, *, seed: int, regions: Sequence[str]) -> Record:
    """Make an image of every edited label map, and score what the frozen segmenter finds in it.

    Args:
        context: The task; reads the test side, and needs a synthesizer, a judge, and edited maps.
        seed: Seed of the images.
        regions: Regions scored.
    """
    synthesizer = open_synthesizer(context.place("synthesizer"), context.accelerator)
    judge = open_segmenter(context.place("judge"), context.accelerator)
    edited, task = cohort_in(context.place("edited")), context.task
    maps = [label_case(ref, ref.case_id) for ref in edited]
    out, progress = context.folder / IMAGES, context.progress
    made = synthesize_cohort(synthesizer, maps, out, name=IMAGES, seed=seed, progress=progress)
    known = {ref.case_id: ref for ref in context.cohort("test")}
    rows = []
    for ref, found, asked in labelled(judge, made):
        row = row_of(context.spec, task.fold.index, task.arm, task.seed, known[ref.case_id]) | {"grid": PREPARED}
        rows += [
            row | asdict(one)
            for one in evaluate_case(tumour_of(found), tumour_of(asked), regions, ASKED, where=ref.case_id)
        ]
    return context.record(rows)
