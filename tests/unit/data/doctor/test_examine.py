"""The doctor finds every planted flaw under its name, and nothing in sound data sets."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from fixtures_layouts import FOUR, LAYOUTS, guo
from glioforge.compute.parallel import ParallelSpec
from glioforge.core.errors import InputFileError
from glioforge.core.volume import Modality
from glioforge.data.doctor.examine import Diagnosis, examine
from glioforge.io.layout import detect
from glioforge.io.layouts.flat import FlatSpec


@pytest.fixture
def scans(tmp_path) -> Path:
    """Three sound BraTS cases."""
    writer, _, _, _ = LAYOUTS["brats"]
    writer(tmp_path / "scans", {f"BraTS20_Training_{n:03d}": n for n in (1, 2, 3)})
    return tmp_path / "scans"


def file(scans: Path, number: int, token: str) -> Path:
    """One file of a case."""
    name = f"BraTS20_Training_{number:03d}"
    return scans / name / f"{name}_{token}.nii.gz"


def change(path: Path, alter, affine=None, dtype=None) -> None:
    """Alter the voxels of a file."""
    image = nib.load(path)
    voxels = alter(np.asarray(image.dataobj).copy())
    nib.Nifti1Image(voxels.astype(dtype or voxels.dtype), image.affine if affine is None else affine).to_filename(path)


def swap(first: Path, second: Path) -> None:
    """Exchange the names of two files."""
    kept = first.with_name("kept")
    first.rename(kept)
    second.rename(first)
    kept.rename(second)


def topics(diagnosis: Diagnosis, *severities: str) -> set[tuple[str, str]]:
    """Topic and case of each finding of these severities."""
    return {(f.topic, f.case_id[-3:]) for f in diagnosis.findings if f.severity in (severities or ("error", "warning"))}


@pytest.mark.parametrize("name", LAYOUTS)
def test_sound_data_sets_of_every_layout_have_no_errors(tmp_path, name):
    """No layout's sound heads give an error or a warning, and the scheme is told."""
    writer, heads, kind, scheme = LAYOUTS[name]
    writer(tmp_path, heads)
    diagnosis = examine(tmp_path)
    assert topics(diagnosis) == set()
    assert (diagnosis.layout, diagnosis.scheme, len(diagnosis.cases)) == (kind, scheme, 2)
    assert all(set(look.tiles) == set(FOUR) for look in diagnosis.cases)


def test_five_classes_with_a_stated_scheme(tmp_path):
    """A stated scheme is used for labels that nobody could tell."""
    guo(tmp_path, {"p1": 1, "p2": 2})
    assert topics(examine(tmp_path, FlatSpec(scheme="guo2020"))) == set()


def plant(scans: Path) -> dict[str, tuple[str, str]]:
    """Spoil the second case in one way each; returns what must be found, by name of the flaw."""
    return {
        "truncated": ("file cannot be used", "002"),
        "nan": ("file cannot be used", "002"),
        "constant": ("file cannot be used", "002"),
        "shifted": ("file cannot be used", "002"),
        "missing": ("file missing", "002"),
        "unknown label": ("unknown label", "002"),
        "one voxel": ("image nearly empty", "002"),
        "outside": ("labels outside the brain", "002"),
        "mirrored": ("left and right look swapped", "002"),
        "t1-t1ce": ("contrasts look swapped", "002"),
        "t2-flair": ("contrasts look swapped", "002"),
        "nearly alike": ("contrasts nearly the same", "002"),
        "skull": ("skull present", "002"),
        "tiny": ("brain of unlikely size", "002"),
        "copied": ("same image twice", "002"),
        "filtered copy": ("nearly the same scan", "002"),
    }


