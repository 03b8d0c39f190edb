"""The page of a study of manipulation: what a frozen segmenter finds, by edit and strength."""

from collections.abc import Mapping

from glioforge.io import PREPARED
from glioforge.report import (
    MEAN,
    Block,
    Endpoint,
    Folded,
    Note,
    Paragraph,
    Report,
    ResultTable,
    Section,
    Table,
    cost_table,
    score_table,
)
from glioforge.studies.case_marks import mark
from glioforge.studies.comparing import ManipulationSpec, titles_of
from glioforge.studies.gallery import edit_series
from glioforge.studies.pages import (
    difference_blocks,
    noun_of,
    subject_figure,
    summary,
    table_of,
    trained_of,
    trainings_section,
)
from glioforge.studies.results import Results
from glioforge.studies.setup import made_with, settings_section, subjects_section
from glioforge.studies.steps.manipulate import IMAGES
from glioforge.studies.steps.score import REAL


def page(spec: ManipulationSpec, results: Results) -> Report:
    """Return the report, with what its tables show for programs.

    Args:
        spec: Settings.
        results: Results and folders of the study.
    """
    methods = titles_of(spec.methods)
    table = table_of(spec, results).with_mean(spec.regions)
    trained = trained_of(results, methods, "synthesizer")
    found = [Endpoint("dice", region, table, f"Dice, {region}") for region in (*spec.regions, MEAN)]
    volume = Endpoint("volume_error", spec.regions[0], table, f"Volume error, {spec.regions[0]}")
    sections = (
        _asked(spec, methods, found, volume),
        *(_differences(spec, name, title, found) for name, title in methods.items()),
        _pictures(spec, results, methods),
        trainings_section(trained, tuple(methods.values())),
        Section("Time and size", (cost_table(trained),)),
        subjects_section(spec, results),
        settings_section(spec, results),
    )
    every = {arm: title for name in methods for arm, title in _arms(spec, name, methods[name]).items()}
    references = [spec.arm(name, next(iter(spec.edits))) for name in methods]
    numbers = summary(spec, every, references, [*found, volume], trained)
    return Report(spec.title, _verdict(spec, methods, table), sections, "", made_with(results), numbers)


def _arms(spec: ManipulationSpec, method: str, title: str) -> dict[str, str]:
    """Title of a method's images after each edit."""
    return {spec.arm(method, name): f"{title}: {entry.title}" for name, entry in spec.edits.items()}


def _verdict(spec: ManipulationSpec, methods: Mapping[str, str], table: ResultTable) -> str:
    """State for each method between which Dice its edits lie, beside its maps as they were."""
    first, *others = spec.edits
    told = []
    for name, title in methods.items():
        plain = table.interval(spec.arm(name, first), MEAN, "dice").estimate
        values = [table.interval(spec.arm(name, edit), MEAN, "dice").estimate for edit in others]
        if values:
            told.append(f"{title}: {min(values):.2f} to {max(values):.2f} after edits, {plain:.2f} without")
    return f"Dice of a frozen segmenter with the label map asked for, mean over regions. {'; '.join(told)}."


def _asked(spec: ManipulationSpec, methods: Mapping[str, str], found: list[Endpoint], volume: Endpoint) -> Section:
    """What the segmenter finds after each edit, of every method."""
    caption = (
        "Dice between the label map that was asked for and what a segmenter finds in one image of it, mean over unseen "
        f"{noun_of(spec)}s with 95 % interval. The segmenter was trained on scans of the training side alone. The "
        "first row is the same segmenter on the scans themselves. An edit that suits no place of a map leaves the "
        f"{noun_of(spec)} out."
    )
    table = found[0].results
    scans = [arm for arm in table.arms() if arm == REAL]
    arms = dict.fromkeys(scans, "Scans")
    for name, title in methods.items():
        arms |= _arms(spec, name, title)
    shown = {arm: title for arm, title in arms.items() if arm in table.arms()}
    rows = tuple((e.title, e.kind or "–", f"{e.strength:g}" if e.kind else "–") for e in spec.edits.values())
    edits = Table(
        ("Edit", "Kind", "Strength"),
        rows,
        "Edits with their strength: millimetres of translate, factor of the volume of scale.",
    )
    blocks: list[Block] = [
        edits,
        score_table({"": found}, shown, caption, named="Images"),
        subject_figure(table, shown, [e.region for e in found], "dice"),
    ]
    of_edits = {arm: title for arm, title in shown.items() if arm not in scans}
    blocks.append(
        Folded("Volume found", (score_table({"": [volume]}, of_edits, "Error of volume, mean.", named="Images"),))
    )
    return Section("Does the lesion appear as asked?", tuple(blocks))


def _differences(spec: ManipulationSpec, method: str, title: str, found: list[Endpoint]) -> Section:
    """Each edit of a method against its maps as they were, paired by subject."""
    arms = {arm: text for arm, text in _arms(spec, method, title).items() if arm in found[0].results.arms()}
    reference = spec.arm(method, next(iter(spec.edits)))
    text = Paragraph("Each edit against the maps as they were, on the same subjects.")
    return Section(
        f"{title}: edited against unedited", (text, *difference_blocks(found, arms, [reference], named="Edit"))
    )


def _pictures(spec: ManipulationSpec, results: Results, methods: Mapping[str, str]) -> Section:
    """One unseen subject after every edit, as each method paints it."""
    notes = dict.fromkeys(f"{record.arm}: {text}" for record in results.of("edited") for text in record.notes)
    blocks: list[Block] = [Note(f"An edit was left out. {text}", "warning") for text in notes]
    for name, title in methods.items():
        cohorts = {edit: results.cohort("asked", IMAGES, arm=spec.arm(name, edit)) for edit in spec.edits}
        ids = [{ref.case_id for ref in cohort} for cohort in cohorts.values()]
        common = sorted(set.intersection(*ids))
        if common:
            shown = [(spec.edits[edit].title, cohort[common[0]].load()) for edit, cohort in cohorts.items()]
            before = shown[0][1].require_labels()
            marks = {
                entry.title: mark(
                    results, "Dice", arm=spec.arm(name, edit), case_id=common[0], metric="dice", grid=PREPARED
                )
                for edit, entry in spec.edits.items()
            }
            scan = results.study.prepared[common[0]].load()
            blocks += edit_series(scan, shown, title, before=before, marks=marks)
    return Section("Pictures", tuple(blocks) or (Paragraph("No map could be edited in every way."),))
