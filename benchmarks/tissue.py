"""How well each kind of tissue map agrees with the truth of phantoms: Dice, and volumes beside the true ones.

Three phantoms of 64 x 64 x 48 voxels without noise and bias field and three
with both as usual, four contrasts, tumour given; numbers are means.  With a folder of
FreeSurfer label maps as argument also brains painted from them at 2 mm
(`painted_brains.py`); without it their earlier numbers stay.  Writes
`benchmarks/results/tissue.json`, and fails where a kind's white or grey matter
falls below 0.90 without noise or 0.80 with it, or where the default's mean on
painted brains falls below 0.85 (grey), 0.88 (white) or 0.70 (fluid), or below
the mixture's.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from painted_brains import painted_brain

from glioforge.core import COMPLETE, Modality
from glioforge.data.phantom.make import Phantom, make_phantom
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.preparation.grades import islands
from glioforge.data.preparation.hmrf import HmrfSpec
from glioforge.data.preparation.template import PriorSpec
from glioforge.data.preparation.tissue import CLASSES, TissueSpec, complete_labels
from glioforge.data.preparation.unified import UnifiedSpec

RESULT = Path(__file__).parent / "results" / "tissue.json"
FOUR = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)
KINDS = {"unified": UnifiedSpec(), "mixture": TissueSpec(), "atlas": PriorSpec(), "hmrf": HmrfSpec()}
QUALITIES = {"noise-free": {"noise": 0, "bias": 0}, "usual": {}}
PAINTED = {"grey_matter": 0.85, "white_matter": 0.88, "csf": 0.70}
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


def on_painted_brains(folder: Path) -> dict[str, Any]:
    """Dice, islands and seconds of both kinds on every label map of a folder, and their means."""
    result: dict[str, Any] = {kind: {} for kind in ("unified", "mixture")}
    for index, path in enumerate(sorted(folder.glob("*.nii.gz"))):
        made = painted_brain(path, index)
        for kind, cases in result.items():
            start = time.process_time()
            found = complete_labels(made.images, made.labels, made.brain, (2.0,) * 3, KINDS[kind])
            row: dict[str, float] = {"seconds": round(time.process_time() - start, 1), "islands": islands(found)}
            for name in CLASSES:
                one, other = found == COMPLETE.value(name), made.truth == COMPLETE.value(name)
                both = np.count_nonzero(one) + np.count_nonzero(other)
                row[name] = round(2 * np.count_nonzero(one & other) / both, 3)
            cases[path.name.split(".")[0]] = row
    for cases in result.values():
        rows = list(cases.values())
        cases["mean"] = {key: round(float(np.mean([row[key] for row in rows])), 3) for key in rows[0]}
    return result


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
    if len(sys.argv) > 1:
        result["painted"] = on_painted_brains(Path(sys.argv[1]))
    elif RESULT.exists():
        result["painted"] = json.loads(RESULT.read_text()).get("painted")
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    broken = [
        (kind, quality)
        for kind in KINDS
        for quality, floor in FLOORS.items()
        if min(result[kind][quality][name]["dice"] for name in ("white_matter", "grey_matter")) < floor
    ]
    if result["painted"]:
        new, old = (result["painted"][kind]["mean"] for kind in ("unified", "mixture"))
        broken += [("painted", name) for name, floor in PAINTED.items() if new[name] < max(floor, old[name])]
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
