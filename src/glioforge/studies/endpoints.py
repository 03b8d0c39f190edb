"""The primary pair of arms in further endpoints: each region, lesions, surfaces, false alarms, lesion-free cases.

All but the lesion-free cases are one family of its own under Holm's procedure.

Conventions
-----------
lesion-free  a case whose true volume is 0 in the whole tumour; in the first region of a study without it
"""

from collections.abc import Iterator, Mapping
from typing import Final

from glioforge.metrics import metric_named
from glioforge.report import MEAN, Beforehand, ResultTable, answer, contrast_of, counted, small_regions
from glioforge.statistics import Contrast
from glioforge.statistics.judge import judge
from glioforge.studies.arms import Arm
from glioforge.studies.beforehand import PlanSpec
from glioforge.studies.judged import judged_together, volumes_of
from glioforge.studies.spec import AugmentationSpec

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
