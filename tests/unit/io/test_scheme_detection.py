"""A label scheme is taken where names and values leave one, and asked otherwise."""

from pathlib import Path

import pytest

from glioforge.core.cohort import LabelSource
from glioforge.core.errors import LabelError
from glioforge.io.scan_names import NEW_NAMES, OLD_NAMES, Hint, hint_of_names
from glioforge.io.scheme_detection import detect_scheme, require_known_values
from glioforge.io.scheme_evidence import Evidence

TISSUE = Hint(("bids_tissue",), "a dseg file", firm=False)


def hint(text: str | None) -> Hint | None:
    """A hint by its short name, or what a case's name says."""
    known = {"old": OLD_NAMES, "new": NEW_NAMES, "dseg": TISSUE, "decathlon": Hint(("decathlon",), "dataset.json")}
    return known.get(text) or hint_of_names(text, (), Path("scans")) if text else None


def evidence(*cases: tuple[tuple[int, ...], str | None], voxel_ml: float = 0.001) -> list[Evidence]:
    """Cases with a hundred voxels of each value, and what names say."""
    return [
        Evidence(f"c{n}", Path(f"c{n}_seg.nii.gz"), dict.fromkeys((0, *values), 100), voxel_ml, hint(text))
        for n, (values, text) in enumerate(cases)
    ]


@pytest.mark.parametrize(
    ("cases", "scheme"),
    [
        ([((1, 2, 4), "BraTS20_Training_001"), ((2,), "BraTS20_Training_002")], "brats2017"),
        ([((1, 2), "Brats18_2013_3_1")], "brats2017"),
        ([((1, 2, 3), "brats_2013_pat0001_1")], "brats2013"),
        ([((1, 2, 4), "brats_tcia_pat123_0456")], "brats2013"),
        ([((1, 2, 3), "BraTS-GLI-00005-000"), ((2,), "BraTS-MET-00005-000")], "brats2023"),
        ([((1, 2, 3), "BraTS-SSA-00002-000"), ((1, 2, 3), "BraTS-MEN-00002-000")], "brats2023"),
        ([((1, 2, 3), "BraTS-GLI-00005-000"), ((1, 2, 3, 4), "BraTS-GLI-02405-100")], "brats2024"),
        ([((1, 2, 4), "BraTS-GLI-02405-100")], "brats2024"),
        ([((1, 2, 3, 4), "BraTS-MET-00005-000")], "brats2024"),
        ([((1, 2, 4), "BraTS-PED-00001-000"), ((3,), "BraTS-PED-00002-000")], "brats2024_ped"),
        ([((1,), "BraTS-MEN-RT-0001-1")], "lesion"),
        ([((1, 2, 4), "old"), ((1,), "old")], "brats2017"),
        ([((1, 2), "old")], "brats2017"),
        ([((1, 2, 3), "new"), ((), "new")], "brats2023"),
        ([((1, 2, 4), None), ((2,), None)], "brats2017"),
        ([((1, 2), "decathlon")], "decathlon"),
        ([((1, 2, 4), "BraTS20_Training_001"), ((1, 2), "old")], "brats2017"),
        ([((), None), ((), "old")], "brats2017"),
        ([((), "BraTS-GLI-00005-000")], "brats2023"),
        ([], "brats2017"),
    ],
)
def test_names_and_values_that_leave_one_scheme_decide(cases, scheme):
    """Challenge folders need no option: names say the year, or lean to it and values agree."""
    source = detect_scheme(evidence(*cases))
    assert source.scheme == scheme
    assert source.reason


@pytest.mark.parametrize(
    "cases",
    [
        [((1, 2, 3, 4), None)],
        [((1, 2, 3, 4), "old")],
        [((1, 2, 3, 4), "new")],
        [((1, 2, 3), None)],
        [((1, 2, 3), "old")],
        [((1, 2, 4), "new")],
        [((1, 2), None)],
        [((1, 2), "new")],
        [((1,), None)],
        [((1,), "old")],
        [((1,), "BraTS20_Training_001"), ((1,), "BraTS20_Training_002")],
        [((3, 4), None)],
        [((3,), "old"), ((4,), "old")],
        [((1, 2, 4), "BraTS-GLI-00005-000")],
        [((1, 2, 3), "BraTS-PED-00001-000")],
        [((1, 2, 3), "dseg")],
    ],
)
def test_what_names_and_values_leave_open_is_asked(cases):
    """Every scheme that fits is listed with the voxels of its classes, and how to say which."""
    with pytest.raises(LabelError, match=r"do not tell the label scheme.*say which: --scheme \w+, .*\n  ") as caught:
        detect_scheme(evidence(*cases))
    values = {value for held, _ in cases for value in held}
    for value in values:
        assert f"{value} ({100 * sum(value in held for held, _ in cases)} voxels)" in caught.value.found
    if 3 in values and 4 not in values:
        assert "brats2023: " in caught.value.remedy


