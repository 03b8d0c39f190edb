"""Prove that a change of code leaves the numbers of a study alone, bit by bit.

Checks out two commits side by side in a temporary folder, runs each tiny study
of `benchmarks/tiny_studies/` in both on one thread in float32, and compares

results    the rows of `results.csv`, byte for byte; or with `--columns mapped`, where one commit has the columns of
           before, sorted rows under today's columns
weights    every tensor of every safetensors file, checkpoints aside, by type, shape and bytes
synthetic  every synthetic case by the bytes of its label map and images, as the package reads them

Files are searched for, so that folders may be renamed.  Tensors and cases are compared as sets of contents:
where the new code computes the same thing fewer times, the table says so and the outcome is still "same".
Hashes depend on machine and libraries and are therefore never stored with the code.

Run: `python benchmarks/same_bytes.py OLD [NEW] [--only NAME] [--keep FOLDER]`; a commit, or `.` for the files as they
lie in this working tree, which is also the default for NEW.  Ends with 1 and the first differences where there are any.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from old_columns import mapped

REPOSITORY: Final = Path(__file__).resolve().parent.parent
STUDIES: Final = Path(__file__).resolve().parent / "tiny_studies"
HERE: Final = "."
"""Name of the files as they lie in this working tree."""
ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
CHECKPOINT: Final = "step-"
SHOWN: Final = 5
"""Differences that are printed for each kind of thing."""
_COMMAND: Final = "from glioforge.cli.main import run; raise SystemExit(run())"


@final
@dataclass(frozen=True)
class Prints:
    """What a study left, as text that can be compared.

    Args:
        rows: Lines of `results.csv`, the header first.
        tensors: Hash of each tensor in a file of weights, sorted.
        cases: `case_id hash` of each synthetic case with images, sorted.
    """

    rows: list[str]
    tensors: list[str]
    cases: list[str]


def fingerprint(run: Path) -> Prints:
    """Hash what lies in the folder of a study; runs with the package of the tree under test.

    Args:
        run: Folder of a finished study.
    """
    from safetensors.numpy import load_file

    rows = next(run.rglob("results.csv")).read_text(encoding="utf-8").splitlines()
    files = [path for path in sorted(run.rglob("*.safetensors")) if not path.name.startswith(CHECKPOINT)]
    tensors = [_hash_of(array) for path in files for array in load_file(path).values()]
    return Prints(rows, sorted(tensors), sorted(_cases(run)))


def _cases(run: Path) -> Iterator[str]:
    """Id and hash of each synthetic case that has images."""
    from glioforge.io.cohort_file import read_cohort

    for file in run.rglob("cohort.json"):
        for ref in read_cohort(file.parent):
            if ref.lineage.is_synthetic and ref.images:
                case = ref.load()
                parts = [f"{name}:{_hash_of(image.voxels)}" for name, image in sorted(case.images.items())]
                parts += [] if case.labels is None else [f"labels:{_hash_of(case.labels.voxels)}"]
                yield f"{ref.case_id} {hashlib.sha256(' '.join(parts).encode()).hexdigest()}"


def _hash_of(array: Any) -> str:  # noqa: ANN401 - numpy is imported by the tree under test alone
    """SHA-256 of type, shape and values in C order."""
    head = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()


@contextmanager
def tree_of(commit: str, place: Path) -> Iterator[Path]:
    """Check out a commit below a folder, and remove it again; the working tree itself for `.`."""
    if commit == HERE:
        yield REPOSITORY
        return
    git = ["git", "-C", str(REPOSITORY), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
    try:
        yield place
    finally:
        subprocess.run([*git, "remove", "--force", str(place)], check=True)


def run_study(tree: Path, study: Path, out: Path) -> Prints:
    """Run a study with the code of a tree, and hash what it leaves."""
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(tree / "src"), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", _COMMAND, "study", str(study), "--out", str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{study.name} failed in {tree}:\n{done.stderr[-3000:]}")
    probe = [sys.executable, str(Path(__file__).resolve()), "--fingerprint", str(out)]
    done = subprocess.run(probe, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"cannot read what {study.name} left with the code of {tree}:\n{done.stderr[-3000:]}")
    return Prints(**json.loads(done.stdout))


def prints_of(commit: str, studies: list[Path], place: Path, kept: Path | None) -> dict[str, Prints]:
    """Fingerprints of all studies with the code of a commit; kept ones of the same commit and YAML are used again."""
    named = commit if commit == HERE else _git("rev-parse", commit)
    found: dict[str, Prints] = {}
    with tree_of(named, place / "tree") as tree:
        for study in studies:
            known = _kept_file(named, study, kept)
            if known is not None and known.is_file():
                found[study.stem] = Prints(**json.loads(known.read_text(encoding="utf-8")))
                continue
            started = time.monotonic()
            found[study.stem] = run_study(tree, study, place / study.stem)
            print(f"{study.stem} at {commit}: {time.monotonic() - started:.0f} s", file=sys.stderr)
            if known is not None:
                known.parent.mkdir(parents=True, exist_ok=True)
                known.write_text(json.dumps(vars(found[study.stem])), encoding="utf-8")
    return found


def _kept_file(commit: str, study: Path, kept: Path | None) -> Path | None:
    """File of a fingerprint; none for the working tree, which changes."""
    if kept is None or commit == HERE:
        return None
    return kept / f"{commit[:12]}-{study.stem}-{hashlib.sha256(study.read_bytes()).hexdigest()[:12]}.json"


def _git(*arguments: str) -> str:
    """Answer of git."""
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def compared(kind: str, old: list[str], new: list[str], *, ordered: bool = False) -> tuple[str, list[str]]:
    """Compare two lists of texts.

    Args:
        kind: What they are, for the lines.
        old: From the old code.
        new: From the new code.
        ordered: Whether place and number count too.

    Returns:
        A line for the table that begins with `same` or `DIFFERENT`, and the first differences.
    """
    if old == new and old:
        return f"same       {kind:<10} {len(new):>6}", []
    lost, won = sorted((Counter(old) - Counter(new)).elements()), sorted((Counter(new) - Counter(old)).elements())
    if old and set(old) == set(new) and not ordered:
        return f"same       {kind:<10} {len(new):>6}  ({len(set(new))} distinct ones, {len(old)} in all before)", []
    lines = [f"  - {text}" for text in lost[:SHOWN]] + [f"  + {text}" for text in won[:SHOWN]]
    lines = lines or ["  nothing to compare" if not old else "  the order alone"]
    return f"DIFFERENT  {kind:<10} {len(new):>6}  ({len(lost)} only before, {len(won)} only after)", lines


def report(study: str, old: Prints, new: Prints, kind: str = "") -> bool:
    """Print the table of a study; true where nothing differs.

    Args:
        study: Its name.
        old: From the old code.
        new: From the new code.
        kind: Its kind where rows are mapped to today's columns; else they are compared as they are.
    """
    print(f"\n{study}")
    rows = [mapped(prints.rows, kind) if kind else prints.rows for prints in (old, new)]
    parts = [
        compared("rows", *rows, ordered=True),
        compared("tensors", old.tensors, new.tensors),
        compared("cases", old.cases, new.cases) if old.cases or new.cases else ("same       cases           0", []),
    ]
    for line, differences in parts:
        print(f"  {line}", *differences, sep="\n  ")
    return not any(differences for _, differences in parts)


def _kind(study: Path) -> str:
    """Kind of a study by its YAML."""
    lines = study.read_text(encoding="utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("kind:"))


def main() -> int:
    """Run and compare; returns 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", nargs="?", default="HEAD", help="commit; HEAD unless given")
    parser.add_argument("new", nargs="?", default=HERE, help="commit, or . for the working tree, which is the default")
    parser.add_argument("--only", action="append", default=[], help="name of one tiny study; may be repeated")
    parser.add_argument("--keep", type=Path, help="folder outside the repository to keep fingerprints of commits in")
    parser.add_argument("--columns", choices=("same", "mapped"), default="same", help="how rows are compared")
    parser.add_argument("--fingerprint", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fingerprint is not None:
        print(json.dumps(vars(fingerprint(given.fingerprint))))
        return 0
    studies = [path for path in sorted(STUDIES.glob("*.yaml")) if not given.only or path.stem in given.only]
    with tempfile.TemporaryDirectory() as name:
        old, new = (
            prints_of(commit, studies, Path(name) / side, given.keep)
            for side, commit in (("old", given.old), ("new", given.new))
        )
    kinds = {study: _kind(study) if given.columns == "mapped" else "" for study in studies}
    same = [report(study.stem, old[study.stem], new[study.stem], kind) for study, kind in kinds.items()]
    print(f"\n{'same' if all(same) else 'DIFFERENT'}: {given.old} and {given.new}")
    return 0 if same and all(same) else 1


if __name__ == "__main__":
    raise SystemExit(main())
