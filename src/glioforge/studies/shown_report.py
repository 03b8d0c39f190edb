"""The section with edited lesions of one unseen subject and lesions in a healthy brain, after Shin et al. 2018."""

from collections.abc import Mapping
from typing import Final

from glioforge.core import Case
from glioforge.report import Block, Folded, Note, Paragraph, Section
from glioforge.studies.gallery import label_legend, windows_of
from glioforge.studies.pages import noun_of, source_title
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.shown import ShownSpec
from glioforge.studies.shown_gallery import Shown, edited_rows, host_rows
from glioforge.studies.spec import AugmentationSpec
from glioforge.studies.steps.hosts import HOST, HOSTS, SHOWN
from glioforge.studies.steps.series import ORIGINAL, slug

_WITHOUT: Final = (
    "No cohort of healthy brains was named, so that no lesion could be put into one: `shown.hosts` of the settings "
    "names a folder of them."
)

_NO_TISSUE: Final = (
    "Label maps are prepared without tissue, so that a healthy brain has none, and no lesion was put into one."
)


def shown_section(spec: AugmentationSpec, results: Results) -> tuple[Section, ...]:
    """Return the section; none for a study that shows nothing besides its cases."""
    records = results.of(SHOWN)
    if spec.shown is None or not records:
        return ()
    notes = [text for record in results.of("series", "inserted") for text in record.notes]
    blocks: list[Block] = [Note(f"An edit was left out: {text}", "warning") for text in notes]
    if not results.of("inserted"):
        blocks.append(Note(_WITHOUT if spec.shown.hosts is None else _NO_TISSUE))
    shown = {record.arm: _of_source(spec, spec.shown, results, record) for record in records}
    first, *others = shown.values()
    blocks += [label_legend(results.split(0).train.scheme), *first]
    blocks += [
        Folded(f"The same by {source_title(spec, name)}", found)
        for name, found in zip(list(shown)[1:], others, strict=True)
    ]
    return (Section("Edited lesions, and lesions in a healthy brain", (Paragraph(_text(spec)), *blocks)),)


def _text(spec: AugmentationSpec) -> str:
    """What is shown, of whom."""
    noun = noun_of(spec)
    return (
        f"One unseen {noun} as it was scanned, images of its label map as it is and after edits, and images of a "
        "healthy brain of another cohort with a lesion put in (rows of Shin et al. 2018, Figure 3). The lesions that "
        f"are put in come from training {noun}s. Nothing is trained on these images."
    )


def _of_source(spec: AugmentationSpec, shown: ShownSpec, results: Results, record: Record) -> tuple[Block, ...]:
    """Both figures of a source; the second where there is a healthy brain."""
    made = {ref.case_id: ref.load() for ref in results.cohort(SHOWN, SHOWN, arm=record.arm)}
    source = str(results.of("series")[0].details["source"])
    scan, noun, title = results.study.prepared[source].load(), noun_of(spec), source_title(spec, record.arm)
    dice = {name: _mean(values) for name, values in record.details["dice"].items()}
    before = made[ORIGINAL].require_labels()
    rows: dict[str, Shown] = {"phantom" if noun == "phantom" else "scan": (scan, None)}
    ids = {next(iter(rows)): source, "not edited": ORIGINAL} | {one.name: slug(one.name) for one in shown.edits}
    rows |= {name: (made[ids[name]], before) for name in list(ids)[1:] if ids[name] in made}
    inserted = {one.name: f"{HOST}-{slug(one.name)}" for one in shown.inserts}
    inserted = {name: case_id for name, case_id in inserted.items() if case_id in made}
    said = f"{source} as it is, not edited and edited; every row is on the slice that shows its lesion best."
    if inserted:
        name, case_id = next(iter(inserted.items()))
        ids[f"healthy brain,\n{name}"] = case_id
        rows[f"healthy brain,\n{name}"] = (made[case_id], None)
        said = f"{said} The last row is a healthy brain of another cohort with a lesion put in."
    marks = {name: dice.get(case_id, "") for name, case_id in ids.items()}
    windows = windows_of(scan)
    blocks = edited_rows(rows, windows, marks, (title, said))
    if not inserted:
        return blocks
    host = results.cohort(HOSTS, HOSTS).cases[0]
    seen = "was" if host.subject_id in record.details["subjects"] else "was not"
    text = (
        f"the healthy brain {host.case_id} of another cohort, on which this synthesizer {seen} trained; its label map, "
        f"the map with {_donors(made, inserted)}, and images of it."
    )
    ids = {"no lesion": HOST, **inserted}
    marks = {name: dice.get(case_id, "") for name, case_id in ids.items() if case_id != HOST}
    painted = {name: made[case_id] for name, case_id in ids.items()}
    own = host.load()
    if own.require_labels().scheme != results.split(0).train.scheme:
        blocks = (*blocks, label_legend(own.require_labels().scheme))
    return *blocks, *host_rows(own, painted, windows, marks, (title, text))


def _donors(made: Mapping[str, Case], inserted: Mapping[str, str]) -> str:
    """Whose lesions were put in."""
    edits = [edit for case_id in inserted.values() for edit in made[case_id].lineage.edits]
    donors = list(dict.fromkeys(str(edit["donor"]) for edit in edits if edit.get("donor")))
    return f"a lesion of {', '.join(donors)}" if donors else "a lesion"


def _mean(values: Mapping[str, float | None]) -> str:
    """Mean Dice over the regions where it is defined, in words; empty where it is nowhere."""
    known = [value for value in values.values() if value is not None]
    return f"Dice {sum(known) / len(known):.2f}" if known else ""
