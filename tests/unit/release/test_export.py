"""Tests of `release.export`: every format reads back as the cohort it was, on the scan's grid, and says what it is."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.compute.parallel import ParallelSpec
from glioforge.core.errors import CaseError, CohortError, GlioforgeError, LabelError, OutputError
from glioforge.core.protocols import Silent
from glioforge.core.schemes import BRATS2017
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation.resample import plan_of
from glioforge.data.store import write_case
from glioforge.io.cohort_file import write_cohort
from glioforge.io.ingestion import ingest
from glioforge.io.scan import read_scan
from glioforge.release import formats
from glioforge.release.export import export_cohorts, on_scan_grid
from glioforge.release.plan import ExportSpec
from glioforge.release.record import NOTICE
from toy_release import cohort_of, prepared, scan, synthetic

FORMATS = ("nifti", "brats", "nnunet", "bids")


def files_of(folder):
    """Contents of all files by their path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def mixed():
    """Two prepared cases and a synthetic one made from the first."""
    cases = [prepared(1), prepared(2)]
    return [cohort_of(cases, "real"), cohort_of([synthetic(7, cases[:1])], "made")]


@pytest.mark.parametrize("form", FORMATS)
def test_scans_read_back_as_they_were(tmp_path, form):
    """Intensities, grids and tumour labels, with the layout and scheme found from the folder itself."""
    cohort = cohort_of([scan(1)])
    place = export_cohorts([cohort], tmp_path / "out", ExportSpec(format=form))
    back = ingest(place)

    assert [ref.case_id for ref in back] == ["sub-001"]
    for ref, own in zip(back, cohort, strict=True):
        case, source = ref.load(), own.load()
        assert case.geometry == source.geometry
        assert np.array_equal(case.labels.to(BRATS2017).voxels, source.labels.voxels)
        assert all(np.array_equal(case.images[m].voxels, source.images[m].voxels) for m in source.images)


@pytest.mark.parametrize("form", FORMATS)
def test_real_and_synthetic_cases_become_one_set_that_keeps_the_firewall(tmp_path, mixed, form):
    """Read back, the synthetic case lists the exported subject behind it under its new name."""
    place = export_cohorts(mixed, tmp_path / "out", ExportSpec(format=form))
    back = {ref.case_id: ref for ref in ingest(place, require=())}

    assert set(back) == {"sub-001", "sub-002", "sub-syn001"}
    lineage = back["sub-syn001"].lineage
    assert (lineage.kind, lineage.subjects, lineage.source) == ("synthetic", ("sub-001",), "spade")
    assert back["sub-001"].lineage.kind == "real"
    assert np.array_equal(
        back["sub-syn001"].load().labels.to(BRATS2017).voxels,
        mixed[1].cases[0].load().labels.to(BRATS2017).voxels,
    )


@pytest.mark.parametrize("form", FORMATS)
def test_synthetic_cases_carry_the_notice_everywhere(tmp_path, monkeypatch, mixed, form):
    """In the description of the data set, in sidecars, in each header and on the screen; real cases do not."""
    said = []
    monkeypatch.setattr(Silent, "say", lambda _, text: said.append(text))
    place = export_cohorts(mixed, tmp_path / "out", ExportSpec(format=form))
    made = [path for path in place.rglob("sub-syn001*") if path.is_file()]

    assert any(NOTICE in line for line in said)
    assert NOTICE in (place / "dataset_description.json").read_text()
    assert NOTICE in (place / "README.md").read_text()
    for path in made:
        text = read_scan(path).header.description if path.name.endswith(".gz") else path.read_text()
        assert NOTICE in text, path
    assert read_scan(next(place.rglob("sub-001*.nii.gz"))).header.description == ""
    if form == "nnunet":
        assert json.loads((place / "dataset.json").read_text())["description"] == NOTICE


@pytest.mark.parametrize("form", ["nnunet", "bids"])
def test_the_same_export_has_the_same_bytes_and_an_interrupted_one_goes_on(tmp_path, mixed, form):
    """Files that are gone are written again, and files that are there are not."""
    spec = ExportSpec(format=form)
    first = export_cohorts(mixed, tmp_path / "a", spec)
    second = export_cohorts(mixed, tmp_path / "b", spec)
    whole = files_of(first)
    lost, kept = min(second.rglob("sub-002*.nii.gz")), min(second.rglob("sub-001*.nii.gz"))
    lost.unlink()
    (second / ".0.partial").write_text("half")
    before = kept.stat().st_mtime_ns
    export_cohorts(mixed, tmp_path / "b", spec)

    assert files_of(second) == whole
    assert kept.stat().st_mtime_ns == before


