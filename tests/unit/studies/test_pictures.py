"""Galleries and cases of study pages, from toy heads in place of a study's folders."""

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from glioforge.core.lineage import Lineage
from glioforge.core.schemes import BRATS2023
from glioforge.core.split import Split
from glioforge.io.nifti import write_labels
from glioforge.io.tables import ResultRow
from glioforge.report.page import Figure, Folded, Note
from glioforge.report.scores import ResultTable
from glioforge.segmentation.masks import write_facts
from glioforge.studies import gallery
from glioforge.studies.comparing import SegmentersSpec, SynthesizersSpec
from glioforge.studies.fold import Study
from glioforge.studies.pictures import edits_section, made_section, methods_section, sources_section
from glioforge.studies.question import load_demo
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.segmenters_report import cases_section
from glioforge.studies.sources import AnySource
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

SOURCES = TypeAdapter(AnySource)
HEADS = [toy_case(seed) for seed in range(1, 6)]
TEST, TRAIN = cohort_of_cases(HEADS[:3]), cohort_of_cases(HEADS[3:])
SPLIT = Split(TRAIN, toy_cohort([9]), TEST)
SYNTHESIZERS = SynthesizersSpec.model_validate(
    {
        "name": "toy",
        "title": "Toy",
        "methods": {"a": {"title": "Method A", "synthesizer": {"kind": "painted"}}},
        "series": [{"name": "halved", "steps": [{"edit": {"kind": "scale", "volume_factor": [0.5, 0.5]}}]}],
    }
)


@pytest.fixture
def grids(monkeypatch):
    """The rows of every grid that is drawn."""
    caught, drawn = [], gallery.picture_grid

    def draw(rows, columns, **_):
        caught.append(rows)
        return drawn(rows[:1], columns, cell_inch=0.2)

    monkeypatch.setattr(gallery, "picture_grid", draw)
    return caught


@pytest.fixture
def results(monkeypatch, tmp_path, grids):
    """Results of a study whose split and cohorts are toys, whatever its folder holds."""

    def make(spec, records, made):
        monkeypatch.setattr(Results, "split", lambda *_: SPLIT)
        monkeypatch.setattr(Results, "cohort", lambda self, kind, below="", **_: made[kind, below])
        monkeypatch.setattr(Study, "source", property(lambda self: TEST))
        monkeypatch.setattr(Study, "prepared", property(lambda self: TEST))
        return Results(Study(spec, tmp_path, tmp_path), (), records)

    return make


def named(case, case_id, **lineage):
    """A case under another id, made from a training case."""
    parents = {HEADS[3].case_id: HEADS[3].lineage}
    return replace(case, case_id=case_id, lineage=Lineage.synthetic("toy", parents, seed=1, **lineage))


def test_an_augmentation_study_shows_unseen_and_edited_cases(results):
    """The first of each open, the others folded; without synthetic cases no edited ones."""
    edited = cohort_of_cases([named(HEADS[3], "e1", edits=({"kind": "scale"},))])
    made = {("fidelity", "reconstruction"): TEST, ("cases", "made"): edited}
    record = Record("c", "cases", arm="generator", details={"made": 1})
    legend, unseen, folded, edit = made_section(load_demo(), results(load_demo(), [record], made)).blocks

    assert legend.alt == "Legend of label colours"
    assert unseen.caption.startswith(HEADS[0].subject_id)
    assert (folded.summary, edit.alt) == ("Another unseen case", f"{HEADS[3].case_id} before and after")
    assert len(made_section(load_demo(), results(load_demo(), [], made)).blocks) == 3


