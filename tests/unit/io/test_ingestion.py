"""A sound folder becomes a cohort; every problem of an unsound one is told at once."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from glioforge.compute.parallel import ParallelSpec
from glioforge.core.cohort import LabelSource
from glioforge.core.errors import InputFileError, LabelError, SpecError
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Silent
from glioforge.core.volume import Modality
from glioforge.io.ingestion import ingest
from glioforge.io.layouts.brats import BratsSpec
from glioforge.io.layouts.flat import FlatSpec
from glioforge.io.sidecar import Sidecar, write_sidecar

FOUR = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)


class Heard(Silent):
    """Progress that remembers its lines."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        """Remember."""
        self.lines.append(text)


def problems(folder, **settings) -> str:
    """The message of a folder that must be refused."""
    with pytest.raises(InputFileError) as caught:
        ingest(folder, **settings)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_sound_folder_becomes_a_cohort(tmp_path, brats_case):
    """Cases, subjects, sessions, facts, scheme and lineage come out; nothing is written."""
    brats_case("Brats18_CBICA_AAB_1", folder="HGG")
    brats_case("Brats18_CBICA_AAB_2", (2, 4), folder="HGG")
    before = sorted(tmp_path.rglob("*"))
    cohort = ingest(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    assert cohort.name == tmp_path.name
    assert cohort.scheme.name == "brats2017"
    assert cohort.modalities == FOUR
    assert cohort.subject_ids == ("Brats18_CBICA_AAB",)
    first, second = cohort
    assert (first.session, second.session) == ("1", "2")
    assert first.facts == {"grade": "HGG", "site": "CBICA", "tumour_ml": pytest.approx(3 * 2.5 / 1000)}
    assert first.lineage == Lineage.real(tmp_path.name, "Brats18_CBICA_AAB")
    assert first.digest != second.digest
    case = first.load()
    assert case.modalities == FOUR
    assert case.require_labels().lesion.sum() == 3


def test_workers_change_nothing(tmp_path, brats_case):
    """Two processes give the cohort that one gives."""
    for n in range(3):
        brats_case(f"BraTS20_Training_00{n}")
    assert ingest(tmp_path, parallel=ParallelSpec(workers=2)) == ingest(tmp_path)


def test_every_problem_is_told_at_once(tmp_path, brats_case, save, image):
    """Each damaged, missing, misplaced or constant file is named, in one error."""
    for n in range(8):
        brats_case(f"BraTS20_Training_00{n}")
    place = {n: tmp_path / f"BraTS20_Training_00{n}" for n in range(8)}

    def name(n: int, token: str) -> str:
        return f"BraTS20_Training_00{n}/BraTS20_Training_00{n}_{token}.nii.gz"

    (tmp_path / name(0, "t1")).write_bytes((tmp_path / name(0, "t1")).read_bytes()[:-5])
    (tmp_path / name(1, "t2")).unlink()
    (tmp_path / name(2, "seg")).unlink()
    save(name(3, "flair"), image[:6])
    save(name(4, "t1"), np.full((7, 6, 5), 9, np.int16))
    save(name(5, "seg"), np.ones((7, 6, 5), np.uint8))
    shutil.copy(tmp_path / name(6, "t1"), place[6] / "BraTS20_Training_006_t1.nii.bak.nii.gz")
    (place[6] / "x_t1.nii").mkdir()
    save(name(7, "brainmask"), np.zeros((7, 6, 5), np.uint8))
    text = problems(tmp_path)
    assert text.startswith(f"{tmp_path}: 8 problems in 8 of 8 cases")
    for part in (
        "000_t1.nii.gz: the gzip stream has no complete end mark",
        "BraTS20_Training_001: no t2 file; expected one in every case",
        "BraTS20_Training_002: no labels file",
        "003_flair.nii.gz: flair image lies on grid 6 x 6 x 5",
        "004_t1.nii.gz: an image in which every voxel is 9",
        "005_seg.nii.gz: a label map without background",
        "x_t1.nii: a second t1 file",
        "007_brainmask.nii.gz: an empty brain mask",
    ):
        assert part in text


def test_long_lists_are_cut(tmp_path, brats_case):
    """The first twenty problems are shown and the others counted."""
    for n in range(23):
        folder = brats_case(f"BraTS20_Training_{n:03d}", seed=n)
        next(folder.glob("*_t1.nii.gz")).write_bytes(b"x")
    text = problems(tmp_path)
    assert "23 problems in 23 of 23 cases" in text
    assert text.count("\n") == 21
    assert text.endswith("and 3 more")


def test_required_contrasts_can_be_stated(tmp_path, brats_case):
    """A contrast that some cases lack is no problem where others are asked for; one that none has is."""
    folder = brats_case("BraTS20_Training_000")
    brats_case("BraTS20_Training_001")
    next(folder.glob("*_t2.nii.gz")).unlink()
    assert ingest(tmp_path, require=[Modality.T1]).modalities == (Modality.T1, Modality.T1CE, Modality.FLAIR)
    assert "no aptw file" in problems(tmp_path, require=[Modality.APTW])


@pytest.mark.parametrize(("shift", "sound"), [(1e-4, True), (1e-2, False)])
def test_grids_may_differ_by_rounding_only(tmp_path, brats_case, shift, sound):
    """Affines that differ by 1e-4 are the same; by 1e-2 they are not."""
    path = next(brats_case("BraTS20_Training_000").glob("*_t2.nii.gz"))
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += shift
    moved = nib.Nifti1Image(np.asarray(image.dataobj), affine)
    moved.set_qform(affine, 1)
    moved.to_filename(path)
    if sound:
        assert len(ingest(tmp_path)) == 1
    else:
        assert "t2 image lies on grid" in problems(tmp_path)


def test_same_image_under_two_names_is_refused(tmp_path, brats_case, save):
    """A scan that is there twice is found although compression and type differ."""
    first, _ = brats_case("BraTS20_Training_000"), brats_case("BraTS20_Training_001")
    image = nib.load(next(first.glob("*_flair.nii.gz")))
    save("BraTS20_Training_001/BraTS20_Training_001_flair.nii.gz", image.get_fdata().astype(np.float32))
    text = problems(tmp_path)
    assert "BraTS20_Training_001_flair.nii.gz: the same image as BraTS20_Training_000 flair" in text


def test_one_file_as_two_contrasts_is_refused(tmp_path, brats_case):
    """A T1 image that was also saved as T1ce is found."""
    folder = brats_case("BraTS20_Training_000")
    shutil.copy(next(folder.glob("*_t1.nii.gz")), next(folder.glob("*_t1ce.nii.gz")))
    assert (
        "the same image as BraTS20_Training_000 t1 (BraTS20_Training_000/BraTS20_Training_000_t1.nii.gz)"
        in problems(tmp_path)
    )


def test_links_must_stay_inside(tmp_path, brats_case):
    """A link within the folder is followed, one that leads out is refused."""
    folder = tmp_path / "data"
    path = next(brats_case("BraTS20_Training_000", folder="data").glob("*_t1.nii.gz"))
    path.rename(folder / "stored.bin")
    path.symlink_to("../stored.bin")
    assert len(ingest(folder)) == 1
    (folder / "stored.bin").rename(tmp_path / "stored.bin")
    path.unlink()
    path.symlink_to("../../stored.bin")
    assert "a link that leads out of" in problems(folder)


@pytest.mark.parametrize("name", ["-x", ".x", " x", "a\nb", "x" * 121])
def test_ids_must_be_usable_as_names(tmp_path, save, image, name):
    """Ids that would be options, hidden or unprintable are refused."""
    save(f"f/{name}_t1.nii.gz", image)
    layout = FlatSpec(pattern="f/{case}_{contrast}")
    if name.startswith("."):
        save("f/u_t1.nii.gz", image)
        assert ingest(tmp_path, layout).cases[0].case_id == "u"
    else:
        assert "case id" in problems(tmp_path, layout=layout)


def test_ids_must_differ_by_more_than_case(tmp_path, brats_case):
    """Two ids that are one on some disks are refused; accents and spaces are welcome."""
    brats_case("größe 1")
    assert ingest(tmp_path).cases[0].case_id == "größe 1"
    brats_case("GRÖSSE 1")
    assert "a case id like that of" in problems(tmp_path)


def test_scheme_is_asked_where_open_and_taken_where_stated(tmp_path, brats_case):
    """Labels 0-3 without telling names are asked for; a stated scheme counts, and must fit."""
    brats_case("P1", (1, 2, 3))
    with pytest.raises(
        LabelError, match=r"label values 1 \(1 voxels\), 2 .*say which: --scheme brats2013, or scheme: "
    ):
        ingest(tmp_path)
    cohort = ingest(tmp_path, BratsSpec(scheme="brats2023"))
    assert (cohort.scheme.name, cohort.source) == ("brats2023", LabelSource("brats2023", "stated"))
    assert ingest(tmp_path, scheme="oedema=1,necrosis=2,enhancing=3")["P1"].load().labels.region("TC").sum() == 2
    text = problems(tmp_path, layout=BratsSpec(scheme="brats2017"))
    assert "P1_seg.nii.gz: label values 3 (1 voxels)" in text
    with pytest.raises(SpecError, match=r"label scheme 'brats2023', and 'brats2017' in the layout"):
        ingest(tmp_path, BratsSpec(scheme="brats2017"), scheme="brats2023")


def test_a_value_that_contradicts_the_names_is_refused_with_its_file(tmp_path, brats_case):
    """A 3 in one file of BraTS 2020 does not turn the cohort into BRATS 2013."""
    brats_case("BraTS20_Training_000")
    brats_case("BraTS20_Training_001", (1, 2, 3, 4))
    assert "BraTS20_Training_001_seg.nii.gz: label values 3 (1 voxels); expected values of" in problems(tmp_path)


def test_cases_of_different_years_are_refused_together(tmp_path, brats_case):
    """Both cases are named."""
    brats_case("BraTS20_Training_000")
    brats_case("BraTS-GLI-00005-000", (1, 2, 3))
    with pytest.raises(LabelError, match=r"BraTS-GLI-00005-000 \(.* and BraTS20_Training_000 \("):
        ingest(tmp_path)


def test_synthetic_cases_join_the_scans_that_they_come_from(tmp_path, brats_case):
    """A sidecar's scheme and the names of the year agree."""
    brats_case("BraTS20_Training_000")
    made = brats_case("BraTS20_Training_000-syn000")
    lineage = Lineage.synthetic("spade", {"a": Lineage.real("x", "a")}, seed=1, generator_subjects=[])
    write_sidecar(made / f"{made.name}.json", Sidecar(lineage, "made", None, "brats2017"))
    assert ingest(tmp_path).source.scheme == "brats2017"


