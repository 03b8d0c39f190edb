"""Cases for a reading study without any data: phantoms as real ones, and phantoms painted from other label maps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from glioforge.core.cohort import Cohort
from glioforge.core.protocols import Progress, Silent
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.prepare.pipeline import prepare
from glioforge.data.prepare.spec import PrepareSpec
from glioforge.io.ingest import ingest
from glioforge.runs.synthesize import make_synthetic
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer

PAINTED: Final[Mapping[str, Mapping[str, Any]]] = {
    "painted": {"kind": "class_intensity"},
    "blurred": {"kind": "class_intensity", "smooth_share": 1.0, "blur_voxels": 1.2},
}
"""Synthesizers without a network, which are fitted in a moment, by the name of their method."""


def phantom_readings(out: Path, *, cases: int, seed: int, progress: Progress | None = None) -> dict[str, Cohort]:
    """Make the cohorts of a reading study: `real` phantoms, and synthetic cases of two methods from other phantoms.

    Args:
        out: Folder for all of them; what is there already is kept.
        cases: Real cases, and synthetic cases of each method.
        seed: Seed of everything.
        progress: Where to show progress.

    Raises:
        OutputError: The folder holds cases of other settings, or cannot be written.
    """
    progress = progress or Silent()
    write_phantom_cohort(out / "phantoms", cases=2 * cases, seed=seed, progress=progress)
    prepared = prepare(ingest(out / "phantoms"), PrepareSpec(), out / "prepared", progress=progress)
    subjects = sorted(ref.subject_id for ref in prepared)
    real, donors = (prepared.of_subjects(part) for part in (subjects[:cases], subjects[cases:]))
    made = {}
    for name, settings in PAINTED.items():
        model = train_synthesizer(donors, None, SYNTHESIZERS.parse(settings), out / f"model-{name}", seed=seed)
        made[name] = make_synthetic(donors, model, None, out / name, name=name, seed=seed, progress=progress)
    return {"real": real, **made}
