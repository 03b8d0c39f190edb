"""Synthetic cases as NIfTI in BraTS layout, each file marked SYNTHETIC, with a JSON sidecar.

Conventions
-----------
files       `<id>/<id>_{t1,t1ce,t2,flair,seg}.nii.gz` and `<id>/<id>.json`, as in BraTS 2017-2021, where enhancing
            tumour is 4; else `<id>_{t1n,t1c,t2w,t2f,seg}.nii.gz`, as since 2023
labels      the tumour in the scheme of the label files that the cohort comes from (see `core.written_scheme`), or
            another one that is asked for; normal tissue becomes background
header      fresh, description `SYNTHETIC <first 8 digits of the weights' hash>`
"""

from pathlib import Path

from glioforge.core import (
    BRATS2017,
    Cohort,
    CohortError,
    LabelError,
    LabelScheme,
    Modality,
    OutputError,
    Progress,
    Silent,
    described,
    holds_lesion,
    scheme_to_write,
)
from glioforge.io import Sidecar, read_sidecar, write_image, write_labels, write_sidecar

_NEW_NAMES = {Modality.T1: "t1n", Modality.T1CE: "t1c", Modality.T2: "t2w", Modality.FLAIR: "t2f"}


def export_cohort(
    cohort: Cohort, out: Path, *, scheme: LabelScheme | None = None, progress: Progress | None = None
) -> list[Path]:
    """Write a synthetic cohort as NIfTI; cases whose sidecar is there are not written again.

    Args:
        cohort: Synthetic cases; none give an empty list.
        out: Folder, made if it is not there.
        scheme: Scheme of the label files; that of the cohort's source unless given.
        progress: Where progress is shown, and which label values are written.

    Returns:
        Folder of each case.

    Raises:
        CohortError: A case is not synthetic.
        LabelError: The scheme does not tell all lesion labels of the maps apart.
        OutputError: The folder holds cases in another scheme, or cannot be written.
    """
    real = [ref.case_id for ref in cohort if not ref.lineage.is_synthetic]
    if real:
        raise CohortError(
            f"cases that are not synthetic: {real[:5]}", "synthetic cases only", "export what was made", cohort.name
        )
    scheme = scheme or scheme_to_write(cohort.scheme, cohort)
    lesion = ", ".join(sorted(cohort.scheme.lesion, key=cohort.scheme.value))
    if not holds_lesion(scheme, cohort.scheme):
        raise LabelError(
            f"label scheme {described(scheme)}",
            f"a scheme with a label for each of {lesion}",
            "export in another scheme, such as brats2023",
            cohort.name,
        )
    (progress or Silent()).say(f"NIfTI labels are written as {described(scheme)}")
    names = {} if scheme.labels.get("enhancing") == BRATS2017.labels["enhancing"] else _NEW_NAMES
    folders = []
    for ref in (progress or Silent()).track(cohort, "exporting", len(cohort)):
        folder = out / ref.case_id
        folders.append(folder)
        sidecar = folder / f"{ref.case_id}.json"
        if sidecar.exists():
            _require_scheme(sidecar, ref.case_id, scheme)
            continue
        case = ref.load()
        description = f"SYNTHETIC {(ref.lineage.weights or 'unknown')[:8]}"
        for modality, volume in case.images.items():
            write_image(folder / f"{ref.case_id}_{names.get(modality, modality)}.nii.gz", volume, description)
        write_labels(folder / f"{ref.case_id}_seg.nii.gz", case.require_labels().to(scheme), description)
        write_sidecar(sidecar, Sidecar(ref.lineage, ref.subject_id, ref.session, scheme.name, dict(ref.facts)))
    return folders


def _require_scheme(sidecar: Path, case_id: str, scheme: LabelScheme) -> None:
    """Refuse a case that was exported in another scheme."""
    known = read_sidecar(sidecar, case_id)
    if known is None or known.scheme != scheme.name:
        raise OutputError(
            f"a case exported in scheme {known.scheme if known else 'unknown'}",
            f"scheme {scheme.name}",
            "remove the folder of exported files, or export into another one",
            sidecar,
        )