def test_labels_rounded_by_a_scale_factor_are_noted(tmp_path, brats_case, save):
    """They are read as the integers that were meant, and said."""
    case = brats_case("BraTS20_Training_000", ())
    voxels = np.zeros((7, 6, 5), np.uint8)
    voxels[2, 2, :3] = 64, 127, 255
    save(f"{case.name}/{case.name}_seg.nii.gz", voxels, scl_slope=4 / 255)
    heard = Heard()
    cohort = ingest(tmp_path, progress=heard)
    assert set(np.unique(cohort.cases[0].load().labels.voxels)) == {0, 1, 2, 4}
    assert any("BraTS20_Training_000: labels stored with scale factor 0.0157" in line for line in heard.lines)


def test_unlabelled_cohort_is_a_cohort(tmp_path, brats_case):
    """Cases without labels, all of them, have no tumour volume."""
    brats_case("BraTS20_Training_000", ())
    (ref,) = ingest(tmp_path)
    assert ref.labels is None
    assert "tumour_ml" not in ref.facts
    assert ref.load().labels is None
    assert ingest(tmp_path).source.scheme == "brats2017"
    for path in sorted((tmp_path / "BraTS20_Training_000").rename(tmp_path / "P1").iterdir()):
        path.rename(path.with_name(path.name.removeprefix("BraTS20_Training_000_")))
    assert ingest(tmp_path).source is None


