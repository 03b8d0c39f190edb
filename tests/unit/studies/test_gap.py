"""The domain gap: measured where subjects are enough, shown with its floor, and no evidence from few arms."""

from dataclasses import replace

import pytest

from glioforge.core.split import Split
from glioforge.io.tables import ResultRow
from glioforge.lesions.recipe import RecipeSpec
from glioforge.report.page import Note, Table
from glioforge.report.scores import ResultTable
from glioforge.report.tables import Trained
from glioforge.studies.gap_report import gap_section, improvements
from glioforge.studies.perform import perform
from glioforge.studies.plan.draw import EVERYONE
from glioforge.studies.plan.source import Made, gap_tasks
from glioforge.studies.question import load_demo
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.steps import gap, synthesize, train
from glioforge.studies.task import Task
from glioforge.synthesis.base import SYNTHESIZERS
from noting_progress import NotingProgress
from toy_cohort import toy_cohort
from toy_study import toy_fold

SPEC = load_demo()
RECIPE = RecipeSpec(name="as they are", steps=())
ROWS = [
    {"name": name, "value": 2.0, "floor": 0.5, "floor_low": -0.4, "floor_high": 0.9, "subjects": 4}
    for name in ("patches/sliced_wasserstein/0", "random_convolution/kid", "random_convolution/manifold_recall",
                 "spectrum/transport", "consistency/transport", "labels/transport", "lesion/transport")
]  # fmt: skip
RECORD = Record("fold-0/gap/generator", "gap", arm="generator", details={"numbers": ROWS})


@pytest.fixture(scope="module")
def fold(tmp_path_factory):
    """Nine training and eight test subjects."""
    plain = toy_fold(tmp_path_factory.mktemp("gap"))
    split = Split(toy_cohort(range(9)), toy_cohort([20]), toy_cohort(range(30, 38)))
    return replace(plain, planned=split)


def test_the_gap_of_painted_cases_is_measured_beside_its_floor(fold):
    """The record holds every number and the extractor; the test side is read by no task that trains."""
    generator = Task(
        "fold-0/model/generator", "generator", fold, train.fit_synthesizer,
        {"synthesizer": SYNTHESIZERS.parse("painted"), "seed": 1},
    )  # fmt: skip
    making = {"source": "generator", "recipe": RECIPE, "count": 1, "seed": 1}
    cases = Task(
        "fold-0/cases/generator",
        "cases",
        fold,
        synthesize.make_cases,
        making,
        ("train",),
        (generator.name,),
        "generator",
    )
    asked = Task(
        "fold-0/gap/generator", "gap", fold, gap.measure_gap, {"draws": 20, "seed": 1}, ("test",), (cases.name,),
        "generator",
    )  # fmt: skip
    known = {}
    for task in (generator, cases, asked):
        known[task.name] = perform(task, {name: known[name] for name in task.needs}, NotingProgress())
    found = {row["name"]: row for row in known[asked.name].details["numbers"]}

    assert asked.evaluates
    assert found["spectrum/transport"]["subjects"] == 4
    assert found["spectrum/transport"]["value"] > 0
    assert known[asked.name].details["extractor"]["name"] == "random_convolution"


def test_too_few_test_subjects_get_no_task(fold):
    """Halves need four subjects each."""
    few = replace(fold, planned=replace(fold.split, test=toy_cohort(range(30, 37))))

    assert [task.kind for task in gap_tasks(fold, Made("generator", EVERYONE))] == ["gap"]
    assert list(gap_tasks(few, Made("generator", EVERYONE))) == []


def test_improvements_are_counted():
    """Scores above all before; validations without a score are passed over."""
    assert improvements([]) == 0
    assert improvements([{"score": 0.2}, {"score": None}, {"score": 0.1}, {"score": 0.3}]) == 2


def overlap():
    """Dice of six subjects under the demo's arms."""
    return ResultTable(
        ResultRow("demo", arm.name, 0, 0, f"s{n}", f"s{n}", region, "dice", 0.5 + place / 10, "1")
        for place, arm in enumerate(SPEC.every_arm)
        for n in range(6)
        for region in SPEC.regions
    ).with_mean(SPEC.regions)


def test_the_section_shows_numbers_floors_improvements_and_too_few_arms(tmp_path):
    """One table of distances is open, and the note says that few arms are no evidence."""
    trained = [Trained("Real", 0, 0, 4, 1.0, [{"step": 1, "score": 0.1}, {"step": 2, "score": 0.4}])]
    study = toy_fold(tmp_path).study
    (section,) = gap_section(SPEC, Results(study, (), (RECORD,)), overlap(), trained)
    tables = [block for block in section.blocks if isinstance(block, Table)]
    note = next(block for block in section.blocks if isinstance(block, Note))

    assert tables[0].rows[1] == ("random convolution/kid", "2", "0.5 (−0.4 to 0.9)")
    assert tables[1].rows == (("Real", "2"),)
    assert "no evidence" in note.text
    assert gap_section(SPEC, Results(study, (), ()), overlap(), trained) == ()


def test_a_source_without_a_number_shows_a_dash(tmp_path):
    """Such as slices without labels beside whole cases; nothing is averaged over no fold."""
    other = Record("fold-0/gap/slices", "gap", arm="slices", details={"numbers": ROWS[:1]})
    (section,) = gap_section(SPEC, Results(toy_fold(tmp_path).study, (), (RECORD, other)), overlap(), [])
    table = next(block for block in section.blocks if isinstance(block, Table))

    assert table.rows[0][1:] == ("2", "0.5 (−0.4 to 0.9)", "2", "0.5 (−0.4 to 0.9)")
    assert table.rows[1][3:] == ("–", "–")
