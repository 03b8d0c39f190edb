"""The contrasts of an augmentation study, judged: the primary one by itself, the planned family, and all others.

Further endpoints of the primary pair of arms are each region, lesions, surfaces, false alarms and lesion-free cases.
All but the lesion-free cases are one family of its own under Holm's procedure.

Conventions
-----------
primary      the plan's, or the first arm under test that has results; against its reference
family       contrasts of sound arms with their references and of arms under test with their controls, corrected
             together by Holm's procedure
unplanned    arms that the plan's family leaves out, and LEAKY ones: corrected among themselves, exploratory
volume       of a mean over regions, that of the smallest of them
lesion-free  a case whose true volume is 0 in the whole tumour; in the first region of a study without it
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np

from glioforge.metrics import metric_named
from glioforge.report import MEAN, Beforehand, ResultTable, answer, contrast_of, counted, small_regions
from glioforge.statistics import (
    Contrast,
    Finding,
    SmallRegions,
    WithAndWithout,
    judge,
    judge_family,
    judge_with_and_without,
)
from glioforge.studies.arms import Arm
from glioforge.studies.arms_report import control_pairs, tested_arms
from glioforge.studies.beforehand import PlanSpec
from glioforge.studies.results import Results
from glioforge.studies.spec import AugmentationSpec

Volumes = Mapping[str, float]


@final
@dataclass(frozen=True)
class Judged:
    """What one contrast shows.

    Args:
        arm: Name of the arm.
        reference: Name of the arm that it is compared with.
        found: The answer that the rule for small regions named.
        both: The answers with and without small regions; none where volumes are not known.
        planned: Whether it is the primary contrast or in the family.
        control: Whether the reference is a control of the arm.
    """

    arm: str
    reference: str
    found: Finding
    both: WithAndWithout | None = None
    planned: bool = True
    control: bool = False


def primary_arm(spec: AugmentationSpec, arms: Mapping[str, str]) -> Arm | None:
    """Return the arm of the primary contrast; none where it, or its reference, has no results.

    Args:
        spec: Settings.
        arms: Title of each arm that has results.
    """
    named = None if spec.plan is None else spec.plan.primary
    asked = tested_arms(spec) if named is None else [arm for arm in spec.every_arm if arm.name == named]
    return next((arm for arm in asked if arm.name in arms and arm.reference in arms), None)


def judged_contrasts(
    spec: AugmentationSpec, overlap: ResultTable, arms: Mapping[str, str], sites: Mapping[str, str] | None = None
) -> tuple[Judged, ...]:
    """Judge every arm against its reference and each arm under test against its controls, in Dice over regions.

    Args:
        spec: Settings.
        overlap: Scores of the arms, with their mean over regions.
        arms: Title of each arm that has results.
        sites: Site of each subject, where all are known.

    Returns:
        The primary contrast first; empty where nothing can be compared.
    """
    plan, first = spec.plan or PlanSpec(), primary_arm(spec, arms)
    known = {arm.name: arm for arm in spec.every_arm if arm.name in arms}
    pairs = [(arm.name, arm.reference) for arm in known.values() if arm.reference in arms and arm.reference != arm.name]
    if first is not None:
        pairs = [(first.name, first.reference), *(pair for pair in pairs if pair[0] != first.name)]
    controls = [(arm, control) for control, arm in control_pairs(spec, arms)]
    volumes = volumes_of(overlap, spec.regions)
    groups: dict[bool, list[tuple[str, str, Contrast]]] = {True: [], False: []}
    for arm, reference in (*pairs, *controls):
        primary = first is not None and (arm, reference) == (first.name, first.reference)
        before = Beforehand(primary=primary, margins=plan.margins)
        contrast = contrast_of(overlap, (arm, reference), ("dice", MEAN), before, sites=sites).contrast
        contrast = replace(contrast, plan=plan.power_with(contrast.differences.shape[-1]))
        sound = "leaky" not in {known[arm].split, known[reference].split}
        groups[sound and (primary or plan.family is None or arm in plan.family)].append((arm, reference, contrast))
    judged = []
    for planned, group in groups.items():
        answers = judged_together([asked[2] for asked in group], [volumes] * len(group), plan.small, spec.seed)
        for (arm, reference, _), (found, both) in zip(group, answers, strict=True):
            judged.append(Judged(arm, reference, found, both, planned, (arm, reference) in controls))
    return tuple(judged)


def judged_together(
    contrasts: Sequence[Contrast], volumes: Sequence[Volumes], rule: SmallRegions, seed: int
) -> list[tuple[Finding, WithAndWithout | None]]:
    """Judge contrasts as one family, with and without small regions where the volumes of all subjects are known.

    Args:
        contrasts: At most one of them primary; none give nothing.
        volumes: True volume of each subject's region, by contrast.
        rule: Fixed beforehand.
        seed: Of bootstrap and random sign patterns.
    """
    known = all(name in mine for c, mine in zip(contrasts, volumes, strict=True) for name in c.names)
    if not known:
        return [(found, None) for found in judge_family(contrasts, seed=seed)]
    return [(both.deciding, both) for both in judge_with_and_without(contrasts, volumes, rule, seed=seed)]


def volumes_of(table: ResultTable, regions: Sequence[str]) -> dict[str, float]:
    """Return the true volume in ml of each subject's smallest region; subjects with a volume of all regions alone.

    Args:
        table: Results with rows of `true_volume`; older ones have none.
        regions: One region, or several of which the smallest counts.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for row in table.rows:
        if row.metric == "true_volume" and row.region in regions and np.isfinite(row.value):
            found.setdefault(row.subject_id, {}).setdefault(row.region, []).append(row.value)
    return {
        name: min(float(np.mean(values)) for values in by_region.values())
        for name, by_region in found.items()
        if len(by_region) == len(regions)
    }


