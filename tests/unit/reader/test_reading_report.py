"""The report: its numbers are those of the exported answers, and its words never say more than the tests."""

import csv
import json
import re

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from glioforge.core.errors import InputFileError
from glioforge.reader.analysis import analyse
from glioforge.reader.analysis_counts import Counts
from glioforge.reader.answers import write_answers
from glioforge.reader.export import write_mrmc_files
from glioforge.reader.report import read_diversity, write_reading_report
from glioforge.reader.report_words import bias, diversity_note, found, readers_note, verdict
from glioforge.reader.simulated import PROFILES, Form, answer_items
from glioforge.reader.spec import AnalysisSpec, ReaderSpec
from toy_readings import preference_study, turing_items, turing_study

SPEC = ReaderSpec(title="Toy study", analysis=AnalysisSpec(family=("chance", "equivalence", "methods")))
FLAGS = {"SEEN": "3 of 20 real subjects had a part in making synthetic cases"}


@pytest.fixture(scope="module")
def answers():
    """Three readers who see, one of them biased."""
    return turing_study({"A": "expert", "B": "biased", "C": "tired"}, 30, contrasts=("t1",))


@pytest.fixture(scope="module")
def written(answers, tmp_path_factory):
    """Folder with the report and the exported answers."""
    out = tmp_path_factory.mktemp("reading")
    write_answers(out / "answers.csv", answers)
    write_reading_report(answers, SPEC, out, flags=FLAGS)
    return out


@pytest.fixture(scope="module")
def page(written):
    """The page as text."""
    return (written / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def exported(written):
    """Rows of the exported answers that count, read without Glioforge."""
    with (written / "answers.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["practice"] == "no" and not row["repeat_of"]]


def table(page, caption):
    """Cells of the first table whose caption begins so."""
    figure = page[page.index(f'<figcaption class="above">{caption}') :]
    body = figure[figure.index("<tbody>") : figure.index("</tbody>")]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("<tr")[1:]]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in rows]


def test_the_page_equals_an_independent_recomputation(page, exported):
    """Answers, accuracy, Wilson's interval, exact p, d', criterion, share of `synthetic` and AUC of each reader."""
    rows = {row[0]: row for row in table(page, "Right answers with 95 % interval")}

    for reader in ("A", "B", "C"):
        mine = [row for row in exported if row["reader"] == reader]
        truth = np.array([row["truth"] == "synthetic" for row in mine])
        call = np.array([row["call"] == "synthetic" for row in mine])
        right, count = int((truth == call).sum()), len(mine)
        low, high = proportion_confint(right, count, method="wilson")
        p = stats.binomtest(right, count).pvalue
        hit, alarm = (stats.norm.ppf((call[kind].sum() + 0.5) / (kind.sum() + 1)) for kind in (truth, ~truth))
        score = np.array([float(row["confidence"]) for row in mine]) * np.where(call, 1, -1)
        score = score - 0.5 * np.sign(score)
        area = stats.mannwhitneyu(score[truth], score[~truth]).statistic / (truth.sum() * (~truth).sum())
        cells = rows[reader]

        assert cells[1] == str(count)
        assert cells[2] == f"{100 * right / count:.1f} ({100 * low:.1f} to {100 * high:.1f})"
        assert cells[3] == ("&lt; 0.001" if p < 0.001 else f"{p:.3f}")
        assert cells[6].split(" ")[0] == f"{hit - alarm:.2f}".replace("-", "−")
        assert cells[7] == f"{-(hit + alarm) / 2:.2f}".replace("-", "−")
        assert cells[8] == f"{100 * call.mean():.0f}"
        assert cells[9].split(" ")[0] == f"{area:.2f}"


def test_confusions_and_kappas_equal_an_independent_recomputation(page, exported):
    """The four counts of all readers together, and Cohen's kappa of each pair of readers."""
    cells = table(page, "Answers by method, MRI contrast and reader")[0]
    pairs = [(truth, call) for truth in ("real", "synthetic") for call in ("real", "synthetic")]
    kappas = {row[0]: row[3] for row in table(page, "Agreement on items")}
    calls = {(row["reader"], row["item"]): row["call"] == "synthetic" for row in exported}
    items = sorted({item for _, item in calls})

    assert cells[5:9] == [str(sum((r["truth"], r["call"]) == pair for r in exported)) for pair in pairs]
    for one, two in (("A", "B"), ("A", "C"), ("B", "C")):
        counts = np.zeros((2, 2))
        np.add.at(counts, ([int(calls[one, i]) for i in items], [int(calls[two, i]) for i in items]), 1)
        assert kappas[f"{one} and {two}"].split(" ")[0] == f"{cohens_kappa(counts, return_results=False):.2f}".replace(
            "-", "−"
        )


def test_every_table_carries_the_flags(page):
    """A reader who sees one table alone knows what limits it."""
    captions = re.findall(r'<figcaption class="above">(.*?)</figcaption>', page, re.DOTALL)

    assert len(captions) >= 9
    assert all("SEEN: 3 of 20 real subjects" in caption for caption in captions)


def test_numbers_are_stored_for_programs(written, answers):
    """The JSON holds the same numbers, with nothing where there is none."""
    numbers = json.loads((written / "report.json").read_text(encoding="utf-8"))
    primary = analyse(answers, SPEC.analysis).primary

    assert numbers["rows"][0]["detection"]["accuracy"]["estimate"] == primary.detection.accuracy.estimate
    assert numbers["flags"] == FLAGS
    assert numbers["rows"][0]["detection"]["dprime"]["low"] is None


