"""Every layout finds the same heads by its own names, and every trap of its names is told."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from fixtures_layouts import FOUR, LAYOUTS, guo, head, tumour
from glioforge.core.errors import GlioforgeError, InputFileError
from glioforge.core.schemes import scheme_named
from glioforge.core.volume import Modality
from glioforge.io.ingestion import ingest
from glioforge.io.layout import LAYOUTS as KINDS, detect, layout_for
from glioforge.io.layouts.bids import BidsSpec
from glioforge.io.layouts.decathlon import DecathlonSpec
from glioforge.io.layouts.flat import FlatSpec
from glioforge.io.layouts.nnunet import NnunetSpec
from glioforge.io.layouts.upenn_gbm import UpennGbmSpec

every = pytest.mark.parametrize("name", LAYOUTS)


def make(folder: Path, name: str) -> list:
    """A data set in a layout, and its cases as found."""
    writer, heads, _, _ = LAYOUTS[name]
    writer(folder, heads)
    return detect(folder).find(folder)


@every
def test_layout_is_detected_and_voxels_arrive_under_their_names(tmp_path, name):
    """The data set is told by itself; contrasts, labels, scheme and grid are those that were written."""
    writer, heads, kind, scheme = LAYOUTS[name]
    writer(tmp_path, heads)
    cohort = ingest(tmp_path)
    assert type(detect(tmp_path)) is KINDS.part_class(kind)
    assert cohort.scheme.name == scheme
    assert len(cohort) == 2
    for ref, seed in zip(cohort, heads.values(), strict=True):
        case = ref.load()
        images, labels = head(seed)
        assert case.modalities == FOUR
        for modality in FOUR:
            np.testing.assert_array_equal(case.images[modality].voxels, images[modality].voxels)
            assert case.images[modality].geometry.matches(images[modality].geometry)
        np.testing.assert_array_equal(case.require_labels().voxels, tumour(labels, scheme_named(scheme)).voxels)


@pytest.mark.parametrize(
    ("name", "subjects", "sessions"),
    [
        ("brats2023", ("BraTS-GLI-00005",), ["000", "100"]),
        ("brats2013", ("HG_0001", "LG_0001"), [None, None]),
        ("brats2015", ("brats_tcia_pat123",), ["0456", "0478"]),
        ("decathlon", ("BRATS_001", "BRATS_002"), [None, None]),
        ("ucsf_pdgm", ("UCSF-PDGM-0004", "UCSF-PDGM-0429"), [None, "FU003d"]),
        ("upenn_gbm", ("UPENN-GBM-00001",), ["11", "21"]),
        ("bids", ("sub-01",), ["M00", "M12"]),
    ],
)
def test_people_are_told_from_visits(tmp_path, name, subjects, sessions):
    """Two visits of a person are one subject with two sessions."""
    make(tmp_path, name)
    cohort = ingest(tmp_path)
    assert cohort.subject_ids == subjects
    assert [ref.session for ref in cohort] == sessions


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("brats2013", [{"grade": "HGG"}, {"grade": "LGG"}]),
        ("ucsf_pdgm", [{"site": "UCSF", "grade": "4"}, {"site": "UCSF"}]),
        ("upenn_gbm", [{"site": "UPENN", "labels": "automatic"}, {"site": "UPENN", "labels": "corrected"}]),
    ],
)
def test_grade_site_and_makers_of_labels_are_kept(tmp_path, name, facts):
    """What folders, names and tables tell stands among the facts."""
    assert [dict(case.facts) for case in make(tmp_path, name)] == facts


@every
def test_missing_contrast_is_told(tmp_path, name):
    """Without one contrast of one case the case and the contrast are named."""
    case = make(tmp_path, name)[0]
    if name == "decathlon":
        image = nib.load(case.images[Modality.T1])
        nib.Nifti1Image(image.get_fdata()[..., :3], image.affine).to_filename(case.images[Modality.T1])
    else:
        case.images[Modality.T2].unlink()
    with pytest.raises(InputFileError, match="no t2 file|3 images in the file"):
        ingest(tmp_path)


DOUBLED = {
    "brats": "{folder}/x_t2.nii.gz",
    "brats2023": "{folder}/x-t2w.nii.gz",
    "metastases": "{folder}/x-t2w.nii.gz",
    "post_treatment": "{folder}/x-t2w.nii.gz",
    "paediatric": "{folder}/x-t2w.nii.gz",
    "brats2013": "{folder}/VSD.Brain.XX.O.MR_T2.77.mha",
    "brats2015": "{folder}/VSD.Brain.XX.O.MR_T2.77.mha",
    "ucsf_pdgm": "{folder}/copy/{name}",
    "upenn_gbm": "{folder}/copy/{name}",
    "bids": "{folder}/sub-01_ses-M00_run-2_T2w.nii.gz",
    "nnunet": "{folder}/copy/{name}",
}


@pytest.mark.parametrize("name", DOUBLED)
def test_doubled_contrast_is_told(tmp_path, name):
    """A second file of a contrast is named with its path below the folder."""
    case = make(tmp_path, name)[0]
    path = case.images[Modality.T2]
    copy = Path(DOUBLED[name].format(folder=path.parent, name=path.name))
    copy.parent.mkdir(exist_ok=True)
    shutil.copy(path, copy)
    with pytest.raises(InputFileError, match="a second t2 file") as caught:
        ingest(tmp_path)
    assert any(str(file.relative_to(tmp_path)) in str(caught.value) for file in (path, copy))


@every
def test_unknown_label_is_told_with_case_and_voxels(tmp_path, name):
    """A label value that no scheme names stops the data set, with the case and the value."""
    case = make(tmp_path, name)[0]
    if case.labels.suffix == ".mha":
        data = case.labels.read_bytes().replace(b"MET_UCHAR", b"MET_CHAR")
        case.labels.write_bytes(data.replace(b"CompressedData = True", b"CompressedData = False"))
        match = "bytes of voxels"
    else:
        image = nib.load(case.labels)
        voxels = np.asarray(image.dataobj).copy()
        voxels[0, 0, :3] = 9
        nib.Nifti1Image(voxels, image.affine).to_filename(case.labels)
        match = r"9( \(3 voxels\)|\], which do not tell|.*do not tell)"
    with pytest.raises(GlioforgeError, match=match) as caught:
        ingest(tmp_path)
    assert case.case_id in str(caught.value)


@every
def test_extra_files_are_passed_over(tmp_path, name):
    """Notes, hidden files and images of other kinds change nothing."""
    case, _ = make(tmp_path, name)
    folder = case.images[Modality.T1].parent
    before = ingest(tmp_path)
    (folder / "notes.txt").write_text("x")
    (folder / "._hidden.nii.gz").write_text("x")
    if name not in {"decathlon", "nnunet"}:
        shutil.copy(case.images[Modality.T1], folder / "something_ADC.nii.gz")
    assert ingest(tmp_path) == before


@every
def test_links_out_of_the_data_set_are_refused(tmp_path, name):
    """A contrast that is a link to somewhere else is told."""
    case = make(tmp_path / "data", name)[0]
    path = case.images[Modality.T1]
    path.rename(tmp_path / "elsewhere.bin")
    path.symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(InputFileError, match="a link that leads out of"):
        ingest(tmp_path / "data")


def test_five_classes_with_aptw(tmp_path):
    """Guo's five classes and APTw images come by the flat layout and their scheme."""
    guo(tmp_path, {"p1": 1, "p2": 2})
    cohort = ingest(tmp_path, FlatSpec(scheme="guo2020"))
    assert cohort.modalities == tuple(Modality)
    assert cohort.scheme.name == "guo2020"
    labels = cohort["p1"].load().require_labels()
    assert cohort["p1"].facts["tumour_ml"] == pytest.approx(labels.volume_ml("WT"))
    assert labels.region("RC").any()


