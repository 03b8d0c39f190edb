"""How well each kind of tissue map agrees with the truth of phantoms: Dice, and volumes beside the true ones.

Three phantoms of 64 x 64 x 48 voxels without noise and bias field and three
with both as usual, four contrasts, tumour given; numbers are means.  Writes
`benchmarks/results/tissue.json`, and fails where a kind's white or grey matter
falls below 0.90 without noise or 0.80 with it.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from glioforge.core.modality import Modality
from glioforge.core.schemes import COMPLETE
from glioforge.data.phantom.make import Phantom, make_phantom
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.prepare.hmrf import HmrfSpec
from glioforge.data.prepare.prior import PriorSpec
from glioforge.data.prepare.tissue import CLASSES, TissueSpec, complete_labels

RESULT = Path(__file__).parent / "results" / "tissue.json"
FOUR = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)
KINDS = {"mixture": TissueSpec(), "atlas": PriorSpec(), "hmrf": HmrfSpec()}
QUALITIES = {"noise-free": {"noise": 0, "bias": 0}, "usual": {}}
FLOORS = {"noise-free": 0.90, "usual": 0.80}


def compared(phantom: Phantom, kind: str) -> dict[str, dict[str, float]]:
    """Dice and volumes of each class in one phantom."""
    case = phantom.case
    plan = case.geometry.canonical_axes()
    turn = tuple(slice(None, None, -1 if flip else 1) for flip in plan[1])

    def canonical(voxels: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(voxels.transpose(plan[0])[turn])

    images = {m: canonical(case.images[m].voxels) for m in FOUR}
    labels, brain = canonical(case.require_labels().to(COMPLETE).voxels), canonical(case.brain)
    spacing = case.geometry.permuted(*plan).spacing
    start = time.process_time()
    found = complete_labels(images, labels, brain, spacing, KINDS[kind])
    seconds = time.process_time() - start
    truth = canonical(phantom.truth.voxels)
    rows: dict[str, dict[str, float]] = {"processor": {"seconds": seconds}}
    for name in CLASSES:
        one, other = found == COMPLETE.value(name), truth == COMPLETE.value(name)
        rows[name] = {
            "dice": 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)),
            "ml": np.count_nonzero(one) * case.geometry.voxel_volume / 1000,
            "true ml": np.count_nonzero(other) * case.geometry.voxel_volume / 1000,
        }
    return rows


def main() -> int:
    """Measure, write the numbers, and fail where a floor is broken."""
    result: dict[str, Any] = {}
    for quality, changes in QUALITIES.items():
        phantoms = [make_phantom(5, n, PhantomSpec(shape=(64, 64, 48), **changes)) for n in range(3)]
        for kind in KINDS:
            rows = [compared(phantom, kind) for phantom in phantoms]
            result.setdefault(kind, {})[quality] = {
                name: {key: round(float(np.mean([row[name][key] for row in rows])), 3) for key in rows[0][name]}
                for name in rows[0]
            }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    broken = [
        (kind, quality)
        for kind in KINDS
        for quality, floor in FLOORS.items()
        if min(result[kind][quality][name]["dice"] for name in ("white_matter", "grey_matter")) < floor
    ]
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