def spoil(scans: Path, flaw: str) -> None:  # noqa: C901, PLR0912 - a flaw a line
    """Spoil the second case."""
    rng = np.random.default_rng(0)
    t1, t1ce, t2, flair, seg = (file(scans, 2, token) for token in ("t1", "t1ce", "t2", "flair", "seg"))
    match flaw:
        case "truncated":
            t1.write_bytes(t1.read_bytes()[:-20])
        case "nan":
            change(t1, lambda v: np.where(v == v.max(), np.nan, v.astype(np.float32)))
        case "constant":
            change(t1, np.ones_like)
        case "shifted":
            change(t2, lambda v: v, affine=nib.load(t2).affine + 2 * np.eye(4, k=3))
        case "missing":
            t2.unlink()
        case "unknown label":
            change(seg, lambda v: np.where(v == 4, 7, v))
            for number in (1, 3):
                change(file(scans, number, "seg"), lambda v: v)
        case "one voxel":
            change(t1, lambda v: np.pad(np.full((1, 1, 1), 5, np.int16), [(0, n - 1) for n in v.shape]))
        case "outside":
            change(seg, lambda v: np.roll(v, 6, axis=0))
        case "mirrored":
            change(seg, lambda v: v[::-1])
        case "t1-t1ce":
            swap(t1, t1ce)
        case "t2-flair":
            swap(t2, flair)
        case "nearly alike":
            change(t1, lambda v: np.asarray(nib.load(t2).dataobj) + rng.integers(0, 3, v.shape), dtype=np.int16)
        case "skull":
            for path in (t1, t1ce, t2, flair):
                change(path, lambda v: v + rng.integers(0, 30, v.shape), dtype=np.int16)
        case "tiny":
            for path in (t1, t1ce, t2, flair, seg):
                change(path, lambda v: v, affine=np.diag([3.0, 3, 3, 1]))
        case "copied":
            shutil.copy(file(scans, 1, "t2"), t2)
        case "filtered copy":
            for part in ("t1", "t1ce", "t2", "flair", "seg"):
                voxels = np.asarray(nib.load(file(scans, 1, part)).dataobj)
                noisy = voxels if part == "seg" else voxels * 1.4 + rng.normal(0, 2, voxels.shape)
                change(file(scans, 2, part), lambda v, n=noisy, o=voxels: np.where(o > 0, n, 0)[::-1])


@pytest.mark.parametrize("flaw", plant(Path()))
def test_each_flaw_is_found_under_its_name(scans, flaw):
    """A planted flaw is found in the case that has it, with a remedy, and the others stay sound."""
    spoil(scans, flaw)
    diagnosis = examine(scans)
    found = topics(diagnosis)
    assert plant(scans)[flaw] in found or (flaw == "unknown label" and ("label scheme", "") in found)
    assert {case for _, case in found} <= {"002", "", "003"}
    assert all(finding.remedy for finding in diagnosis.findings)


def test_nothing_stops_at_the_first_problem(scans):
    """Flaws of several cases are all told, the worst first, and the numbers add up."""
    spoil(scans, "truncated")
    swap(file(scans, 1, "t2"), file(scans, 1, "flair"))
    file(scans, 3, "t1ce").unlink()
    diagnosis = examine(scans)
    assert topics(diagnosis) >= {
        ("file cannot be used", "002"),
        ("contrasts look swapped", "001"),
        ("file missing", "003"),
    }
    assert [f.severity for f in diagnosis.findings] == sorted(
        (f.severity for f in diagnosis.findings), key=("error", "warning", "remark").index
    )
    values = diagnosis.to_json()
    assert json.loads(json.dumps(values)) == values
    assert sum(values["counts"].values()) == len(diagnosis.findings)


def test_remarks_tell_what_is_good_to_know(tmp_path, scans):
    """Visits, empty maps, odd grids, small lesions and files passed over are remarks."""
    writer, heads, _, _ = LAYOUTS["brats2023"]
    writer(tmp_path / "visits", {**heads, "BraTS-GLI-00009-000": 3})
    (folder,) = (tmp_path / "visits").glob("*9-000")
    for path in folder.iterdir():
        change(path, lambda v: v * 0 if "seg" in path.name else v, affine=np.diag([-10.0, 10, 40, 1]))  # noqa: B023 - called at once
    shutil.copy(next(folder.glob("*t1n*")), folder / "extra_ADC.nii.gz")
    diagnosis = examine(tmp_path / "visits", spacing_mm=100.0)
    remarks = {topic for topic, _ in topics(diagnosis, "remark")}
    assert remarks >= {
        "several visits", "no tumour", "another orientation", "another voxel size", "thick slices", "small lesions",
        "files passed over",
    }  # fmt: skip


