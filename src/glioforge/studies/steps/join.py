"""Prepare a second cohort for the training of a synthesizer; none of its subjects may be held out."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from glioforge.core import Cohort, CohortError, listed, require_no_leak
from glioforge.data import PrepareSpec, prepare, require_one_grid, write_phantom_cohort
from glioforge.io import COHORT_FILE, ingest, read_cohort, write_cohort
from glioforge.studies import PHANTOMS, Context, Joined, JoinedFolder, Record, cohort_in

KIND: Final = "joined"
"""Kind of the task, name of the cohort, and folder of it below that of the task."""
PREPARED: Final = "prepared"
"""Folder of the prepared cases below that of a task."""


def take_joined(
    context: Context,
    *,
    cohort: Joined,
    content: str,  # noqa: ARG001 - part of the key
    prepare_as: PrepareSpec,
) -> Record:
    """Read or compute the cases of a second cohort, and prepare them as the study's own, on the same grid.

    Args:
        context: The task; reads the sides train and validation.
        cohort: Where the cases come from.
        content: Hash of the folder's contents; empty for phantoms.
        prepare_as: Preparation of the study.

    Raises:
        CohortError: A contrast is none of the study's; a case has no label map and is not said to be healthy, has none
            of the contrasts, is on the training side too, or differs in its voxel size or in the scheme of its map.
        LeakageError: A case comes from a subject who is held out for validation; `perform` refuses those for testing.
    """
    train = context.cohort("train")
    found = read_second(context, cohort, "also_train_on")
    made = replace(prepared_second(context, found, cohort, prepare_as, "also_train_on"), name=KIND, folder=None)
    require_one_grid(train + made)
    write_cohort(made, context.folder / KIND)
    contrasts = [m.title for m in train.modalities if any(m in ref.images for ref in made)]
    details = {"cases": len(made), "from": found.name, "contrasts": contrasts}
    return context.record(made={"cohort": made.fingerprint}, lineage=made.lineage, details=details)


def read_second(context: Context, cohort: Joined, key: str) -> Cohort:
    """Return the cases of a second cohort as they came.

    Args:
        context: The task; reads the side validation.
        cohort: Where the cases come from.
        key: The setting that names it, for errors.

    Raises:
        CohortError: A case has no label map and is not said to be healthy.
        LeakageError: A case comes from a subject who is held out for validation.
    """
    found = _read(context, cohort)
    require_no_leak({f"cases of {key}": found}, context.cohort("validation"))
    bare = [ref.case_id for ref in found if ref.labels is None]
    if bare and not (isinstance(cohort, JoinedFolder) and cohort.healthy):
        raise CohortError(
            f"cases without a label map: {listed(bare)}",
            "a label map for every case",
            f"leave them out, or set {key}.healthy to true if no brain shows a lesion",
            found.where,
        )
    return found


def prepared_second(context: Context, found: Cohort, cohort: Joined, prepare_as: PrepareSpec, key: str) -> Cohort:
    """Prepare cases of a second cohort as the study's own, on the same grid, with the study's contrasts that they have.

    Args:
        context: The task; reads the side train.
        found: The cases as they came.
        cohort: Where they come from, with the contrasts to use.
        prepare_as: Preparation of the study.
        key: The setting that names it, for errors.

    Raises:
        CohortError: A contrast is none of the study's, or a case has none of the contrasts.
    """
    train = context.cohort("train")
    strange = [str(m) for m in cohort.modalities or () if m not in train.modalities]
    if strange:
        raise CohortError(
            f"contrasts {strange} of a second cohort",
            f"contrasts of the study, {[str(m) for m in train.modalities]}",
            f"name others in {key}.modalities",
            found.where,
        )
    grid = prepare_as.grid.model_copy(update={"size": train.cases[0].load().geometry.shape})
    wanted = {"grid": grid, "modalities": cohort.modalities or train.modalities, "allow_missing": True}
    return prepare(found, prepare_as.model_copy(update=wanted), context.folder / PREPARED, progress=context.progress)


def with_joined(context: Context, train: Cohort) -> Cohort:
    """Return training cases with those of the second cohort that a task needs; the same cases where it needs none."""
    if context.need(KIND) is None:
        return train
    # Both were prepared with the settings that lie in the folder of the first.
    return replace(train + cohort_in(context.place(KIND) / KIND), folder=train.folder)


def _read(context: Context, cohort: Joined) -> Cohort:
    """The cases as they came."""
    if isinstance(cohort, JoinedFolder):
        return _ingested(context, cohort.path, cohort)
    folder = context.folder / PHANTOMS
    write_phantom_cohort(folder, cases=cohort.cases, spec=cohort.phantom, seed=cohort.seed, progress=context.progress)
    return _ingested(context, folder, None)


def _ingested(context: Context, folder: Path, cohort: JoinedFolder | None) -> Cohort:
    """A folder of scans, or of an ingested cohort."""
    if (folder / COHORT_FILE).is_file():
        return read_cohort(folder)
    return ingest(folder, None if cohort is None else cohort.layout, progress=context.progress)
