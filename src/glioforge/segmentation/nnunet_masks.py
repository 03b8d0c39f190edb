"""Masks of a whole cohort from a trained nnU-Net, in the folder that every evaluation reads."""

from pathlib import Path

from glioforge.core.cohort import Cohort
from glioforge.core.labels import LabelScheme
from glioforge.core.protocols import Progress, Silent
from glioforge.io.nifti import write_labels
from glioforge.io.run_folder import Step
from glioforge.segmentation.evaluate import own_grid
from glioforge.segmentation.mask_scheme import mask_scheme, scheme_key
from glioforge.segmentation.masks import write_facts
from glioforge.segmentation.nnunet import NnunetSegmenter


def segment_with_nnunet(
    segmenter: NnunetSegmenter,
    cohort: Cohort,
    out: Path,
    *,
    scheme: LabelScheme | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write one mask a case, on the grid that its scan came on; cases that have one are passed over.

    Args:
        segmenter: Labels the cases, all in one call.
        cohort: Cases made like those it was trained on, prepared or not.
        out: Folder of the masks; gets `<case id>.nii.gz` and `masks.json`.
        scheme: Scheme of the masks; that of the cohort's label files unless given, or the segmenter's own where
            that one cannot hold all of its labels.
        progress: Where to show progress.

    Returns:
        The masks, in the order of the cohort.

    Raises:
        LabelError: The scheme asked for does not name all labels.
        CaseError: A case lacks a contrast.
        DependencyError: nnU-Net is not installed.
        TrainingError: Its command failed.
        OutputError: The folder holds masks of another segmenter or cohort, or cannot be written.
    """
    progress = progress or Silent()
    maker = f"segmentation by nnU-Net, weights {segmenter.weights_hash[:12]}"
    paths = {ref.case_id: out / f"{ref.case_id}.nii.gz" for ref in cohort}
    scheme = scheme or mask_scheme(segmenter.scheme, cohort)
    segmenter.scheme.table_to(scheme)
    key = {"weights": segmenter.weights_hash, "cohort": cohort.fingerprint}
    with Step(out, {**key, **scheme_key(scheme, segmenter.scheme)}) as step:
        write_facts(out, scheme, maker)
        missing = [ref for ref in cohort if not paths[ref.case_id].exists()]
        masks = segmenter.segment_many(ref.load() for ref in progress.track(missing, "writing for nnU-Net"))
        for ref, labels in zip(missing, masks, strict=True):
            write_labels(paths[ref.case_id], own_grid(labels.to(scheme), ref), maker)
        if not step.done:
            step.finish({"cases": len(paths)})
    return list(paths.values())
