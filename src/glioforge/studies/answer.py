"""The answer of an augmentation study at a glance: one figure, each region, each control, subgroups, cost, extremes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from glioforge.io import read_labels
from glioforge.report import (
    MEAN,
    Block,
    Endpoint,
    Figure,
    Folded,
    Overlay,
    Paragraph,
    ResultTable,
    Section,
    Table,
    ablation_plot,
    answer,
    counted,
    learning_plot,
    number,
    outdone,
    outline_legend,
    overlay_figure,
    paired,
    paragraph,
    size_text,
    small_regions,
    undecided,
)
from glioforge.segmentation import written_scheme
from glioforge.statistics import Shown
from glioforge.studies.arms import Arm
from glioforge.studies.arms_report import control_pairs, title_of
from glioforge.studies.beforehand import PlanSpec
from glioforge.studies.judged import Judged, endpoint_texts, primary_arm
from glioforge.studies.leaky import MARK
from glioforge.studies.pages import noun_of
from glioforge.studies.results import Results
from glioforge.studies.scoring import tumour_of
from glioforge.studies.spec import AugmentationSpec
from glioforge.studies.steps.segment import MASKS
from glioforge.studies.subgroups import subgroup_table

_VISIBLE: Final = 0.0005
"""Differences that are not written as zero."""
_NAMED: Final = 4
"""Contrasts up to this number are all named in the lead."""
_CASES: Final = ("generator", "control", "cases", "synthetic", "search")
"""Kinds of tasks that make the cases of a source."""

_OPEN_ROWS: Final = 12
"""Arms up to which the table of their device hours is open."""


def answer_section(
    spec: AugmentationSpec, results: Results, overlap: ResultTable, arms: Mapping[str, str], judged: Sequence[Judged]
) -> Section:
    """Return the first section of the page.

    Args:
        spec: Settings.
        results: Records and folders.
        overlap: Scores of the arms, with their mean over regions.
        arms: Title of each arm that has results.
        judged: Its contrasts.
    """
    first = primary_arm(spec, arms)
    further = [] if first is None else endpoint_texts(spec, overlap, arms, first)
    texts = [Paragraph(text) for text in (*judged_texts(spec, arms, judged), *further)]
    costs = _cost_table(spec, results, arms)
    shown = costs if len(costs.rows) <= _OPEN_ROWS else Folded("Device hours of each arm", (costs,))
    blocks: list[Block] = [*texts, _figure(spec, overlap, arms), shown]
    if first is not None:
        ours, theirs = (overlap.scores(name, MEAN, "dice") for name in (first.name, first.reference))
        differences, _ = paired(ours, theirs, "dice")
        sound = [fold for fold in results.folds if not results.study.fold(fold).leaky]
        tested = [ref for fold in sound for ref in results.split(fold).test]
        if differences.subjects:
            blocks.append(subgroup_table(differences, tested, noun_of(spec), seed=spec.seed))
            by_subject = differences.by_subject()
            blocks += _extremes(spec, results, first, by_subject)
    return Section("The answer at a glance", tuple(blocks))


def lead_texts(
    spec: AugmentationSpec, overlap: ResultTable, arms: Mapping[str, str], judged: Sequence[Judged]
) -> list[str]:
    """Return what the other arms show, what the controls do, and which arms were not run.

    Args:
        spec: Settings.
        overlap: Scores of the arms, with their mean over regions.
        arms: Title of each arm that has results.
        judged: Its contrasts; beyond a few, those that show nothing are counted, not named.
    """
    endpoint = Endpoint("dice", MEAN, overlap)
    tested = counted(len(overlap.subjects()), f"test {overlap.noun}")
    sizes = () if spec.curve is None else spec.curve.sizes
    trained = f"{sizes[0].words}, " if len(sizes) == 1 and sizes[0].words else ""
    start = f"{tested}, {trained}{counted(spec.spending.seeds, 'segmenter')} an arm and fold."
    others = [
        entry
        for entry in judged
        if not (entry.control or entry.found.primary or MARK in arms[entry.arm]) and entry.found.difference.known
    ]
    many = len(others) > _NAMED
    named = [entry for entry in others if not (many and entry.found.shown is Shown.NOT_SHOWN)]
    sentences = [
        f"{'' if entry.planned else 'Exploratory: '}"
        f"{answer(entry.found, arms[entry.arm], arms[entry.reference], 'dice', overlap.noun)}"
        for entry in named
    ]
    rest = undecided([entry.found for entry in others if entry not in named], "dice", overlap.noun)
    pairs = control_pairs(spec, arms)
    tested_by = {c: {a: arms[a] for control, a in pairs if control == c} for c, _ in pairs}
    controls = [outdone(endpoint, names, c, arms[c]) for c, names in tested_by.items()]
    missing = [title_of(spec, arm) for arm in spec.every_arm if arm.name not in arms]
    left_out = f"Not run, because no synthetic case passed the quality check: {', '.join(missing)}." if missing else ""
    return [start, *sentences, rest, *controls, left_out]


def judged_texts(spec: AugmentationSpec, arms: Mapping[str, str], judged: Sequence[Judged]) -> list[str]:
    """Return what was fixed beforehand, a paragraph on the primary contrast, and a sentence against each control.

    Args:
        spec: Settings.
        arms: Title of each arm that has results.
        judged: The contrasts; without a primary one nothing is said.
    """
    noun, what = noun_of(spec), dice_over(spec)
    first = next((entry for entry in judged if entry.found.primary), None)
    if first is None:
        return []
    title, reference = arms[first.arm], arms[first.reference]
    small = "" if first.both is None else small_regions(first.both, "dice", noun)
    primary = " ".join(filter(None, (paragraph(first.found, title, reference, "dice", noun, what), small)))
    against = [
        answer(entry.found, arms[entry.arm], arms[entry.reference], "dice", noun, what)
        for entry in judged
        if entry.control and entry.planned
    ]
    return [fixed_text(spec, arms, judged), primary, *against]


def fixed_text(spec: AugmentationSpec, arms: Mapping[str, str], judged: Sequence[Judged]) -> str:
    """Say which contrast is primary, how many are corrected together, and what the plan fixed.

    Args:
        spec: Settings.
        arms: Title of each arm that has results.
        judged: The contrasts; one of them is primary.
    """
    plan = spec.plan or PlanSpec()
    first = next(entry for entry in judged if entry.found.primary)
    family = sum(entry.planned for entry in judged) - 1
    named = "the plan" if plan.primary else "the order of the arms"
    sentences = [
        f"Primary contrast, by {named}: {arms[first.arm]} against {arms[first.reference]}, {dice_over(spec)}.",
        f"{counted(family, 'other contrast')} corrected together by Holm's procedure." if family else "",
    ]
    if plan.margins is None:
        sentences.append("No margin was set, so that equivalence and non-inferiority are not concluded.")
    else:
        ends = (size_text("dice", plan.margins.equivalence), size_text("dice", plan.margins.non_inferiority))
        sentences.append(f"Margin of equivalence {ends[0]}, of non-inferiority {ends[1]}, set beforehand.")
    return " ".join(filter(None, sentences))


def dice_over(spec: AugmentationSpec) -> str:
    """Name the endpoint that decides."""
    return f"Dice over {', '.join(spec.regions)}"


def _figure(spec: AugmentationSpec, overlap: ResultTable, arms: Mapping[str, str]) -> Figure:
    """Learning curves where the number of real subjects varies, else the arms as layers."""
    endpoint = ("dice", MEAN)
    sizes = {arm.real.suffix for arm in spec.every_arm if arm.name in arms}
    if len(sizes) > 1:
        curves: dict[str, list[tuple[float, str]]] = {}
        for arm in spec.every_arm:
            amount = arm.real.subjects or (100 * arm.real.share if arm.real.share else None)
            if arm.name in arms and amount is not None:
                title = title_of(spec, arm).replace(f", {arm.real.words}", "")
                curves.setdefault(title, []).append((float(amount), arm.name))
        label = "real training subjects" if spec.curve is None or spec.curve.subjects else "real training subjects, %"
        caption = "Mean Dice over regions against the amount of real data; lines are 95 % intervals where known."
        return Figure(learning_plot(overlap, curves, endpoint, label), caption, "Learning curves of the arms")
    references = {arm.name: arm.reference for arm in spec.every_arm if arm.reference != arm.name}
    caption = (
        "Mean Dice over regions of each arm with its 95 % interval; the bar begins at the mean of the arm that it is "
        "compared with, and its length is the difference written on the right."
    )
    return Figure(ablation_plot(overlap, arms, references, endpoint), caption, "Arms and their differences in Dice")


def _cost_table(spec: AugmentationSpec, results: Results, arms: Mapping[str, str]) -> Table:
    """Device hours of each arm: its segmenters, and the source of its synthetic cases."""
    rows = []
    for arm in (arm for arm in spec.every_arm if arm.name in arms):
        own = _hours(results, ("segmenter", "trial"), arm.name)
        made = 0.0 if arm.source is None else _hours(results, _CASES, arm.source)
        rows.append((arms[arm.name], _told(own), _told(made) if arm.source else "–", _told(own + made)))
    device = spec.accelerator.device
    caption = f"Device hours (wall-clock time of tasks, device {device}); a source of several arms counts in each."
    return Table(("Arm", "Segmenters", "Synthetic cases", "Together"), tuple(rows), caption)


def _told(hours: float) -> str:
    """Hours for a cell; those below a hundredth to one digit, so that no training seems to take none."""
    return f"{hours:.2f}" if hours >= 0.01 or not hours else f"{float(f'{hours:.1g}'):.5f}".rstrip("0")


def _hours(results: Results, kinds: tuple[str, ...], arm: str) -> float:
    """Hours of the tasks of an arm or source."""
    return sum(r.cost.seconds for r in results.of(*kinds) if r.cost is not None and r.arm == arm) / 3600


def _extremes(spec: AugmentationSpec, results: Results, arm: Arm, differences: Mapping[str, float]) -> Iterator[Block]:
    """The subjects whom the arm helps most and least, with the masks of both arms."""
    order = sorted(differences, key=lambda name: (differences[name], name))
    wanted = {
        "Largest gain": order[-1],
        "Largest loss" if differences[order[0]] <= -_VISIBLE else "Smallest gain": order[0],
    }
    found = {which: list(_drawn(spec, results, arm, name)) for which, name in wanted.items()}
    if not any(found.values()):
        return
    yield Paragraph(
        "Subjects on whom the arm under test gains most and least over its reference, with the masks of both arms from "
        "the first training."
    )
    yield outline_legend()
    for which, subject in wanted.items():
        change = number(differences[subject], "1", signed=True)
        yield Folded(f"{which}: {subject}, Dice {change}", tuple(found[which]))


def _drawn(spec: AugmentationSpec, results: Results, arm: Arm, subject: str) -> Iterator[Figure]:
    """One figure for each arm that kept its masks of the subject."""
    source = results.study.source
    for record in results.of("scores"):
        first = (record.seed, getattr(record, "draw", 0), getattr(record, "generator_seed", 0)) == (0, 0, 0)
        if not first or record.arm not in {arm.name, arm.reference}:
            continue
        test = [ref for ref in results.split(record.fold).test if ref.subject_id == subject]
        folder = results.root / record.task / MASKS
        for ref in test[:1]:
            path = folder / f"{ref.case_id}.nii.gz"
            if not path.is_file():
                continue
            case = source[ref.case_id].load()
            scores = {
                row.region: row.value
                for row in record.rows
                if row.case_id == ref.case_id and row.metric == "dice" and row.grid not in spec.also.grids
            }
            texts = {r: f"{r} Dice {scores.get(r, np.nan):.3f}" for r in spec.regions}
            title = f"{subject}, {next(title_of(spec, a) for a in spec.every_arm if a.name == record.arm)}"
            mask = read_labels(path, written_scheme(folder))
            overlay = Overlay(title, case.images, tumour_of(case.require_labels()), mask, texts)
            yield overlay_figure(overlay, spec.regions)
