"""Five hundred edited phantoms by random recipes: how many are valid, and what fails otherwise.

Ten phantoms, fifty draws of the default and the published recipes in turn.  An
edited map is valid when its brain is the parent's to the voxel, a lesion is
left, its records replay to the same bytes, and no more than 2 % of the lesion
lies in crumbs of one or two voxels (labels outside the scheme cannot arise: a
label map refuses them).  Writes `benchmarks/results/random_recipes.json`.
"""

import json
import os
import time
from collections import Counter
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from glioforge.core import EditError, LabelMap, stream
from glioforge.data.phantom.make import make_phantom
from glioforge.lesions.bank import Donor, LesionBank, canonical
from glioforge.lesions.patch import cut, part_volumes_mm3
from glioforge.lesions.recipe import edit_labels, load_recipe, recipe_files, replay

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "random_recipes.json"
PHANTOMS, DRAWS = 10, 50


def problems(parent: LabelMap, child: LabelMap, again: LabelMap) -> list[str]:
    """What is wrong with an edited map."""
    crumbs = sum(v for v in part_volumes_mm3(child) if v < 3 * child.geometry.voxel_volume)
    checks = {
        "the brain changed": not np.array_equal(parent.voxels == 0, child.voxels == 0),
        "no lesion is left": not child.lesion.any(),
        "its records replay to another map": again.voxels.tobytes() != child.voxels.tobytes(),
        "more than 2 % of the lesion lies in crumbs of one or two voxels": crumbs > 20 * child.volume_ml("WT"),
    }
    return [name for name, wrong in checks.items() if wrong]


def donor(number: int, labels: LabelMap) -> Donor:
    """A phantom's lesion for the bank."""
    return Donor(f"phantom{number}", (f"phantom{number}",), canonical(cut(labels), labels.geometry))


def main() -> None:
    """Draw, check, count and write."""
    recipes = [load_recipe(name) for name in recipe_files()]
    maps = [make_phantom(11, number).truth for number in range(PHANTOMS)]
    given = [donor(number, labels) for number, labels in enumerate(maps)]
    failures: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    factors, start, valid = [], time.process_time(), 0
    for number, labels in enumerate(maps):
        donors = LesionBank(tuple(d for n, d in enumerate(given) if n != number))
        for draw in range(DRAWS):
            recipe = recipes[draw % len(recipes)]
            try:
                child, records = edit_labels(labels, recipe, stream(draw, "random recipe", number), donors)
            except EditError as error:
                failures[f"{recipe.name}: {str(error)[:120]}"] += 1
                continue
            found = problems(labels, child, replay(labels, records, donors))
            faults.update(found)
            kinds.update(record.kind for record in records)
            valid += not found
            factors.append(child.volume_ml("WT") / labels.volume_ml("WT"))
    result = {
        "drawn": PHANTOMS * DRAWS,
        "valid": valid,
        "no_valid_parameters": dict(failures),
        "faults": dict(faults),
        "edits": dict(sorted(kinds.items())),
        "volume_factor_quantiles": [round(float(q), 3) for q in np.quantile(factors, [0, 0.25, 0.5, 0.75, 1])],
        "seconds_each": round((time.process_time() - start) / (PHANTOMS * DRAWS), 3),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
