"""Tests of `io.nnunet_raw`: what is written is what nnU-Net documents, and our own layout reads it back."""

import json
from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CaseError, CohortError, LabelError
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2013, BRATS2017, BRATS2023, BRATS2024, COMPLETE, COMPLETE_CAVITY
from glioforge.core.volume import Modality
from glioforge.io.ingestion import ingest
from glioforge.io.nifti import read_labels
from glioforge.io.nnunet_raw import dataset_values, write_channels, write_nnunet_raw
from toy_cohort import cohort_of_cases, toy_case, toy_cohort


@pytest.mark.parametrize("regions", [True, False])
def test_a_written_data_set_reads_back_as_the_cohort_it_was(tmp_path, regions):
    """Images, grids and tumour labels survive; the layout and the scheme are told from the folder."""
    cohort = toy_cohort([1, 2])
    write_nnunet_raw(cohort, tmp_path, regions=regions)
    back = ingest(tmp_path)
    assert [ref.case_id for ref in back] == [ref.case_id for ref in cohort]
    assert (back.scheme, back.modalities) == (BRATS2023, cohort.modalities)
    for ref in back:
        case, source = ref.load(), cohort[ref.case_id].load()
        assert case.geometry == source.geometry
        assert np.array_equal(case.require_labels().voxels, source.require_labels().to(BRATS2023).voxels)
        assert all(np.array_equal(case.images[m].voxels, source.images[m].voxels) for m in case.modalities)


def test_dataset_json_holds_what_nnunet_asks_for(tmp_path):
    """Channel names by number, the ending, the number of cases, and labels from 0 without a gap."""
    path = write_nnunet_raw(toy_cohort([1]), tmp_path, regions=False)
    assert json.loads(path.read_text()) == {
        "channel_names": {"0": "T1", "1": "FLAIR"},
        "labels": {"background": 0, "necrotic_core": 1, "oedema": 2, "enhancing": 3},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }


def test_regions_stand_in_the_file_in_the_order_of_their_labels(tmp_path):
    """nnU-Net pairs the regions, as they come in the file, with `regions_class_order`."""
    values = json.loads(write_nnunet_raw(toy_cohort([1]), tmp_path).read_text())
    assert list(values["labels"]) == ["background", "WT", "TC", "ET"]
    assert values["regions_class_order"] == [2, 1, 3]


def test_a_resection_cavity_is_a_region_of_its_own(tmp_path):
    """Cases with a cavity are written with the values of the challenge of 2024."""
    case = toy_case(1)
    voxels = np.where(case.labels.voxels == 1, np.uint8(7), case.labels.voxels)
    operated = replace(case, labels=LabelMap(voxels, case.geometry, COMPLETE_CAVITY))
    ref = replace(cohort_of_cases([operated]).cases[0], scheme=COMPLETE_CAVITY.name)
    values = json.loads(write_nnunet_raw(Cohort("operated", (ref,), COMPLETE_CAVITY), tmp_path).read_text())
    written = read_labels(tmp_path / "labelsTr" / f"{case.case_id}.nii.gz", BRATS2024)

    assert values["labels"]["RC"] == [4]
    assert values["regions_class_order"] == [2, 1, 3, 4]
    assert np.array_equal(written.region("RC"), operated.labels.region("RC"))


def test_regions_write_the_label_that_no_smaller_region_has():
    """Oedema for WT, core for TC, enhancing for ET; a cavity of its own."""
    values = dataset_values([Modality.T1], BRATS2024, 1, regions=True)
    assert values["labels"] == {"background": 0, "WT": [1, 2, 3], "TC": [1, 3], "ET": [3], "RC": [4]}
    assert values["regions_class_order"] == [2, 1, 3, 4]


def test_a_second_call_writes_only_what_is_missing(tmp_path):
    """A case is there when its label file is."""
    cohort = toy_cohort([1, 2])
    write_nnunet_raw(cohort, tmp_path)
    kept, lost = (tmp_path / "labelsTr" / f"s0{n}-1.nii.gz" for n in (1, 2))
    before = kept.stat().st_mtime_ns
    lost.unlink()
    write_nnunet_raw(cohort, tmp_path)
    assert (kept.stat().st_mtime_ns, lost.exists()) == (before, True)


def test_labels_with_a_gap_are_refused():
    """BraTS 2017 skips 3."""
    with pytest.raises(LabelError, match=r"labels \[0, 1, 2, 4\].*without a gap"):
        dataset_values([Modality.T1], BRATS2017, 1, regions=False)


@pytest.mark.parametrize("scheme", [BRATS2013, COMPLETE])
def test_regions_that_do_not_tell_labels_apart_are_refused(scheme):
    """Two kinds of core in one region, or tissue in none."""
    with pytest.raises(LabelError, match="each adds one label"):
        dataset_values([Modality.T1], scheme, 1, regions=True)


def test_nothing_to_write_is_an_error(tmp_path):
    """No case."""
    with pytest.raises(CohortError, match="0 cases with contrasts"):
        write_nnunet_raw(Cohort("none", (), COMPLETE), tmp_path)


def test_a_missing_contrast_is_an_error(tmp_path):
    """The message names it."""
    with pytest.raises(CaseError, match="t2"):
        write_channels(toy_case(1), [Modality.T2], tmp_path)
