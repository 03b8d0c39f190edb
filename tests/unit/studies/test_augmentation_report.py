"""The verdict on synthetic data: every branch, and what a page of an augmentation study shows of its numbers."""

import pytest

from glioforge.io.tables import ResultRow
from glioforge.report.page import Note, Table
from glioforge.report.scores import ResultTable
from glioforge.report.tables import Trained
from glioforge.studies import augmentation_report
from glioforge.studies.augmentation_report import outdone_by_means, page, titles, verdict
from glioforge.studies.fold import Study
from glioforge.studies.judged import judged_contrasts
from glioforge.studies.pages import noun_of
from glioforge.studies.question import load_demo
from glioforge.studies.record import Cost, Record, Training
from glioforge.studies.results import Results

SPEC = load_demo()
SCANS = load_demo(["data={kind: folder}"])
GAINS = [0.1, 0.12] * 4
REACHED = Trained("Pilot of the baseline", 0, 0, 40, 60.0, plateaued=True)
SHORT = Trained("Pilot of the baseline", 0, 0, 40, 60.0, plateaued=False)
PILOT = Record("p", "pilot", training=Training(7, 40, 40, 0.5, plateaued=True), cost=Cost(60.0, 1.0))


def rows_of(gains, arms=("real", "real+synthetic", "real+control")):
    """Dice of each subject under each arm: the second gains so much, the third nothing."""
    return [
        ResultRow("demo", arm, 0, 0, f"s{n}", f"s{n}", region, "dice", 0.5 + n / 100 + better, "1")
        for n, gain in enumerate(gains)
        for region in SPEC.regions
        for arm, better in zip(arms, (0.0, gain, 0.0), strict=False)
    ]


def told(gains, pilots=(REACHED,), spec=SPEC, **values):
    """The verdict on a study with these gains."""
    table = ResultTable(rows_of(gains, **values), noun=noun_of(spec)).with_mean(spec.regions)
    arms = titles(spec, table)
    return verdict(spec, arms, judged_contrasts(spec, table, arms), pilots)


@pytest.mark.parametrize(
    ("gains", "text"),
    [
        (
            GAINS,
            "Phantom scans + synthetic helps against Phantom scans (Dice over WT, TC, ET +0.110 (+0.101 to +0.119)",
        ),
        ([-0.1, -0.12] * 4, "Phantom scans + synthetic harms against Phantom scans (Dice over WT, TC, ET −0.110"),
        ([0.1, -0.1] * 4, "No difference between Phantom scans + synthetic and Phantom scans is shown (Dice over"),
        (
            [0.1] * 3,
            "Not answered for Phantom scans + synthetic against Phantom scans: Dice over WT, TC, ET +0.100 on 3",
        ),
    ],
)
def test_the_verdict_follows_from_the_numbers(gains, text):
    """Helps, harms, not shown, too few."""
    assert told(gains).startswith(text)
    assert "plateau" not in told(gains)


def test_a_study_of_scans_calls_them_real():
    """And its subjects subjects."""
    assert told(GAINS, spec=SCANS).startswith("Real + synthetic helps against Real (")
    assert "8 subjects" in told(GAINS, spec=SCANS)


def test_unmatched_trainings_are_part_of_the_verdict():
    """A plateau that was not reached, or not looked for, weakens whatever was found."""
    assert "The budget stopped 1 of 1 baseline short of the plateau" in told(GAINS, [SHORT])
    assert "whether the baseline levels off at them was not asked" in told(GAINS, [])


def test_nothing_passed_is_no_answer():
    """No arm with synthetic cases was trained."""
    assert told(GAINS, arms=("real",)) == (
        "Not answered: no synthetic case passed the quality check, so no segmenter was trained on any."
    )


def likeness(generator, means):
    """SSIM of the generator and of class means on six subjects."""
    return ResultTable(
        ResultRow("demo", arm, 0, 0, f"s{n}", f"s{n}", "brain", "ssim", value, "1", reference="scan")
        for n in range(6)
        for arm, value in (("generator", generator), ("class mean", means))
    )


def test_class_means_that_beat_the_generator_are_named():
    """Equal is not better; a generator that is better has no such sentence."""
    text = "Painting every class with its mean intensity has a mean at least as good without a trained network: SSIM "
    assert outdone_by_means({"scan": likeness(0.7, 0.8)}).startswith(text)
    assert outdone_by_means({"scan": likeness(0.8, 0.8)})
    assert outdone_by_means({"scan": likeness(0.9, 0.8)}) == ""
    assert outdone_by_means({}) == ""


def test_a_page_has_every_section_and_never_calls_phantoms_real(monkeypatch, tmp_path):
    """Numbers, warnings and costs from rows and records alone; pictures and cohorts are other tests' matter."""
    from glioforge.report.html import render
    from glioforge.report.page import Section

    for name in ("answer_section", "made_section", "subjects_section", "methods_section", "settings_section"):
        monkeypatch.setattr(augmentation_report, name, lambda *_: Section("Left out", ()))
    monkeypatch.setattr(augmentation_report, "made_with", lambda _: "Made by Glioforge.")
    monkeypatch.setattr(augmentation_report, "sites_of", lambda _: {})
    images = [
        ResultRow("demo", arm, 0, 0, f"s{n}", f"s{n}", "brain", metric, value, "1", m, truth)
        for n in range(6)
        for m in ("t1", "flair")
        for metric in ("ssim", "mae")
        for truth in ("scan", "noise-free image")
        for arm, value in (("generator", 0.7), ("class mean", 0.8), ("generator, one draw", 0.6))
    ]
    report = page(SPEC, Results(Study(SPEC, tmp_path, tmp_path), [*rows_of(GAINS), *images], [PILOT]))
    alike = report.sections[2]
    text = render(report)

    assert isinstance(alike.blocks[0], Note)
    assert "against the scan, noise and all" in text
    assert "against the phantom without noise and bias field" in text
    assert [block.columns[0] for block in alike.blocks if isinstance(block, Table)] == ["Contrast"]
    assert "Not run, because no synthetic case passed the quality check: Synthetic only." in report.lead
    assert "Phantom scans + no-network control" in text
    assert "finding the steps at which the baseline levels off" in text
    assert " real" not in text.lower().replace("against real", "").replace("less real", "")
