"""Tests of `reader.items` and `reader.create`: which items a study has, and what it is marked with."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from glioforge.core.errors import CohortError, OutputError
from glioforge.core.lineage import Lineage
from glioforge.core.volume import Modality
from glioforge.reader.create import create_study
from glioforge.reader.folder import open_study
from glioforge.reader.items import choose_items
from glioforge.reader.spec import ReaderSpec
from glioforge.reader.stimulus import survey
from toy_cohort import cohort_of_cases, toy_case
from toy_reading import made_by, toy_sources, toy_study

BOTH = (Modality.T1, Modality.FLAIR)


@pytest.fixture(scope="module")
def pool():
    """Surveys of twelve real cases, and of eight of each of two methods."""
    sources = toy_sources(range(12))
    return {name: [survey(ref, name) for ref in cohort] for name, cohort in sources.items()}


def chosen(pool, **settings):
    """Items of a study."""
    return choose_items(ReaderSpec(**{"real": 8, "synthetic": 8, **settings}), pool, BOTH)


def test_items_are_balanced_and_show_a_subject_once(pool):
    """Methods and contrasts come equally often; the same seed gives the same items."""
    items = chosen(pool, together=False)

    assert Counter(item.method for item in items) == {"real": 8, "spade": 4, "pix2pix": 4}
    assert set(Counter((item.method, item.contrast) for item in items).values()) == {4, 2}
    assert max(Counter((item.method, item.subject) for item in items).values()) == 1
    assert items == chosen(pool, together=False)
    assert items != chosen(pool, together=False, seed=1)
    assert len({item.key for item in items}) == 16


def test_numbers_may_be_meant_for_each_contrast(pool):
    """As in Carver's study."""
    items = chosen(pool, together=False, per_contrast=True, real=3, synthetic=2)

    assert Counter((item.method == "real", item.contrast) for item in items) == {
        (True, "t1"): 3, (True, "flair"): 3, (False, "t1"): 2, (False, "flair"): 2,
    }  # fmt: skip


def test_too_few_subjects_are_refused_unless_several_items_of_one_are_allowed(pool):
    """The message names the setting; the items then show different slices."""
    with pytest.raises(CohortError, match="12 subjects .*enough for 20 items.*one_per_subject=false"):
        chosen(pool, real=20)
    items = chosen(pool, real=20, one_per_subject=False)

    shown = [(item.subject, item.stimuli[0].index) for item in items if item.method == "real"]
    assert len(set(shown)) == len(shown) == 20


def test_a_choice_shows_a_synthetic_and_a_real_case_of_two_subjects(pool):
    """Every pair has both; no subject is on both sides."""
    items = chosen(pool, kind="choice", together=False)

    assert len(items) == 8
    assert Counter(item.method for item in items) == {"spade": 4, "pix2pix": 4}
    assert {item.other for item in items} == {"real"}
    for made, real in (item.stimuli for item in items):
        assert made.contrasts == real.contrasts
        assert made.case.ref.subject_id != real.case.ref.subject_id


def test_a_preference_shows_one_label_map_by_two_methods(pool):
    """Both stimuli are of one case on one slice."""
    methods = {name: cases for name, cases in pool.items() if name != "real"}
    items = chosen(methods, kind="preference", real=6)

    assert len(items) == 6
    for one, other in (item.stimuli for item in items):
        assert one.case.ref.case_id == other.case.ref.case_id
        assert one.index == other.index
    with pytest.raises(CohortError, match="label maps"):
        chosen(pool, kind="preference", real=6)


def test_half_of_a_diagnosis_shows_no_tumour(pool):
    """Slices without tumour are taken where a case has one."""
    items = chosen(pool, kind="diagnosis", real=8, synthetic=0)

    assert sum(not item.stimuli[0].case.lesion[item.stimuli[0].index] for item in items) == 4


def test_real_subjects_that_a_generator_saw_are_flagged(tmp_path):
    """The flag says how many; a study of disjoint subjects has none."""
    seen = toy_sources(range(8), range(4, 12))

    assert toy_study(tmp_path / "apart").flags == {}
    assert "SEEN" in toy_study(tmp_path / "seen", seen, real=8).flags
    assert "4 of 8 real subjects" in open_study(tmp_path / "seen").flags["SEEN"]


def test_real_subjects_that_no_generator_saw_are_taken_first(tmp_path):
    """Four of eight suffice here, so that nothing has to be flagged."""
    assert toy_study(tmp_path / "study", toy_sources(range(8), range(4, 12)), real=4).flags == {}


def test_phantoms_and_clusters_are_flagged(tmp_path):
    """What a table has to say goes with the study."""
    phantoms = [replace(toy_case(n), lineage=Lineage.phantom(f"s{n:02}", n)) for n in range(4)]
    sources = {"real": cohort_of_cases(phantoms), "spade": made_by("spade", range(20, 24))}
    study = toy_study(tmp_path / "study", sources, one_per_subject=False)

    assert set(study.flags) == {"PHANTOM", "CLUSTERED"}


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (("spade",), {}, "no real cases"),
        (("real",), {}, "no synthetic cases"),
        (("real",), {"kind": "preference"}, "at least two"),
        (("real", "spade"), {"contrasts": ("t2",)}, "also T2"),
        (("real", "spade"), {"analysis": {"primary": "wgan"}}, "analysis.primary 'wgan'"),
    ],
)
def test_cohorts_that_do_not_fit_the_kind_are_refused(tmp_path, names, settings, message):
    """Nothing is written."""
    sources = toy_sources(range(4), range(20, 24))
    spec = ReaderSpec(**{"real": 2, "synthetic": 2, "practice": 0, **settings})
    with pytest.raises(CohortError, match=message):
        create_study(tmp_path / "study", spec, {name: sources[name] for name in names})

    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    """A second study cannot take the place of the first."""
    toy_study(tmp_path / "study")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="not empty"):
        create_study(tmp_path / "study", ReaderSpec(real=2, synthetic=2, practice=0), toy_sources())

    assert sorted(tmp_path.rglob("*")) == before


def test_practice_is_on_phantoms(tmp_path, monkeypatch):
    """It comes on top of the items, and pairs practise with two phantoms."""
    made = []
    monkeypatch.setattr(
        "glioforge.reader.demo_cases.make_phantom", lambda *given: made.append(given) or heads[len(made)]
    )
    heads = {n: SimpleNamespace(case=toy_case(n)) for n in (1, 2)}
    study = toy_study(tmp_path / "study", kind="choice", practice=1)
    with study.store() as store:
        rows = store.read(lambda db: db.execute("SELECT * FROM item WHERE practice = 1").fetchall())
        files = store.read(lambda db: db.execute("SELECT * FROM stimulus WHERE item = 'practice01'").fetchall())

    assert [(row["method"], row["other"]) for row in rows] == [("phantom", "phantom")]
    assert len(files) == len(made) == 2
    assert [spec.spacing for *_, spec in made] == [study.frame.spacing] * 2
    assert len(study.pixels(files[0]["file"])) == len(study.pixels(files[1]["file"]))
