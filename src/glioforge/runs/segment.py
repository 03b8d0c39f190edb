"""Masks, or complete label maps, from a segmenter's folder and a cohort or scans."""

from pathlib import Path

from glioforge.compute import AcceleratorSpec, ParallelSpec
from glioforge.config import parse_spec
from glioforge.core import (
    COMPLETE,
    COMPLETE_CAVITY,
    Cohort,
    CohortError,
    InputFileError,
    LabelScheme,
    Progress,
    SpecError,
    listed,
)
from glioforge.data import PREPARATION, PREPARE_REPORT, GridPlan, PrepareSpec, plan_of, prepare, same_size, size_text
from glioforge.io import read_json, remembered, write_atomically
from glioforge.segmentation import (
    NetworkSegmenter,
    complete_cohort,
    engine_of,
    load_segmenter,
    segment_cohort,
    with_probabilities,
)


def segment_folder(  # noqa: PLR0913 - source, place and how it is done, by keyword
    cohort: Cohort,
    run: Path,
    out: Path,
    *,
    probabilities: bool = False,
    scheme: LabelScheme | None = None,
    accelerator: AcceleratorSpec | None = None,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Prepare scans as the model's training cases were, label them, and write masks on the scans' own grids.

    Args:
        cohort: Scans, or prepared cases.
        run: Folder of the model.
        out: Folder of the masks.
        probabilities: Also write the probability of each class.
        scheme: Label scheme of the masks; that of the cohort's label files unless given.
        accelerator: Device, precision and threads; those that `out` began with, else the model's own precision on
            this machine, where none are given.  An nnU-Net takes the device alone.
        parallel: How preparation is distributed over processes; one unless given.
        progress: Where to show progress; nowhere unless given.

    Raises:
        LabelError: The scheme asked for does not name a label of the model.
        InputFileError: The model's folder does not say how its cases were prepared; an nnU-Net needs not say so.
        CohortError: The cohort was prepared otherwise than the model's training cases.
        SpecError: An nnU-Net is asked for probabilities, or for a precision or threads.
    """
    asked = accelerator or AcceleratorSpec()
    segmenter = load_segmenter(run, remembered(asked, out))
    if probabilities:
        with_probabilities(segmenter)
    takes_scans = engine_of(segmenter.spec).takes_scans
    if takes_scans and (asked.precision != "auto" or asked.threads is not None):
        raise SpecError(
            "precision or threads for an nnU-Net", "its own choice", "leave --precision and --threads out", run
        )
    as_it_is = takes_scans and not (run / PREPARATION).is_file()
    prepared = cohort if as_it_is else prepared_for(cohort, run, out, parallel=parallel, progress=progress)
    return segment_cohort(segmenter, prepared, out, probabilities=probabilities, scheme=scheme, progress=progress)


def complete_folder(  # noqa: PLR0913 - source, place and how it is done, by keyword
    cohort: Cohort,
    run: Path,
    out: Path,
    *,
    mask_tumour: bool = False,
    accelerator: AcceleratorSpec | None = None,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Label the tissue of all cases, lay their tumour labels over it, and write a cohort to train synthesizers on.

    Args:
        cohort: Scans with tumour labels, or prepared cases; scans are prepared as the segmenter's training cases
            were, with all their contrasts, into `prepared/` within `out`.
        run: Folder of a segmenter that knows tissue.
        out: Folder of the new cohort; also gets the record of the preparation.
        mask_tumour: Hide the tumour from the segmenter, as in `complete_map`.
        accelerator: Device, precision and threads of the segmenter; those that `out` began with, else its own
            precision on this machine, where none are given.
        parallel: How preparation is distributed over processes; one unless given.
        progress: Where to show progress; nowhere unless given.

    Raises:
        SpecError: The model doesn't know tissue.
        InputFileError: The model's folder does not say how its cases were prepared.
        CohortError: The cohort was prepared otherwise than the model's training cases.
        OutputError: The folder was made from other cases or by another model.
    """
    segmenter = load_segmenter(run, remembered(accelerator or AcceleratorSpec(), out))
    if not isinstance(segmenter, NetworkSegmenter):
        raise SpecError(
            "an nnU-Net, which labels tumours alone", "a segmenter of target `tissue` or `complete`", where=run
        )
    prepared = prepared_for(cohort, run, out, parallel=parallel, progress=progress, all_contrasts=True)
    made = complete_cohort(segmenter, prepared, out, mask_tumour=mask_tumour, progress=progress)
    record = None if prepared.folder is None else prepared.folder / PREPARE_REPORT
    if record is not None and record.is_file():
        write_atomically(out / PREPARE_REPORT, record.read_bytes())
    return made


def prepared_for(
    cohort: Cohort,
    run: Path,
    out: Path,
    *,
    all_contrasts: bool = False,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Cases prepared as a model's training cases were, in `prepared/` within `out`; prepared ones as they are.

    Args:
        cohort: Scans, or prepared cases.
        run: Folder of the model.
        out: Folder of the results.
        all_contrasts: Keep all contrasts that the cases share, also where the model's cases had fewer.
        parallel: How preparation is distributed over processes; one unless given.
        progress: Where to show progress; nowhere unless given.

    Raises:
        InputFileError: The model's folder does not say how its cases were prepared.
        CohortError: The cases' voxel size is another than that of the model's training cases.
        CaseError, OutputError: As `prepare`.
    """
    if all(ref.scheme in {COMPLETE.name, COMPLETE_CAVITY.name} or "prepared" in ref.facts for ref in cohort):
        return cohort
    if not (run / PREPARATION).is_file():
        raise InputFileError("no record of the preparation", PREPARATION, "prepare the scans first", run)
    spec = parse_spec(read_json(run / PREPARATION)["key"]["spec"], PrepareSpec, where=str(run / PREPARATION))
    if all_contrasts:
        spec = spec.model_copy(update={"modalities": None})
    prepared = prepare(cohort, spec, out / "prepared", parallel=parallel, progress=progress)
    _require_known_voxels(run, prepared)
    return prepared


def _require_known_voxels(run: Path, prepared: Cohort) -> None:
    """Refuse cases that kept a voxel size of their own from which the model has not learned."""
    records = read_json(run / PREPARATION).get("cases", {}).values()
    known = {GridPlan.from_json(record["grid"]).target.spacing for record in records}
    if not known:
        return
    sizes = {ref.case_id: plan_of(ref).target.spacing for ref in prepared}
    strange = [name for name, size in sizes.items() if not any(same_size(size, k) for k in known)]
    if strange:
        raise CohortError(
            f"cases of {size_text(sizes[strange[0]])}: {listed(strange)}",
            f"the voxel size of the model's training cases, {' or '.join(sorted(map(size_text, known)))}",
            "train the model on cases prepared with grid.spacing_mm, which resamples whatever comes later",
            prepared.name,
        )
