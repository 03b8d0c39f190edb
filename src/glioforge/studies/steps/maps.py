"""Judge the label maps that a source draws from noise: z-score filter, and distance over snapshots of the training."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from glioforge.core import CaseRef, Cohort, CohortError, Verdict
from glioforge.io import read_json, write_atomically
from glioforge.quality import PAPER_PIXELS, PAPER_THRESHOLD, PixelZscore, PixelZscoreSpec, fit_filter
from glioforge.report import Picture, best_slice, label_rgb, picture_grid, seen_from
from glioforge.studies import Context, Record, cohort_in
from glioforge.studies.steps.synthesize import MADE
from glioforge.studies.steps.train import MODEL

PICTURE: Final = "maps.png"
CURVE: Final = "distance.png"
"""Files in the folder of the task; the curve is missing where the sampler measured no distance."""
_TRAINING: Final = f"{MODEL}/training"
_SHOWN: Final = 8
_AXIAL: Final = 2


def judge_maps(context: Context) -> Record:
    """Put drawn label maps, and those of validation subjects, through the z-score filter; nothing is refused by it.

    The filter is fitted to the maps of all training subjects, once with the threshold of Foroozandeh & Eklund (2020,
    section 3.4) at the size of these maps, and once with the limit that refuses 5 % of left-out training maps.

    Args:
        context: The task; reads the sides train and validation, and needs a trained sampler and its cases.

    Returns:
        A record whose `details` hold counts of each filter and the distances over snapshots, with `PICTURE` and
        `CURVE` in its folder; or is left out, with the reason, where training subjects are too few.
    """
    made, curve = cohort_in(context.place("cases") / MADE), context.place("sampler") / _TRAINING
    try:
        details = judged(made, context.cohort("train"), context.cohort("validation"), context.folder)
    except CohortError as error:
        return context.record(left_out=str(error))
    if (curve / "distance.json").is_file():
        details["curve"] = read_json(curve / "distance.json")
        shutil.copy(curve / CURVE, context.folder / CURVE)
    return context.record(details=details)


def judged(made: Cohort, train: Cohort, unseen: Cohort, out: Path) -> dict[str, Any]:
    """Return counts of both filters and what the calibrated one says of each map, and write `PICTURE`.

    Args:
        made: Cases with drawn label maps.
        train: Cases that the filters are fitted to.
        unseen: Cases of further subjects.
        out: Folder of the picture.

    Raises:
        CohortError: There are fewer than three training subjects.
    """
    filters = filters_of(int(np.prod(train.cases[0].load().geometry.shape)))
    counts, keep, maps = {}, list[bool](), dict[str, dict[str, float]]()
    for name, spec in filters.items():
        fitted = cast(PixelZscore, fit_filter(spec, train, made=made, seed=1))
        drawn, real = ([fitted.assess(ref.load()) for ref in cases] for cases in (made, unseen))
        counts[name], keep = counts_of(fitted.limit, drawn, real), [one.keep for one in drawn]
        maps = {ref.case_id: {"norm": one.score, "kept": one.keep} for ref, one in zip(made, drawn, strict=True)}
    write_atomically(out / PICTURE, _picture(made, keep, train))
    return {"filters": counts, "subjects": len(train.subject_ids), "curve": {}, "maps": maps}


def filters_of(pixels: int) -> dict[str, PixelZscoreSpec]:
    """The paper's filter, whose threshold grows with the root of the pixels, and the calibrated one.

    Example:
        >>> filters_of(65536)["as published"].threshold
        500.0
    """
    threshold = PAPER_THRESHOLD * float(np.sqrt(pixels / PAPER_PIXELS))
    published = PixelZscoreSpec(encoding="ordinal", threshold=threshold)
    return {"as published": published, "calibrated": PixelZscoreSpec()}


def counts_of(limit: float, made: Sequence[Verdict], real: Sequence[Verdict]) -> dict[str, float]:
    """Limit, numbers of maps drawn and refused, and the median norm; the same of real maps nobody trained on.

    Example:
        >>> counts_of(2.0, [Verdict(True, 1.0, ""), Verdict(False, 3.0, "")], [Verdict(True, 1.5, "")])["refused"]
        1
    """
    found: dict[str, float] = {"limit": limit}
    for before, verdicts in (("", made), ("real_", real)):
        found[f"{before}drawn"] = len(verdicts)
        found[f"{before}refused"] = sum(not one.keep for one in verdicts)
        found[f"{before}norm"] = float(np.median([one.score for one in verdicts])) if verdicts else float("nan")
    return found


def _picture(made: Cohort, keep: Sequence[bool], train: Cohort) -> bytes:
    """Rows of drawn maps that the calibrated filter keeps and refuses, and of training subjects."""
    kept = [ref for ref, fine in zip(made, keep, strict=True) if fine]
    refused = [ref for ref, fine in zip(made, keep, strict=True) if not fine]
    rows = [("from noise,\nkept", kept), ("from noise,\nrefused", refused), ("training\nsubjects", list(train))]
    pictures = [(name, [_axial(ref) for ref in refs[:_SHOWN]]) for name, refs in rows if refs]
    return picture_grid(pictures, [""] * _SHOWN, cell_inch=0.9)


def _axial(ref: CaseRef) -> Picture:
    """The axial slice with most of the lesion."""
    labels = ref.load().require_labels()
    plane = labels.voxels[:, :, best_slice(labels, _AXIAL)]
    sides, aspect = seen_from(_AXIAL, labels.geometry.spacing)
    return Picture(label_rgb(plane, labels.scheme), sides=sides, aspect=aspect)
