"""The published studies, recomputed from answers: their tables, and what their conclusions rest on."""

from pathlib import Path

import numpy as np
import pytest

from glioforge.reader.analysis import analyse
from glioforge.reader.analysis_counts import detect, fisher_p
from glioforge.reader.analysis_readings import Readings
from glioforge.reader.answers import read_answers
from glioforge.reader.published import CARVER_2021, GUO_2020, HAN_2018, carver_answers, guo_answers, han_answers
from glioforge.reader.spec import AnalysisSpec, ReaderSpec

GOLDEN = Path(__file__).parents[2] / "golden" / "readings"


@pytest.fixture(scope="module")
def han():
    """Han's answers by generator."""
    answers = read_answers(GOLDEN / "han2018.csv")
    return {name: Readings(tuple(a for a in answers if a.item.rpartition("-")[0] == name)) for name in HAN_2018}


@pytest.mark.parametrize(
    ("name", "make"), [("han2018", han_answers), ("carver", carver_answers), ("guo2020", guo_answers)]
)
def test_files_hold_the_published_counts(name, make):
    """The committed files are what the counts of the papers give."""
    assert read_answers(GOLDEN / f"{name}.csv") == make()


def test_hans_table_is_recomputed(han):
    """Accuracy in percent and the four counts of each of 12 generators."""
    accuracies = [70, 71, 64, 54, 77, 54, 64, 55, 58, 62, 66, 53]

    for accuracy, (name, readings) in zip(accuracies, han.items(), strict=True):
        assert readings.counts == HAN_2018[name]
        assert round(100 * readings.counts.accuracy) == accuracy


def test_hans_physician_could_tell(han):
    """7 of 12 accuracies differ from chance, none is equivalent to it within 10 points, and all calls are biased."""
    found = [detect(readings.counts, 0.1) for readings in han.values()]

    assert sum(d.p_chance < 0.05 for d in found) == 7
    assert min(d.p_equivalence for d in found) == pytest.approx(0.093, abs=0.001)
    assert all(d.criterion < 0 for d in found)
    assert min(d.counts.said_synthetic for d in found) == pytest.approx(0.54)
    assert max(d.counts.said_synthetic for d in found) == pytest.approx(0.80)
    assert [round(min(d.counts.dprime for d in found), 2), round(max(d.counts.dprime for d in found), 2)] == [
        0.16,
        1.51,
    ]


def test_carvers_share_is_recomputed():
    """Percent misclassified by contrast, with intervals as wide as 19 images make them."""
    answers = Readings(read_answers(GOLDEN / "carver.csv"))
    shares = {contrast: answers.where(contrast=contrast).counts for contrast in CARVER_2021}

    assert {c: round(100 * n.misclassified, 1) for c, n in shares.items()} == {
        "flair": 26.3, "t1": 10.5, "t1c": 26.3, "t2": 26.3,
    }  # fmt: skip
    assert detect(shares["flair"], 0.1).p_chance == pytest.approx(0.064, abs=0.001)
    assert detect(shares["t1"], 0.1).p_chance == pytest.approx(0.0007, abs=0.0001)
    assert all(n.trials == 19 for n in shares.values())


def test_guos_rates_are_recomputed():
    """Percent preferred by method; the two best are not told apart by 61 maps."""
    analysis = analyse(read_answers(GOLDEN / "guo2020.csv"), AnalysisSpec(family=("methods",)))
    rates = {mean.method: round(100 * mean.mean.estimate, 1) for mean in analysis.means[0].means}

    assert rates == {"real": 100.0, "samr": 72.1, "shin": 65.6, "pix2pixhd": 39.3, "pix2pix": 16.4}
    assert fisher_between(GUO_2020["samr"], GUO_2020["shin"], 61) == pytest.approx(0.56, abs=0.01)


def test_presets_ask_what_the_papers_asked():
    """Numbers of items, kind, and neither practice nor feedback."""
    han, carver, guo = (ReaderSpec(**ReaderSpec.PRESETS[name]) for name in ("han2018", "carver", "guo2020"))

    assert (han.kind, han.real, han.synthetic, han.practice, han.feedback) == ("turing", 50, 50, 0, False)
    assert (carver.kind, carver.real, carver.synthetic, carver.per_contrast) == ("turing", 9, 10, True)
    assert carver.scores > 0
    assert carver.comment
    assert (guo.kind, guo.real) == ("preference", 61)


def fisher_between(first, second, of):
    """Fisher's p of two independent shares."""
    from glioforge.reader.analysis_counts import Counts

    return fisher_p(Counts(first, of - first, second, of - second))


def test_han_cannot_rank_generators(han):
    """DCGAN against WGAN differs in accuracy for T1c alone before correction."""
    pairs = [(name, name.replace("dcgan", "wgan")) for name in han if "dcgan" in name]
    p = {one: fisher_between(han[one].counts.correct, han[two].counts.correct, 100) for one, two in pairs}

    assert [name for name, value in p.items() if value < 0.05] == ["t1c-dcgan-128"]
    assert np.isclose(p["t1c-dcgan-128"], 0.028, atol=0.001)
