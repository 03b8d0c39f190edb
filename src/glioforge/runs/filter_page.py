"""The page of filtered cases: how many each filter leaves, examples of what it refused, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from glioforge.core import Case, Cohort, LabelScheme, Stage, VerdictRow, funnel
from glioforge.data import thin_axis
from glioforge.report import (
    CONVENTION,
    PLANES,
    Block,
    Figure,
    Folded,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
    best_slice,
    case_pictures,
    grey,
    in_words,
    label_colours,
    legend,
    picture_grid,
    plots,
    refusal_table,
    seen_from,
    window_of,
)

EXAMPLES: Final = 6
"""Cases shown of each filter."""
_CONTRASTS: Final = 3
"""Contrasts shown of a case."""


@final
@dataclass(frozen=True)
class Passed:
    """What one filter did in its turn.

    Args:
        filter: Its kind.
        refuses: Cases that it refuses, of all that were judged.
        first: Ids of the cases that it is the first to refuse, worst first.
        left: Cases left after it.
    """

    filter: str
    refuses: int
    first: tuple[str, ...]
    left: int


def passed(verdicts: Sequence[VerdictRow]) -> tuple[Passed, ...]:
    """Return what each filter did, in the order of the funnel; none for no verdicts.

    Cases left before a filter are those left after it and those that it is the first to refuse.

    Example:
        >>> rows = [VerdictRow("a", "x", True, 0.0, "fine"), VerdictRow("b", "x", False, 9.0, "odd")]
        >>> passed(rows)
        (Passed(filter='x', refuses=1, first=('b',), left=1),)
    """
    left = dict.fromkeys(row.case_id for row in verdicts)
    found = []
    for name in dict.fromkeys(row.filter for row in verdicts):
        refused = sorted((r for r in verdicts if r.filter == name and not r.keep), key=lambda r: -r.score)
        first = tuple(row.case_id for row in refused if row.case_id in left)
        for case_id in first:
            del left[case_id]
        found.append(Passed(name, len(refused), first, len(left)))
    return tuple(found)


def filter_page(made: Cohort, verdicts: Sequence[VerdictRow], stages: Sequence[Stage] = ()) -> Report:
    """Return the page of a filtered cohort.

    Args:
        made: The cases that were judged.
        verdicts: Every verdict of every filter.
        stages: Steps of the funnel where there were others than filters; those of the verdicts unless given.
    """
    steps = passed(verdicts)
    shown = tuple(stages) or funnel(verdicts)
    kept = tuple(ref.case_id for ref in made if ref.case_id not in {i for step in steps for i in step.first})
    judged = len(made)
    verdict = f"{len(kept)} of {judged} cases are kept." if judged else "There was no case to judge."
    if stages:
        verdict = f"{shown[-1].count} whole cases are kept of {shown[0].count} that were sampled."
    figure = Figure(plots.funnel(shown), "Cases left after each step.", "Funnel of the cases") if shown else None
    blocks: list[Block] = [figure] if figure is not None else []
    if steps:
        blocks.append(step_table(judged, steps))
    examples = [example_section(made, step, verdicts) for step in steps if step.first]
    return Report(
        f"What do quality filters keep of {made.name}?",
        verdict,
        (
            Section("Funnel", tuple(blocks) or (Paragraph("No filter was asked."),)),
            *examples,
            *([_kept_section(made, kept)] if kept else []),
            Section("Reasons", (Folded("Refused cases", (refusal_table(verdicts, 500),)),)),
        ),
        numbers={
            "made": judged,
            "kept": len(kept),
            "funnel": [{"after": stage.name, "left": stage.count} for stage in shown],
            "filters": [
                {"filter": s.filter, "refuses": s.refuses, "first_to_refuse": len(s.first), "left": s.left}
                for s in steps
            ],
        },
    )


def step_table(judged: int, steps: Sequence[Passed]) -> Table:
    """Table of the funnel: what each filter refuses in all, what it is the first to refuse, and what is left."""
    caption = (
        "Every filter judges every case. A case falls at the first filter that refuses it: cases before a filter are "
        "those that fall there and those that are left."
    )
    cells = tuple(
        (
            in_words(step.filter),
            str(step.left + len(step.first)),
            str(step.refuses),
            f"{step.refuses / judged:.1%}" if judged else "–",
            str(len(step.first)),
            str(step.left),
        )
        for step in steps
    )
    return Table(("Filter", "Before", "Refuses", "Of all", "Fall here", "Left"), cells, caption)


def example_section(made: Cohort, step: Passed, verdicts: Sequence[VerdictRow]) -> Section:
    """Examples of what fell at a filter, from the worst to those nearest to the limit, with its reasons."""
    ids = spread(step.first, EXAMPLES)
    reasons = {row.case_id: row for row in verdicts if row.filter == step.filter}
    rows = tuple((case_id, f"{reasons[case_id].score:.3g}", reasons[case_id].reason) for case_id in ids)
    named = in_words(step.filter)
    return Section(
        f"What {named} refused",
        (
            *gallery([made[case_id].load() for case_id in ids], f"Cases that fell at {named}, worst first."),
            Table(("Case", "Score", "Why"), rows, f"Reasons of {named} for these cases."),
        ),
    )


def _kept_section(made: Cohort, kept: Sequence[str]) -> Section:
    """Examples of what every filter keeps."""
    cases = [made[case_id].load() for case_id in spread(kept, EXAMPLES)]
    return Section("What was kept", gallery(cases, "Cases that every filter keeps."))


def spread(ids: Sequence[str], most: int) -> tuple[str, ...]:
    """Ids evenly spread over a sequence, first and last among them.

    Example:
        >>> spread("abcdefg", 3)
        ('a', 'd', 'g')
    """
    places = np.linspace(0, len(ids) - 1, min(most, len(ids))).round().astype(int)
    return tuple(ids[place] for place in dict.fromkeys(places.tolist()))


def gallery(cases: Sequence[Case], caption: str, planes: Sequence[str] = ("axial",)) -> tuple[Figure, ...]:
    """A row of pictures for each of labels and contrasts, a column for each case, and the colours of the labels.

    Cases that are not in RAS order have no left and right that a picture could mark, and are left out.

    Args:
        cases: What is shown; none gives no figure.
        caption: What they are.
        planes: Planes of whole heads, one below the other; a slice is shown in its own alone.
    """
    cases = [case for case in cases if case.geometry.orientation == "RAS"]
    if not cases:
        return ()
    if any(thin_axis(case.geometry) is not None for case in cases):
        planes = planes[:1]
    rows: list[tuple[str, list[Picture]]] = []
    for plane in planes:
        columns = [pictures_of(case, PLANES[plane]) for case in cases]
        found = [(name, [column[name] for column in columns if name in column]) for name in columns[0]]
        rows += found if len(planes) == 1 else [(f"{plane}\n{name}", pictures) for name, pictures in found]
    titles = [case.case_id.removeprefix("sample-") for case in cases]
    shown = Figure(picture_grid(rows, titles, cell_inch=1.35), f"{caption} {CONVENTION}", caption)
    scheme = next((case.labels.scheme for case in cases if case.labels is not None), None)
    return (shown,) if scheme is None else (_legend(scheme), shown)


def pictures_of(case: Case, axis: int = 2) -> Mapping[str, Picture]:
    """The slice across an axis that shows most of a case, as labels and contrasts; a slice is shown as it is."""
    thin = thin_axis(case.geometry)
    axis = axis if thin is None else thin
    images = {m: case.images[m] for m in case.modalities[:_CONTRASTS]}
    if case.labels is not None:
        index = best_slice(case.labels, axis)
        shown = case_pictures(case.labels, images, index, axis=axis)
        return dict(zip(("labels", *(m.title for m in images)), shown, strict=True))
    inside = case.brain_mask
    index = int(inside.sum(axis=tuple(a for a in range(3) if a != axis)).argmax())
    sides, aspect = seen_from(axis, case.geometry.spacing)
    flat = np.take(inside, index, axis)
    return {
        m.title: Picture(
            grey(np.take(v.voxels, index, axis), flat, window_of(v.voxels, inside)), sides=sides, aspect=aspect
        )
        for m, v in images.items()
    }


def _legend(scheme: LabelScheme) -> Figure:
    """Colours of the labels."""
    return Figure(legend(label_colours(scheme)), "Colours of the labels.", "Colours of the labels")
