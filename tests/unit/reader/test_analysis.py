"""Whole analyses of simulated readers: what is planted is found, and what is absent is not claimed."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import cochrans_q

from glioforge.core.errors import CohortError
from glioforge.reader.agreement import Scale, outline_agreement, pair_agreement
from glioforge.reader.analysis import analyse
from glioforge.reader.analysis_cues import trend_p
from glioforge.reader.analysis_methods import method_differences, within_cases
from glioforge.reader.analysis_rows import exchange_p
from glioforge.reader.answers import Answer
from glioforge.reader.preference import comparisons, equal_p, preferences
from glioforge.reader.simulated import PROFILES, Form, answer_items
from glioforge.reader.spec import AnalysisSpec
from toy_readings import preference_study, turing_items, turing_study

PLAN = AnalysisSpec(family=("chance", "equivalence", "methods", "contrasts"))


@pytest.fixture(scope="module")
def three():
    """Three readers of different behaviour, two methods, two contrasts."""
    return analyse(turing_study({"A": "expert", "B": "expert", "C": "biased"}, 40), PLAN)


def test_every_reader_and_all_have_a_line(three):
    """All first, as the primary line, over readers and cases."""
    assert (three.primary.who, three.primary.method, three.primary.basis) == ("all", "all", "readers")
    assert {line.who for line in three.rows} == {"all", "A", "B", "C"}
    assert three.primary.detection.counts == sum(
        (
            line.detection.counts
            for line in three.rows
            if line.who != "all" and (line.method, line.contrast) == ("all",) * 2
        ),
        start=type(three.primary.detection.counts)(0, 0, 0, 0),
    )


def test_behaviour_is_found(three):
    """Sensitivity of the experts, bias of the biased."""
    lines = {line.who: line.detection for line in three.rows if (line.method, line.contrast) == ("all", "all")}

    assert lines["A"].p_chance < 0.01
    assert lines["A"].dprime.low > 0
    assert lines["C"].p_bias < 0.01
    assert lines["C"].criterion < -0.4
    assert lines["C"].counts.said_synthetic > 0.7


def test_the_family_is_corrected(three):
    """Chance, equivalence, one pair of methods, one pair of contrasts."""
    assert [test.name for test in three.planned] == [
        "accuracy against chance",
        "equivalence with chance",
        "called synthetic: samr and spade",
        "right calls: flair and t1",
    ]
    assert all(test.p <= test.p_holm for test in three.planned)


@pytest.mark.slow
def test_repeats_and_practice_do_not_count():
    """They change nothing but their own numbers."""
    answers = turing_study({"A": "expert"}, 20)
    practice = [Answer("A", "p", "phantom", "phantom", "t1", "synthetic", "real", 1, "turing", practice=True)]
    once, more = analyse(answers, PLAN), analyse([*practice, *answers], PLAN)

    assert once.answers == more.answers == 40
    assert once.repeats == 8
    assert (once.practice, more.practice) == (0, 1)
    assert once.rows == more.rows


def test_several_items_of_a_subject_make_the_subject_the_unit():
    """The same calls, four slices a subject, are less certain."""
    apart = analyse(turing_study({"A": "expert"}, 40), PLAN).primary
    together = analyse(turing_study({"A": "expert"}, 40, per_subject=4), PLAN).primary

    assert (apart.basis, together.basis) == ("exact", "subjects")
    assert (apart.subjects, together.subjects) == (80, 20)


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "word"), [("learning", "learning"), ("tired", "fatigue"), ("chance", "no trend")])
def test_learning_and_fatigue_are_found(profile, word):
    """By their direction, and not where there is neither."""
    assert word in analyse(turing_study({"A": profile}, 100), PLAN).trends["all"].reading


def test_perfect_readers_have_an_interval():
    """Where no answer varies, cases count once however many readers there are."""
    found = analyse(turing_study({"A": "perfect", "B": "perfect", "C": "perfect"}, 10), PLAN).primary.detection

    assert found.accuracy.estimate == 1.0
    assert 0.7 < found.accuracy.low < 0.9


@pytest.mark.slow
def test_methods_that_give_less_away_are_found():
    """Images of a method without any trace are called synthetic less often, and have a lower AUC."""
    readers = {"A": "expert", "B": "expert", "C": "expert"}
    found = analyse(turing_study(readers, 60, strengths={"samr": 0.0, "spade": 2.0}), PLAN)
    pair = next(pair for pair in found.means[0].differences if (pair.first, pair.second) == ("samr", "spade"))

    assert pair.difference < -0.3
    assert pair.p_holm < 0.01
    assert found.pairs[0].difference.high < 0


def test_cues_of_synthetic_images_are_found(three):
    """Reasons ticked on synthetic images more than on real ones."""
    assert {cue.name for cue in three.cues} == {"texture", "border", "noise"}
    assert three.cues[0].on_method["spade"].count == 60


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["accept", "likert", "delineation", "diagnosis", "choice"])
def test_every_kind_is_analysed(kind):
    """With the numbers that its answers have."""
    truth = {"diagnosis": ("no tumour", "tumour"), "choice": ("left", "right")}.get(kind, ("real", "synthetic"))
    items = [
        Answer(
            a.reader,
            a.item,
            a.subject,
            a.method,
            a.contrast,
            truth[a.truth == "synthetic"],
            "",
            a.order,
            kind,
            side="left",
        )
        for a in turing_items("A", 20)
        if not a.repeat_of
    ]
    found = analyse(answer_items(items, PROFILES["expert"], Form(scores=5), seed=1), PLAN)

    assert (found.primary is not None) == (kind in {"choice", "diagnosis"})
    assert found.means
    assert all(np.isfinite(mean.mean.estimate) for means in found.means for mean in means.means)


def test_the_preferred_method_is_found():
    """Rates, strengths in their order, and a test that sees them; none where methods are alike."""
    planted = analyse(preference_study("A", {"a": 0.0, "b": 1.0, "c": 2.0}, 90), PLAN).preference
    alike = analyse(preference_study("A", {"a": 0.0, "b": 0.0, "c": 0.0}, 90), PLAN).preference

    assert [strength.method for strength in planted.strengths] == ["c", "b", "a"]
    assert planted.p < 0.01
    assert planted.strengths[0].strength.low > 0
    assert alike.p > 0.05


def test_a_method_that_always_wins_has_a_finite_strength():
    """And equal answers count half for each."""
    sides = ["left", "right"] * 10
    rows = [
        Answer("A", f"i{n}", f"m{n}", "a", "t1", "", side, n + 1, "preference", other="b", side=side)
        for n, side in enumerate(sides)
    ]
    equal = [
        Answer("A", f"e{n}", f"e{n}", "a", "t1", "", "equal", n, "preference", other="b", side="left") for n in range(5)
    ]
    found = preferences(comparisons(rows), seed=0)

    assert found.strengths[0].rate.estimate == 1.0
    assert 1 < found.strengths[0].strength.estimate < 4
    assert preferences(comparisons([*rows, *equal]), seed=0).strengths[0].equal == 5
    assert equal_p(comparisons(equal), seed=0) == 1.0


def test_kappas_are_those_of_statsmodels():
    """Cohen's, plain and weighted."""
    from statsmodels.stats.inter_rater import cohens_kappa

    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 4, (2, 60))
    table = np.zeros((4, 4))
    np.add.at(table, (one, two), 1)
    items = np.arange(60)
    plain, weighted = (
        pair_agreement(one, two, items, Scale(4, w), who="", seed=0).kappa.estimate for w in (False, True)
    )

    assert plain == pytest.approx(cohens_kappa(table, return_results=False))
    assert weighted == pytest.approx(cohens_kappa(table, wt="quadratic", return_results=False))


