"""What reports of comparisons share: tables of methods, differences from the references, costs, one JSON file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from glioforge.core.modality import Modality, in_standard_order
from glioforge.io.tables import ResultRow
from glioforge.metrics.intervals import bootstrap_mean, too_few
from glioforge.report.compare import ArmComparison, compare_arms, metric_shown, scores_of, with_mean_region
from glioforge.report.distribution_table import finite_or_none
from glioforge.report.method_figures import training_panels
from glioforge.report.page import Block, Figure, Folded, Table
from glioforge.report.plots import difference_plot
from glioforge.report.tables import difference_table, number, reading, with_interval
from glioforge.studies.comparing import ComparisonSpec
from glioforge.studies.record import Record


@final
@dataclass(frozen=True)
class Endpoint:
    """One number of each method, as a column or a comparison.

    Args:
        metric: Name of the metric.
        region: Region, or the name of a mean over some.
        rows: Results to read it from.
        heading: Title of the column; the metric's unless given.
        interval: Whether its interval is shown.
    """

    metric: str
    region: str
    rows: Sequence[ResultRow]
    heading: str = ""
    interval: bool = True

    @property
    def title(self) -> str:
        """Title of the column."""
        return self.heading or metric_shown(self.metric).heading


def over_contrasts(rows: Iterable[ResultRow], note: str = "") -> list[ResultRow]:
    """Rows whose note begins so, and their means over all contrasts under the plain names `brain` and `lesion`.

    A method that makes fewer contrasts than others has no such mean: it would be one of other images.
    """
    chosen = [row for row in rows if row.note.startswith(note)]
    contrasts = contrasts_of(chosen)
    for place in ("brain", "lesion"):
        chosen = with_mean_region(chosen, [f"{place}/{contrast}" for contrast in contrasts], place)
    return chosen


def contrasts_of(rows: Iterable[ResultRow]) -> tuple[Modality, ...]:
    """Contrasts that images were measured in, in standard order."""
    return in_standard_order({Modality(row.region.partition("/")[2]) for row in rows if "/" in row.region})


def method_table(endpoints: Sequence[Endpoint], methods: Mapping[str, str], caption: str, *, seed: int) -> Table:
    """One row a method, one column an endpoint: mean over subjects, with its interval where asked; a dash for none."""
    cells = tuple((title, *(_cell(endpoint, name, seed) for endpoint in endpoints)) for name, title in methods.items())
    return Table(("Method", *(endpoint.title for endpoint in endpoints)), cells, caption)


def reference_blocks(spec: ComparisonSpec, methods: Mapping[str, str], endpoints: Sequence[Endpoint]) -> list[Block]:
    """For each reference, the paired differences of all other methods in each endpoint's metric and region.

    Several references are folded, one is open.
    """
    every: list[Block] = []
    for reference in spec.references:
        arms, blocks = against(reference, methods), list[Block]()
        for metric, group in _by_metric(endpoints).items():
            compared = compare_arms(group[0].rows, arms, [e.region for e in group], metric, seed=spec.seed)
            if compared:
                table = difference_table(compared, arms, metric, named="Method")
                blocks += [table, _difference_figure(compared, arms, metric)]
        if blocks and len(spec.references) > 1:
            blocks = [Folded(f"Differences from {methods[reference]}, on the same unseen subjects", tuple(blocks))]
        every += blocks
    return every


def against(reference: str, methods: Mapping[str, str]) -> dict[str, str]:
    """Titles of all methods, the reference first."""
    return {reference: methods[reference], **methods}


def verdict_text(spec: ComparisonSpec, methods: Mapping[str, str], endpoint: Endpoint) -> str:
    """For each reference, which methods are better, worse or not told apart, in words."""
    sentences = []
    for reference in spec.references:
        arms = against(reference, methods)
        found: dict[str, list[str]] = {}
        for entry in compare_arms(endpoint.rows, arms, (endpoint.region,), endpoint.metric, seed=spec.seed):
            few = too_few(entry.comparison.difference.count)
            found.setdefault("too few subjects to tell" if few else reading(entry), []).append(arms[entry.arm])
        if found:
            told = "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in found.items())
            sentences.append(f"Against {methods[reference]}, {told}.")
    return " ".join(sentences)


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    Example:
        >>> counted(1, "method"), counted(3, "method")
        ('1 method', '3 methods')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def cost_table(methods: Mapping[str, str], trainings: Sequence[Record], scorings: Sequence[Record]) -> Table:
    """Size, steps and times of each method, mean over folds and seeds."""
    cells = []
    for name, title in methods.items():
        mine = [(record.training, record.cost) for record in trainings if record.arm == name]
        trained = [(training, cost) for training, cost in mine if training is not None and cost is not None]
        paces = [record.cost.seconds_per_volume for record in scorings if record.arm == name and record.cost]
        volumes = [pace for pace in paces if pace is not None]
        if not trained:
            continue
        steps = float(np.mean([training.steps for training, _ in trained]))
        seconds = float(np.mean([c.seconds if t.seconds is None else t.seconds for t, c in trained]))
        each = f"{1000 * seconds / steps:.0f}" if steps else "–"
        volume = f"{np.mean(volumes):.2f}" if volumes else "–"
        peak = max(cost.peak_gib for _, cost in trained)
        size = f"{trained[0][0].parameters:,}".replace(",", " ")
        cells.append((title, size, f"{steps:.0f}", f"{seconds:.0f}", each, volume, f"{peak:.1f}"))
    columns = ("Method", "Parameters", "Steps", "Training, s", "A step, ms", "A volume, s", "Peak memory, GiB")
    caption = (
        "Trained numbers of the network that is used after training, length of a training, and time for one volume; "
        "wall-clock times of processes that may have run side by side."
    )
    return Table(columns, tuple(cells), caption)


def curves_figure(methods: Mapping[str, str], trainings: Sequence[Record]) -> Figure | None:
    """How the trainings went; none where no method has a network."""
    histories = [(methods[r.arm], r.training.history) for r in trainings if r.training and r.training.history]
    if not histories:
        return None
    caption = (
        "Means since the row before, by optimiser step; losses are weighted as each method weighs them, so that "
        "their heights do not rank methods."
    )
    return Figure(
        training_panels(histories, tuple(methods.values())), caption, "Losses or scores of each training against steps"
    )


def summary(
    spec: ComparisonSpec, methods: Mapping[str, str], endpoints: Sequence[Endpoint], costs: Table
) -> dict[str, Any]:
    """All that tables show, as plain values for JSON; p values are corrected over the same tests as in the tables."""
    scores = {
        name: {f"{e.metric} {e.region} {e.heading}".strip(): _interval_json(e, name, spec.seed) for e in endpoints}
        for name in methods
    }
    differences = {
        reference: [
            _comparison_json(entry, metric)
            for metric, group in _by_metric(endpoints).items()
            for entry in compare_arms(
                group[0].rows, against(reference, methods), [e.region for e in group], metric, seed=spec.seed
            )
        ]
        for reference in spec.references
    }
    return {
        "study": spec.name,
        "methods": dict(methods),
        "scores": scores,
        "differences": differences,
        "costs": [dict(zip(costs.columns, row, strict=True)) for row in costs.rows],
    }


def _cell(endpoint: Endpoint, method: str, seed: int) -> str:
    """Mean and interval of one method as text."""
    interval = bootstrap_mean(scores_of(endpoint.rows, method, endpoint.region, endpoint.metric).values, seed=seed)
    unit = metric_shown(endpoint.metric).unit
    return with_interval(interval, unit) if endpoint.interval else number(interval.estimate, unit)


def _by_metric(endpoints: Sequence[Endpoint]) -> dict[str, list[Endpoint]]:
    """Endpoints that share metric and rows, in order."""
    groups: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        groups.setdefault(endpoint.metric, []).append(endpoint)
    return groups


def _difference_figure(compared: Sequence[ArmComparison], arms: Mapping[str, str], metric: str) -> Figure:
    """Differences with intervals."""
    title = metric_shown(metric).heading
    label = f"difference in {title} from {next(iter(arms.values()))}, positive is better"
    alt = f"Mean difference in {title} from {next(iter(arms.values()))} for each method"
    return Figure(difference_plot(compared, arms, label), "Paired differences with 95 % intervals.", alt)


def _interval_json(endpoint: Endpoint, method: str, seed: int) -> dict[str, Any]:
    """Mean, ends and number of subjects; null where there is none."""
    values = bootstrap_mean(scores_of(endpoint.rows, method, endpoint.region, endpoint.metric).values, seed=seed)
    named = {"mean": values.estimate, "low": values.low, "high": values.high}
    return {**{k: finite_or_none(v) for k, v in named.items()}, "subjects": values.count}


def _comparison_json(entry: ArmComparison, metric: str) -> dict[str, Any]:
    """One paired difference."""
    difference = entry.comparison.difference
    numbers = {
        "difference": difference.estimate,
        "low": difference.low,
        "high": difference.high,
        "p": entry.comparison.p,
        "p_holm": entry.p_holm,
    }
    names = {"method": entry.arm, "metric": metric, "region": entry.region, "reading": reading(entry)}
    return {**names, **{k: finite_or_none(v) for k, v in numbers.items()}, "subjects": difference.count}
