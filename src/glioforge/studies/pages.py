"""Sections that the pages of all questions share: differences, trainings, quality check, numbers for programs."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from glioforge.core import VerdictRow, funnel
from glioforge.metrics import metric_named
from glioforge.report import (
    UNVERIFIED,
    Block,
    Endpoint,
    Figure,
    Folded,
    Note,
    Noun,
    Paragraph,
    ResultTable,
    Section,
    Trained,
    against,
    banner_of,
    compare_endpoints,
    comparison_json,
    cost_table,
    difference_table,
    in_unit,
    interval_json,
    plots,
    refusal_table,
    training_table,
)
from glioforge.studies.base import PhantomData, StudySpec
from glioforge.studies.further import main_table
from glioforge.studies.results import Results


def noun_of(spec: StudySpec) -> Noun:
    """Return what a study's subjects are called; phantoms are never called subjects where they are counted."""
    return "phantom" if isinstance(spec.data, PhantomData) else "subject"


def table_of(spec: StudySpec, results: Results) -> ResultTable:
    """Return the results on no further grid, with means of arms, under the study's seed and name of subjects."""
    return main_table(spec, every_row(spec, results))


def every_row(spec: StudySpec, results: Results) -> ResultTable:
    """Return all of a study's results, those of further grids included."""
    return ResultTable(results.rows, noun=noun_of(spec), seed=spec.seed)


def neutral(spec: StudySpec, title: str) -> str:
    """Return an arm's title, in which phantoms are not called real.

    Example:
        >>> from glioforge.studies.question import load_demo
        >>> neutral(load_demo(), "Real + synthetic"), neutral(load_demo(), "Pix2pix, real time")
        ('Phantom scans + synthetic', 'Pix2pix, phantom scans time')
    """
    if noun_of(spec) == "subject":
        return title
    return re.sub(r"\breal\b", "phantom scans", re.sub(r"\bReal\b", "Phantom scans", title))


def trained_of(results: Results, titles: Mapping[str, str], *kinds: str) -> list[Trained]:
    """Return what pages show of trainings, in the order of the titles.

    Args:
        results: Records of the study.
        titles: Title of each arm by its name; records of other arms are passed over.
        kinds: Kinds of tasks whose trainings are shown.
    """
    costs = [(r.arm, r.fold, r.seed, r.cost.seconds_per_volume) for r in results.records if r.cost]
    paces = {(arm, fold, seed): pace for arm, fold, seed, pace in costs if pace is not None}
    found = []
    for record in results.of(*kinds):
        training, cost = record.training, record.cost
        if training is None or record.arm not in titles:
            continue
        found.append(
            Trained(
                titles[record.arm],
                record.fold,
                record.seed,
                training.steps,
                cost.seconds if training.seconds is None and cost else training.seconds or 0.0,
                training.history,
                training.best_step if training.steps else None,
                training.best_score,
                training.plateaued if training.steps else None,
                training.parameters,
                cost.peak_gib if cost else 0.0,
                paces.get((record.arm, record.fold, record.seed)),
            )
        )
    order = list(titles.values())
    return sorted(found, key=lambda t: (order.index(t.title), t.fold, t.seed))


def difference_blocks(
    endpoints: Sequence[Endpoint], arms: Mapping[str, str], references: Sequence[str], *, named: str = "Method"
) -> list[Block]:
    """Show for each reference the paired differences of all others in every endpoint; several references are folded."""
    every: list[Block] = []
    for reference in references:
        titles, blocks = against(reference, arms), list[Block]()
        for metric, compared in compare_endpoints(endpoints, arms, reference).items():
            if compared:
                what = f"difference in {in_unit(metric)} from {arms[reference]}, positive is better"
                png = plots.difference_plot(compared, titles, what)
                caption = "Paired differences; lines are 95 % intervals, where there are enough to give one."
                blocks += [
                    difference_table(compared, titles, metric, named=named),
                    Figure(png, caption, f"Mean {what}"),
                ]
        if blocks and len(references) > 1:
            blocks = [Folded(f"Differences from {arms[reference]}, on the same unseen subjects", tuple(blocks))]
        every += blocks
    return every


