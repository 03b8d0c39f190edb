"""Put lesions of training subjects into a healthy brain of another cohort, and paint what a study shows."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from glioforge.core import Cohort, CohortError, LabelMap, stream
from glioforge.data import PrepareSpec, write_case
from glioforge.io import write_cohort
from glioforge.lesions import LesionBank, RecipeSpec
from glioforge.metrics import evaluate_case
from glioforge.studies import Context, Joined, Record, cohort_in, labelled, tumour_of
from glioforge.studies.steps.join import prepared_second, read_second
from glioforge.studies.steps.series import edited_cases, kept_as, label_case, shown_maps, slug
from glioforge.studies.steps.synthesize import source_synthesizer
from glioforge.studies.steps.train import open_segmenter
from glioforge.synthesis import synthesize_cohort

HOSTS: Final = "hosts"
"""Kind of the task that prepares the healthy brain, and folder of the cohort below that of the task."""
HOST: Final = "host"
"""Name of the healthy brain's own label map, and begin of the names of those with a lesion."""
SHOWN: Final = "shown"
"""Kind of the task that paints, and folder of the images."""


def take_host(
    context: Context,
    *,
    cohort: Joined,
    content: str,  # noqa: ARG001 - part of the key
    prepare_as: PrepareSpec,
) -> Record:
    """Read or compute the first case of another cohort, and prepare it as the study's own, on the same grid.

    Args:
        context: The task; reads the sides train and validation.
        cohort: Where the case comes from.
        content: Hash of the folder's contents; empty for phantoms.
        prepare_as: Preparation of the study.

    Raises:
        CohortError: A case has no label map and is not said to be healthy, or the first one has a lesion.
        LeakageError: A case comes from a subject who is held out for validation; `perform` refuses those for testing.
    """
    found = read_second(context, cohort, "shown.hosts")
    made = prepared_second(context, replace(found, cases=found.cases[:1]), cohort, prepare_as, "shown.hosts")
    host = made.cases[0]
    if host.load().require_labels().lesion.any():
        raise CohortError(
            f"a lesion in the label map of {host.case_id}",
            "a brain without lesions",
            "name another folder in shown.hosts",
            found.where,
        )
    write_cohort(replace(made, name=HOSTS, folder=None), context.folder / HOSTS)
    details = {"case": host.case_id, "from": found.name}
    return context.record(made={"cohort": made.fingerprint}, lineage=made.lineage, details=details)


def insert_lesions(context: Context, *, recipes: Sequence[RecipeSpec], seed: int, root_seed: int) -> Record:
    """Put a lesion into the label map of the healthy brain in every way.

    Args:
        context: The task; reads the side train, for donors, and needs the healthy brain.
        recipes: What is done; one that suits no place of the map is left out with a note.
        seed: Seed of the edits, one stream for all.
        root_seed: Seed that the lineage names.
    """
    hosts, folder = cohort_in(context.place(HOSTS) / HOSTS), context.folder
    host, donors = hosts.cases[0], LesionBank.of(context.cohort("train"))
    named = {f"{HOST}-{slug(recipe.name)}": recipe for recipe in recipes}
    streams = {name: stream(seed, host.case_id) for name in named}
    edited, notes = edited_cases(context, host, named, (streams, donors, root_seed))
    inserted = Cohort("inserted", (write_case(folder, kept_as(host, HOST)), *edited), hosts.scheme, hosts.source)
    write_cohort(inserted, folder)
    return context.record(notes=notes, made={"cohort": inserted.fingerprint})


def paint_shown(context: Context, *, seed: int, regions: Sequence[str]) -> Record:
    """Make an image of every label map that is shown, and score what the baseline's segmenter finds in it.

    Args:
        context: The task; reads the test side, and needs a trained synthesizer, a series, and a segmenter that was
            trained on real cases alone; also maps with lesions in a healthy brain, where there are any.
        seed: Seed of the images.
        regions: Regions scored.
    """
    synthesizer = source_synthesizer(context)
    judge = open_segmenter(context.place("segmenter"), context.accelerator)
    series = cohort_in(context.place("series"))
    maps = shown_maps(series, 0)
    if context.need("inserted") is not None:
        maps += [label_case(ref, ref.case_id) for ref in cohort_in(context.place("inserted"))]
    made = synthesize_cohort(
        synthesizer, maps, context.folder / SHOWN, name=SHOWN, seed=seed, progress=context.progress
    )
    need = context.need("series")
    scan = "" if need is None else str(need.details["source"])
    dice: dict[str, Any] = {}
    for cases in (context.cohort("test").select([scan]), made):
        found = labelled(judge, cases)
        dice |= {ref.case_id: _dice(labels, asked, regions, ref.case_id) for ref, labels, asked in found}
    return context.record(details={"dice": dice, "subjects": sorted(synthesizer.lineage.subjects)})


def _dice(found: LabelMap, asked: LabelMap, regions: Sequence[str], case_id: str) -> dict[str, float | None]:
    """Dice of what a segmenter finds in a case with its label map, by region; none where it is not defined."""
    scores = evaluate_case(tumour_of(found), tumour_of(asked), regions, ("dice",), where=case_id)
    values = [asdict(score) for score in scores]
    return {row["region"]: row["value"] if row["value"] == row["value"] else None for row in values}