def test_workers_change_nothing(scans):
    """Two processes find what one finds."""
    spoil(scans, "truncated")
    assert examine(scans, parallel=ParallelSpec(workers=2)).to_json() == examine(scans).to_json()


def test_folder_that_fits_no_layout_is_a_finding(tmp_path):
    """A folder without cases is told as an error; no folder at all is raised."""
    assert topics(examine(tmp_path)) == {("layout", "")}
    assert topics(examine(tmp_path, FlatSpec())) == {("layout", "")}
    with pytest.raises(InputFileError, match="no folder"):
        examine(tmp_path / "nowhere")


def test_labels_alone_and_masks_are_looked_at(scans):
    """A given brain mask is used, and a case whose images all fail is still told."""
    name = "BraTS20_Training_001"
    change(file(scans, 1, "seg"), lambda v: v)
    mask = scans / name / f"{name}_brainmask.nii.gz"
    shutil.copy(file(scans, 1, "t1"), mask)
    change(mask, lambda v: (v > 10**6).astype(np.uint8) + (np.indices(v.shape)[0] < 3), dtype=np.uint8)
    for token in ("t1", "t1ce", "t2", "flair"):
        file(scans, 3, token).write_bytes(b"x")
    found = topics(examine(scans))
    assert ("labels outside the brain", "001") in found
    assert ("file cannot be used", "003") in found


def test_left_is_left_in_pictures(scans):
    """The lesion lies on the right of the head, so on the left of the picture."""
    look = examine(scans).cases[0]
    tile = look.tiles[Modality.FLAIR].astype(int)
    coloured = np.abs(tile[..., 0] - tile[..., 2]) > 0
    assert np.argwhere(coloured)[:, 1].mean() < tile.shape[1] / 2
    assert detect(scans).find(scans)[0].case_id == look.case_id


def test_a_head_of_two_visits_may_look_the_same(tmp_path):
    """Nearly equal scans of one subject are no leak."""
    writer, _, _, _ = LAYOUTS["brats2023"]
    writer(tmp_path, {"BraTS-GLI-00005-000": 1, "BraTS-GLI-00005-100": 2})
    first, second = sorted(tmp_path.iterdir())
    for path in first.glob("*.nii.gz"):
        other = second / path.name.replace(first.name, second.name)
        shutil.copy(path, other)
        change(other, lambda v: v if v.max() < 9 else np.where(v > 0, v + 1, 0))
    assert topics(examine(tmp_path)) == set()


def test_labels_without_images_are_looked_at(scans):
    """A label map whose images are all damaged still tells its own flaws, with unknown values too."""
    for token in ("t1", "t1ce", "t2", "flair"):
        for number in (1, 2, 3):
            file(scans, number, token).write_bytes(b"x")
    change(file(scans, 1, "seg"), lambda v: np.where(v == 4, 9, v))
    diagnosis = examine(scans, spacing_mm=100.0)
    assert ("unknown label", "001") in topics(diagnosis)
    assert ("small lesions", "001") in topics(diagnosis, "remark")
    assert diagnosis.cases[0].shape is not None


def test_tissue_maps_have_no_borders_and_no_tumour(tmp_path):
    """Healthy heads with tissue are remarked as without tumour, and nothing is drawn over them."""
    writer, heads, _, _ = LAYOUTS["bids"]
    writer(tmp_path, heads)
    for path in (tmp_path / "derivatives").rglob("*_dseg.nii.gz"):
        change(path, lambda v: np.where(v > 0, 1, 0), dtype=np.uint8)
        path.rename(path.with_name(path.name.replace("_label-tumor", "")))
    diagnosis = examine(tmp_path, scheme="bids_tissue")
    assert (diagnosis.scheme, diagnosis.reason) == ("bids_tissue", "stated")
    assert {topic for topic, _ in topics(diagnosis, "remark")} == {"no tumour", "several visits"}
