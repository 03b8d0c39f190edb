"""Promises of `studies.fold`: splits are those of the folder, read once; seeds depend on names alone."""

from dataclasses import replace

from glioforge.core.rng import stream_seed
from glioforge.data.store import write_case
from glioforge.io.cohort_file import write_cohort
from glioforge.studies import fold as folds
from glioforge.studies.fold import Study, cohort_in
from toy_cohort import toy_case
from toy_study import SPLIT, toy_fold, toy_study


def test_a_fold_reads_its_split_from_the_folder_once(tmp_path, monkeypatch):
    """As long as the files stay the same."""
    refs = tuple(write_case(tmp_path / "prepared" / "cases", toy_case(seed)) for seed in range(6))
    write_cohort(replace(SPLIT.train, cases=refs), tmp_path / "prepared")
    fold = Study(toy_study(tmp_path).spec, tmp_path, tmp_path / "tasks").fold(1)
    fold.write_split(SPLIT)
    reads = []
    monkeypatch.setattr(folds, "read_cohort", lambda folder: reads.append(folder) or cohort_of(refs))

    for _ in range(3):
        assert fold.split.test.subject_ids == tuple(s for s in map(subject, refs) if s in SPLIT.test.subject_ids)
        assert len(cohort_in(tmp_path / "prepared")) == 6
    assert reads == [tmp_path / "prepared"]
    write_cohort(replace(SPLIT.train, cases=refs, name="other"), tmp_path / "prepared")
    cohort_in(tmp_path / "prepared")
    assert len(reads) == 2


def subject(ref):
    """Subject of a case."""
    return ref.subject_id


def cohort_of(refs):
    """A cohort of stored cases."""
    return replace(SPLIT.train, cases=refs)


def test_seeds_come_from_names_and_not_from_folders(tmp_path):
    """The same in every folder; 31 bits."""
    fold = toy_fold(tmp_path, index=2)

    assert fold.seed("segmenter", 1) == stream_seed(1, "fold", 2, "segmenter", 1) & 0x7FFFFFFF
    assert toy_fold(tmp_path / "elsewhere", index=2).seed("segmenter", 1) == fold.seed("segmenter", 1)
    assert fold.seed("segmenter", 2) != fold.seed("segmenter", 1)
