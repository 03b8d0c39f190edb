"""The filter by experts."""

import pytest

from glioforge.core import InputFileError
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.expert import ExpertSpec
from toy_cohort import toy_case, toy_cohort

TRAIN = toy_cohort(range(3))


def test_the_majority_decides(tmp_path):
    """A case is kept unless most experts reject it; practice does not count, and unread cases are not kept."""
    rows = ["a,s01,accept,no", "b,s01,reject,no", "a,s02,reject,no", "b,s02,reject,no", "c,s02,accept,yes"]
    (tmp_path / "answers.csv").write_text("\n".join(["reader,subject,call,practice", *rows]))
    fitted = fit_filter(ExpertSpec(answers=tmp_path / "answers.csv"), TRAIN, seed=0)
    verdicts = [fitted.assess(toy_case(seed)) for seed in (1, 2, 9)]

    assert [v.keep for v in verdicts] == [True, False, False]
    assert [v.reason for v in verdicts][1:] == ["2 of 2 readings reject the case", "no expert has read the case"]


def test_answers_of_another_kind_are_refused(tmp_path):
    """The line is named."""
    (tmp_path / "answers.csv").write_text("subject,call\ns01,real\n")
    with pytest.raises(InputFileError, match="line 2 without subject or with call 'real'"):
        fit_filter(ExpertSpec(answers=tmp_path / "answers.csv"), TRAIN, seed=0)
