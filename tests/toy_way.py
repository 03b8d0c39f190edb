"""Preparation, split, edits and statistics of toy heads, and a script that runs them in a process of its own."""

import sys
from pathlib import Path

from glioforge.core.split import split_by_subject
from glioforge.data.preparation.pipeline import GridSpec, PrepareSpec, prepare
from glioforge.data.statistics import fit_statistics
from glioforge.lesions.edited_cohort import edit_cohort
from glioforge.lesions.recipe import RecipeSpec
from toy_cohort import toy_cohort


def go(out: Path) -> dict[Path, bytes]:
    """Go the way, and give every file that it leaves."""
    prepared = prepare(toy_cohort(range(5)), PrepareSpec(grid=GridSpec(multiple=1)), out / "prepared")
    train = split_by_subject(prepared, test=0.2, validation=0.2, seed=1).train
    steps = [{"choice": [{"weight": 1, "edit": {"kind": kind}} for kind in ("mirror", "translate")]}]
    recipe = RecipeSpec.model_validate({"name": "r", "steps": steps})
    edited = edit_cohort(train, recipe, out / "edited", count=1, seed=2)
    (out / "statistics.txt").write_text(repr(fit_statistics(train)))
    (out / "fingerprints.txt").write_text(f"{train.fingerprint}\n{edited.fingerprint}")
    return read(out)


def read(out: Path) -> dict[Path, bytes]:
    """Every file below a folder but locks, by its place."""
    return {p.relative_to(out): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file() and p.name != ".lock"}


if __name__ == "__main__":
    go(Path(sys.argv[1]))
