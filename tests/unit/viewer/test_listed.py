"""Whatever is named on the command line becomes a list of cases: what they are, and which belong together."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, InputFileError
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import BRATS2017, COMPLETE
from glioforge.core.volume import Modality
from glioforge.data.store import write_case
from glioforge.io.cohort_file import write_cohort
from glioforge.io.nifti import write_image, write_labels
from glioforge.viewer.listed import Listed, Partner, listed, of_cohort, partners
from toy_cohort import cohort_of_cases, toy_case


def made_from(case, kind="synthetic", **changes):
    """A case made from another."""
    edits = ({"kind": "scale"},) if kind == "edited" else ()
    lineage = Lineage.synthetic("sound", {case.case_id: case.lineage, "a-donor": case.lineage}, seed=1, edits=edits)
    return replace(case, case_id=f"{case.case_id}-{kind}000", lineage=lineage, **changes)


@pytest.fixture
def store(tmp_path):
    """A prepared cohort on disk with a real, a synthetic, an edited and a phantom case."""
    real = replace(toy_case(1), facts={"tumour_ml": 12.5, "preparation": "abc"})
    cases = [
        real,
        made_from(real),
        made_from(real, "edited", images={}),
        replace(toy_case(2), lineage=Lineage.phantom("s02", 2)),
    ]
    refs = tuple(write_case(tmp_path / "cases", case) for case in cases)
    write_cohort(Cohort("mixed", refs, COMPLETE), tmp_path)
    return tmp_path


def test_a_cohort_says_what_each_case_is(store):
    """By its lineage, without reading a voxel."""
    cases = listed(store)

    assert [case.kind for case in cases] == ["real", "synthetic", "edited", "phantom"]
    assert [case.parents for case in cases[:2]] == [(), ("s01-1", "a-donor")]
    assert cases[2].edits == ("scale",)
    assert cases[2].contrasts == ()
    assert cases[0].contrasts == ("T1", "FLAIR")
    assert (cases[0].tumour_ml, cases[0].preparation, cases[1].subject_id) == (12.5, "abc", "s01")
    assert "load" not in cases[0].to_json()


def test_voxels_come_from_the_store(store):
    """Loaded on demand."""
    real, _, edited, _ = listed(store)

    assert list(real.load().images) == ["T1", "FLAIR"]
    assert edited.load().images == {}
    assert np.array_equal(edited.load().labels.voxels, toy_case(1).labels.voxels)


def test_the_folder_of_one_prepared_case_is_a_list_of_one(store):
    """As the shell completes it."""
    (case,) = listed(store / "cases" / "s01-1")

    assert (case.case_id, case.kind) == ("s01-1", "real")


def test_a_folder_of_scans_is_read_as_ingest_reads_it(tmp_path):
    """Cases that lack contrasts are shown as well."""
    case = toy_case(1)
    folder = tmp_path / "scans" / "P1"
    for modality in (Modality.T1, Modality.FLAIR):
        write_image(folder / f"P1_{modality}.nii.gz", case.images[modality])
    write_labels(folder / "P1_seg.nii.gz", case.labels.to(BRATS2017))
    (found,) = listed(tmp_path / "scans", scheme="brats2017")

    assert (found.case_id, found.kind, found.contrasts, found.labelled) == ("P1", "real", ("T1", "FLAIR"), True)


@pytest.mark.parametrize(
    ("name", "description", "kind", "title"),
    [
        ("case_t1.nii.gz", "", "file", "T1"),
        ("case_t1_n4.nii", "", "file", "T1"),
        ("dwi.nii.gz", "PHANTOM glioforge seed 1", "phantom", "dwi"),
        ("x_flair.nii.gz", "SYNTHETIC glioforge", "synthetic", "FLAIR"),
    ],
)
def test_an_image_file_is_a_case_of_its_own(tmp_path, name, description, kind, title):
    """Its header says whether it was computed; nothing is claimed where it does not."""
    path = tmp_path / name
    write_image(path, toy_case(1).images[Modality.T1], description)
    (case,) = listed(path)
    shown = case.load()

    assert (case.kind, case.contrasts, case.labelled) == (kind, (title,), False)
    assert list(shown.images) == [title]
    assert np.allclose(shown.images[title], toy_case(1).images[Modality.T1].voxels)


def test_a_label_file_is_shown_by_its_values_or_a_scheme(tmp_path):
    """Without a scheme the values are their own names."""
    path = tmp_path / "case_seg.nii.gz"
    write_labels(path, toy_case(1).labels)
    (plain,), (named,) = listed(path), listed(path, "complete")
    names = [item["name"] for item in plain.load().to_json()["labels"]["items"]]

    assert plain.labelled
    assert names == ["label 1", "label 2", "label 3", "label 4", "label 5", "label 6"]
    assert named.load().labels.scheme == COMPLETE


def test_a_scheme_makes_any_file_a_label_map(tmp_path):
    """Whatever its name."""
    path = tmp_path / "result.nii.gz"
    write_labels(path, toy_case(1).labels)

    assert listed(path, "complete")[0].load().labels.scheme == COMPLETE


@pytest.mark.parametrize("name", ["nothing", "notes.txt", "empty"])
def test_what_cannot_be_shown_is_refused(tmp_path, name):
    """The message names what can."""
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputFileError, match="no cohort, no folder of scans and no image file|no case found|no layout"):
        listed(tmp_path / name)


def test_cases_are_selected_by_their_facts(store):
    """As every verb does with `--where`."""
    assert [case.case_id for case in listed(store, where=["tumour_ml>=12"])] == [
        case.case_id for case in listed(store) if case.tumour_ml
    ]
    with pytest.raises(CohortError, match="tumour_ml"):
        listed(store, where=["tumour_ml>99"])


def test_an_empty_cohort_is_an_empty_list():
    """Nothing to list."""
    assert of_cohort(cohort_of_cases([])) == ()


def case(case_id, *parents, cohort="a", subject=None):
    """A listed case that is never loaded."""
    return Listed(case_id, cohort, "real", lambda: None, subject_id=subject, parents=parents)


def test_a_child_finds_its_parents_in_the_other_cohort():
    """The parent whose labels it has comes first, as in its lineage."""
    made, scans = [case("p2-syn000", "p2", "p1")], [case("p1"), case("p2")]

    assert partners(made, scans) == [(Partner(2, "parent"), Partner(1, "parent"))]


def test_a_parent_finds_all_its_children():
    """Two synthetic cases of one scan."""
    scans, made = [case("p1"), case("p2")], [case("p1-syn000", "p1"), case("p1-syn001", "p1")]

    assert partners(scans, made) == [(Partner(2, "child"), Partner(3, "child")), ()]


def test_within_one_cohort_only_lineage_counts():
    """No case is its own partner, nor that of another visit of the subject."""
    cohort = [case("p1", subject="p"), case("p1-syn000", "p1", subject="p"), case("p2", subject="p")]

    assert partners(cohort) == [(Partner(1, "child"),), (Partner(0, "parent"),), ()]


def test_the_same_case_of_another_cohort_is_a_partner():
    """Raw and prepared; a subject counts where neither id nor lineage do."""
    assert partners([case("p1", subject="p")], [case("p1", subject="p"), case("x", subject="p")]) == [
        (Partner(1, "same"),)
    ]
    assert partners([case("v1", subject="p")], [case("v2", subject="p"), case("x", subject="q")]) == [
        (Partner(1, "same"),)
    ]


def test_two_single_cases_are_a_pair():
    """Two files have nothing else in common."""
    assert partners([case("one")], [case("two")]) == [(Partner(1, "same"),)]


def test_cohorts_that_have_nothing_in_common_are_refused():
    """The message names both."""
    with pytest.raises(
        CohortError, match="no case of b that belongs to one of a; expected a cohort made from the other"
    ):
        partners([case("p1"), case("p2")], [case("q1", cohort="b")])
