"""What a contrast shows, and what it needs to say so."""

import numpy as np
import pytest

from glioforge.core.errors import CohortError, SpecError
from glioforge.statistics.contrast import Contrast, Margins
from glioforge.statistics.inference import holm
from glioforge.statistics.judging import Shown, judge, judge_family
from glioforge.statistics.power import Plan
from glioforge.statistics.small_regions import SmallRegions, judge_with_and_without

MARGINS = Margins(equivalence=0.02, non_inferiority=0.03)


def contrast(mean, spread=0.02, count=12, **more):
    """One training of each arm on some subjects, with exactly this mean and spread."""
    values = np.random.default_rng(count).normal(size=count)
    values = mean + spread * (values - values.mean()) / values.std(ddof=1)
    return Contrast("more against real", values[None, None, None], **{"primary": True, **more})


@pytest.mark.parametrize(
    ("mean", "spread", "shown"),
    [
        (0.05, 0.02, Shown.HELPS),
        (-0.05, 0.02, Shown.HARMS),
        (0.001, 0.02, Shown.EQUIVALENT),
        (0.0, 0.04, Shown.NON_INFERIOR),
        (0.0, 0.2, Shown.NOT_SHOWN),
    ],
)
def test_each_answer_is_given_where_its_rule_holds(mean, spread, shown):
    """Interval clear of 0, interval within the margin, lower end above the margin, or none of these."""
    found = judge(contrast(mean, spread, margins=MARGINS), seed=0)

    assert found.shown is shown
    assert found.difference.excludes(0) == (shown in (Shown.HELPS, Shown.HARMS))
    within = found.narrow.low > -0.02 and found.narrow.high < 0.02
    assert found.within_margin == within
    assert (found.p_non_inferior < 0.025) == (found.difference.low > -0.03)


def test_without_margins_neither_equivalence_nor_non_inferiority_is_concluded():
    """However narrow the interval."""
    found = judge(contrast(0.0, 0.0001), seed=0)

    assert found.shown is Shown.NOT_SHOWN
    assert np.isnan([found.p_equivalent, found.p_non_inferior]).all()


def test_too_few_subjects_show_nothing():
    """Five equal gains are too few, and keep what could have been found."""
    found = judge(contrast(0.05, 0.001, count=5, margins=MARGINS), seed=0)

    assert found.shown is Shown.NOT_SHOWN
    assert found.difference.note == "5 subjects: too few to conclude"
    assert found.detectable > 0


def test_nobody_shows_nothing():
    """No subjects give NaN, and no number is invented."""
    found = judge(Contrast("none", np.empty((1, 1, 1, 0)), primary=True, margins=MARGINS), seed=0)

    assert found.shown is Shown.NOT_SHOWN
    assert np.isnan([found.p, found.p_equivalent, found.detectable, found.improved.estimate]).all()


def test_a_finding_counts_subjects_and_names_who_carries_it():
    """Improved and not, the share with its interval, the range without each subject and each site."""
    values = np.array([0.9, 0.01, -0.01, 0.0, -0.02, 0.02, -0.01, -0.02])
    sites = ["a", "b", "b", "b", "c", "c", "c", "c"]
    names = [f"s{n}" for n in range(8)]
    found = judge(Contrast("x", values[None, None, None], names, sites, primary=True), seed=0)

    assert (found.better, found.worse, found.improved.estimate) == (3, 4, 3 / 8)
    assert found.improved.low < 3 / 8 < found.improved.high
    assert found.without_subject.changes_sign
    assert found.without_subject.low_without == "s0"
    assert (found.without_site.low_without, found.without_site.high_without) == ("a", "c")
    assert found.effect_size == pytest.approx(values.mean() / values.std(ddof=1))


def test_power_comes_from_the_plan_and_not_from_the_results():
    """A lucky small spread does not shrink what could have been found; below half power the size is exaggerated."""
    plan = Plan(0.081, 12, 0.02, "21 phantoms")
    found = judge(contrast(0.05, plan=plan), seed=0)
    unplanned = judge(contrast(0.05), seed=0)

    assert found.detectable == plan.detectable > 3 * unplanned.detectable
    assert [(need.difference, need.subjects) for need in found.needed] == [(0.01, 517), (0.02, 131), (0.03, 60)]
    assert found.planned_power == plan.power_for() < 0.5
    assert found.exaggeration == plan.exaggeration() > 2
    assert unplanned.needed == ()
    assert np.isnan([unplanned.planned_power, unplanned.exaggeration]).all()
    assert np.isnan(judge(contrast(0.05, plan=Plan(0.081, 300, 0.02, "x")), seed=0).exaggeration)


