"""Seconds that a step of each method takes, and how many steps fill the same training time.

Reads a YAML of kind `synthesizers` or `segmenters` and trains each method twice on
the study's training subjects, for a few steps and for some more; the difference
is the time of a step, free of start-up, validation and what follows a training.
Methods without a network have no steps.

Run: `python benchmarks/equal_time.py experiments/compare_synthesizers.yaml --seconds 600 [--data SCANS]`
It prints an option of `glioforge study` for each method, and with `--json` writes all numbers to a file.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from glioforge.core import Silent, Split
from glioforge.segmentation.base import train_segmenter
from glioforge.studies.comparing import ComparisonSpec, MethodEntry, SegmenterEntry, SynthesizerEntry
from glioforge.studies.given import prepared_folds
from glioforge.studies.question import load_study
from glioforge.studies.study import open_study
from glioforge.synthesis.base import train_synthesizer
from glioforge.training.budget import Budget


def training_split(spec: ComparisonSpec, data: Path | None, place: Path) -> Split:
    """Prepared subjects of the study's first fold."""
    study, given, _ = open_study(spec, place, data, None, Silent())
    return prepared_folds(study, given, Silent())[0].split


def seconds_of(spec: ComparisonSpec, entry: MethodEntry, split: Split, steps: int, place: Path) -> tuple[float, int]:
    """Wall-clock time of a training of so many steps, and the steps taken."""
    started = time.perf_counter()
    taken = 0
    if isinstance(entry, SynthesizerEntry):
        model: Any = entry.trained_spec()
        budget = model.budget.model_copy(update=_few(steps))
        trained = train_synthesizer(
            split.train,
            split.validation,
            model.model_copy(update={"budget": budget}),
            place,
            seed=1,
            accelerator=spec.accelerator,
        )
        taken = (trained.card.get("training") or {"steps": 0})["steps"]
    elif isinstance(entry, SegmenterEntry):
        segmenter = train_segmenter(
            split.train,
            split.validation,
            entry.segmenter,
            place,
            seed=1,
            budget=entry.budget.model_copy(update=_few(steps)),
            accelerator=spec.accelerator,
        )
        taken = segmenter.outcome.steps
    return time.perf_counter() - started, taken


def _few(steps: int) -> dict[str, Any]:
    """So many steps, with one validation and one checkpoint at the end."""
    return Budget(steps=steps, validate_every=steps, checkpoint_every=steps).model_dump(
        include={"steps", "validate_every", "checkpoint_every", "patience"}
    )


def measure(spec: ComparisonSpec, data: Path | None, steps: int, seconds: float) -> dict[str, dict[str, float]]:
    """Seconds a step and steps in the time given, for each method that has steps."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        split = training_split(spec, data, place / "study")
        methods: dict[str, MethodEntry] = dict(getattr(spec, "methods", {}))
        for method, entry in methods.items():
            few, many = (seconds_of(spec, entry, split, n, place / f"{method}-{n}") for n in (2, 2 + steps))
            more = many[1] - few[1]
            if more > 0 and many[0] > few[0]:
                each = (many[0] - few[0]) / more
                found[method] = {"seconds_a_step": each, "steps": max(1, round(seconds / each))}
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--seconds", type=float, required=True, help="training time of every method")
    parser.add_argument("--steps", type=int, default=20, help="steps to measure")
    parser.add_argument("--data", type=Path, help="folder of scans, where the study reads one")
    parser.add_argument("--set", action="append", default=[], help="override one key of the study: a.b=c")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    given = parser.parse_args()
    spec = load_study(given.study, given.set)
    if not isinstance(spec, ComparisonSpec):
        parser.error(f"{given.study} lists no methods; give a study of kind synthesizers or segmenters")
    found = measure(spec, given.data, given.steps, given.seconds)
    for method, numbers in found.items():
        print(f"--set methods.{method}.budget.steps={numbers['steps']:.0f}  # {numbers['seconds_a_step']:.3f} s a step")
    if given.json is not None:
        result = {"study": spec.name, "seconds": given.seconds, "steps_measured": given.steps, "methods": found}
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
