"""A cohort with complete label maps from the folder of a segmenter and a cohort or scans."""

from pathlib import Path

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.compute.fanout import FanOutSpec
from glioforge.core.cohort import Cohort
from glioforge.core.errors import SpecError
from glioforge.core.protocols import Progress
from glioforge.io.atomic_write import write_atomically
from glioforge.io.run_accelerator import remembered
from glioforge.segmentation.base import load_segmenter
from glioforge.segmentation.nnunet import is_nnunet
from glioforge.segmentation.tissue import complete_cohort
from glioforge.studies.training_run import prepared_for

RECORD = "prepare.json"
"""File of a prepared cohort that a model trained on it remembers."""


def complete_folder(  # noqa: PLR0913 - source, place and how it is done, by keyword
    run: Path,
    cohort: Cohort,
    folder: Path,
    out: Path,
    *,
    mask_tumour: bool = False,
    fanout: FanOutSpec | None = None,
    progress: Progress | None = None,
    accelerator: AcceleratorSpec | None = None,
) -> Cohort:
    """Label the tissue of all cases, lay their tumour labels over it, and write a cohort to train synthesizers on.

    Args:
        run: Folder of a segmenter that knows tissue.
        cohort: Scans with tumour labels, or prepared cases; scans are prepared as the segmenter's training cases
            were, with all their contrasts, into `prepared/` within `out`.
        folder: Folder of the cohort, whose record of the preparation goes along.
        out: Folder of the new cohort.
        mask_tumour: Hide the tumour from the segmenter, as in `complete_map`.
        fanout: How preparation is distributed over processes; one unless given.
        progress: Where to show progress; nowhere unless given.
        accelerator: Device, precision and threads of the segmenter; those that `out` began with, else its own
            precision on this machine, where none are given.

    Raises:
        SpecError: The model doesn't know tissue.
        InputFileError: The model's folder does not say how its cases were prepared.
        CohortError: The cohort was prepared otherwise than the model's training cases.
        OutputError: The folder was made from other cases or by another model.
    """
    if is_nnunet(run):
        raise SpecError(
            "an nnU-Net, which labels tumours alone", "a segmenter of target `tissue` or `complete`", where=run
        )
    prepared = prepared_for(run, cohort, out, fanout=fanout, progress=progress, all_contrasts=True)
    segmenter = load_segmenter(run, remembered(accelerator or AcceleratorSpec(), out))
    made = complete_cohort(segmenter, prepared, out, mask_tumour=mask_tumour, progress=progress)
    record = (folder if prepared is cohort else out / "prepared") / RECORD
    if record.is_file():
        write_atomically(out / RECORD, record.read_bytes())
    return made