def test_a_study_of_sources_shows_each_edit_as_every_source_paints_it(results, grids):
    """The first kind open; sources by their titles, refused cases marked, label maps from noise beside their images."""
    edits = [{"kind": "scale"}], [{"kind": "scale"}], [{"kind": "translate"}]
    cases = [named(HEADS[3], f"e{n}", edits=tuple(edit)) for n, edit in enumerate(edits)]
    records = [Record(name, "cases", arm=name, details={"made": 3}) for name in ("samr", "shin")]
    verdict = {"case_id": "e0", "filter": "plausible_labels", "keep": False, "score": 1.0, "reason": "no"}
    refused = Record("synthetic", "synthetic", arm="shin", details={"verdicts": [verdict]})
    settings = {"kind": "synthesizer", "synthesizer": {"kind": "painted"}}
    spec = load_demo().model_copy(update={"sources": {"shin": SOURCES.validate_python({**settings, "title": "Shin"})}})
    study = results(spec, [*records, refused], {("cases", "made"): cohort_of_cases(cases)})
    (section,) = sources_section(spec, study)
    _, scaled, moved = section.blocks

    assert "cases of samr, Shin made of its edited label map (edits: scale)" in scaled.caption
    assert "Shin" in grids[0][2][0]
    assert grids[0][2][0].endswith("refused: plausible labels")
    assert "(edits: translate)" in moved.blocks[0].caption
    assert len(section.blocks) == 3
    assert sources_section(spec, results(spec, records[:1], {("cases", "made"): TEST})) == ()

    judged = Record("maps", "maps", arm="shin", details={"maps": {HEADS[0].case_id: {"norm": 3.2, "kept": True}}})
    (section,) = sources_section(spec, results(spec, [records[1], judged], {("cases", "made"): TEST}))
    _, maps = section.blocks
    assert maps.caption.startswith("Shin: label maps that were drawn from noise")
    assert grids[-1][0][0].endswith("norm 3, kept")


def test_a_comparison_shows_every_method_for_the_first_subjects(results):
    """The first open; what is compared with is the scan itself in a study of scans."""
    found = methods_section(SYNTHESIZERS, results(SYNTHESIZERS, [], {("images", "images"): TEST}), {"a": "Method A"})
    legend, first, *others = found.blocks

    assert isinstance(legend, Figure)
    assert "absolute difference from the scan" in first.caption
    differences, *others = others
    assert "image minus scan" in differences.caption
    assert [block.summary for block in others] == [f"The unseen subject {case.subject_id}" for case in HEADS[1:3]]


def test_a_comparison_shows_the_series_and_what_was_left_out(results):
    """Edits with their notes, and draws folded; a study without a series has a sentence."""
    series = cohort_of_cases([named(HEADS[0], name) for name in ("original", "halved", "draw-1")])
    record = Record("s", "series", notes=("halved: no place",), details={"source": HEADS[0].case_id})
    note, edits, draws = edits_section(
        SYNTHESIZERS, results(SYNTHESIZERS, [record], {("images", "series"): series}), {"a": "Method A"}
    ).blocks

    assert note == Note("An edit was left out: halved: no place", "warning")
    assert edits.caption.startswith("Method A: one label map of an unseen subject before and after each edit")
    assert (type(draws), draws.summary) == (Folded, "Method A: several draws of one map")
    assert edits_section(SYNTHESIZERS, results(SYNTHESIZERS, [], {}), {}).blocks[0].text == "No map was edited."


def test_segmenters_show_their_extreme_cases(results, tmp_path):
    """Those of the first method open, those of others folded, each with its outlines."""
    methods = {"a": {"segmenter": "unet"}}
    spec = SegmentersSpec.model_validate({"name": "toy", "title": "Toy", "methods": methods, "regions": ["WT"]})
    found = results(spec, [Record("fold-0/masks", "masks", arm=arm) for arm in ("a", "b")], {})
    write_facts(tmp_path / "fold-0/masks/masks", BRATS2023, "unet")
    for case in HEADS[:3]:
        write_labels(tmp_path / "fold-0/masks/masks" / f"{case.case_id}.nii.gz", case.require_labels().to(BRATS2023))
    table = ResultTable(
        ResultRow("toy", arm, 0, 0, case.case_id, case.subject_id, "WT", "dice", 0.5 + n / 10, "1")
        for arm in ("a", "b")
        for n, case in enumerate(HEADS[:3])
    )
    _, legend, *shown = cases_section(spec, found, {"a": "Method A", "b": "Method B", "c": "Never run"}, table).blocks

    assert legend.alt == "Legend of the outlines' colours"
    assert [figure.caption.partition(".")[0] for figure in shown[:3]] == [
        f"Method A, {which} case, {HEADS[n].subject_id}" for which, n in (("best", 2), ("median", 1), ("worst", 0))
    ]
    assert [(block.summary, len(block.blocks)) for block in shown[3:]] == [("Cases of Method B", 3)]