def test_phantoms_and_synthetic_cases_keep_their_lineage(tmp_path, brats_case):
    """Sidecars give lineage, subject, session, scheme and facts back."""
    phantom, synthetic = brats_case("p1", (1, 2, 3)), brats_case("s1", (1, 2, 3))
    (phantom / "p1.json").write_text(json.dumps({"kind": "phantom", "seed": 3, "scheme": "complete"}), encoding="utf-8")
    lineage = Lineage.synthetic("spade", {"a": Lineage.real("x", "subject-a")}, seed=1, generator_subjects=["b"])
    write_sidecar(synthetic / "s1.json", Sidecar(lineage, "made-1", "9", "complete", {"grade": "LGG"}))
    cohort = ingest(tmp_path)
    assert cohort.scheme.name == "complete"
    assert cohort["p1"].lineage == Lineage.phantom("p1", 3)
    assert cohort["s1"].lineage == lineage
    assert (cohort["s1"].subject_id, cohort["s1"].session, cohort["s1"].facts["grade"]) == ("made-1", "9", "LGG")
    assert cohort.subjects_behind == {"p1", "made-1", "subject-a", "b"}


def test_marked_images_need_their_lineage(tmp_path, save, image):
    """An image marked PHANTOM is a phantom; one marked SYNTHETIC is refused without its sidecar."""
    save("p1/p1_t1.nii.gz", image, descrip=b"PHANTOM glioforge seed 1")
    (ref,) = ingest(tmp_path)
    assert ref.lineage == Lineage("phantom", "glioforge phantom", ("p1",))
    save("p1/p1_t1.nii.gz", image, descrip=b"SYNTHETIC 12ab")
    assert "p1.json: an image marked SYNTHETIC without its sidecar" in problems(tmp_path)


def test_folder_must_hold_cases(tmp_path):
    """A missing folder, an empty one and a layout that fits nothing are refused."""
    with pytest.raises(InputFileError, match="no folder; expected a folder of scans"):
        ingest(tmp_path / "nowhere")
    with pytest.raises(InputFileError, match="no case found"):
        ingest(tmp_path)
    with pytest.raises(InputFileError, match="no case found; expected cases in layout 'brats'"):
        ingest(tmp_path, BratsSpec())
