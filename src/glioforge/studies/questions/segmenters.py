"""Which segmenter finds the tumours of unseen subjects best?

Every method is trained on the same training subjects of the same split, with a
budget of its own, keeps the weights of its best validation, and labels the same
unseen subjects.  Its masks lie on the scans' own grids and are judged there, in
three dimensions, whole subjects at a time.
"""

from collections.abc import Iterator, Sequence
from typing import final

from glioforge.report import Report
from glioforge.studies import QUESTIONS, Fold, Results, SegmentersSpec, Task, fit_segmenter, score_masks
from glioforge.studies.segmenters_report import page


@QUESTIONS.register(SegmentersSpec)
@final
class Segmenters:
    """Trains each method in every fold and with every seed; nothing waits for anything else."""

    def plan(self, spec: SegmentersSpec, folds: Sequence[Fold]) -> Iterator[Task]:
        """A training and its masks for each fold, method and seed."""
        for fold in folds:
            for name, entry in spec.methods.items():
                for seed in range(spec.seeds):
                    budget = entry.budget or entry.segmenter.budget
                    train = Task(
                        f"{fold.name}/segmenters/{name}/seed-{seed}",
                        "segmenter",
                        fold,
                        fit_segmenter,
                        {"segmenter": entry.segmenter, "budget": budget, "seed": fold.seed("segmenter", seed)},
                        arm=name,
                        seed=seed,
                        amount=budget.steps,
                    )
                    yield train
                    yield Task(
                        f"{fold.name}/masks/{name}/seed-{seed}",
                        "masks",
                        fold,
                        score_masks,
                        {"regions": spec.regions},
                        inputs=("test",),
                        needs=(train.name,),
                        arm=name,
                        seed=seed,
                    )

    def page(self, spec: SegmentersSpec, results: Results) -> Report:
        """Scores, differences, pictures, trainings and costs."""
        return page(spec, results)