def test_paediatric_labels_without_oedema_are_asked(tmp_path):
    """Labels 1 to 3 under paediatric names were numbered otherwise in 2023, so nobody guesses."""
    case, other = make(tmp_path, "paediatric")
    for path in (case.labels, other.labels):
        image = nib.load(path)
        voxels = np.asarray(image.dataobj)
        nib.Nifti1Image(np.where(voxels == 4, 0, voxels).astype(np.uint8), image.affine).to_filename(path)
    with pytest.raises(GlioforgeError, match="do not tell the label scheme"):
        ingest(tmp_path)


def test_only_labelled_cases_where_asked(tmp_path):
    """Cases without labels are told with the way to leave them out, and left out where that is asked."""
    case, _ = make(tmp_path, "upenn_gbm")
    case.labels.unlink()
    with pytest.raises(InputFileError, match="only_labelled: true"):
        ingest(tmp_path)
    assert len(ingest(tmp_path, UpennGbmSpec(only_labelled=True))) == 1


def test_labels_of_upenn_can_be_of_one_kind(tmp_path):
    """Corrected labels come first; each kind can be asked for alone."""
    case, other = make(tmp_path, "upenn_gbm")
    place = tmp_path / "automated_segm" / f"{other.case_id}_automated_approx_segm.nii.gz"
    shutil.copy(other.labels, place)

    def labelled(labels: str) -> list:
        return [found.labels for found in layout_for(UpennGbmSpec(labels=labels)).find(tmp_path)]

    assert labelled("best") == [case.labels, other.labels]
    assert labelled("corrected") == [None, other.labels]
    assert labelled("automatic") == [case.labels, place]