def test_agreement_is_within_and_between(three):
    """A line for each reader's repeats and for each pair of readers."""
    assert [entry.who for entry in three.agreements] == [
        "A, repeats", "B, repeats", "C, repeats", "A and B", "A and C", "B and C",
    ]  # fmt: skip
    assert three.agreements[3].items == 80


def test_masks_of_readers_are_compared():
    """Dice of pairs; two empty drawings agree."""
    one, none = np.eye(4, dtype=bool), np.zeros((4, 4), dtype=bool)
    found = outline_agreement({"i1": {"a": one, "b": one, "c": none}, "i2": {"a": none, "b": none}}, seed=1)

    assert [(pair.who, pair.overlap.estimate, pair.overlap.count) for pair in found] == [
        ("a and b", 1.0, 2),
        ("a and c", 0.0, 1),
        ("b and c", 0.0, 1),
    ]
    assert outline_agreement({}, seed=1) == ()


def test_generators_of_the_same_cases_are_compared_within_reader_and_case():
    """As statsmodels' Cochran's Q for one reader; none where a reader judged one case less, or cases are not shared."""
    rng = np.random.default_rng(4)
    cases, names = 30, ("pix2pix", "samr", "spade")
    table = (rng.random((cases, 3)) < (0.3, 0.5, 0.8)).astype(float)
    values, methods = table.ravel(), np.tile(names, cases)
    subjects, readers = np.repeat([f"map{n}" for n in range(cases)], 3), np.full(3 * cases, "A")
    real = np.ones(5), np.full(5, "real"), np.array([f"map{n}" for n in range(5)]), np.full(5, "A")
    joined = [np.concatenate(pair) for pair in zip((values, methods, subjects, readers), real, strict=True)]
    found = within_cases(*joined)

    assert found.cases == cases
    assert found.p == pytest.approx(cochrans_q(table).pvalue)
    assert found.p_clustered < 0.01
    assert within_cases(values[1:], methods[1:], subjects[1:], readers[1:]).cases == cases - 1
    assert within_cases(values, methods, np.arange(3 * cases).astype(str), readers) is None
    assert within_cases(values[::3], methods[::3], subjects[::3], readers[::3]) is None


def test_exchanging_needs_both_kinds():
    """One class, or answers that never vary, show nothing."""
    ones = np.ones(10, dtype=bool)

    assert exchange_p(ones, ones, np.arange(10), seed=0) == 1.0
    assert exchange_p(np.arange(10) < 5, ones, np.arange(10), seed=0) == 1.0
    assert np.isnan(trend_p(np.ones(10), np.arange(10.0), np.zeros(10)))
    assert method_differences(np.ones(3), np.array(["a"] * 3), np.arange(3), seed=0) == ()


@pytest.mark.parametrize(
    ("answers", "plan", "found"),
    [
        ([], PLAN, "no answer that counts"),
        (turing_items("A", 3) + turing_items("B", 3, kind="accept"), PLAN, "answers of kinds accept, turing"),
        (turing_study({"A": "chance"}, 3), AnalysisSpec(primary="gan"), "no answer on primary method 'gan'"),
    ],
)
def test_what_cannot_be_analysed_is_refused(answers, plan, found):
    """With what was found."""
    with pytest.raises(CohortError, match=found):
        analyse(answers, plan)
