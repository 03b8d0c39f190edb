"""Synthetic cases as NIfTI in BraTS layout, each file marked SYNTHETIC, with a JSON sidecar.

Conventions
-----------
files       `<id>/<id>_{t1,t1ce,t2,flair,seg}.nii.gz` and `<id>/<id>.json`
labels      the tumour in BraTS 2023 values, with a resection cavity in those of 2024; normal tissue becomes background
header      fresh, description `SYNTHETIC <first 8 digits of the weights' hash>`
"""

from pathlib import Path

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError
from glioforge.core.protocols import Progress, Silent
from glioforge.core.schemes import tumour_scheme
from glioforge.io.nifti import write_image, write_labels
from glioforge.io.sidecar import Sidecar, write_sidecar


def export_cohort(cohort: Cohort, out: Path, progress: Progress | None = None) -> list[Path]:
    """Write a synthetic cohort as NIfTI; cases whose sidecar is there are not written again.

    Args:
        cohort: Synthetic cases; none give an empty list.
        out: Folder, made if it is not there.
        progress: Where progress is shown.

    Returns:
        Folder of each case.

    Raises:
        CohortError: A case is not synthetic.
        OutputError: The folder cannot be written.
    """
    real = [ref.case_id for ref in cohort if not ref.lineage.is_synthetic]
    if real:
        raise CohortError(
            f"cases that are not synthetic: {real[:5]}", "synthetic cases only", "export what was made", cohort.name
        )
    folders = []
    for ref in (progress or Silent()).track(cohort, "exporting", len(cohort)):
        folder = out / ref.case_id
        folders.append(folder)
        sidecar = folder / f"{ref.case_id}.json"
        if sidecar.exists():
            continue
        case = ref.load()
        labels = case.require_labels()
        scheme = tumour_scheme(labels.scheme)
        description = f"SYNTHETIC {(ref.lineage.weights or 'unknown')[:8]}"
        for modality, volume in case.images.items():
            write_image(folder / f"{ref.case_id}_{modality}.nii.gz", volume, description)
        write_labels(folder / f"{ref.case_id}_seg.nii.gz", labels.to(scheme), description)
        write_sidecar(sidecar, Sidecar(ref.lineage, ref.subject_id, ref.session, scheme.name, dict(ref.facts)))
    return folders
