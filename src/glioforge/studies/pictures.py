"""Galleries of study pages: what synthesizers made of unseen label maps and of edited ones."""

from collections.abc import Mapping, Sequence
from typing import Final

from glioforge.core import CaseRef
from glioforge.data import fit_statistics
from glioforge.io import ONE_DRAW
from glioforge.report import Block, Folded, Note, Paragraph, Section
from glioforge.studies.base import StudySpec
from glioforge.studies.case_marks import mark, refusals
from glioforge.studies.comparing import SynthesizersSpec
from glioforge.studies.gallery import (
    as_volumes,
    edit_series,
    edited_case,
    label_legend,
    painted_maps,
    spread_over,
    unseen_subject,
    windows_of,
)
from glioforge.studies.likeness import true_images, truth_name
from glioforge.studies.method_gallery import every_method
from glioforge.studies.pages import noun_of, source_title
from glioforge.studies.results import Results
from glioforge.studies.scoring import class_mean_images
from glioforge.studies.sources import SynthesizerSource
from glioforge.studies.steps.series import ORIGINAL, draws_of, slug
from glioforge.studies.steps.synthesize import MADE

MOST_SUBJECTS: Final = 3
"""Subjects shown."""
MOST_TEST_CASES: Final = 2
MOST_EDITED_CASES: Final = 3
MOST_MAPS: Final = 4
"""Label maps from noise shown of each source."""


def made_section(spec: StudySpec, results: Results) -> Section:
    """Show what the first fold of an augmentation study made: images of unseen subjects, and edited training cases."""
    split = results.split(0)
    made, statistics = results.cohort("fidelity", "reconstruction"), fit_statistics(split.train)
    what = "phantom" if noun_of(spec) == "phantom" else "scan"
    shown = []
    for ref, twin in list(zip(split.test, made, strict=True))[:MOST_TEST_CASES]:
        case = ref.load()
        means = as_volumes(class_mean_images(case, statistics), case)
        asked = {"case_id": ref.case_id, "metric": "ssim", "region": "brain", "reference": truth_name(spec)}
        arms = {"generator": "generator, one draw", "class means": "class mean"}
        marks = {name: mark(results, "SSIM", arm=arm, **asked) for name, arm in arms.items()}
        shown.append(unseen_subject(case, {"generator": twin.load().images, "class means": means}, what, marks))
    blocks: list[Block] = [label_legend(split.train.scheme), *shown[0]]
    blocks += [Folded("Another unseen case", found) for found in shown[1:]]
    if any(record.arm == "generator" and record.details["made"] for record in results.of("cases")):
        refused = refusals(results, "generator")
        edited = [
            edited_case(
                split.train[ref.lineage.parents[0]].load(),
                {"after": ref.load()},
                {"after": refused.get(ref.case_id, "")},
            )
            for ref in spread_over(results.cohort("cases", MADE, arm="generator"), MOST_EDITED_CASES)
        ]
        blocks += [*edited[0], *(Folded("Another edited case", found) for found in edited[1:])]
    return Section("What was made", tuple(blocks))


def sources_section(spec: StudySpec, results: Results) -> tuple[Section, ...]:
    """Show what each source of the first fold made: of the same edited label maps, and of label maps from noise.

    Args:
        spec: Settings of the study.
        results: Results and folders of an augmentation study.

    Returns:
        The section; none where no source made cases of training subjects or of maps from noise.
    """
    train = results.split(0).train
    made = _made_by(results)
    trained = {ref.case_id for ref in train}
    edited = {
        name: {case_id: ref for case_id, ref in refs.items() if _parent(ref) in trained} for name, refs in made.items()
    }
    edited = {name: refs for name, refs in edited.items() if refs}
    shown = [_of_one_map(spec, results, edited, case_id) for case_id in _one_an_edit(edited)]
    blocks: list[Block] = [*shown[0], *(Folded("Another case", found) for found in shown[1:])] if shown else []
    for name, refs in made.items():
        if refs and name not in edited and isinstance(_source(spec, name), SynthesizerSource):
            blocks += _from_noise(spec, results, name, list(refs.values()))
    return (Section("What was made", (label_legend(train.scheme), *blocks)),) if blocks else ()