def sites_of(results: Results) -> dict[str, str]:
    """Return the site of each subject of a study's cases, of those that have one."""
    return {ref.subject_id: str(ref.facts["site"]) for ref in results.study.source if "site" in ref.facts}


Titles = Mapping[str, str]
_OVER_REGIONS: Final = ("lesionwise_dice", "hd95")
"""Metrics that are averaged over regions."""


def endpoint_texts(spec: AugmentationSpec, overlap: ResultTable, arms: Titles, arm: Arm) -> list[str]:
    """Return a paragraph for each region and further endpoint, and one on lesion-free cases.

    Args:
        spec: Settings.
        overlap: Scores of the arms, with their mean over regions.
        arms: Title of each arm that has results.
        arm: The arm of the primary contrast.
    """
    pair = (arm.name, arm.reference)
    free = _lesion_free(overlap, _whole(spec))
    ill = overlap.chosen(row for row in overlap.rows if row.case_id not in free)
    titles, plan = (arms[arm.name], arms[arm.reference]), spec.plan or PlanSpec()
    asked = list(_asked(spec, overlap, ill, pair))
    volumes = [volumes_of(overlap, places) for _, places, _, _ in asked]
    judged = judged_together([contrast for *_, contrast in asked], volumes, plan.small, spec.seed)
    sentences = []
    for (metric, _, what, _), (found, both) in zip(asked, judged, strict=True):
        small = "" if both is None else small_regions(both, metric, overlap.noun)
        sentences.append(f"{answer(found, *titles, metric, overlap.noun, what)} {small}".rstrip())
    known = any(row.metric == "true_volume" for row in overlap.rows)
    told = _free_text(spec, overlap, free, pair, titles) if known else "These results hold no true volumes."
    return [*sentences, told]


def _asked(
    spec: AugmentationSpec, overlap: ResultTable, ill: ResultTable, pair: tuple[str, str]
) -> Iterator[tuple[str, tuple[str, ...], str, Contrast]]:
    """Metric, regions whose volume counts, words and contrast of each endpoint that has results."""
    plan, whole = spec.plan or PlanSpec(), _whole(spec)
    endpoints: list[tuple[str, str, tuple[str, ...], ResultTable]]
    endpoints = [("dice", region, (region,), overlap) for region in spec.regions if len(spec.regions) > 1]
    endpoints += [(metric, MEAN, spec.regions, overlap) for metric in _OVER_REGIONS]
    endpoints += [("far_volume", whole, (whole,), ill)]
    for metric, region, places, table in endpoints:
        before = Beforehand(margins=plan.margins if metric == "dice" else None)
        contrast = contrast_of(table, pair, (metric, region), before).contrast
        if contrast.subjects:
            yield metric, places, f"{metric_named(metric).title}, {', '.join(places)},", contrast


def _whole(spec: AugmentationSpec) -> str:
    """The region that holds all others."""
    return "WT" if "WT" in spec.regions else spec.regions[0]


def _lesion_free(overlap: ResultTable, region: str) -> set[str]:
    """Ids of the cases without a lesion."""
    return {
        row.case_id for row in overlap.rows if (row.metric, row.region) == ("true_volume", region) and row.value == 0
    }


def _free_text(
    spec: AugmentationSpec, overlap: ResultTable, free: set[str], pair: tuple[str, str], titles: tuple[str, str]
) -> str:
    """What is predicted where there is nothing; says so where no case is lesion-free."""
    chosen = overlap.chosen(row for row in overlap.rows if row.case_id in free)
    contrast = contrast_of(chosen, pair, ("false_volume", _whole(spec))).contrast
    if not contrast.subjects:
        return "No test case is lesion-free, so that false alarms in brains without a lesion were not measured."
    cases = counted(len(free), "lesion-free case")
    found = judge(contrast, seed=spec.seed)
    return f"On {cases}: {answer(found, *titles, 'false_volume', overlap.noun, 'Total predicted volume')}"
