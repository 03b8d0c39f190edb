"""Does the edited lesion appear as asked?

Shin et al. 2018, Carver et al. 2021 and Guo et al. 2020 show pictures of edited
lesions and measure nothing; the question is Glioforge's own.

Every method is trained on the same training subjects.  The label maps of unseen
subjects are edited in each way and at each strength, every method makes images
of them, and a segmenter that was trained on scans alone, and then left as it
is, says what it finds.  That is compared with the label map that was asked for,
and with what it finds in images of the maps as they were, subject by subject.
"""

from collections.abc import Iterator, Sequence
from typing import Any, final

from glioforge.report import Report
from glioforge.studies import (
    QUESTIONS,
    Fold,
    ManipulationSpec,
    Results,
    Task,
    edit_maps,
    fit_segmenter,
    fit_synthesizer,
    judge_edits,
    judge_scans,
)
from glioforge.studies.manipulation_report import page


@QUESTIONS.register(ManipulationSpec)
@final
class Manipulation:
    """Trains the methods and the judge in every fold, edits the unseen maps, and judges what is made of them."""

    def plan(self, spec: ManipulationSpec, folds: Sequence[Fold]) -> Iterator[Task]:
        """The judge, the edits, then each method's training and images."""
        for fold in folds:
            yield from _judge(spec, fold)
            cases = len(fold.split.test)
            for name, entry in spec.edits.items():
                key = {"recipe": entry.recipe, "seed": fold.seed("edits", name), "root_seed": spec.seed}
                yield Task(
                    f"{fold.name}/edited/{name}",
                    "edited",
                    fold,
                    edit_maps,
                    key,
                    ("train", "test"),
                    arm=name,
                    amount=cases,
                )
            for name in spec.methods:
                for seed in range(spec.seeds):
                    yield from _method(spec, fold, name, seed)

    def page(self, spec: ManipulationSpec, results: Results) -> Report:
        """Scores by edit and strength, differences, pictures, trainings and costs."""
        return page(spec, results)


def _judge(spec: ManipulationSpec, fold: Fold) -> Iterator[Task]:
    """Training of the judge and its scores on scans."""
    budget = spec.judge.budget or spec.judge.segmenter.budget
    key = {"segmenter": spec.judge.segmenter, "budget": budget, "seed": fold.seed("judge")}
    train = Task(f"{fold.name}/judge", "judge", fold, fit_segmenter, key, amount=budget.steps)
    yield train
    name, regions = f"{fold.name}/judge-scores", {"regions": spec.regions}
    yield Task(name, "judge-scores", fold, judge_scans, regions, inputs=("test",), needs=(train.name,))


def _method(spec: ManipulationSpec, fold: Fold, name: str, seed: int) -> Iterator[Task]:
    """Training of a method, and its images of every edit."""
    synthesizer: Any = spec.methods[name].trained_spec()
    key = {"synthesizer": synthesizer, "seed": fold.seed("synthesizer", seed)}
    numbers: dict[str, Any] = {"seed": seed}
    train = Task(
        f"{fold.name}/synthesizers/{name}/seed-{seed}",
        "synthesizer",
        fold,
        fit_synthesizer,
        key,
        arm=name,
        amount=synthesizer.budget.steps,
        **numbers,
    )
    yield train
    for edit in spec.edits:
        yield Task(
            f"{fold.name}/asked/{name}/{edit}/seed-{seed}",
            "asked",
            fold,
            judge_edits,
            {"seed": fold.seed("images", seed), "regions": spec.regions},
            inputs=("test",),
            needs=(train.name, f"{fold.name}/judge", f"{fold.name}/edited/{edit}"),
            amount=len(fold.split.test),
            arm=spec.arm(name, edit),
            **numbers,
        )