def test_the_primary_contrast_is_outside_the_family():
    """Its p stays; the others are corrected among themselves, so that one of them is no longer shown."""
    means = (0.016, 0.016, 0.05, 0.0, 0.0, 0.0)
    given = [contrast(mean, margins=MARGINS, primary=not n) for n, mean in enumerate(means)]
    primary, *others = judge_family(given, seed=0)

    assert (primary.shown, primary.p_adjusted, primary.family) == (Shown.HELPS, primary.p, 1)
    assert [finding.p_adjusted for finding in others] == holm(np.array([finding.p for finding in others])).tolist()
    assert [finding.family for finding in others] == [5] * 5
    assert [finding.shown for finding in others] == [Shown.NON_INFERIOR, Shown.HELPS, *[Shown.EQUIVALENT] * 3]
    assert 0.01 < primary.p < 0.025


def test_a_study_has_one_primary_contrast():
    """Two are refused by name; none is allowed, and no contrasts give nothing."""
    with pytest.raises(SpecError, match="choose it before the results are seen"):
        judge_family([contrast(0.0), contrast(0.1)], seed=0)
    assert judge_family([], seed=0) == ()
    assert judge_family([contrast(0.05, primary=False)], seed=0)[0].shown is Shown.HELPS


def test_a_finding_says_what_its_interval_leaves_out():
    """One training set, one training, folds; nothing of a study with several draws."""
    single = judge(contrast(0.0, folds=5), seed=0)
    several = judge(Contrast("x", np.random.default_rng(0).normal(size=(3, 1, 2, 8))), seed=0)

    assert [limit.split(",")[0] for limit in single.limits] == [
        "one draw of training subjects",
        "one training of each arm",
        "5 folds that share training subjects",
    ]
    assert several.limits == ()
    assert [factor.name for factor in several.factors] == ["draw", "subject"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"differences": np.zeros((3, 4))}, CohortError, r"x: differences of shape \(3, 4\)"),
        ({"subjects": ["a"]}, CohortError, "x: 1 subjects for 6 columns"),
        ({"sites": ["a", "b"]}, CohortError, "x: 2 sites for 6 columns"),
    ],
)
def test_contrasts_that_contradict_themselves_are_refused(change, error, message):
    """By the contrast's name."""
    with pytest.raises(error, match=message):
        Contrast(**{"name": "x", "differences": np.zeros((1, 1, 1, 6)), **change})


def test_margins_and_levels_are_positive():
    """Zero margins would make everything inferior."""
    with pytest.raises(SpecError, match="margins of equivalence 0.0 and non-inferiority 0.1"):
        Margins(0.0, 0.1)
    with pytest.raises(SpecError, match="alpha 0.7; expected a level in"):
        judge(contrast(0.0), seed=0, alpha=0.7)


def test_small_regions_are_left_out_by_a_rule_and_both_answers_kept():
    """A gain on regions below 2 ml alone is gone without them; the rule says which answer is the study's."""
    values = np.concatenate([np.full(8, 0.4) + np.linspace(-0.1, 0.1, 8), np.linspace(-0.02, 0.02, 8)])
    names = [f"s{n:02d}" for n in range(16)]
    given = Contrast("x", values[None, None, None], names, primary=True)
    volumes = {name: 0.5 if n < 8 else 30.0 for n, name in enumerate(names)} | {"s08": 2.0}
    (found,) = judge_with_and_without([given], [volumes], SmallRegions(decides="without"), seed=0)

    assert (found.everyone.shown, found.without.shown) == (Shown.HELPS, Shown.NOT_SHOWN)
    assert found.small == tuple(names[:8])
    assert found.deciding is found.without
    assert not found.agree
    assert found.without.difference.count == 8
    assert SmallRegions().decides == "all"


def test_small_regions_need_every_volume():
    """A subject without a volume is named, and a rule without a volume is refused."""
    with pytest.raises(CohortError, match="no volume of 2, 3"):
        judge_with_and_without([contrast(0.0, count=3)], [{"1": 3.0}], SmallRegions(), seed=0)
    with pytest.raises(CohortError, match="volumes for 0 of 1 contrasts"):
        judge_with_and_without([contrast(0.0)], [], SmallRegions(), seed=0)
    with pytest.raises(SpecError, match=r"small regions below 0\.0 ml"):
        SmallRegions(0.0)


def test_sites_stay_with_their_subjects():
    """A contrast on some subjects keeps names and sites in step."""
    given = Contrast("x", np.arange(4.0)[None, None, None], list("abcd"), list("wxyz"))
    kept = given.only(np.array([True, False, False, True]))

    assert (kept.names, tuple(kept.sites), kept.differences.ravel().tolist()) == (("a", "d"), ("w", "z"), [0.0, 3.0])


def test_a_planted_gain_of_two_points_is_found():
    """At the planned number of subjects, four studies of five show a gain of .02, and hardly one shows a loss."""
    rng = np.random.default_rng(3)
    tables = rng.normal(0.02, 0.02, (150, 1, 1, 1, 10))
    found = [judge(Contrast("x", table, primary=True), seed=0).shown for table in tables]

    assert 0.7 <= found.count(Shown.HELPS) / 150 <= 0.9
    assert Shown.HARMS not in found
