"""Tests of `reader.stimulus`: a single slice is shown whole, in its own plane."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import CohortError, Geometry, Lineage, Modality, Volume
from glioforge.reader.create import create_study
from glioforge.reader.items import POOLED
from glioforge.reader.spec import ReaderSpec
from glioforge.reader.stimulus import as_pictures, common_frame, encode, spacing_of, survey_case, turned
from toy_cohort import cohort_of_cases, toy_case

SAGITTAL = Geometry((1, 20, 16), np.diag([4.0, 2.0, 3.0, 1.0]))


def slice_of(number, contrast=Modality.T1, made=False, subject=None):
    """A sagittal slice of one contrast, as a sampler of slices makes it or as it is cut from a scan."""
    rng = np.random.default_rng(number)
    voxels = np.zeros(SAGITTAL.shape, np.float32)
    voxels[:, 3:18, 2:14] = rng.normal(0, 1, (1, 15, 12)) + 3
    name = f"{'made' if made else 'cut'}-{number:02}"
    lineage = Lineage.synthetic("dcgan", {}, seed=number, generator_subjects={"s99"}) if made else toy_case(1).lineage
    parts = {"case_id": name, "subject_id": subject or name, "lineage": lineage, "labels": None, "brain": None}
    return replace(toy_case(1), images={contrast: Volume(voxels, SAGITTAL, contrast)}, **parts)


def sources(*contrasts):
    """Eight slices of four subjects, and eight of a sampler, with these contrasts in turn."""
    real = [slice_of(n, contrasts[n % len(contrasts)], subject=f"s{n % 4}") for n in range(8)]
    made = [slice_of(n + 20, contrasts[n % len(contrasts)], made=True) for n in range(8)]
    return {"real": cohort_of_cases(real, "cut"), "dcgan": cohort_of_cases(made, "made")}


def create(folder, *contrasts, **settings):
    """A study of all of them."""
    values = {"real": 8, "synthetic": 8, "practice": 0, "repeats": 0.0, "one_per_subject": False, "together": False}
    return create_study(folder, ReaderSpec(**{**values, **settings}), sources(*contrasts), allow_shortcuts=True)


def rows_of(study, query):
    """Rows of the database of a study."""
    with study.store() as store:
        return store.read(lambda db: db.execute(query).fetchall())


def test_a_sagittal_slice_has_the_head_up_and_the_face_on_the_left():
    """All of its pixels are shown, with the size of its voxels."""
    voxels = np.zeros(SAGITTAL.shape, np.uint8)
    voxels[0, -1, -1] = 9  # front, top
    picture = as_pictures(turned(voxels, SAGITTAL))

    assert picture.shape == (1, 16, 20)
    assert np.argwhere(picture).tolist() == [[0, 0, 0]]
    assert spacing_of(SAGITTAL) == (2.0, 3.0, 4.0)
    coronal = Geometry((20, 1, 16), np.diag([2.0, 4.0, 3.0, 1.0]))
    assert turned(np.zeros(coronal.shape), coronal).shape == (20, 16, 1)


def test_a_slice_is_encoded_whole(tmp_path):
    """In a frame that says its plane; the sides of the picture are front and back."""
    case = slice_of(1)
    ref = next(iter(cohort_of_cases([case])))
    known = survey_case(case, ref, "real")
    frame = common_frame([known])

    assert (encode(case, known, (Modality.T1,), frame, 0) > 0).sum() == 15 * 12
    assert (frame.plane, frame.sides) == ("sagittal", ("A", "P"))
    assert create(tmp_path / "study", Modality.T1).frame == frame
    with pytest.raises(CohortError, match="sagittal slices one voxel thick"):
        create(tmp_path / "volume", Modality.T1, show="volume")
    head = toy_case(2)
    whole = survey_case(head, next(iter(cohort_of_cases([head]))), "real")
    with pytest.raises(CohortError, match="sagittal slices .* and axial slices"):
        common_frame([known, whole])


def test_every_slice_is_shown_once_before_any_is_shown_again(tmp_path):
    """Eight real items of four subjects are eight images; a ninth is refused."""
    study = create(tmp_path / "study", Modality.T1)
    real = rows_of(study, "SELECT file FROM stimulus JOIN item ON item.key = item WHERE method = 'real'")

    assert len({study.pixels(row["file"]) for row in real}) == 8
    with pytest.raises(CohortError, match="4 subjects and 8 cases of real.*enough for 9 items"):
        create(tmp_path / "more", Modality.T1, real=9)


def test_pooled_slices_state_no_contrast(tmp_path):
    """Each item shows the image that its case has; without the setting such cohorts share no contrast."""
    pool = (Modality.T1, Modality.T2)
    study = create(tmp_path / "study", *pool, pooled=True)
    items = rows_of(study, "SELECT contrast FROM item")

    assert {row["contrast"] for row in items} == {POOLED}
    assert study.contrasts == pool
    assert study.panels == 1
    with pytest.raises(CohortError, match="pooled=true"):
        create(tmp_path / "not", *pool)
    several = {name: cohort_of_cases([toy_case(1)], name) for name in ("real", "dcgan")}
    with pytest.raises(CohortError, match="more than one contrast"):
        create_study(tmp_path / "two", study.spec, several)
    with pytest.raises(ValueError, match="together: false"):
        ReaderSpec(pooled=True)
