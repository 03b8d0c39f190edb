"""The contrasts of a study as they were planned, and each region, further endpoint and lesion-free case, judged."""

import numpy as np
import pytest

from glioforge.core.errors import SpecError
from glioforge.io.tables import ResultRow
from glioforge.report.scores import ResultTable
from glioforge.studies.answer import judged_texts
from glioforge.studies.arms_report import titles
from glioforge.studies.augmentation_report import verdict
from glioforge.studies.judged import endpoint_texts, judged_contrasts, primary_arm, volumes_of
from glioforge.studies.later_page import Scored, later_page
from glioforge.studies.lock import Standing, settings_hash
from toy_arms import MORE, REAL, study
from toy_cohort import toy_cohort

LESS = {"name": "less", "title": "Less", "source": "generator", "synthetic_share": 0.2}
HOLDOUT = {"kind": "slices", "test": 0.3, "validation": 0.2}
WAVE = np.linspace(-1, 1, 12)


def rows_of(spec, gains, volumes=None):
    """Results of a study in which each arm gains so much on each of twelve subjects."""
    return [
        ResultRow("tiny", arm, 0, 0, f"s{n:02d}", f"s{n:02d}", region, metric, value, "1")
        for arm, gain in gains.items()
        for n, better in enumerate(gain)
        for region in spec.regions
        for metric, value in (("dice", 0.5 + n / 100 + better), ("true_volume", (volumes or [9.0] * 12)[n]))
    ]


def judged(spec, gains, volumes=None):
    """Titles and contrasts of such a study."""
    table = ResultTable(rows_of(spec, gains, volumes), seed=spec.seed).with_mean(spec.regions)
    arms = titles(spec, table)
    return arms, judged_contrasts(spec, table, arms)


def line(spec, gains, volumes=None):
    """The verdict on such a study."""
    return verdict(spec, *judged(spec, gains, volumes), [])


def of(found, arm):
    """The contrast of an arm with its reference."""
    return next(entry for entry in found if entry.arm == arm and not entry.control)


def test_without_a_plan_the_first_arm_is_primary_and_no_margin_was_set():
    """The page says so, gives the smallest detectable difference of the measured spread, and subjects needed."""
    spec = study([REAL, MORE, LESS])
    arms, found = judged(spec, {"real": 0 * WAVE, "more": 0.05 * WAVE, "less": 0.01 + 0.02 * WAVE})
    fixed, primary = judged_texts(spec, arms, found)

    assert (found[0].arm, found[0].found.primary, found[0].found.family, found[1].found.family) == ("more", True, 1, 1)
    assert fixed.startswith("Primary contrast, by the order of the arms: More against Real, Dice over WT, TC, ET.")
    assert "No margin was set" in fixed
    assert "No power was planned. Detectable with 80 % power: 0.029, from these very results (standard" in primary
    assert "Needed, by that spread over subjects alone, for +0.010, " in primary
    assert "the smallest difference detectable was 0.029" in line(spec, {"real": 0 * WAVE, "more": 0.05 * WAVE})


def test_a_plan_names_primary_family_margins_and_spread():
    """An arm that the family leaves out is exploratory and corrected by itself."""
    plan = {"primary": "less", "family": [], "margin": 0.02, "sd": 0.08, "source": "21 phantoms"}
    spec = study([REAL, MORE, LESS], plan=plan)
    gains = {"real": 0 * WAVE, "more": 0.05 + 0.01 * WAVE, "less": 0.01 * WAVE}
    arms, found = judged(spec, gains)

    assert [(entry.arm, entry.planned) for entry in found] == [("less", True), ("more", False)]
    assert line(spec, gains).startswith("Less and Real are equivalent within 0.020")
    assert "Primary contrast, by the plan: Less against Real" in judged_texts(spec, arms, found)[0]
    assert of(found, "more").found.shown == "helps"


def test_a_gain_with_little_planned_power_is_exaggerated_in_the_line():
    """And not where the power is enough."""
    gains = {"real": 0 * WAVE, "more": 0.07 + 0.05 * WAVE}
    small = study(plan={"sd": 0.08, "source": "21 phantoms"})
    large = study(plan={"sd": 0.01, "source": "21 phantoms"})

    assert "helps against Real" in line(small, gains)
    assert "the size is probably exaggerated, about 2.7-fold" in line(small, gains)
    assert "exaggerated" not in line(large, gains)


def test_small_regions_decide_where_the_plan_says_so():
    """The answer without them stands in the line where both disagree."""
    gains = {"real": 0 * WAVE, "more": np.where(np.arange(12) < 4, 0.4, 0.0) + 0.01 * WAVE}
    volumes = [0.5] * 4 + [20.0] * 8
    everyone, without = study(), study(plan={"decides": "without"})

    assert "No difference between More and Real is shown" in line(without, gains, volumes)
    assert "With 4 subjects with a region below 2 ml, the answer is another, helps" in line(without, gains, volumes)
    assert "Without 4 subjects with a region below 2 ml, the answer is another" in line(everyone, gains, volumes)


