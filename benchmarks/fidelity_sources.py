"""Fidelity of four sources of images, on phantoms and on scans: a real half, a painted control, the house method, blur.

Subjects are divided into three parts that share nobody: a generator and a control are trained on the first, images
are made from the label maps of the second, and the third is what they are compared with (of few scans, the first two
parts are one).  Sources:

    real      the second part's own images
    painted   class intensities with texture, the control without a network, on its label maps; the recorded result
              used the predecessor of today's `painted`
    house     `sound`, on its label maps
    blurred   the images of `house`, blurred by one voxel inside the brain

Expected, written down before the first run, in the numbers `EXPECTED`: the real half is nearest of the four, and the
blurred images lie behind those of the house method.  Nothing was expected of the painted control; where it falls is
reported.  A number in which the expectation fails is listed in the result, and none is left out.

Writes `benchmarks/results/fidelity_sources.json` and, below the folder of work, a page a
source.  Pictures of scans are not for publication, so pages are never written into the repository.

Run: `python benchmarks/fidelity_sources.py --work FOLDER [--data FOLDER]`; repeat it to resume.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from scipy.ndimage import gaussian_filter

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core import Cohort, Volume, stream
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.data.store import write_case
from glioforge.io.atomic_write import read_json, write_json
from glioforge.io.cohort_file import read_cohort, write_cohort
from glioforge.io.ingestion import ingest
from glioforge.runs.fidelity import FIDELITY_JSON, fidelity
from glioforge.runs.fidelity_numbers import FidelitySpec
from glioforge.runs.synthesize import make_synthetic
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer

RESULT: Final = Path(__file__).parent / "results" / "fidelity_sources.json"
EXPECTED: Final = (
    "patches/sliced_wasserstein",
    "random_convolution/kid",
    "random_convolution/frechet",
    "spectrum/transport",
)
"""Numbers in which the order was written down beforehand."""
BLUR_VOXELS: Final = 1.0
PHANTOMS, SEED, STEPS, DRAWS = 60, 21, 600, 50
CPU = AcceleratorSpec(device="cpu", threads=1)
KINDS: Final = {"painted": {"kind": "painted", "preset": "means", "texture": 1}, "house": {"kind": "sound"}}


def parts(cohort: Cohort, count: int) -> list[Cohort]:
    """Parts that share no subject, of equal size but for one."""
    names = sorted(cohort.subject_ids)
    order = stream(SEED, "sources").permutation(len(names))
    return [cohort.of_subjects([names[n] for n in order[part::count]], f"part {part}") for part in range(count)]


def sources(train: Cohort, maps: Cohort, work: Path) -> Iterator[tuple[str, Cohort]]:
    """Each source by its name; what is finished is read."""
    yield "real", maps
    for name, settings in KINDS.items():
        budget = {"budget": {"steps": STEPS, "validate_every": STEPS}} if name == "house" else {}
        spec = SYNTHESIZERS.parse({**settings, **budget})
        model = train_synthesizer(train, None, spec, work / f"{name}-model", seed=SEED, accelerator=CPU)
        made = make_synthetic(maps, model, None, work / name, name=name, seed=SEED)
        yield name, made
        if name == "house":
            yield "blurred", blurred(made, work / "blurred")


def blurred(cohort: Cohort, out: Path) -> Cohort:
    """The same cases, smoother: a blur inside the brain divided by the blurred mask."""
    if (out / "cohort.json").exists():
        return read_cohort(out)
    refs = []
    for ref in cohort:
        case = ref.load()
        brain = case.brain_mask
        weights = np.maximum(gaussian_filter(brain.astype(np.float32), BLUR_VOXELS), np.float32(1e-6))
        images = {
            m: Volume(gaussian_filter(v.voxels * brain, BLUR_VOXELS) / weights * brain, v.geometry, m)
            for m, v in case.images.items()
        }
        lineage = replace(case.lineage, source=f"{case.lineage.source}, blurred")
        refs.append(write_case(out / "cases", replace(case, images=images, lineage=lineage)))
    found = Cohort("blurred", tuple(refs), cohort.scheme, cohort.source)
    write_cohort(found, out)
    return found


def main() -> int:
    """Make the sources, compare them, write the numbers, and fail where the expectation does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True, help="folder of cohorts and models, kept for resuming")
    parser.add_argument("--data", type=Path, help="folder of scans, in a layout that `glioforge ingest` knows")
    given = parser.parse_args()
    cohorts = {"phantoms": 3, **({} if given.data is None else {"scans": 2})}
    result: dict[str, Any] = {}
    for title, count in cohorts.items():
        kept = given.work / f"{title}-summary.json"
        if not kept.exists():
            write_json(kept, compared(title, count, given.data, given.work))
        result[title] = read_json(kept)
        write_json(RESULT, result)
    return 0 if all(not entry["expectation_failed_in"] for entry in result.values()) else 1


def compared(title: str, count: int, data: Path | None, work: Path) -> dict[str, Any]:
    """Make the sources of one cohort, in this number of parts, and compare each with the part that is held out."""
    if title == "phantoms" or data is None:
        data = work / "phantoms"
        write_phantom_cohort(data, cases=PHANTOMS, seed=SEED)
    divided = parts(prepare(ingest(data), PrepareSpec(), work / f"{title}-prepared"), count)
    train, maps, held_out = divided if count == 3 else (divided[0], divided[0], divided[1])
    found: dict[str, dict[str, Any]] = {}
    for name, made in sources(train, maps, work / f"{title}-sources"):
        out = work / f"{title}-fidelity" / name
        fidelity(made, held_out, out, spec=FidelitySpec(draws=DRAWS))
        found[name] = read_json(out / FIDELITY_JSON)
        print(title, name, len(made), flush=True)
    return summary(found)


def summary(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Values of each source in each number, the floor, and where the expectation fails."""
    rows = {name: {row["name"]: row for row in entry["numbers"]} for name, entry in found.items()}
    table = {
        number: {
            "floor": [rows["real"][number][end] for end in ("floor", "floor_low", "floor_high")],
            **{name: [rows[name][number][end] for end in ("value", "low", "high")] for name in rows},
        }
        for number in rows["real"]
    }
    expected = [number for number in table if number.startswith(EXPECTED)]
    failed = [number for number in expected if not as_expected({n: table[number][n][0] for n in rows})]
    return {
        "subjects_a_side": found["real"]["subjects_a_side"],
        "cases": {name: entry["synthetic"]["cases"] for name, entry in found.items()},
        "extractors": found["real"]["extractors"],
        "numbers": table,
        "two_sample_tests": {name: entry["two_sample_tests"] for name, entry in found.items()},
        "reconstruction": {name: entry["reconstruction"] for name, entry in found.items()},
        "expected_in": expected,
        "expectation_failed_in": failed,
        "place_of_the_painted_control": {
            number: sorted(rows, key=lambda name: table[number][name][0]).index("painted") + 1 for number in expected
        },
    }


def as_expected(values: dict[str, float]) -> bool:
    """Whether the real half is nearest and blur lies behind the house method."""
    return values["real"] == min(values.values()) and values["blurred"] > values["house"]


if __name__ == "__main__":
    raise SystemExit(main())
