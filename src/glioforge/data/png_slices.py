"""A cohort's axial slices as PNG: 16-bit grey a contrast, 8-bit label maps, for tools that read nothing else.

Foroozandeh and Eklund train on slices as pictures; 8 bits would cut
intensities to 256 steps.  One folder a case: `t1-070.png`, `labels-070.png`
and `slices.json`, which holds what turns grey values back into intensities
and says whose brain it is.
"""

from pathlib import Path

import numpy as np

from glioforge.core import Case, Cohort, Progress, Silent
from glioforge.data.packed import scale_for
from glioforge.io import MIDDLE, Step, write_json, write_png_image, write_png_labels

FACTS = "slices.json"


def write_png_slices(cohort: Cohort, out: Path, *, progress: Progress | None = None) -> int:
    """Write every axial slice of every case; every file is read back and compared.

    Nothing is lost of prepared cases, whose intensities are whole steps of
    their scale; intensities of other cases are rounded to half a step.

    Args:
        cohort: Cases with images, labels or both.
        out: Folder of the pictures, one folder a case below it.
        progress: Where to show progress.

    Returns:
        Number of pictures written.

    Raises:
        InputFileError: A case cannot be read.
        OutputError: The folder holds pictures of another cohort, or cannot be written.
    """
    with Step(out, {"verb": "prepare --png", "cohort": cohort.fingerprint}) as step:
        tracked = (progress or Silent()).track(list(cohort), "writing pictures")
        count = sum(_write_case(ref.load(), out / ref.case_id) for ref in tracked)
        if not step.done:
            step.finish({"pictures": count})
    return count


def _write_case(case: Case, place: Path) -> int:
    """Write the slices of one case and their facts; the number of pictures."""
    scales = {str(m): scale_for(volume.voxels) for m, volume in case.images.items()}
    for k in range(case.geometry.shape[2]):
        for modality, volume in case.images.items():
            plane = np.ascontiguousarray(volume.voxels[..., k])
            write_png_image(place / f"{modality}-{k:03d}.png", plane, scales[str(modality)])
        if case.labels is not None:
            write_png_labels(place / f"labels-{k:03d}.png", np.ascontiguousarray(case.labels.voxels[..., k]))
    facts = {
        "scales": scales,
        "zero": MIDDLE,
        "geometry": case.geometry.to_json(),
        "labels": None if case.labels is None else case.labels.scheme.to_json(),
        "lineage": case.lineage.to_json(),
    }
    write_json(place / FACTS, facts)
    return case.geometry.shape[2] * (len(case.images) + (case.labels is not None))