@pytest.mark.slow
def test_workers_change_no_byte(tmp_path):
    """One process or two."""
    refs = [write_case(tmp_path / "store", prepared(seed)) for seed in range(3)]
    cohort = replace(cohort_of([prepared(0)]), cases=tuple(refs))
    one = export_cohorts([cohort], tmp_path / "a", ExportSpec(format="bids"))
    two = export_cohorts([cohort], tmp_path / "b", ExportSpec(format="bids"), parallel=ParallelSpec(workers=2))

    assert files_of(one) == files_of(two)


def test_prepared_cases_return_to_the_scans_grid_unless_they_shall_not(tmp_path, mixed):
    """The record says which grid each case has."""
    scans = export_cohorts(mixed, tmp_path / "scan", ExportSpec())
    own = export_cohorts(mixed, tmp_path / "own", ExportSpec(grid="prepared"))
    shape = {place: read_scan(place / "sub-001" / "sub-001_t1.nii.gz").header.geometry.shape for place in (scans, own)}
    grids = json.loads((scans / "dataset_description.json").read_text())["cases"]

    assert shape == {scans: (20, 20, 20), own: (16, 14, 12)}
    assert {name: case["grid"] for name, case in grids.items()} == {
        "sub-001": "scan",
        "sub-002": "scan",
        "sub-syn001": "own",
    }


def test_nnunet_gets_consecutive_values_and_the_way_back(tmp_path, monkeypatch):
    """BraTS 2017 skips 3, so enhancing tumour is 3 there and 4 before."""
    said = []
    monkeypatch.setattr(Silent, "say", lambda _, text: said.append(text))
    place = export_cohorts([cohort_of([scan(1)])], tmp_path / "Dataset007_toys", ExportSpec(format="nnunet"))
    values = json.loads((place / "label_values.json").read_text())

    assert place == tmp_path / "Dataset007_toys"
    how = "written as 1 necrotic_core, 2 oedema, 3 enhancing (3 is 4 in brats2017)"
    assert f"label files: {how}; see label_values.json" in said
    assert f"Labels are {how}." in (place / "README.md").read_text()
    assert json.loads((place / "dataset.json").read_text())["labels"]["enhancing"] == 3
    assert values["source_scheme"] == "brats2017"
    assert values["labels"]["enhancing"] == {"nnunet": 3, "source": 4}


def test_nnunet_gets_folds_by_subject_where_there_are_enough(tmp_path):
    """A synthetic case is validated nowhere, and trains in no fold that validates a subject behind it."""
    real = [scan(seed) for seed in range(10)]
    cohorts = [cohort_of(real), cohort_of([synthetic(20, real[:1])], "made")]
    place = export_cohorts(cohorts, tmp_path / "out", ExportSpec(format="nnunet"))
    folds = json.loads((place / "splits_final.json").read_text())
    few = export_cohorts([cohort_of(real[:1])], tmp_path / "few", ExportSpec(format="nnunet"))

    assert sorted(case for fold in folds for case in fold["val"]) == [f"sub-{n:03d}" for n in range(1, 11)]
    assert all(("sub-syn001" in fold["train"]) == ("sub-001" not in fold["val"]) for fold in folds)
    assert not (few / "splits_final.json").exists()


def test_bids_names_its_labels_and_sessions(tmp_path):
    """T1ce is a T1w with contrast agent; labels are a derivative with a table, of which the scheme is read back."""
    visits = []
    for seed in (1, 2):
        case = scan(seed)
        as_t1ce = {Modality.T1CE: replace(case.images[Modality.T1], modality=Modality.T1CE)}
        visits.append(replace(case, subject_id="one", images=as_t1ce))
    place = export_cohorts([cohort_of(visits)], tmp_path / "out", ExportSpec(format="bids", scheme="brats2023"))
    table = place / "derivatives" / "glioforge" / "desc-tumor_dseg.tsv"
    back = ingest(place)

    assert (place / "sub-001" / "ses-2" / "anat" / "sub-001_ses-2_ce-gadolinium_T1w.nii.gz").is_file()
    assert table.read_text().splitlines()[-1] == "3\tenhancing"
    assert (back.scheme.name, back.modalities, back.subject_ids) == ("brats2023", (Modality.T1CE,), ("sub-001",))


