"""Promises of `studies.question`: plans that would mislead are refused, and a question is found by its file."""

from dataclasses import replace

import pytest

from glioforge.core.errors import SpecError
from glioforge.studies.comparing import SegmentersSpec
from glioforge.studies.question import QUESTIONS, load_demo, planned
from toy_study import Work, toy_fold

SPEC = SegmentersSpec.model_validate({"name": "a", "title": "A", "methods": {"a": {"segmenter": {"kind": "unet"}}}})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda a, b: (a, a), "a task named twice"),
        (lambda a, b: (a, replace(b, needs=("fold-0/c",))), r"needs \['fold-0/c'\]; expected needs among the tasks"),
        (lambda a, b: (replace(a, inputs=("test",)), replace(b, needs=(a.name,))), "does not evaluate, needs"),
    ],
)
def test_plans_that_cannot_be_right_are_refused(monkeypatch, tmp_path, change, told):
    """Before anything is done: names, needs, and a training that would see the test side."""
    work, fold = Work(), toy_fold(tmp_path)
    tasks = change(work.task(fold, "fold-0/a"), work.task(fold, "fold-0/b"))
    monkeypatch.setattr(QUESTIONS.part_for(SPEC), "plan", lambda *_: tasks)

    with pytest.raises(SpecError, match=told):
        planned(SPEC, [fold])


@pytest.mark.parametrize("kind", QUESTIONS.kinds())
def test_every_question_has_its_settings_and_its_kind(kind):
    """As files of methods have."""
    assert QUESTIONS.spec_class(kind).model_fields["kind"].default == kind
    assert QUESTIONS.part_class(kind)().plan


def test_the_demonstration_asks_a_question():
    """With overrides."""
    assert load_demo(["seed=3"]).seed == 3
