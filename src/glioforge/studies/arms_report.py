"""Arms on the page of an augmentation study: who is compared with whom, and what each was trained on."""

from collections.abc import Mapping, Sequence
from typing import Final

from glioforge.report import UNVERIFIED, Block, Note, ResultTable, Table
from glioforge.studies.arms import Arm
from glioforge.studies.leaky import MARK
from glioforge.studies.pages import neutral, source_title
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.sources import CopiesSource, MixingSource, unverified
from glioforge.studies.spec import AugmentationSpec

SHUFFLED: Final = (
    f"{MARK}: in these arms slices were shuffled over subjects, so that slices of one person were trained on and "
    "tested. They are scored on their test slices alone, the sound arms on whole scans of subjects whom nothing saw. "
    f"The difference of the {MARK} baseline from the sound one is the leak, not an improvement."
)
"""Belongs beside every table that shows such arms."""


def titles(spec: AugmentationSpec, table: ResultTable) -> dict[str, str]:
    """Return the title of each arm that has results, in which phantoms are not called real."""
    found = table.arms()
    return {arm.name: title_of(spec, arm) for arm in spec.every_arm if arm.name in found}


def title_of(spec: AugmentationSpec, arm: Arm) -> str:
    """Return an arm's title, marked where its source's subjects are not declared or its split leaks."""
    title = neutral(spec, arm.title)
    if arm.source is not None and unverified(spec.all_sources[arm.source]):
        title = f"{title} ({UNVERIFIED})"
    return f"{MARK}: {title}" if arm.split == "leaky" else title


def groups_of(spec: AugmentationSpec, arms: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the titles of arms by the arm that they are compared with, which is left out itself."""
    groups: dict[str, dict[str, str]] = {}
    for arm in spec.every_arm:
        if arm.name in arms and arm.reference in arms and arm.reference != arm.name:
            groups.setdefault(arm.reference, {})[arm.name] = arms[arm.name]
    return groups


def tested_arms(spec: AugmentationSpec) -> list[Arm]:
    """Return the arms with synthetic cases under test: not those of a control."""
    return [arm for arm in spec.every_arm if arm.source is not None and not is_control(spec, arm)]


def is_control(spec: AugmentationSpec, arm: Arm) -> bool:
    """Return whether an arm's cases are of a control: one that is named so, mixed, or copies of real ones."""
    if arm.source in {"control", *spec.controls}:
        return True
    return isinstance(spec.all_sources.get(arm.source or ""), CopiesSource | MixingSource)


def control_pairs(spec: AugmentationSpec, arms: Mapping[str, str]) -> list[tuple[str, str]]:
    """Names of controls and of arms under test that have as many synthetic slices and the same reference."""
    shown = [arm for arm in spec.every_arm if arm.name in arms]
    ours = [arm for arm in tested_arms(spec) if arm.name in arms]

    def alike(one: Arm, other: Arm) -> bool:
        mine, theirs = (
            (
                a.reference,
                a.spec.synthetic_share,
                a.spec.amount,
                a.spec.schedule,
                a.spec.reuse,
                a.spec.augment,
                a.segmenter,
            )
            for a in (one, other)
        )
        return mine == theirs

    return [(c.name, a.name) for c in shown if is_control(spec, c) for a in ours if alike(c, a)]


def exploratory(spec: AugmentationSpec, results: Results | None = None) -> str:
    """Say why an answer is exploratory; empty for one that is not.

    Args:
        spec: Settings of the study.
        results: Its records; only sources that arms were trained on count where they are given.
    """
    used = {arm.source for arm in spec.every_arm if arm.source is not None}
    if results is not None:
        used &= {record.arm for record in results.of("search")}
    names = [name for name in undeclared(spec) if name in used]
    if not names:
        return ""
    return (
        f"Nobody declared which subjects are behind {', '.join(names)} ({UNVERIFIED}); no near-duplicate "
        "of a held-out image or label map was found, which is no proof."
    )


def undeclared(spec: AugmentationSpec) -> list[str]:
    """Names of the sources whose subjects nobody declared."""
    return sorted(name for name, source in spec.all_sources.items() if unverified(source))


def cautions(spec: AugmentationSpec, results: Results) -> tuple[Note, ...]:
    """Return what a reader must know before believing a number: sources that nobody declared, slices that leak."""
    shuffled = SHUFFLED if any(arm.split == "leaky" for arm in spec.every_arm) else ""
    return tuple(Note(text, "warning") for text in (shuffled, exploratory(spec, results)) if text)


def arms_blocks(spec: AugmentationSpec, results: Results) -> tuple[Block, ...]:
    """Return a table of what each arm was trained on, with steps and tuning trials, and notes on what was missing."""
    rows = []
    for arm in spec.every_arm:
        mine = [record for record in results.of("segmenter") if record.arm == arm.name]
        if mine:
            rows.append((title_of(spec, arm), *_cells(spec, arm, mine)))
    columns = (
        "Arm",
        "Real subjects",
        "Synthetic cases",
        "Share of a batch",
        "Source",
        "Fresh cases",
        "Reuse",
        "Steps",
        "Trainings",
    )
    caption = (
        "What each arm was trained on, by fold where it differs. Trainings are draws of subjects, times generators, "
        f"times seeds. {_matched(spec)}{_fresh(spec)}"
    )
    table = Table((*columns, "Tuning trials"), tuple(rows), caption)
    texts = dict.fromkeys(note for record in results.of("segmenter") for note in record.notes)
    return (*(Note(f"{text}.", "warning") for text in texts), table)


def _cells(spec: AugmentationSpec, arm: Arm, mine: Sequence[Record]) -> tuple[str, ...]:
    """What an arm's trainings say of themselves."""

    def told(name: str) -> str:
        values = sorted({float(record.details[name]) for record in mine if name in record.details})
        return ", ".join(f"{value:g}" for value in values) or "–"

    steps = sorted({record.training.steps for record in mine if record.training is not None})
    source = source_title(spec, arm.source) if arm.source else "–"
    if arm.spec.schedule.real_steps:
        source = f"{source}; last {arm.spec.schedule.real_steps:.0%} of steps on real cases"
    return (
        told("real_subjects"),
        told("synthetic_cases"),
        told("share"),
        source,
        told("fresh_cases"),
        told("reuse"),
        ", ".join(map(str, steps)),
        str(len(mine)),
        str(len(spec.tuning)),
    )


def _fresh(spec: AugmentationSpec) -> str:
    """What fresh cases and reuse are, where an arm has them."""
    if all(arm.spec.reuse is None for arm in spec.every_arm):
        return ""
    return (
        " Fresh cases were made while a segmenter trained, after the synthetic cases, which were the first in its "
        "buffer; reuse is how often each slice of such a case was drawn on average before the case was replaced."
    )


def _matched(spec: AugmentationSpec) -> str:
    """What arms have in common."""
    return {
        "steps": "Arms share their number of steps and their learning-rate schedule.",
        "epochs": "Arms share their number of passes over their own cases, so that more cases mean more steps.",
        "exposure": "Arms see each real slice as often, so that arms with synthetic cases have more steps.",
    }[spec.spending.match]
