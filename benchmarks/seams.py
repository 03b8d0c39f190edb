"""Seams of pasted lesions: how much images jump across the border of what was pasted, against the host's own borders.

A seam is the mean absolute difference of neighbouring voxels of which one was
pasted and the other was not, in standard deviations of the brain; the same pairs
of voxels in the host before pasting are its own jump, and pairs within the
brain at random places that of ordinary tissue.  Draws in which nothing is pasted
count for nothing.  With `--data` a prepared cohort takes the place of four phantoms;
`--picture` writes slices through pasted parts, which is for eyes alone.

Run: `python benchmarks/seams.py [--draws 24] [--data PREPARED] [--picture seams.png]`
Results: `benchmarks/results/seams.json`, of phantoms.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from glioforge.core import Cohort, EditError, stream
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.io.cohort_file import read_cohort
from glioforge.io.ingestion import ingest
from glioforge.mixing.base import MIXINGS, Mixed, Scan, mixing_for

RESULT = Path(__file__).parent / "results" / "seams.json"
BLENDS = ("hard", "soft", "poisson", "soft_poisson")
WAYS: dict[str, dict[str, Any]] = {
    **{f"tumour_paste, {blend}": {"kind": "tumour_paste", "blend": blend, "inside_share": 0.8} for blend in BLENDS},
    "carvemix": {"kind": "carvemix"},
    "cutmix": {"kind": "cutmix"},
}


def phantoms(folder: Path) -> Cohort:
    """Four prepared phantoms."""
    write_phantom_cohort(folder / "phantoms", cases=4, seed=3)
    return prepare(ingest(folder / "phantoms"), PrepareSpec(), folder / "prepared")


def jump(images: np.ndarray, inside: np.ndarray, brain: np.ndarray) -> tuple[float, int]:
    """Sum of absolute differences across a border within the brain, mean over contrasts, and the number of pairs."""
    total, count = 0.0, 0
    for axis in range(3):
        a, b = [slice(None)] * 3, [slice(None)] * 3
        a[axis], b[axis] = slice(1, None), slice(None, -1)
        here, there = tuple(a), tuple(b)
        pairs = (inside[here] != inside[there]) & brain[here] & brain[there]
        total += float(np.abs(images[:, *here][:, pairs] - images[:, *there][:, pairs]).mean(axis=0).sum())
        count += int(pairs.sum())
    return total, count


def measured(scans: list[Scan], values: dict[str, Any], draws: int) -> tuple[dict[str, float], list[Any]]:
    """Jumps of a way of mixing over draws, and what the first draws made."""
    sums, shown = np.zeros((3, 2)), []
    mixing = mixing_for(MIXINGS.parse(values))
    for number in range(draws):
        rng = stream(7, "seams", number)
        host, donor = (scans[int(n)] for n in rng.permutation(len(scans))[:2])
        try:
            made = mixing.apply(host, donor, mixing.draw(host, donor, rng))
        except EditError:
            continue
        pasted = (made.images != host.images).any(axis=0) | (made.labels != host.labels)
        if not pasted.any():
            continue
        blocks = np.kron(rng.integers(0, 2, [-(-n // 8) for n in pasted.shape]), np.ones((8, 8, 8)))
        anywhere = blocks[tuple(slice(n) for n in pasted.shape)].astype(bool)
        brain = host.brain & made.brain
        sums += [
            jump(made.images, pasted, brain),
            jump(host.images, pasted, brain),
            jump(host.images, anywhere, host.brain),
        ]
        if len(shown) < 3:
            shown.append((host, made, pasted))
    seam, own, tissue = (sums[:, 0] / np.maximum(sums[:, 1], 1)).round(4)
    return {"seam": seam, "same_place_in_host": own, "ordinary_tissue": tissue, "pairs": int(sums[0, 1])}, shown


def picture(path: Path, rows: dict[str, list[Any]]) -> None:
    """Slices of the last contrast through the largest pasted part: host, then the mixed case, for each draw."""
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    figure, axes = plt.subplots(len(rows), 6, figsize=(15, 2.6 * len(rows)), squeeze=False)
    for line, (name, shown) in zip(axes, rows.items(), strict=True):
        for pane in line:
            pane.axis("off")
        for number, (host, made, pasted) in enumerate(shown):
            k = int(pasted.sum(axis=(0, 1)).argmax())
            pair: list[Scan | Mixed] = [host, made]
            for place, scan in enumerate(pair):
                line[2 * number + place].imshow(
                    scan.images[-1, :, :, k].T, cmap="gray", vmin=-3, vmax=4, origin="lower"
                )
        line[0].set_title(name, loc="left", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    """Measure every way, and keep the numbers of phantoms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        cohort = phantoms(Path(name)) if asked.data is None else read_cohort(asked.data)
        scans = [Scan.of(ref.load(), cohort.modalities) for ref in cohort]
    found = {way: measured(scans, values, asked.draws) for way, values in WAYS.items()}
    rows = {way: numbers for way, (numbers, _) in found.items()}
    print(json.dumps(rows, indent=1))
    if asked.picture is not None:
        picture(asked.picture, {way: shown for way, (_, shown) in found.items()})
    if asked.data is None:
        values = {"cases": len(scans), "draws": asked.draws, "unit": "standard deviations of the brain", "ways": rows}
        RESULT.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