def _source(spec: StudySpec, name: str) -> object:
    """Settings of a source; none where the study has no sources."""
    return getattr(spec, "all_sources", {}).get(name)


def _made_by(results: Results) -> dict[str, dict[str, CaseRef]]:
    """Cases of each source of the first fold by their ids."""
    made: dict[str, dict[str, CaseRef]] = {}
    for record in results.of("cases"):
        if record.fold == 0 and record.details["made"] and record.arm not in made:
            made[record.arm] = {ref.case_id: ref for ref in results.cohort("cases", MADE, arm=record.arm)}
    return made


def _of_one_map(
    spec: StudySpec, results: Results, made: Mapping[str, Mapping[str, CaseRef]], case_id: str
) -> tuple[Block, ...]:
    """One label map as every source paints it that was asked to, with the filter that refused the case."""
    refs = {name: of[case_id] for name, of in made.items() if case_id in of}
    titles = {name: source_title(spec, name) for name in refs}
    marks = {titles[name]: refusals(results, name).get(case_id, "") for name in refs}
    before = results.split(0).train[_parent(next(iter(refs.values())))].load()
    return edited_case(before, {titles[name]: ref.load() for name, ref in refs.items()}, marks)


def _from_noise(spec: StudySpec, results: Results, source: str, refs: Sequence[CaseRef]) -> tuple[Block, ...]:
    """Label maps of a source that were drawn from noise, beside their images."""
    norms: dict[str, str] = {}
    for record in results.of("maps"):
        if (record.fold, record.arm) == (0, source):
            norms |= {
                case_id: f"norm {one['norm']:.0f}, {'kept' if one['kept'] else 'refused'}"
                for case_id, one in record.details.get("maps", {}).items()
            }
    cases = {f"map {number}": ref for number, ref in enumerate(refs[:MOST_MAPS], 1)}
    marks = {name: norms.get(ref.case_id, "") for name, ref in cases.items()}
    windows = windows_of(results.split(0).train.cases[0].load())
    return painted_maps({name: ref.load() for name, ref in cases.items()}, windows, source_title(spec, source), marks)


def _one_an_edit(made: Mapping[str, Mapping[str, CaseRef]]) -> tuple[str, ...]:
    """Ids of the first case of each combination of edits, those that most sources have first."""
    every = {case_id: ref for of in reversed(list(made.values())) for case_id, ref in of.items()}
    order = sorted(every, key=lambda case_id: -sum(case_id in of for of in made.values()))
    found: dict[tuple[str, ...], str] = {}
    for case_id in order:
        found.setdefault(tuple(str(edit["kind"]) for edit in every[case_id].lineage.edits), case_id)
    return tuple(found.values())[:MOST_EDITED_CASES]


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
        marks = {title: _measured(spec, results, name, ref.case_id) for name, title in methods.items()}
        shown = every_method(case, truth, made, (what, truth_name(spec) if what == "phantom" else what), marks)
        blocks += shown if not place else [Folded(f"The unseen {noun_of(spec)} {ref.subject_id}", shown)]
    return Section("One label map, every method", tuple(blocks))


def _measured(spec: SynthesizersSpec, results: Results, method: str, case_id: str) -> str:
    """Likeness of one draw of a method for a case, and the Dice of the segmenter that judges it, if there is one."""
    known = {"arm": method, "case_id": case_id}
    compared = {"metric": "ssim", "region": "brain", "reference": truth_name(spec), "sample": ONE_DRAW}
    found = (mark(results, "SSIM", **known, **compared), mark(results, "Dice", **known, metric="dice"))
    return ", ".join(filter(None, found))


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