@pytest.mark.slow
def test_the_same_answers_give_the_same_page(answers, written, page, tmp_path):
    """To the byte."""
    again = write_reading_report(answers, SPEC, tmp_path, flags=FLAGS)

    assert again.read_text(encoding="utf-8") == page


def test_files_for_r_hold_every_answer_and_truth(written, exported):
    """Real images are repeated for each generator; each case has one row of truth."""
    rows = {}
    for name in ("imrmc", "mrmcaov", "mrmcbinary"):
        with (written / f"{name}.csv").open(encoding="utf-8") as file:
            rows[name] = list(csv.DictReader(file))
    real = sum(row["truth"] == "real" for row in exported)
    truth = [row for row in rows["imrmc"] if row["readerID"] == "truth"]

    assert len(rows["mrmcaov"]) == len(exported) + real == len(rows["mrmcbinary"])
    assert len(truth) == len({row["caseID"] for row in rows["imrmc"]}) == 60
    assert {row["score"] for row in truth} == {"0", "1"}
    assert all(
        (float(row["rating"]) > 0) == (other["Y"] == "1")
        for row, other in zip(rows["mrmcaov"], rows["mrmcbinary"], strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["choice", "accept", "likert", "delineation", "diagnosis", "training"])
def test_every_kind_has_a_report(kind, tmp_path):
    """With a verdict, and files for R only of tests of real against synthetic."""
    truth = {"diagnosis": ("no tumour", "tumour"), "choice": ("left", "right")}.get(kind, ("real", "synthetic"))
    items = turing_items("A", 16, kind=kind)
    items = [type(a)(**{**vars(a), "truth": truth[a.truth == "synthetic"], "side": "left"}) for a in items]
    spec = ReaderSpec(title=f"Kind {kind}", kind=kind, show="slice")
    page = write_reading_report(answer_items(items, PROFILES["expert"], Form(scores=5), seed=1), spec, tmp_path)

    assert "How it was done" in page.read_text(encoding="utf-8")
    assert (tmp_path / "imrmc.csv").exists() == (kind == "training")


def test_preferences_have_a_report(tmp_path):
    """With strengths in their order."""
    answers = preference_study("A", {"pix2pix": 0.0, "samr": 2.0}, 40)
    page = write_reading_report(answers, ReaderSpec(title="P", kind="preference"), tmp_path).read_text(encoding="utf-8")

    assert "samr is preferred most" in page
    assert page.index(">samr<") < page.index(">pix2pix<")


def counted(real_as_real, real_as_synthetic, synthetic_as_real, synthetic_as_synthetic, *, reader="A"):
    """Answers of one reader with these counts."""
    from glioforge.reader.published import _turing

    given = _turing(
        "x", "gan", "t1", Counts(real_as_real, real_as_synthetic, synthetic_as_real, synthetic_as_synthetic)
    )
    return [type(a)(**{**vars(a), "reader": reader}) for a in given]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((200, 200, 200, 200), "Not distinguishable within the margin of 10 points"),
        ((8, 392, 8, 392), "Not answered: the bias of the reader left no room"),
        ((26, 24, 24, 26), "Not answered: neither a difference from chance nor equivalence"),
        ((40, 10, 10, 40), "The reader distinguished synthetic from real images"),
        ((10, 40, 40, 10), "took synthetic images for real ones"),
        ((1080, 920, 920, 1080), "distinguished synthetic from real images, but by less than 10 points"),
    ],
)
def test_the_verdict_says_what_the_tests_carry(counts, words):
    """Six outcomes of one reader."""
    analysis = analyse(counted(*counts), AnalysisSpec())

    assert words in found(analysis.primary, analysis)


def test_a_bias_is_said():
    """With the share of the answer; not where there is none."""
    biased, even = (analyse(counted(*c), AnalysisSpec()) for c in ((12, 38, 8, 42), (26, 24, 24, 26)))

    assert "The reader said synthetic 80 % of the time." in verdict(biased)
    assert bias(even.primary, "turing") == ""


def test_one_reader_makes_no_claim_about_readers(answers):
    """Nor do two."""
    few = [answer for answer in answers if answer.order <= 12]
    found = {who: analyse([a for a in few if a.reader in who], AnalysisSpec()) for who in ("A", "AB", "ABC")}

    assert "about this reader" in readers_note(found["A"])
    assert "about these readers" in readers_note(found["AB"])
    assert "hold for readers like these" in readers_note(found["ABC"])
    assert found["AB"].primary.basis == "these readers"


def test_diversity_comes_from_a_fidelity_file(tmp_path):
    """Recall, coverage and the gap of MS-SSIM; a file without them is refused."""
    row = {"name": "radiomics/manifold_recall", "space": "radiomics", "metric": "manifold_recall", "value": 0.62}
    (tmp_path / "fidelity.json").write_text(json.dumps({"numbers": [row, {"metric": "kid", "value": 1.0}]}))
    (tmp_path / "other.json").write_text(json.dumps({"numbers": []}))

    assert read_diversity(tmp_path / "fidelity.json") == {"recall of radiomics features": 0.62}
    assert "recall of radiomics features 0.620" in diversity_note(read_diversity(tmp_path / "fidelity.json"))
    assert "No measure of diversity was given" in diversity_note({})
    with pytest.raises(InputFileError, match="no measure of diversity"):
        read_diversity(tmp_path / "other.json")


def test_files_for_r_of_other_kinds_are_not_written(tmp_path):
    """Preferences are no test of real against synthetic."""
    assert write_mrmc_files(preference_study("A", {"a": 0.0, "b": 1.0}, 6), tmp_path) == ()
