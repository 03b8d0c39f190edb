"""Trace a tiny augmentation study: how deep the work lies, and how often the same thing is done again.

Runs `glioforge study` in this process under a profiler that counts calls by the
name of the function, and prints

frames     from the verb's function to the first task's work, the verb's included; comprehensions are no frames
calls      of each named function, or method as `Class.method`; those of functions that read weights also by file
entered    functions and files of the package that ran

Run: `python benchmarks/trace_study.py [--work NAME ...] [--count NAME ...]`; after a renaming, name the new functions.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, final

STUDY: Final = Path(__file__).resolve().parent / "trace_study.yaml"
PACKAGE: Final = f"{os.sep}glioforge{os.sep}"
VERB: Final = "study"
WORK: Final = ("fit_synthesizer", "fit_segmenter", "train_generator", "train_baseline")
"""First functions of tasks, by their names of today and of before."""
COUNTED: Final = (
    "read_cohort",
    "load_fold",
    "load_segmenter",
    "load_synthesizer",
    "require_no_leak",
    "scores_of",
    "ResultTable.__init__",
)
WEIGHTS: Final = ("read_weights", "_read_tensors")
"""Functions that read a whole file of weights, whose path is an argument called `path`."""


@final
@dataclass
class Trace:
    """What a profiler has seen of the package.

    Args:
        work: Names of functions at which the first task's work begins.
        calls: Calls of each function by name.
        weights: Files of weights by their path, and how often each was read.
        entered: Code of every function that ran.
        chain: Functions from the verb to the first task's work; empty until then.
    """

    work: frozenset[str]
    weight_readers: frozenset[str]
    calls: Counter[str] = field(default_factory=Counter)
    weights: Counter[str] = field(default_factory=Counter)
    entered: set[CodeType] = field(default_factory=set)
    chain: list[str] = field(default_factory=list)

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:  # noqa: ANN401 - as `sys.setprofile` wants it
        """Note a call."""
        code = frame.f_code
        if event != "call" or PACKAGE not in code.co_filename or code.co_name.startswith("<"):
            return
        self.entered.add(code)
        self.calls.update({code.co_name, code.co_qualname})
        if code.co_name in self.weight_readers:
            self.weights[str(frame.f_locals.get("path"))] += 1
        if not self.chain and code.co_name in self.work:
            self.chain = _chain(frame)


def _chain(frame: FrameType | None) -> list[str]:
    """Functions of the package from the verb down to a frame."""
    names: list[str] = []
    while frame is not None:
        code = frame.f_code
        if PACKAGE in code.co_filename and not code.co_name.startswith("<"):
            file = Path(code.co_filename)
            names.append(f"{file.parent.name}/{file.name}:{code.co_name}")
            if file.match("cli/*.py") and code.co_name == VERB:
                break
        frame = frame.f_back
    return names[::-1]


def traced(study: Path, trace: Trace) -> None:
    """Run the verb on a study in a folder that is thrown away."""
    from glioforge.cli.main import run

    with tempfile.TemporaryDirectory() as out:
        sys.argv = ["glioforge", "study", str(study), "--out", out]
        sys.setprofile(trace)
        try:
            run()
        except SystemExit as ending:
            if ending.code:
                raise
        finally:
            sys.setprofile(None)


def main() -> None:
    """Trace and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", type=Path, default=STUDY)
    parser.add_argument("--work", nargs="+", default=WORK, help="functions at which a task's work begins")
    parser.add_argument("--count", nargs="+", default=COUNTED, help="functions whose calls are counted")
    parser.add_argument("--weights", nargs="+", default=WEIGHTS, help="functions that read a whole file of weights")
    given = parser.parse_args()
    trace = Trace(frozenset(given.work), frozenset(given.weights))
    traced(given.study, trace)
    print(f"\nframes            {len(trace.chain)}")
    print(*(f"                  {name}" for name in trace.chain), sep="\n")
    for name in given.count:
        print(f"{name:<17} {trace.calls[name]}")
    print(f"weights read      {trace.weights.total()} for {len(trace.weights)} files")
    for path, count in sorted(trace.weights.items()):
        print(f"                  {count} {'/'.join(Path(path).parts[3:])}")
    files = {code.co_filename for code in trace.entered}
    print(f"functions entered {len(trace.entered)} in {len(files)} files")


if __name__ == "__main__":
    main()
