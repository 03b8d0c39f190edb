"""Whom the difference helps: by grade, tumour size, site, side and image quality, each set before the results.

Sizes and image quality are divided at the median of the test subjects.  Image
quality is the noise of the prepared image of one contrast: the median absolute
second difference along the slices within the brain, over the spread of the
brain.  Subgroups are small, and corrected for their number by Holm's procedure:
they raise questions and answer none.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from glioforge.core import Case, CaseRef
from glioforge.report import Scores, Table, with_interval
from glioforge.statistics import Contrast, estimate_by_seed, judge_family, too_few

_FACTS: Final = ("grade", "site")
_SIDE_SHARE: Final = 0.9
"""Share of the tumour on one side from which on it lies there."""


def subgroup_table(differences: Scores, cases: Sequence[CaseRef], noun: str, *, seed: int) -> Table:
    """Return the mean difference in each subgroup.

    Args:
        differences: By subject and seed, positive where the arm is better.
        cases: Prepared test cases; the first of a subject describes it.
        noun: What a subject is called.
        seed: Of the bootstrap.
    """
    described = _groups({ref.subject_id: ref for ref in reversed(cases)}, differences.subjects)
    rows, contrasts = [], []
    for heading, members in described.items():
        for group, subjects in sorted(members.items()):
            chosen = [place for place, name in enumerate(differences.subjects) if name in subjects]
            values = differences.values[chosen]
            better = int((np.nanmean(values, axis=1) > 0).sum()) if chosen else 0
            interval = estimate_by_seed(values, seed=seed).interval()
            rows.append((heading, group, str(len(chosen)), with_interval(interval, "1", signed=True), str(better)))
            contrasts.append(Contrast(group, values.T[None, None], [differences.subjects[place] for place in chosen]))
    judged = judge_family(contrasts, seed=seed)
    told = [too_few(found.difference.count, noun) or str(found.shown) for found in judged]
    caption = (
        f"Mean difference of Dice over regions by subgroup, 95 % interval where there are enough {noun}s; "
        "what is shown is corrected over all subgroups by Holm's procedure: a subgroup raises a question and answers "
        "none."
    )
    columns = ("Divided by", "Subgroup", f"{noun.capitalize()}s", "Difference", "Better on", "Shown")
    return Table(columns, tuple((*row, text) for row, text in zip(rows, told, strict=True)), caption)


def _groups(refs: Mapping[str, CaseRef], subjects: Sequence[str]) -> dict[str, dict[str, set[str]]]:
    """Subjects of each subgroup, by what divides them; a division with a single group is left out."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    volumes: dict[str, float] = {}
    noises: dict[str, float] = {}
    for name in (name for name in subjects if name in refs):
        ref = refs[name]
        for fact in _FACTS:
            if fact in ref.facts:
                found[fact][str(ref.facts[fact])].add(name)
        case = ref.load()
        volumes[name] = case.require_labels().volume_ml("WT")
        noises[name] = noise_of(case)
        found["place"][side_of(case)].add(name)
    for heading, values, unit in (("tumour size", volumes, " ml"), ("image noise", noises, " SD")):
        middle = float(np.median(list(values.values()))) if values else 0.0
        for name, value in values.items():
            found[heading][f"{'up to' if value <= middle else 'above'} {middle:.3g}{unit}"].add(name)
    return {heading: dict(groups) for heading, groups in found.items() if len(groups) > 1}


def side_of(case: Case) -> str:
    """Return the side of the brain on which at least 90 % of the tumour lies, `both sides`, or `no tumour`."""
    labels = case.require_labels()
    places, brain = np.argwhere(labels.lesion), np.argwhere(case.brain_mask)
    if not len(places) or not len(brain):
        return "no tumour"
    axis = labels.geometry.affine[0, :3]
    share = float((places @ axis > (brain @ axis).mean()).mean())
    if share >= _SIDE_SHARE:
        return "right"
    return "left" if share <= 1 - _SIDE_SHARE else "both sides"


def noise_of(case: Case) -> float:
    """Return the noise of a case's last contrast in standard deviations of its brain; 0 for one without images."""
    if not case.images:
        return 0.0
    voxels, brain = case.images[case.modalities[-1]].voxels, case.brain_mask
    inner = brain[:-2] & brain[1:-1] & brain[2:]
    second = voxels[:-2] - 2 * voxels[1:-1] + voxels[2:]
    spread = float(voxels[brain].std()) if brain.any() else 0.0
    # The median of |noise| is 0.6745 SD, and second differences of white noise have sqrt(6) of its SD.
    return float(np.median(np.abs(second[inner]))) / 0.6745 / 6**0.5 / spread if spread and inner.any() else 0.0
