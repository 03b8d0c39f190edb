"""Galleries of study pages: what synthesizers made of unseen label maps and of edited ones."""

from collections.abc import Mapping
from typing import Final

from glioforge.core import CaseRef
from glioforge.data import fit_statistics
from glioforge.report import Block, Folded, Note, Paragraph, Section
from glioforge.studies.base import StudySpec
from glioforge.studies.comparing import SynthesizersSpec
from glioforge.studies.gallery import (
    as_volumes,
    edit_series,
    edited_case,
    every_method,
    label_legend,
    spread_over,
    unseen_subject,
)
from glioforge.studies.likeness import true_images, truth_name
from glioforge.studies.pages import noun_of
from glioforge.studies.results import Results
from glioforge.studies.scoring import class_mean_images
from glioforge.studies.steps.series import ORIGINAL, draws_of, slug
from glioforge.studies.steps.synthesize import MADE

MOST_SUBJECTS: Final = 3
"""Subjects shown."""
MOST_TEST_CASES: Final = 2
MOST_EDITED_CASES: Final = 3


def made_section(spec: StudySpec, results: Results) -> Section:
    """Show what the first fold of an augmentation study made: images of unseen subjects, and edited training cases."""
    split = results.split(0)
    made, statistics = results.cohort("fidelity", "reconstruction"), fit_statistics(split.train)
    what = "phantom" if noun_of(spec) == "phantom" else "scan"
    shown = []
    for ref, twin in list(zip(split.test, made, strict=True))[:MOST_TEST_CASES]:
        case = ref.load()
        means = as_volumes(class_mean_images(case, statistics), case)
        shown.append(unseen_subject(case, {"generator": twin.load().images, "class means": means}, what))
    blocks: list[Block] = [label_legend(split.train.scheme), *shown[0]]
    blocks += [Folded("Another unseen case", found) for found in shown[1:]]
    if any(record.arm == "generator" and record.details["made"] for record in results.of("cases")):
        edited = [
            edited_case(split.train[ref.lineage.parents[0]].load(), {"after": ref.load()})
            for ref in spread_over(results.cohort("cases", MADE, arm="generator"), MOST_EDITED_CASES)
        ]
        blocks += [*edited[0], *(Folded("Another edited case", found) for found in edited[1:])]
    return Section("What was made", tuple(blocks))


def sources_section(results: Results) -> tuple[Section, ...]:
    """Show what each source of the first fold made of the same edited label maps, one case for each kind of edit.

    Args:
        results: Results and folders of an augmentation study.

    Returns:
        The section; none where no source made cases of training subjects.
    """
    split = results.split(0)
    trained = {ref.case_id for ref in split.train}
    made: dict[str, dict[str, CaseRef]] = {}
    for record in results.of("cases"):
        if record.fold == 0 and record.details["made"] and record.arm not in made:
            refs = {ref.case_id: ref for ref in results.cohort("cases", MADE, arm=record.arm)}
            known = {case_id: ref for case_id, ref in refs.items() if _parent(ref) in trained}
            made |= {record.arm: known} if known else {}
    shown = [
        edited_case(split.train[_parent(ref)].load(), {n: of[i].load() for n, of in made.items() if i in of})
        for i, ref in _one_an_edit(made).items()
    ]
    if not shown:
        return ()
    others = [Folded("Another edited case", found) for found in shown[1:]]
    return (Section("What was made", (label_legend(split.train.scheme), *shown[0], *others)),)


def _one_an_edit(made: Mapping[str, Mapping[str, CaseRef]]) -> dict[str, CaseRef]:
    """The first case of each combination of edits, those that most sources have first."""
    every = {case_id: ref for of in reversed(list(made.values())) for case_id, ref in of.items()}
    order = sorted(every, key=lambda case_id: -sum(case_id in of for of in made.values()))
    found: dict[tuple[str, ...], str] = {}
    for case_id in order:
        found.setdefault(tuple(str(edit["kind"]) for edit in every[case_id].lineage.edits), case_id)
    return {case_id: every[case_id] for case_id in list(found.values())[:MOST_EDITED_CASES]}


def _parent(ref: CaseRef) -> str:
    """Case whose label map was edited."""
    return next(iter(ref.lineage.parents), "")


def methods_section(spec: SynthesizersSpec, results: Results, methods: Mapping[str, str]) -> Section:
    """Show the first unseen subjects as every method paints them; those after the first are folded.

    Args:
        spec: Settings of a comparison of synthesizers.
        results: Results and folders of the study.
        methods: Title of each method by its name.
    """
    what = noun_of(spec) if noun_of(spec) == "phantom" else "scan"
    cohorts = {title: results.cohort("images", "images", arm=name) for name, title in methods.items()}
    blocks: list[Block] = [label_legend(spec.prepare.scheme_of(results.study.source.scheme))]
    for place, ref in enumerate(results.split(0).test.cases[:MOST_SUBJECTS]):
        case = ref.load()
        truth = as_volumes(true_images(spec, ref, case), case)
        made = {title: cohort[ref.case_id].load() for title, cohort in cohorts.items()}
        shown = every_method(case, truth, made, (what, truth_name(spec) if what == "phantom" else what))
        blocks += shown if not place else [Folded(f"The unseen {noun_of(spec)} {ref.subject_id}", shown)]
    return Section("One label map, every method", tuple(blocks))


def edits_section(spec: SynthesizersSpec, results: Results, methods: Mapping[str, str]) -> Section:
    """Show the series of edits of each method, and what was left out; arguments as `methods_section`."""
    series = results.of("series")
    blocks: list[Block] = [Note(f"An edit was left out: {text}", "warning") for r in series for text in r.notes]
    source = next((str(record.details["source"]) for record in series), "")
    if not source:
        return Section("Edited lesions", (Paragraph("No map was edited."),))
    case = results.study.prepared[source].load()
    for name, title in methods.items():
        made = results.cohort("images", "series", arm=name)
        known = {ref.case_id: ref for ref in made}
        labels = [label for label in (ORIGINAL, *(r.name for r in spec.series)) if slug(label) in known]
        edited = [(label, known[slug(label)].load()) for label in labels]
        blocks += edit_series(case, edited, title, before=edited[0][1].require_labels())
        draws = [(ref.case_id.replace("-", " "), ref.load()) for ref in draws_of(made)]
        if draws:
            blocks.append(Folded(f"{title}: several draws of one map", edit_series(case, draws, title)))
    return Section("Edited lesions", tuple(blocks))