def test_edited_label_maps_can_be_exported_where_a_format_takes_them(tmp_path):
    """NIfTI and BraTS as they are, BIDS as a derivative of its own; nnU-Net needs images."""
    edited = [cohort_of([synthetic(3, [prepared(1)], images=False)])]
    for form in ("nifti", "brats", "bids"):
        place = export_cohorts(edited, tmp_path / form, ExportSpec(format=form))
        assert len([path for path in place.rglob("*.gz") if "brain" not in path.name]) == 1
    assert json.loads((tmp_path / "bids" / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    with pytest.raises(CohortError, match="without an image: s01-1-syn000.*synthesize"):
        export_cohorts(edited, tmp_path / "nnunet", ExportSpec(format="nnunet"))


def test_a_subject_goes_with_all_that_was_made_from_it(tmp_path, mixed):
    """As the firewall counts."""
    place = export_cohorts(mixed, tmp_path / "out", ExportSpec(leave_out=("s01",)))

    assert json.loads((tmp_path / "private-out" / "key.json").read_text())["cases"] == {"sub-001": "s02-1"}
    assert not list(place.rglob("*syn*"))
    with pytest.raises(CohortError, match="that no case has: s9; expected subjects of the cohort, such as s01"):
        export_cohorts(mixed, tmp_path / "none", ExportSpec(leave_out=("s9",)))
    with pytest.raises(CohortError, match="no case to export of real, made.*leave out fewer"):
        export_cohorts(mixed, tmp_path / "none", ExportSpec(leave_out=("s01", "s02")))


def test_each_format_is_a_file_that_can_be_chosen():
    """What the settings and the verb offer is what the folder holds."""
    files = {path.stem for path in Path(formats.__file__).parent.glob("*.py")} - {"__init__"}

    assert files == set(FORMATS) == set(get_args(ExportSpec.model_fields["format"].annotation))


def test_nothing_to_export_is_an_error(tmp_path):
    """No cohort, or one without cases."""
    for cohorts in ([], [replace(cohort_of([scan(1)]), cases=())]):
        with pytest.raises(CohortError, match="no case to export"):
            export_cohorts(cohorts, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_case_in_two_cohorts_is_an_error(tmp_path):
    """A scan, and what was prepared from it, are one case."""
    with pytest.raises(CohortError, match="cases in two cohorts: s01-1"):
        export_cohorts([cohort_of([scan(1)]), cohort_of([prepared(1)])], tmp_path / "out")


def test_contrasts_that_some_lack_are_refused_or_chosen(tmp_path):
    """nnU-Net wants the same channels everywhere; other formats write what a case has."""
    first, second = scan(1), scan(2)
    cohort = cohort_of([replace(first, images={Modality.T1: first.images[Modality.T1]}), second])
    with pytest.raises(CohortError, match=r"without some of t1, flair: s01-1.*--modalities t1"):
        export_cohorts([cohort], tmp_path / "out", ExportSpec(format="nnunet"))
    chosen = export_cohorts([cohort], tmp_path / "out", ExportSpec(format="nnunet", modalities=(Modality.T1,)))
    plain = export_cohorts([cohort], tmp_path / "plain", ExportSpec())

    assert len(list(chosen.glob("imagesTr/*.gz"))) == 2
    assert len(list(plain.rglob("*flair.nii.gz"))) == 1
    bare = cohort_of([replace(first, labels=None, images={Modality.T1: first.images[Modality.T1]}), second])
    with pytest.raises(CohortError, match=r"nothing would be written: s01-1"):
        export_cohorts([bare], tmp_path / "bare", ExportSpec(modalities=(Modality.FLAIR,)))


def test_maps_of_unlabelled_scans_are_no_labels(tmp_path):
    """Preparation knows no tumour of theirs: BraTS gets images alone, and nnU-Net refuses."""
    cohort = cohort_of([prepared(1, labelled=False)])
    place = export_cohorts([cohort], tmp_path / "out", ExportSpec(format="brats"))

    assert not list(place.rglob("*seg*"))
    with pytest.raises(CohortError, match="without a label map: s01-1"):
        export_cohorts([cohort], tmp_path / "nnunet", ExportSpec(format="nnunet"))


@pytest.mark.parametrize("form", ["brats", "bids"])
def test_a_contrast_without_a_name_in_the_format_is_refused(tmp_path, form):
    """APTw has none in BraTS and BIDS."""
    case = scan(1)
    extra = Volume(case.images[Modality.T1].voxels, case.geometry, Modality.APTW)
    cohort = cohort_of([replace(case, images={**case.images, Modality.APTW: extra})])

    with pytest.raises(CohortError, match=r"no (name|suffix) for: s01-1; expected t1, t1ce, t2, flair"):
        export_cohorts([cohort], tmp_path / "out", ExportSpec(format=form))


def test_labels_are_not_lost_and_nothing_is_left_behind(tmp_path):
    """A scheme that would merge labels is refused before a file is written."""
    with pytest.raises(LabelError, match="necrotic_core, oedema, enhancing"):
        export_cohorts([cohort_of([scan(1)])], tmp_path / "out", ExportSpec(scheme="lesion"))
    assert not list(tmp_path.iterdir())


def test_no_other_output_is_written_over(tmp_path, mixed):
    """Neither somebody's files nor another export."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    export_cohorts(mixed, tmp_path / "out", ExportSpec())

    with pytest.raises(OutputError, match="that this command did not write"):
        export_cohorts(mixed, tmp_path / "mine", ExportSpec())
    with pytest.raises(OutputError, match=r"out: .*--as was .*, is now .*; choose another --out.* and private-out"):
        export_cohorts(mixed, tmp_path / "out", ExportSpec(format="bids"))


def test_the_verb_exports_and_says_where_the_key_lies(tmp_path):
    """From the command line; ids are kept where asked for, which is said."""
    refs = [write_case(tmp_path / "store", scan(seed)) for seed in (1, 2)]
    write_cohort(replace(cohort_of([scan(1)]), cases=tuple(refs)), tmp_path / "cohort")
    words = ["export", str(tmp_path / "cohort"), "--as", "nifti", "--modalities", "t1"]
    numbered = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "a")])
    kept = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "b"), "--keep-ids"])

    assert numbered.exit_code == kept.exit_code == 0, numbered.output
    assert "private-a/key.json" in numbered.output.replace("\n", "")
    assert (tmp_path / "b" / "s01-1" / "s01-1_t1.nii.gz").is_file()
    assert not (tmp_path / "private-b" / "key.json").exists()


def test_a_damaged_record_of_a_case_makes_it_again(tmp_path, mixed):
    """And so does a file that was cut short."""
    place = export_cohorts(mixed, tmp_path / "out", ExportSpec())
    whole = files_of(place)
    (tmp_path / "private-out" / "cases" / "sub-001.json").write_text("{")
    (place / "sub-002" / "sub-002_t1.nii.gz").write_bytes(gzip.compress(b""))
    export_cohorts(mixed, tmp_path / "out", ExportSpec())

    assert files_of(place) == whole


def test_a_damaged_preparation_is_a_typed_error(tmp_path):
    """The way back to the scan is asked for."""
    cohort = cohort_of([replace(prepared(1), facts={"prepared": {}})])

    with pytest.raises(CaseError, match="no record of preparation"):
        export_cohorts([cohort], tmp_path / "out", ExportSpec())
    assert issubclass(CaseError, GlioforgeError)


def test_moved_voxels_come_back_exactly():
    """Images, labels and brain lie where they came from, bit for bit, and 0 lies around them."""
    case = prepared(1)
    back, plan = on_scan_grid(case), plan_of(case)

    assert back.geometry == plan.source
    for modality, volume in case.images.items():
        assert np.array_equal(plan.moved(back.images[modality].voxels), np.where(case.brain, volume.voxels, 0))
    assert np.array_equal(plan.moved(back.labels.voxels), case.labels.voxels)
    assert np.array_equal(plan.moved(back.brain), case.brain)
    assert back.brain.sum() == case.brain.sum()


def test_resampled_images_keep_their_level_up_to_the_rim():
    """A flat brain stays flat: no background blurs into it."""
    case = prepared(1, factor=2.0)
    flat = {m: replace(v, voxels=case.brain.astype(np.float32) * 3) for m, v in case.images.items()}
    back = on_scan_grid(replace(case, images=flat))

    for volume in back.images.values():
        assert volume.voxels[back.brain] == pytest.approx(3, abs=1e-4)
        assert not volume.voxels[~back.brain].any()
    assert back.labels.volume_ml("WT") == pytest.approx(case.labels.volume_ml("WT"), rel=0.1)


def test_cases_that_were_never_prepared_stay_as_they_are():
    """Scans, edited maps and synthetic cases."""
    case = scan(1)

    assert on_scan_grid(case) is case


def test_a_case_without_brain_mask_or_labels_comes_back_too():
    """What it lacks is not made."""
    back = on_scan_grid(replace(prepared(1), brain=None, labels=None))

    assert back.brain is None
    assert back.labels is None
