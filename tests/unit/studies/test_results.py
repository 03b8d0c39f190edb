"""Promises of `studies.results`: pages read the table and every record, also when they are written again."""

from dataclasses import replace

import pytest

from glioforge.core.errors import InputFileError
from glioforge.io.run_folder import write_json
from glioforge.studies.results import keep_results, read_study_results
from toy_study import Work, toy_fold


def results_of(tmp_path):
    """Results of two tasks, one of which was left out."""
    work, fold = Work(), toy_fold(tmp_path)
    done = work.do(work.task(fold, "fold-0/scores", arm="real", seed=1))
    return keep_results(fold.study, [done, replace(done, task="fold-0/b", arm="more", rows=(), left_out="no case")])


def test_results_are_read_as_they_were_kept(tmp_path):
    """Rows and records."""
    kept = results_of(tmp_path)

    assert read_study_results(kept.study) == kept
    assert [row.arm for row in kept.rows] == ["real"]
    assert (tmp_path / "results.csv").exists()


def test_pages_find_what_tasks_left(tmp_path):
    """By kind, arm and seed; what was left out has no place."""
    kept = results_of(tmp_path)
    write_json(tmp_path / "study.json", {"made_with": {"cores": 2}})

    assert (kept.place("scores", arm="real", seed=1) / "file").exists()
    assert kept.folds == (0,)
    assert kept.facts() == {"cores": 2}
    assert len(kept.of("scores")) == 1
    with pytest.raises(InputFileError, match="no scores of fold 0, arm 'more', seed 1"):
        kept.place("scores", arm="more", seed=1)
