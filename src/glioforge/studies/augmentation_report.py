"""The page of an augmentation study, which says whether synthetic data helped a segmenter on unseen subjects."""

from collections.abc import Mapping, Sequence
from typing import Final

from glioforge.report import (
    MEAN,
    TRUTHS,
    UNVERIFIED,
    Block,
    Endpoint,
    Folded,
    Note,
    Paragraph,
    Report,
    ResultTable,
    Section,
    Table,
    Trained,
    answer,
    counted,
    empty_table,
    exaggerated,
    outdone,
    score_table,
    small_regions,
    subject_table,
    with_interval,
)
from glioforge.studies.answer import answer_section, dice_over, lead_texts
from glioforge.studies.arms_report import (
    arms_blocks,
    cautions,
    control_pairs,
    exploratory,
    groups_of,
    tested_arms,
    titles,
    undeclared,
)
from glioforge.studies.classes_report import classes_section, further_blocks, maps_section
from glioforge.studies.gap_report import gap_section
from glioforge.studies.judged import Judged, judged_contrasts, sites_of
from glioforge.studies.leaky import MARK
from glioforge.studies.lock import Standing
from glioforge.studies.methods_text import methods_section
from glioforge.studies.pages import (
    difference_blocks,
    neutral,
    noun_of,
    quality_section,
    source_named,
    subject_figure,
    table_of,
    trained_of,
    trainings_section,
)
from glioforge.studies.pictures import made_section, sources_section
from glioforge.studies.results import Results
from glioforge.studies.scoring import DRAWS
from glioforge.studies.setup import made_with, settings_section, subjects_section
from glioforge.studies.shown_report import shown_section
from glioforge.studies.spec import AugmentationSpec

METRICS: Final = ("dice", "hd95", "sensitivity", "precision")
"""Columns of the table of arms."""
_IMAGES: Final = {"generator": "Generator", "class mean": "Class means", "generator, one draw": "Generator, one draw"}
_PILOT: Final = "Pilot of the baseline"
_WORK: Final = {
    "generator": "training the generator",
    "control": "fitting the control",
    "cases": "making synthetic cases",
    "synthetic": "filtering synthetic cases",
    "pilot": "finding the steps at which the baseline levels off",
    "search": "searching for near-duplicates of held-out subjects",
    "trial": "tuning segmenters",
    "fidelity": "measuring the images",
    "gap": "measuring the domain gap",
    "maps": "judging label maps from noise",
    "shown": "painting label maps for pictures",
    "segmenter": "training segmenters",
    "scores": "scoring segmenters",
}


def page(spec: AugmentationSpec, results: Results) -> Report:
    """Return the report of an augmentation study.

    Args:
        spec: Settings of the study.
        results: Its rows, records and folders.
    """
    table = table_of(spec, results)
    arms = titles(spec, table)
    shown_arms = {*arms, *spec.also.means}
    overlap = table.chosen(row for row in table.rows if row.arm in shown_arms).with_mean(spec.regions)
    images = table.chosen(row for row in table.rows if row.arm in _IMAGES)
    truths = sorted({row.reference for row in images.rows if row.metric == "ssim"})
    likeness = {truth: images.over_contrasts(reference=truth) for truth in truths}
    trained = trained_of(results, {"": _PILOT, **arms}, "pilot", "segmenter")
    judged = judged_contrasts(spec, overlap, arms, sites_of(results))
    told = verdict(spec, arms, judged, pilots_of(results))
    shown = (
        (made_section(spec, results), _likeness(images, likeness))
        if results.of("fidelity") or images.rows
        else sources_section(spec, results)
    )
    sections = (
        answer_section(spec, results, overlap, arms, judged),
        *shown,
        *shown_section(spec, results),
        _segmentation(spec, results, overlap, arms),
        *classes_section(spec, table, arms, trained),
        *maps_section(results),
        *gap_section(spec, results, overlap, trained),
        trainings_section(trained, (_PILOT, *arms.values()), {"score": "mean Dice of validation subjects"}),
        subjects_section(spec, results, _arms_text(spec)),
        *((quality_section(results, undeclared(spec)),) if results.of("synthetic") else ()),
        _costs(results),
        methods_section(spec, results),
        settings_section(spec, results),
    )
    lead = " ".join(filter(None, (*lead_texts(spec, overlap, arms, judged), outdone_by_means(likeness))))
    reasons = doubts(spec, results)
    verdict_line = f"Exploratory ({'; '.join(reasons)}): {told}" if reasons else told
    return Report(spec.title, verdict_line, sections, lead, made_with(results), notices=cautions(spec, results))