@pytest.mark.parametrize("values", [(5,), (-1,), (1, 255), (2, 41, 1001)])
def test_values_that_no_scheme_has_are_asked_with_all_schemes(values):
    """The message says that nothing fits, and how to write a numbering of one's own."""
    with pytest.raises(LabelError, match=r"(?s)which no label scheme has.*remap.*oedema=1,necrotic_core=2.*brats2023"):
        detect_scheme(evidence((values, None)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (((1, 2, 3, 4), "brats_2013_pat0001_1"), ((1, 2, 3), "BraTS-GLI-00005-000")),
        (((1, 2, 4), "BraTS2021_00000"), ((1, 2, 3, 4), "BraTS-GLI-02405-101")),
        (((1, 2, 4), "BraTS2021_00000"), ((1, 2, 3), None)),
        (((1, 2, 4), "BraTS2021_00000"), ((1, 2), None)),
        (((1, 2, 4), "old"), ((1, 2, 3), "dseg")),
    ],
)
def test_cases_that_contradict_each_other_are_named(first, second):
    """Both cases are in the message, with what their names say and their voxels."""
    with pytest.raises(LabelError, match=r"contradict each other: c\d \(.*voxels\)\) and c\d \(.*folder of their own"):
        detect_scheme(evidence(first, second))


def test_one_file_that_differs_from_all_others_is_named():
    """A single 3 among twenty-one files turns no cohort into another scheme; the file and its voxels are named."""
    cases = [((1, 2, 4), "old")] * 20 + [((1, 2, 3, 4), "old")]
    with pytest.raises(LabelError, match=r"value 3 is in 1 of 21 label files: c20_seg.nii.gz \(.*3 \(100 voxels\)"):
        detect_scheme(evidence(*cases))


def test_a_dseg_file_is_tissue_only_where_it_is_as_large_as_a_brain():
    """The same values in a few millilitres are asked; values 1, 2 and 4 are a tumour's."""
    assert detect_scheme(evidence(((1, 2, 3), "dseg"), voxel_ml=2.0)).scheme == "bids_tissue"
    assert detect_scheme(evidence(((1, 2, 4), "dseg"))).scheme == "brats2017"
    with pytest.raises(LabelError, match="bids_tissue"):
        detect_scheme(evidence(((1, 2, 3), None), ((1, 2), None), voxel_ml=2.0))


def test_a_stated_scheme_counts_before_all_names():
    """It may be a public one or a text of one's own."""
    cases = evidence(((1, 2, 4), "BraTS2021_00000"))
    assert detect_scheme(cases, "brats2017") == LabelSource("brats2017", "stated")
    told = "stated; c0 says brats2017: named as in BraTS 2016-2021"
    assert detect_scheme(cases, "brats2024_ped") == LabelSource("brats2024_ped", told)
    assert detect_scheme(cases, "enhancing=4, oedema=2,necrosis=1").scheme == "necrosis=1,oedema=2,enhancing=4"
    with pytest.raises(LabelError, match=r"'nobody'; expected one of .*oedema=1"):
        detect_scheme(cases, "nobody")


def test_folders_of_a_year_speak_for_their_cases():
    """From the inside out, and never beyond the folder that is read."""
    path = Path("brats2013/MICCAI_BraTS2020_TrainingData/P1/P1_t1.nii.gz")
    assert hint_of_names("P1", [path], Path("brats2013")).schemes == ("brats2017",)
    assert hint_of_names("P1", [Path("/BraTS2023/a/P1/x.nii.gz")], Path("/BraTS2023/a")) is None
    assert hint_of_names("BRATS_001", [Path("a/BRATS_001.nii.gz")], Path("a")) is None


def test_strange_values_do_not_decide():
    """A value that no scheme has leaves the decision to the others, and is named where these are asked about."""
    for names in ("old", "BraTS-GLI-00005-000"):
        cases = evidence(((1, 2, 3 + (names == "old")), names), ((2, 9), names))
        assert [case_id for case_id, _ in require_known_values(cases, detect_scheme(cases))] == ["c1"]
    with pytest.raises(LabelError, match=r"value 255 is in 1 of 2 label files: c1_seg.nii.gz"):
        detect_scheme(evidence(((1,), None), ((1, 255), None)))


def test_unknown_values_are_listed_by_case():
    """Every case with a strange value is named with its voxels and file; sound ones are not."""
    cases = evidence(((3, 7), None), ((4,), None), ((-1,), None))
    (first, error), (second, _) = require_known_values(cases, LabelSource("brats2017", "named so"))
    assert (first, second) == ("c0", "c2")
    assert str(error).startswith(
        "c0_seg.nii.gz: label values 3 (100 voxels), 7 (100 voxels); expected values of scheme"
    )
    assert "named so" in error.expected
    assert require_known_values([], LabelSource("brats2017", "")) == []
