"""Findings in sentences: each answer with the numbers that it needs, and none more."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.io.tables import ResultRow
from glioforge.report.compare import Beforehand, contrast_of
from glioforge.report.scores import ResultTable
from glioforge.report.verdict_words import answer, paragraph, small_regions, undecided
from glioforge.report.words import difference_text, size_text
from glioforge.statistics.contrast import Contrast, Margins
from glioforge.statistics.intervals import Interval
from glioforge.statistics.judging import Shown, judge, judge_family
from glioforge.statistics.power import Plan
from glioforge.statistics.small_regions import SmallRegions, judge_with_and_without

MARGINS = Margins(0.02, 0.03)
PLAN = Plan(0.081, 12, 0.02, "21 phantoms")


def found(mean, spread=0.02, count=12, **more):
    """Finding on one training of each arm, with exactly this mean and spread."""
    values = np.linspace(-1, 1, count)
    values = mean + spread * values / (values.std(ddof=1) if count > 1 else 1)
    return judge(Contrast("x", values[None, None, None], primary=True, **more), seed=0)


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (found(0.05), "A helps against B (Dice +0.050 (+0.037 to +0.063), p < 0.001, 12 subjects)."),
        (found(-0.05), "A harms against B (Dice −0.050 (−0.063 to −0.037), p < 0.001, 12 subjects)."),
        (found(0.0, margins=MARGINS), "A and B are equivalent within 0.020 (Dice +0.000 (−0.013 to +0.013), p = 1.000"),
        (found(0.0, 0.04, margins=MARGINS), "A is not worse than B by 0.030 or more (Dice +0.000"),
        (
            found(0.02, 0.2, plan=PLAN),
            (
                "No difference between A and B is shown (Dice +0.020 (−0.107 to +0.147), p = 0.736, 12 subjects): "
                "the smallest difference detectable was 0.072."
            ),
        ),
        (
            found(0.05, count=4),
            "Not answered for A against B: Dice +0.050 on 4 subjects, too few to conclude.",
        ),
    ],
)
def test_each_answer_has_a_sentence_of_its_own(finding, text):
    """And "not shown" always says what could have been shown."""
    assert answer(finding, "A", "B", "dice").startswith(text)


def test_a_gain_of_a_small_study_is_said_to_be_exaggerated():
    """With the planned power, by how much, and what the study could have shown."""
    text = paragraph(found(0.07, plan=PLAN), "A", "B", "dice")

    assert "The planned power was 12 % for 0.020: the size is probably exaggerated, about 2.8-fold" in text
    assert "Detectable with 80 % power: 0.072, from a standard deviation of 0.081 (21 phantoms) fixed before." in text
    assert "Needed for +0.010, 517 subjects; for +0.020, 131 subjects; for +0.030, 60 subjects." in text
    assert "exaggerated" not in paragraph(found(0.0, plan=PLAN), "A", "B", "dice")


def test_a_paragraph_says_who_gained_and_what_the_interval_leaves_out():
    """Subjects better and worse, effect size, one training set, one training."""
    text = paragraph(found(0.03), "A", "B", "dice")

    assert "Better on 11 of 12 subjects (65 to 99 %), worse on 1; effect size +1.50." in text
    assert (
        "No power was planned. Detectable with 80 % power: 0.018, from these very results (standard deviation 0.020)."
        in text
    )
    assert "Needed, by that spread over subjects alone, for +0.010, 34 subjects; for +0.020, 10 subjects;" in text
    assert "Not in the interval: one draw of training subjects" in text
    assert "smaller than the margin" in paragraph(found(0.003, 0.001, margins=MARGINS), "A", "B", "dice")


def test_a_site_that_carries_the_gain_is_named():
    """Without it the difference has the other sign."""
    values = np.concatenate([np.full(6, 0.2) + np.linspace(-0.02, 0.02, 6), np.linspace(-0.03, 0.02, 4)])
    sites = ["Turin"] * 6 + ["Umea"] * 4
    text = paragraph(judge(Contrast("x", values[None, None, None], (), sites, primary=True), seed=0), "A", "B", "dice")

    assert "Its sign depends on site Turin alone." in text


def test_holm_is_named_where_a_contrast_was_one_of_several():
    """The corrected p stands in the sentence."""
    tables = np.random.default_rng(0).normal(0.0, 0.1, (3, 1, 1, 1, 8))
    family = judge_family([Contrast("x", table) for table in tables], seed=0)

    assert all("by Holm's correction of 3" in answer(finding, "A", "B", "dice") for finding in family)


def test_small_regions_have_their_sentence():
    """The deciding answer, and the other with the number of subjects that makes the difference."""
    values = np.concatenate([np.full(8, 0.4) + np.linspace(-0.1, 0.1, 8), np.linspace(-0.02, 0.02, 8)])
    given = Contrast("x", values[None, None, None], primary=True)
    volumes = {str(n + 1): 0.5 if n < 8 else 30.0 for n in range(16)}
    (both,) = judge_with_and_without([given], [volumes], SmallRegions(), seed=0)
    (other,) = judge_with_and_without([given], [volumes], SmallRegions(decides="without"), seed=0)
    (none,) = judge_with_and_without([given], [dict.fromkeys(volumes, 9.0)], SmallRegions(), seed=0)

    assert "Without 8 subjects with a region below 2 ml, the answer is another, not shown: +0.000" in small_regions(
        both, "dice"
    )
    assert "With 8 subjects with a region below 2 ml, the answer is another, helps" in small_regions(other, "dice")
    assert small_regions(none, "dice") == ""


def test_volumes_of_false_alarms_are_compared_as_ratios():
    """Half the volume is a ratio of 0.5, with ends in order, and a size is a factor."""
    assert difference_text("far_volume", Interval(np.log(2), -0.1, 1.0, 0.95, 9)) == "ratio 0.50 (0.37 to 1.11)"
    assert difference_text("far_volume", Interval(np.log(2), np.nan, np.nan, 0.95, 3)) == "ratio 0.50"
    assert difference_text("far_volume", Interval(np.nan, np.nan, np.nan, 0.95, 0)) == "–"
    assert (size_text("far_volume", np.log(2)), size_text("hd95", 4.0)) == ("a factor of 2.00", "4.0 mm")


def rows(arm, gain, *, seeds=(0, 1), fold=0, metric="dice"):
    """Scores of eight subjects under some seeds."""
    return [
        ResultRow("toy", arm, fold, seed, f"s{n}-1", f"s{n}", "WT", metric, 0.5 + n / 100 + gain * (seed + 1), "1")
        for seed in seeds
        for n in range(8)
    ]


def test_a_contrast_is_read_from_the_results_table():
    """By seed and subject, on what both arms have; sites and what was fixed go with it."""
    results = ResultTable(
        [*rows("more", 0.1), *rows("real", 0.0, seeds=(0, 1, 2))[:-8], *rows("real", 0.0, seeds=(2,))]
    )
    fixed = Beforehand(primary=True, margins=MARGINS, plan=PLAN)
    sites = {f"s{n}": "ab"[n % 2] for n in range(8)}
    compared = contrast_of(results, ("more", "real"), ("dice", "WT"), fixed, sites=sites)
    contrast = compared.contrast

    assert contrast.differences.shape == (1, 1, 2, 8)
    assert contrast.differences[0, 0].mean(axis=1).tolist() == pytest.approx([0.1, 0.2])
    assert (contrast.primary, contrast.margins, contrast.plan, contrast.folds) == (True, MARGINS, PLAN, 1)
    assert contrast.sites == tuple("abababab")
    assert compared.left_out == ()


def test_draws_and_generators_are_axes_of_their_own():
    """A reference without a generator stands against every generator of the arm, draw by draw."""
    made = [
        replace(row, draw=draw, generator_seed=generator, value=row.value + gain)
        for arm, generators, better in (("more", (0, 1), 0.1), ("real", (0,), 0.0))
        for draw in (0, 1, 2)
        for generator in generators
        for gain in (better * (draw + 1) + (0.01 * generator if better else 0.0),)
        for row in rows(arm, 0.0)
    ]
    contrast = contrast_of(ResultTable(made), ("more", "real"), ("dice", "WT")).contrast

    assert contrast.differences.shape == (3, 2, 2, 8)
    assert contrast.differences[:, 0, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert contrast.differences[0, :, 1, 5].tolist() == pytest.approx([0.1, 0.11])
    assert judge(contrast, seed=0).limits == ()


def test_who_has_no_training_in_common_is_left_out_by_name():
    """Others are compared; where nothing is common, nothing is."""
    results = ResultTable([*rows("more", 0.1)[:-1], *rows("real", 0.0, seeds=(1,)), *rows("other", 0.1, seeds=(7,))])
    compared = contrast_of(results, ("more", "real"), ("dice", "WT"))
    nothing = contrast_of(results, ("other", "real"), ("dice", "WT"))

    assert (compared.contrast.differences.shape, compared.left_out) == ((1, 1, 1, 7), ("s7",))
    assert compared.contrast.sites == ()
    assert nothing.contrast.differences.shape == (1, 1, 1, 0)
    assert len(nothing.left_out) == 8


def test_lower_is_better_and_ratios_are_differences_of_logarithms():
    """An arm with half the volume is better by log 2, whatever the subject."""
    made = [
        ResultRow("toy", arm, 0, 0, f"s{n}-1", f"s{n}", "WT", "far_volume", share * (n + 1.1) - 0.1, "ml")
        for arm, share in (("more", 0.5), ("real", 1.0))
        for n in range(8)
    ]
    contrast = contrast_of(ResultTable(made), ("more", "real"), ("far_volume", "WT")).contrast

    assert contrast.differences.ravel().tolist() == pytest.approx([np.log(2)] * 8)
    assert judge(contrast, seed=0).shown is Shown.HELPS


def test_contrasts_that_show_nothing_are_counted_with_what_they_could_have_shown():
    """Many contrasts without a finding become one sentence; none, no sentence."""
    text = undecided([found(0.02, 0.2), found(0.02, 0.1)], "dice")

    assert text == (
        "No difference is shown in 2 further contrasts; the smallest difference detectable was 0.089 to 0.178."
    )
    assert undecided([found(0.05, count=4)], "dice").startswith("Not answered in 1 further contrast: 4 subjects, too")
    assert undecided([], "dice") == ""