def pilots_of(results: Results) -> list[Trained]:
    """Return the trial runs that looked for a plateau."""
    return trained_of(results, {"": _PILOT}, "pilot")


def doubts(spec: AugmentationSpec, results: Results) -> list[str]:
    """Return why the answer is exploratory, in a few words each; empty for one that confirms."""
    standing = Standing.read(results.root)
    seen = standing is not None and standing.kind == "exploratory"
    unknown = bool(exploratory(spec, results))
    return [*([UNVERIFIED] if unknown else []), *(["test scans were scored before"] if seen else [])]


def verdict(
    spec: AugmentationSpec, arms: Mapping[str, str], judged: Sequence[Judged], pilots: Sequence[Trained]
) -> str:
    """Say in a sentence or two what the primary contrast shows, and what weakens it.

    Args:
        spec: Settings of the study.
        arms: Title of each arm that has results, by its name.
        judged: The contrasts of the study.
        pilots: Runs of the baseline that looked for its plateau.
    """
    first = next((entry for entry in judged if entry.found.primary), None)
    if not tested_arms(spec):
        return "Not asked: no arm has synthetic cases of a source under test."
    if first is None:
        named = "" if spec.plan is None or spec.plan.primary is None else f" of the primary arm {spec.plan.primary}"
        return f"Not answered: no synthetic case{named} passed the quality check, so no segmenter was trained on any."
    noun = noun_of(spec)
    sentences = (
        answer(first.found, arms[first.arm], arms[first.reference], "dice", noun, dice_over(spec)),
        exaggerated(first.found, "dice"),
        "" if first.both is None or first.both.agree else small_regions(first.both, "dice", noun),
        _plateau_text(pilots),
        f"Arms marked {MARK} show a leak and are no evidence." if _leaks(spec, arms) else "",
    )
    return " ".join(filter(None, sentences))


def _leaks(spec: AugmentationSpec, arms: Mapping[str, str]) -> bool:
    """Whether an arm with results was trained on shuffled slices."""
    return any(arm.split == "leaky" for arm in spec.every_arm if arm.name in arms)


def outdone_by_means(likeness: Mapping[str, ResultTable]) -> str:
    """Say where images in which every class has its mean are as near to the scans as the generator's."""
    for truth, table in likeness.items():
        endpoint = Endpoint("ssim", "brain", table, f"SSIM {TRUTHS.get(truth, truth)}")
        told = outdone(
            endpoint, {"generator": "the generator"}, "class mean", "Painting every class with its mean intensity"
        )
        if told:
            return told
    return ""


def _plateau_text(pilots: Sequence[Trained]) -> str:
    """Whether the baseline reached its plateau before the arms were compared."""
    short = sum(not training.plateaued for training in pilots)
    if not pilots:
        return "The steps were set beforehand; whether the baseline levels off at them was not asked."
    if not short:
        return ""
    return (
        f"The budget stopped {short} of {counted(len(pilots), 'baseline')} short of the plateau: "
        "a difference at so few steps may vanish when all arms are trained on."
    )


def _likeness(images: ResultTable, likeness: Mapping[str, ResultTable]) -> Section:
    """SSIM and mean absolute error inside the brain, the generator beside class means; one table is open."""
    text = (
        "The generator made images from the label maps of test subjects, which it never saw: the mean of "
        f"{DRAWS} draws of style and noise, and one draw by itself. Each is compared inside the brain, as is the image "
        "in which every class has its mean over the training subjects: a generator worth its training lies clearly "
        "above that image. SSIM is computed on intensities raised by the reference's least value inside the brain, "
        "whose range there is the data range; the mean absolute error (MAE) is in standard deviations of the brain."
    )
    tables = []
    for truth, table in likeness.items():
        regions = {m.title: f"brain/{m}" for m in table.contrasts()} | {"mean": "brain"}
        groups = {name: [Endpoint(m, region, table) for m in ("ssim", "mae")] for name, region in regions.items()}
        caption = f"Mean over test subjects with 95 % interval, {TRUTHS.get(truth, truth)}."
        tables.append(score_table(groups, _IMAGES, caption, named="Image", grouped="Contrast"))
    worse = outdone_by_means(likeness)
    notes = (Note(worse, "warning"),) if worse else ()
    others = [TRUTHS.get(truth, truth) for truth in likeness][1:]
    folded = tuple(Folded(f"The same {what}", (table,)) for what, table in zip(others, tables[1:], strict=True))
    return Section("How alike are the images?", (*notes, Paragraph(text), *tables[:1], *folded, *_streaks(images)))


