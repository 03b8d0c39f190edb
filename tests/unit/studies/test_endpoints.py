"""Regions, further endpoints and lesion-free cases of the primary pair, each judged."""

import numpy as np

from glioforge.io.tables import ResultRow
from glioforge.report.scores import ResultTable
from glioforge.studies.arms_report import titles
from glioforge.studies.judged import endpoint_texts, primary_arm
from toy_arms import study

SPEC = study()
WAVE = np.linspace(-1, 1, 12)


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
