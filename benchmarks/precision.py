"""Time of the demonstration's networks in bfloat16 and in float32, with and without instructions for bfloat16.

A few training steps of the demonstration's generator and segmenter, through the
calls that a study makes, then a volume of images and a volume of labels, all on
one thread.  Both precisions take turns, and CPU time counts, which other work on
the machine hardly touches; of several rounds the least.  A training ends with a
validation, whose time is shared among its steps.  The same is measured
once more in a process in which oneDNN and torch may use AVX2 alone: that is how
a processor without AVX-512 works.  What `auto` takes has to be within a tenth of
the better precision over the whole demonstration's mix of training steps.

Run: `python benchmarks/precision.py [--steps 6] [--rounds 3]`
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar, cast

import torch

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.compute.precision import EmulatedPrecisionWarning, native_precision
from glioforge.core import Cohort, stream
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.preparation.pipeline import prepare
from glioforge.io.ingestion import ingest
from glioforge.io.step_key import run_facts
from glioforge.segmentation.base import train_segmenter
from glioforge.studies.question import load_demo
from glioforge.studies.spec import AugmentationSpec
from glioforge.synthesis.base import train_synthesizer

PRECISIONS = ("bf16-mixed", "32-true")
CASES = 4
SLACK = 1.1
CAPPED = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
PLACES = {"as it is": {}, "AVX2 alone": CAPPED}
RESULT = Path(__file__).parent / "results" / "precision.json"
Item = TypeVar("Item")


class StepClock:
    """Progress that takes the CPU time of every training step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def say(self, text: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def task(self, name: str) -> AbstractContextManager["StepClock"]:
        """Take the time of tasks as of everything else."""
        del name
        return nullcontext(self)

    def track(self, items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
        """Pass items on."""
        del total
        for item in items:
            began = time.process_time()
            yield item
            if title == "training":
                self.seconds.append(time.process_time() - began)


def demo_cohort(place: Path) -> tuple[AugmentationSpec, Cohort]:
    """Settings of the demonstration, and the first of its phantoms, prepared as it prepares them."""
    spec = cast("AugmentationSpec", load_demo())
    phantoms = cast("Any", spec.data)
    write_phantom_cohort(place / "phantoms", cases=CASES, seed=phantoms.seed, spec=phantoms.phantom)
    return spec, prepare(ingest(place / "phantoms"), spec.prepare, place / "prepared")


def measured(spec: AugmentationSpec, cohort: Cohort, place: Path, precision: str, steps: int) -> dict[str, float]:
    """CPU seconds of a training step and of a volume, for each of the demonstration's networks."""
    how = AcceleratorSpec.model_validate({"device": "cpu", "precision": precision, "threads": 1})
    train, held = Cohort("train", cohort.cases[:-1], cohort.scheme), Cohort("held", cohort.cases[-1:], cohort.scheme)
    length = {"steps": steps, "validate_every": steps, "checkpoint_every": steps, "patience": None}
    case, found = held.cases[0].load(), {}

    clock = StepClock()
    budget = spec.spending.generator.model_copy(update=length)
    model = spec.synthesizer.model_copy(update={"budget": budget})
    synthesizer = train_synthesizer(train, held, model, place / "g", seed=1, accelerator=how, progress=clock)
    found["generator, a step"] = _mean(clock)
    began = time.process_time()
    synthesizer.synthesize(case.require_labels(), stream(1))
    found["generator, a volume"] = time.process_time() - began

    clock = StepClock()
    budget = spec.spending.segmenter.model_copy(update=length)
    arguments = {"seed": 1, "budget": budget, "accelerator": how, "progress": clock}
    segmenter = train_segmenter(train, held, spec.segmenter, place / "s", **arguments)
    found["segmenter, a step"] = _mean(clock)
    began = time.process_time()
    segmenter.segment(case)
    found["segmenter, a volume"] = time.process_time() - began
    return found


def _mean(clock: StepClock) -> float:
    """Mean of a run's steps without the first, which also sets up; the critic of the generator joins late."""
    return sum(clock.seconds[1:]) / len(clock.seconds[1:])


def of_this_process(steps: int, rounds: int) -> dict[str, Any]:
    """What is chosen here, and the least CPU times of both precisions."""
    least: dict[str, dict[str, float]] = defaultdict(dict)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        spec, cohort = demo_cohort(place)
        for number in range(rounds):
            for precision in PRECISIONS:
                found = measured(spec, cohort, place / f"{precision}-{number}", precision, steps)
                for what, seconds in found.items():
                    least[what][precision] = min(seconds, least[what].get(precision, seconds))
    spent = spec.spending
    counts = {"generator, a step": spent.generator.steps}
    counts["segmenter, a step"] = spent.segmenter.steps * spent.seeds * len(spec.arms)
    total = {p: sum(count * least[what][p] for what, count in counts.items()) for p in PRECISIONS}
    auto = native_precision("cpu")
    return {
        "auto": auto,
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "cpu_seconds": {what: {p: round(s, 4) for p, s in times.items()} for what, times in least.items()},
        "all_training_steps_cpu_seconds": {p: round(seconds, 1) for p, seconds in total.items()},
        "auto_over_better": round(total[auto] / min(total.values()), 3),
    }


def main() -> None:
    """Measure in both environments, write the result, and fail where `auto` is slower than it may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--here", action="store_true", help="only measure this process and print the numbers")
    asked = parser.parse_args()
    if asked.here:
        warnings.simplefilter("ignore", EmulatedPrecisionWarning)
        torch.set_num_threads(1)
        print(json.dumps(of_this_process(asked.steps, asked.rounds)))
        return
    command = [sys.executable, __file__, "--here", "--steps", str(asked.steps), "--rounds", str(asked.rounds)]
    places = {}
    for place, limits in PLACES.items():
        done = subprocess.run(command, env={**os.environ, **limits}, stdout=subprocess.PIPE, text=True, check=True)
        places[place] = json.loads(done.stdout.splitlines()[-1])
    facts = run_facts()
    result = {
        "processor": facts["processor"],
        "torch": torch.__version__,
        "threads": 1,
        "steps": asked.steps,
        "rounds": asked.rounds,
        "allowed": SLACK,
        "places": places,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    slow = [place for place, found in places.items() if found["auto_over_better"] > SLACK]
    sys.exit(f"auto is slower than it may be: {', '.join(slow)}" if slow else 0)


if __name__ == "__main__":
    main()
