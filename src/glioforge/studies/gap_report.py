"""The section on the domain gap: synthetic cases against test scans, improvements, and agreement with the gain.

Agreement shows which distance ranks the arms of a study as their gain does, on subjects on whom nothing was tuned.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from glioforge.core import CohortError
from glioforge.metrics import FEWEST_ARMS, Agreement, rank_agreement, require_apart
from glioforge.report import MEAN, Block, Folded, Note, Paragraph, ResultTable, Section, Table, Trained
from glioforge.statistics import holm
from glioforge.studies.arms import Arm
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.spec import AugmentationSpec

_SHOWN: Final = (
    "patches/sliced_wasserstein/0",
    "random_convolution/kid",
    "spectrum/transport",
    "consistency/transport",
    "labels/transport",
    "lesion/transport",
)
"""Distances of the open table; all stand in the folded one."""


def gap_section(
    spec: AugmentationSpec, results: Results, overlap: ResultTable, trained: Sequence[Trained]
) -> tuple[Section, ...]:
    """Return the section; none where no gap was measured.

    Args:
        spec: Settings of the study.
        results: Its records.
        overlap: Scores of the arms, with their mean over regions.
        trained: Trainings of segmenters.

    Raises:
        LeakageError: Something was tuned on a subject on whom the distances and gains are measured.
    """
    records = results.of("gap")
    if not records:
        return ()
    require_untouched(results)
    subjects = min(row["subjects"] for record in records for row in record.details["numbers"])
    text = (
        f"Synthetic cases that passed the filters against scans of test subjects, {subjects} a side; the floor "
        "is the same number between two halves of the test subjects. A value beyond the floor is a gap between the "
        "domains of training and testing."
    )
    table = _table(records, _SHOWN, "Mean over random halves and folds; in brackets the central 95 % of the floor.")
    everything = _table(records, tuple(row["name"] for row in records[0].details["numbers"]), "All numbers.")
    blocks: list[Block] = [Paragraph(text), table, Folded("All distances", (everything,))]
    blocks += [_improvements(trained)] if any(training.history for training in trained) else []
    blocks += agreement_blocks(spec, records, overlap)
    return (Section("How large is the domain gap?", tuple(blocks)),)


def improvements(history: Sequence[Mapping[str, Any]]) -> int:
    """Count the validations whose score was higher than all before; the first one counts.

    Example:
        >>> improvements([{"score": 0.1}, {"score": 0.3}, {"score": 0.2}, {"score": 0.4}])
        3
    """
    scores = [row["score"] for row in history if row.get("score") is not None]
    best = np.maximum.accumulate([-np.inf, *scores])
    return int(sum(score > before for score, before in zip(scores, best, strict=False)))


def _table(records: Sequence[Record], names: Sequence[str], caption: str) -> Table:
    """A row a number, two columns a source; a dash where a source has no such number."""
    sources = list(dict.fromkeys(record.arm for record in records))
    rows = []
    for name in names:
        cells = [name.replace("_", " ")]
        for source in sources:
            row = _mean(records, source, name)
            if row is None:
                cells += ["–", "–"]
                continue
            cells += [f"{row['value']:.3g}", f"{row['floor']:.3g} ({row['floor_low']:.3g} to {row['floor_high']:.3g})"]
        rows.append(tuple(cell.replace("-", "−") for cell in cells))
    headings = [heading for source in sources for heading in (source, f"{source}: floor")]
    return Table(("Number", *headings), tuple(rows), caption)


def _mean(records: Sequence[Record], source: str, name: str) -> dict[str, float] | None:
    """A number of a source, averaged over folds; none where no fold has it."""
    rows = [row for record in records if record.arm == source for row in record.details["numbers"]]
    mine = [row for row in rows if row["name"] == name]
    if not mine:
        return None
    return {end: float(np.mean([row[end] for row in mine])) for end in ("value", "floor", "floor_low", "floor_high")}


def _improvements(trained: Sequence[Trained]) -> Table:
    """Validations that improved the score, by arm."""
    rows = []
    for title in dict.fromkeys(training.title for training in trained):
        counts = [improvements(training.history) for training in trained if training.title == title]
        rows.append((title, ", ".join(map(str, counts))))
    caption = "Validations that improved the score, for each training; very few are a symptom of a gap."
    return Table(("Arm", "Improvements"), tuple(rows), caption)


_DISTANCES: Final = ("sliced_wasserstein", "kid", "frechet", "transport", "ms_ssim_gap")
"""Numbers of which smaller is nearer."""
_TUNED: Final = ("pilot", "trial", "generator", "control", "cases", "synthetic", "segmenter")
"""Kinds of tasks that fit or choose something."""


def require_untouched(results: Results) -> None:
    """Refuse test subjects on whom a distance or a gain is measured and a generator, filter or segmenter was tuned.

    Folds are looked at one by one; those whose slices leak by design give neither distance nor gain.

    Raises:
        LeakageError: Names the subjects and what was tuned on them.
    """
    for index in results.folds:
        if results.study.fold(index).leaky:
            continue
        mine = [record for record in results.records if record.fold == index and not record.left_out]
        measured = {row.subject_id for record in mine if record.kind == "scores" for row in record.rows}
        tuned = {
            f"{record.kind} {record.arm}".strip(): record.lineage.subjects
            for record in mine
            if record.kind in _TUNED and record.lineage is not None
        }
        require_apart(measured, tuned)


def agreement_blocks(spec: AugmentationSpec, records: Sequence[Record], overlap: ResultTable) -> tuple[Block, ...]:
    """Say which distance ranks the arms as the gain of Dice does, or that there are too few arms to say.

    Args:
        spec: Settings of the study.
        records: Its records of distances.
        overlap: Scores of the arms, with their mean over regions.
    """
    gains = gains_of(spec, overlap)
    found = _agreements(spec, records, gains)
    most = max((entry.arms for entry in found.values()), default=_arms_with_both(spec, records, gains))
    if most < FEWEST_ARMS:
        return (
            Note(
                f"Which distance to believe isn't known: {most} arms with a distance and a gain, and fewer than "
                f"{FEWEST_ARMS} arms are no evidence."
            ),
        )
    adjusted = dict(zip(found, holm(np.array([entry.p for entry in found.values()])), strict=True))
    rows = tuple(
        tuple(
            text.replace("-", "−")
            for text in (
                name.replace("_", " "),
                f"{entry.correlation:+.2f}",
                f"{entry.low:+.2f} to {entry.high:+.2f}",
                f"{entry.p:.3f}",
                f"{adjusted[name]:.3f}",
            )
        )
        for name, entry in sorted(found.items(), key=lambda item: item[1].p)
    )
    caption = (
        f"Rank correlation over {most} arms of each distance with the gain of mean Dice over the arm's reference; "
        "−1 where a smaller distance always goes with a larger gain. Arms that share their synthetic cases share the "
        "distance."
    )
    columns = ("Distance", "Rank correlation", "Central 95 % of permutations", "p", "p, Holm")
    return (Table(columns, rows, caption), Note(_told(found, adjusted, most)))


def gains_of(spec: AugmentationSpec, overlap: ResultTable) -> dict[str, float]:
    """Return the mean difference of Dice of each arm from its reference over the subjects that both have."""
    gains = {}
    for arm in spec.every_arm:
        if arm.split == "leaky" or arm.name == arm.reference:
            continue
        mine, base = (overlap.scores(name, MEAN, "dice").by_subject() for name in (arm.name, arm.reference))
        shared = sorted(set(mine) & set(base))
        if shared:
            gains[arm.name] = float(np.mean([mine[name] - base[name] for name in shared]))
    return gains


def _agreements(spec: AugmentationSpec, records: Sequence[Record], gains: Mapping[str, float]) -> dict[str, Agreement]:
    """Agreement of each distance with the gain; those that are the same for all arms are left out."""
    names = dict.fromkeys(row["name"] for record in records for row in record.details["numbers"])
    found = {}
    for name in names:
        if name.split("/")[1] in _DISTANCES:
            distances = {arm.name: _distance(records, arm, name) for arm in _shown(spec, records)}
            try:
                found[name] = rank_agreement(distances, gains)
            except CohortError:
                continue
    return found


def _arms_with_both(spec: AugmentationSpec, records: Sequence[Record], gains: Mapping[str, float]) -> int:
    """Number of arms that have a distance and a gain."""
    return sum(arm.name in gains for arm in _shown(spec, records))


def _shown(spec: AugmentationSpec, records: Sequence[Record]) -> list[Arm]:
    """Arms whose synthetic cases were measured."""
    return [arm for arm in spec.every_arm if arm.split != "leaky" and _of_arm(records, arm)]


def _of_arm(records: Sequence[Record], arm: Arm) -> list[Record]:
    """Records of the distances of an arm's cases: those made by its own number of real subjects, if there are any."""
    source = [record for record in records if record.arm == arm.source]
    own = [record for record in source if f"{arm.real.suffix}-draw-" in record.task] if arm.real.suffix else []
    return own or source


def _distance(records: Sequence[Record], arm: Arm, name: str) -> float:
    """A number of an arm's cases, averaged over folds."""
    rows = [row for record in _of_arm(records, arm) for row in record.details["numbers"] if row["name"] == name]
    return float(np.mean([row["value"] for row in rows]))


def _told(found: Mapping[str, Agreement], adjusted: Mapping[str, float], arms: int) -> str:
    """One sentence on the distances that agree."""
    believed = [n for n, entry in found.items() if entry.is_evidence and entry.correlation < 0 and adjusted[n] < 0.05]
    if not believed:
        return (
            f"None of {len(found)} distances ranks the {arms} arms as the gain does, adjusted for their number: "
            "they are no evidence of a gain here."
        )
    names = ", ".join(name.replace("_", " ") for name in believed)
    return f"These of {len(found)} distances rank the {arms} arms as the gain does, adjusted for their number: {names}."