def test_leaky_arms_are_outside_the_family_and_named_in_the_line():
    """They correct nothing of the sound ones."""
    spec = study([REAL, MORE], split=HOLDOUT)
    gains = {"real": 0 * WAVE, "more": 0.01 + 0.001 * WAVE, "real-leaky": 0.3 + 0.01 * WAVE}
    _, found = judged(spec, gains)

    assert not of(found, "real-leaky").planned
    assert line(spec, gains).endswith("Arms marked LEAKY show a leak and are no evidence.")


def test_frozen_models_on_later_subjects_are_judged_by_the_same_plan():
    """The verdict line of their page is that of the primary contrast, by the margins of the study."""
    spec = study([REAL, MORE, LESS], plan={"primary": "less", "margin": 0.02})
    rows = rows_of(spec, {"real": 0 * WAVE, "more": 0.05 + 0.01 * WAVE, "less": 0.01 * WAVE})
    page = later_page(spec, Scored(rows, toy_cohort(range(2)), 4, 20), Standing("exempt"))

    assert page.verdict.startswith("Less and Real are equivalent within 0.020 (Dice over WT, TC, ET +0.000")
    assert page.lead.startswith("More helps against Real")


def test_volumes_are_those_of_the_smallest_region():
    """A subject whose volume of a region is not known has none."""
    rows = [
        ResultRow("tiny", "real", 0, 0, "c", subject, region, "true_volume", volume, "ml")
        for subject, region, volume in (("a", "WT", 9.0), ("a", "ET", 1.0), ("b", "WT", 9.0))
    ]

    assert volumes_of(ResultTable(rows), ("WT", "ET")) == {"a": 1.0}
    assert volumes_of(ResultTable(rows), ("WT",)) == {"a": 9.0, "b": 9.0}


@pytest.mark.parametrize(
    ("plan", "found"),
    [
        ({"primary": "mroe"}, "plan.primary"),
        ({"family": ["real"]}, "plan.family"),
        ({"sd": 0.08}, "sd 0.08"),
        ({"non_inferiority": 0.02}, "without margin"),
        ({"primary": "more", "family": ["more"]}, "outside it"),
    ],
)
def test_a_plan_that_fits_no_arm_is_refused(plan, found):
    """By the path of its key."""
    with pytest.raises(SpecError, match=found):
        study(plan=plan)


def test_a_plan_is_part_of_what_was_registered():
    """Without one, hash and identity are those of a study that never heard of plans."""
    spec, planned = study(), study(plan={"margin": 0.02})

    assert "plan" not in spec.identity()
    assert settings_hash(spec) != settings_hash(planned)
    assert spec.identity() != planned.identity()


SPEC = study()


def texts(values):
    """Paragraphs on twelve subjects; `values` gives metric, region, gain and subject's number a value."""
    rows = [
        ResultRow("tiny", arm, 0, 0, f"c{n}", f"s{n:02d}", region, metric, values(metric, region, gain, n), "1")
        for arm, gain in (("real", 0.0), ("more", 1.0))
        for n in range(12)
        for region in SPEC.regions
        for metric in ("dice", "hd95", "far_volume", "false_volume", "true_volume")
    ]
    table = ResultTable(rows).with_mean(SPEC.regions)
    arms = titles(SPEC, table)
    return endpoint_texts(SPEC, table, arms, primary_arm(SPEC, arms))


def value(metric, region, gain, n, free=()):
    """A gain in ET alone, whose region is small in two subjects; half the false alarms far from the tumour."""
    if metric == "true_volume":
        return 0.0 if n in free else 1.0 if region == "ET" and n < 2 else 30.0
    if metric in ("far_volume", "false_volume"):
        return (2.0 + n / 10) * (1 - gain / 2) + (0 if n % 2 else 0.05)
    if metric == "hd95":
        return 5.0 + n + gain * WAVE[n]
    return 0.5 + (0.1 + 0.02 * WAVE[n] if region == "ET" else 0.02 * WAVE[n]) * gain


def test_each_region_has_its_sentence_and_the_answer_without_small_ones():
    """Five endpoints with results are one family; lesion-wise Dice was not measured here."""
    *sentences, free = texts(value)
    further = " ".join(sentences)

    assert "More helps against Real (Dice, ET, +0.100" in further
    assert "Without 2 subjects with a region below 2 ml, the answer is the same: +0.104" in further
    assert "No difference between More and Real is shown (Dice, WT, +0.000" in further
    assert "HD95, WT, TC, ET," in further
    assert "More helps against Real (Volume over 10 mm from the tumour, WT, ratio 0.5" in further
    assert "by Holm's correction of 5" in further
    assert free.startswith("No test case is lesion-free")


def test_lesion_free_cases_are_judged_by_all_that_is_predicted():
    """And are left out of the volume that lies far from a tumour."""
    *sentences, free = texts(lambda *asked: value(*asked, free=range(6)))
    further = " ".join(sentences)

    assert free.startswith("On 6 lesion-free cases: More helps against Real (Total predicted volume ratio 0.5")
    assert "6 subjects" in free
    assert "from the tumour, WT, ratio 0.52 (0.52 to 0.53), p < 0.001 by Holm's correction of 5, 6 subjects" in further