def test_sessions_of_bids_can_be_narrowed(tmp_path):
    """Runs, other derivatives, brain masks and tissue of healthy heads are told apart."""
    make(tmp_path, "bids")
    anat = tmp_path / "sub-01" / "ses-M00" / "anat"
    for run in (1, 2):
        (anat / f"sub-01_ses-M00_run-{run}_T1w.nii.gz").touch()
    (anat / "sub-01_ses-M00_T1w.nii.gz").unlink()
    derived = tmp_path / "derivatives" / "fast" / "sub-02" / "anat"
    derived.mkdir(parents=True)
    for end in ("desc-brain_mask", "dseg", "label-GM_probseg", "desc-skull_mask"):
        (derived / f"sub-02_{end}.nii.gz").touch()
    (tmp_path / "sub-02" / "anat").mkdir(parents=True)
    (tmp_path / "sub-02" / "anat" / "sub-02_T1w.nii.gz").touch()
    (tmp_path / "derivatives" / "group_T1w.nii.gz").touch()
    first, second, healthy = layout_for(BidsSpec(entities={"run": "2"})).find(tmp_path)
    assert first.images[Modality.T1].name == "sub-01_ses-M00_run-2_T1w.nii.gz"
    assert (first.problems, first.hint.schemes, second.session) == ((), (), "M12")
    assert (healthy.hint.schemes, healthy.brain is not None, healthy.labels is not None) == (
        ("bids_tissue",),
        True,
        True,
    )
    assert layout_for(BidsSpec()).find(tmp_path)[0].problems
    assert layout_for(BidsSpec(derivative="experts")).find(tmp_path)[2].labels is None


def test_nothing_is_found_without_the_table(tmp_path):
    """Decathlon and nnU-Net need their `dataset.json`; another file of that name is no table."""
    make(tmp_path, "nnunet")
    (tmp_path / "imagesTr" / "BRATS_001_0009.nii.gz").touch()
    (tmp_path / "labelsTr" / "other.nii.gz").touch()
    assert [len(case.images) for case in layout_for(NnunetSpec()).find(tmp_path)] == [4, 4]
    (tmp_path / "dataset.json").write_text("[]")
    for spec in (NnunetSpec(), DecathlonSpec()):
        assert layout_for(spec).find(tmp_path) == []


def test_test_images_have_no_labels(tmp_path):
    """The test part of a Decathlon task is a data set without labels."""
    make(tmp_path, "decathlon")
    (tmp_path / "imagesTr").rename(tmp_path / "imagesTs")
    cohort = ingest(tmp_path, DecathlonSpec(part="Ts"))
    assert [ref.labels for ref in cohort] == [None, None]
