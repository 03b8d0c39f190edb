"""Every class on the page: overlap with tissue, the leak, and how often validation improved."""

from glioforge.io.tables import ResultRow
from glioforge.report.page import Table
from glioforge.report.scores import ResultTable
from glioforge.report.tables import Trained
from glioforge.studies.classes_report import classes_section
from glioforge.studies.spec import AugmentationSpec

SPEC = AugmentationSpec.model_validate(
    {
        "name": "a",
        "title": "A",
        "segmenter": {"kind": "unet"},
        "arms": [{"name": "real", "title": "Real"}],
        "budgets": {"small": {"segmenter": {"steps": 2}}},
        "classes": True,
    }
)
ROWS = [
    ResultRow("a", arm, 0, 0, f"s{n}", f"s{n}", region, metric, value, "1", grid="prepared")
    for n in range(2)
    for arm, more in (("real", 0.0), ("real-leaky", 0.2))
    for region, metric, value in (
        ("classes", "weighted_class_dice", 0.5 + more),
        ("classes", "class_dice", 0.6),
        ("white_matter", "dice", 0.7),
    )
]
ARMS = {"real": "Real", "real-leaky": "LEAKY: Real"}


def test_the_leak_is_the_difference_of_twins_and_improvements_are_counted():
    """In weighted Dice; a plateau is no improvement."""
    history = tuple({"step": float(n), "score": score} for n, score in enumerate((0.1, 0.3, 0.3, 0.2)))
    trained = [Trained("Real", 0, 0, 4, 1.0, history)]
    (section,) = classes_section(SPEC, ResultTable(ROWS), ARMS, trained)
    tables = [block for block in section.blocks if isinstance(block, Table)]

    assert tables[1].columns[1] == "white matter"
    assert tables[2].rows == (("Real", "0.500", "0.700", "+0.200"),)
    assert tables[3].rows == (("Real", "2", "4"),)


def test_studies_of_regions_alone_have_no_such_section():
    """Nothing was scored."""
    assert classes_section(SPEC.model_copy(update={"classes": False}), ResultTable([]), {}, []) == ()