def _streaks(images: ResultTable) -> tuple[Block, ...]:
    """Gradient across slices over within them in the FLAIR lesion, of one draw and of the scans; none without FLAIR."""
    key = ("generator, one draw", "lesion/flair")
    made, scans = (images.interval(*key, metric) for metric in ("gradient_ratio", "gradient_ratio_scan"))
    if not made.count or not scans.count:
        return ()
    return (
        Paragraph(
            "Streaks: in the FLAIR lesion, the mean absolute difference of neighbours across slices over that within "
            f"slices is {with_interval(made, '1')} in one draw and {with_interval(scans, '1')} in the scans of the "
            "same subjects."
        ),
    )


def _segmentation(spec: AugmentationSpec, results: Results, overlap: ResultTable, arms: Mapping[str, str]) -> Section:
    """Does it help: tables, figures and what they cannot show."""
    text = (
        f"{_length(spec)} Test subjects are whole subjects that no training, generator, statistic or filter saw; they "
        "are scored in three dimensions "
        "on their scan's own grid. Each subject counts once, whatever its number of scans and the size of its tumour."
    )
    places = (*spec.regions, MEAN)
    groups = {region: [Endpoint(metric, region, overlap) for metric in METRICS] for region in spec.regions}
    endpoints = [Endpoint("dice", region, overlap) for region in places]
    groups_by = groups_of(spec, arms)
    compared = [
        block
        for reference, group in groups_by.items()
        for block in _against(endpoints, {reference: arms[reference], **group}, folded=len(groups_by) > 1)
    ]
    pairs = [{c: arms[c], a: arms[a]} for c, a in control_pairs(spec, arms)]
    against_control = [block for pair in pairs for block in difference_blocks(endpoints, pair, (next(iter(pair)),))]
    tables = tuple(subject_table(overlap, arms, region) for region in (MEAN, *spec.regions))
    blocks = (
        Paragraph(text),
        score_table(groups, arms, "Mean over subjects with the 95 % interval over subjects and seeds in brackets."),
        subject_figure(overlap, arms, spec.regions, "dice"),
        *compared,
        *against_control,
        *further_blocks(spec, results, overlap, arms),
        *arms_blocks(spec, results),
        Folded(f"Every test {noun_of(spec)}", (*tables, empty_table(overlap, arms, spec.regions))),
    )
    return Section("Does it help a segmenter?", blocks)


def _length(spec: AugmentationSpec) -> str:
    """How long arms are trained."""
    if spec.spending.match == "epochs":
        return f"Every arm makes {spec.spending.segmenter.epochs} passes over its own cases."
    if not spec.spending.trial:
        return "The optimiser steps are those of the budget, the same for all arms and seeds."
    return (
        "The optimiser steps were found by a trial run of the baseline, which levelled off on validation subjects or "
        "ran out of budget, and was thrown away; all arms and seeds, the baseline's included, were trained for "
        "them from the start on one learning-rate schedule."
    )


def _against(endpoints: Sequence[Endpoint], arms: Mapping[str, str], *, folded: bool) -> list[Block]:
    """Differences of arms from the first one; folded where there are several such groups."""
    reference = next(iter(arms))
    blocks = difference_blocks(endpoints, arms, (reference,), named="Arm")
    return [Folded(f"Differences from {arms[reference]}", tuple(blocks))] if folded and blocks else blocks


def _costs(results: Results) -> Section:
    """Seconds and memory by kind of work."""
    cells = []
    for kind, title in _WORK.items():
        mine = [record.cost for record in results.of(kind) if record.cost]
        if mine:
            seconds, peak = sum(cost.seconds for cost in mine), max(cost.peak_gib for cost in mine)
            each = f"{seconds / len(mine):.0f}"
            cells.append((title, str(len(mine)), f"{seconds / 60:.1f}", each, f"{peak:.1f}"))
    columns = ("Work", "Tasks", "Minutes in all", "Seconds each", "Peak memory of a process, GiB")
    caption = "Wall-clock time on this machine of tasks that may have run side by side, without preparation and report."
    return Section("Time and memory", (Table(columns, tuple(cells), caption),))


def _arms_text(spec: AugmentationSpec) -> str:
    """What each arm was trained on."""
    told = []
    for arm in spec.all_arms:
        share = f"{arm.synthetic_share:.0%} of slices from" if arm.synthetic_share else "cases from"
        told.append(f"{neutral(spec, arm.title)}{f' ({share} {source_named(spec, arm.source)})' if arm.source else ''}")
    return "; ".join(told)
