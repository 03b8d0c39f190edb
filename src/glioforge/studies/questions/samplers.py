"""How near are slices that samplers make of noise to those of unseen subjects?

Han et al. 2018 ask one physician alone; the distances are Glioforge's own.
Every sampler is trained on the training subjects of the same split, makes as
many slices as are cut of unseen subjects in the same way, and is compared with
them.  Slices of the training subjects, compared alike, are the floor: subjects
differ from each other by so much.  The slices stay in the study's folder, as
cohorts that a blinded reading study takes.
"""

from collections.abc import Iterator, Sequence
from typing import Any, final

from glioforge.report import Report
from glioforge.studies import QUESTIONS, Fold, Results, SamplersSpec, Task, compare_slices, fit_sampler
from glioforge.studies.samplers_report import page


@QUESTIONS.register(SamplersSpec)
@final
class Samplers:
    """Trains each sampler in every fold and with every seed, and compares its slices."""

    def plan(self, spec: SamplersSpec, folds: Sequence[Fold]) -> Iterator[Task]:
        """A training and its slices for each fold, sampler and seed."""
        for fold in folds:
            for name, entry in spec.methods.items():
                for seed in range(spec.seeds):
                    sampler: Any = entry.trained_spec()
                    numbers: dict[str, Any] = {"arm": name, "seed": seed}
                    train = Task(
                        f"{fold.name}/samplers/{name}/seed-{seed}",
                        "sampler",
                        fold,
                        fit_sampler,
                        {"sampler": sampler, "seed": fold.seed("sampler", seed)},
                        amount=sampler.budget.steps,
                        **numbers,
                    )
                    yield train
                    yield Task(
                        f"{fold.name}/slices/{name}/seed-{seed}",
                        "slices",
                        fold,
                        compare_slices,
                        {"sampler": sampler, "count": spec.count, "seed": fold.seed("slices", seed)},
                        inputs=("train", "test"),
                        needs=(train.name,),
                        amount=spec.count,
                        **numbers,
                    )

    def page(self, spec: SamplersSpec, results: Results) -> Report:
        """Distances, pictures, trainings and costs."""
        return page(spec, results)