def subject_figure(table: ResultTable, arms: Mapping[str, str], regions: Sequence[str], metric: str) -> Figure:
    """Show every unseen subject under every arm."""
    shown = metric_named(metric)
    caption = (
        f"{shown.heading} of every unseen {table.noun} (grey) and the mean, with its 95 % interval where it has one."
    )
    return Figure(plots.subject_plot(table, arms, regions, metric), caption, f"{shown.title} by arm and region")


def trainings_section(
    trainings: Sequence[Trained], titles: Sequence[str], scalars: Mapping[str, str] | None = None
) -> Section:
    """Curves and steps of all trainings.

    Args:
        trainings: Any; those without a history have no curve.
        titles: All titles, in the order that gives them their looks.
        scalars: Title of each scalar shown; chosen by how many trainings have it unless given.
    """
    curved = [training for training in trainings if training.history]
    if not curved:
        return Section("How the trainings went", (Paragraph("No method has a network."),))
    caption = (
        "By optimiser step, each row the mean since the row before; a ring marks a score that levelled off. Losses are "
        "weighted as each method weighs them, so that their heights do not rank methods."
    )
    png = plots.training_plot(curved, titles, scalars)
    figure = Figure(png, caption, "Losses or scores of each training against steps")
    named = Folded("Steps of each training", (training_table(trainings),))
    return Section("How the trainings went", (figure, named))


def quality_section(results: Results, undeclared: Collection[str] = ()) -> Section:
    """Funnel and reasons, for each source of synthetic cases; figures of sources that nobody declared are marked."""
    blocks: list[Block] = []
    for source in dict.fromkeys(record.arm for record in results.of("synthetic")):
        mine = [record for record in results.of("synthetic") if record.arm == source]
        verdicts = [VerdictRow.from_json(row) for record in mine for row in record.details["verdicts"]]
        made, kept = sum(r.details["made"] for r in mine), sum(r.details["kept"] for r in mine)
        cases = f"Cases of {source_named(results.study.spec, source)}"
        judged = "" if verdicts else ", as they are: no filter belongs to this source"
        blocks.append(Paragraph(f"{cases}: {made} made, {kept} kept for training{judged}."))
        if verdicts:
            caption = f"{cases} left after each filter."
            drawn = plots.funnel(funnel(verdicts), banner_of([UNVERIFIED] if source in undeclared else []))
            blocks.append(Figure(drawn, caption, f"Funnel. {cases}"))
        if any(not row.keep for row in verdicts):
            blocks.append(Folded(f"{cases} that were refused", (refusal_table(verdicts),)))
        blocks += [Note(f"A filter was left out: {text}.", "warning") for r in mine for text in r.notes]
    return Section("Quality check of synthetic cases", tuple(blocks))


def source_title(spec: StudySpec, source: str) -> str:
    """Return the title of a source, or its name where it has none."""
    found = getattr(spec, "all_sources", {}).get(source)
    return getattr(found, "title", "") or source


def source_named(spec: StudySpec, source: str) -> str:
    """Return a source as a sentence names it: those that every study has with an article, others by their titles."""
    return f"the {source}" if source in {"generator", "control"} else source_title(spec, source)


def summary(
    spec: StudySpec,
    methods: Mapping[str, str],
    references: Sequence[str],
    endpoints: Sequence[Endpoint],
    trainings: Sequence[Trained],
) -> dict[str, Any]:
    """Return all that tables show as plain values; p values are corrected over the same tests as in the tables."""
    costs = cost_table(trainings)
    return {
        "study": spec.name,
        "methods": dict(methods),
        "scores": {
            name: {f"{e.metric} {e.region} {e.heading}".strip(): interval_json(e.of(name)) for e in endpoints}
            for name in methods
        },
        "differences": {
            reference: [
                comparison_json(entry, metric)
                for metric, entries in compare_endpoints(endpoints, methods, reference).items()
                for entry in entries
            ]
            for reference in references
        },
        "costs": [dict(zip(costs.columns, row, strict=True)) for row in costs.rows],
    }
