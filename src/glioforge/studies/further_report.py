"""Further grids, metrics and means of arms on the page of an augmentation study."""

from collections.abc import Iterator, Mapping

from glioforge.report import MEAN, Block, Endpoint, ResultTable, score_table
from glioforge.studies.further import DICE, grid_tables, known_arms
from glioforge.studies.pages import difference_blocks, every_row, neutral
from glioforge.studies.results import Results
from glioforge.studies.spec import AugmentationSpec


def further_blocks(
    spec: AugmentationSpec, results: Results, overlap: ResultTable, arms: Mapping[str, str]
) -> Iterator[Block]:
    """Yield the tables that a study asks for in `also`; none without.

    Args:
        spec: Settings.
        results: Rows, those of further grids included.
        overlap: Scores of the arms and of the means of arms on the scan's grid, with their mean over regions.
        arms: Title of each arm that has results, by its name.
    """
    tables = grid_tables(spec, every_row(spec, results))
    if tables:
        shown = {"scan": overlap, **{name: one.with_mean(spec.regions) for name, one in tables.items()}}
        groups = {
            region: [Endpoint(DICE, region, one, heading=f"Dice, {name}") for name, one in shown.items()]
            for region in spec.regions
        }
        caption = (
            "Dice of the same masks on the scan's grid, from which the conclusions are drawn, and on further grids, "
            "whose voxels are larger or which cover less of the scan; mean over subjects with its 95 % interval."
        )
        yield score_table(groups, arms, caption)
    if spec.also.metrics:
        groups = {region: [Endpoint(m, region, overlap) for m in spec.also.metrics] for region in spec.regions}
        yield score_table(groups, arms, "Further metrics on the scan's grid, mean over subjects with 95 % interval.")
    yield from _means(spec, overlap, arms)


def _means(spec: AugmentationSpec, overlap: ResultTable, arms: Mapping[str, str]) -> Iterator[Block]:
    """Means of arms with their single arms, and their differences from the baseline."""
    means = {name: neutral(spec, title) for name, title in known_arms(spec.also, arms).items()}
    if not means:
        return
    titles: dict[str, str] = {}
    for name, title in means.items():
        titles |= {name: title, **{arm: arms[arm] for arm in spec.also.means[name].arms}}
    endpoints = [Endpoint(DICE, region, overlap) for region in (*spec.regions, MEAN)]
    groups = {endpoint.region: [endpoint] for endpoint in endpoints}
    caption = (
        "Each subject's Dice is averaged over the arms of a mean before any statistic; single arms stand below it."
    )
    yield score_table(groups, titles, caption)
    first = spec.baseline.name
    yield from difference_blocks(endpoints, {first: arms[first], **means}, (first,), named="Mean of arms")
