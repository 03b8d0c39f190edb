"""Which synthesizer makes the images of unseen label maps best?

Every method is trained on the same training subjects of the same split, with a
budget of its own, and makes images of the label maps of the same unseen
subjects.  These are compared with the truth - the image without noise for
phantoms, else the scan - and with each other, subject by subject.  A segmenter
trained on scans is asked whether it finds the labels again, and one label map
with its edits is shown as every method paints it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, final

from glioforge.report import Report
from glioforge.studies import (
    QUESTIONS,
    Fold,
    Results,
    SynthesizersSpec,
    Task,
    fit_segmenter,
    fit_synthesizer,
    judge_scans,
    make_series,
    score_images,
)
from glioforge.studies.synthesizers_report import page


@QUESTIONS.register(SynthesizersSpec)
@final
class Synthesizers:
    """Trains each method in every fold and with every seed, and scores what it makes as soon as it is trained."""

    def plan(self, spec: SynthesizersSpec, folds: Sequence[Fold]) -> Iterator[Task]:
        """The judge and the series first, then each method's training and images."""
        series = Task(
            f"{folds[0].name}/series",
            "series",
            folds[0],
            make_series,
            {"recipes": spec.series, "seed": folds[0].seed("series"), "root_seed": spec.seed},
            inputs=("train", "test"),
        )
        yield series
        for fold in folds:
            judges = list(_judge(spec, fold))
            yield from judges
            for name in spec.methods:
                for seed in range(spec.seeds):
                    shown = (series.name,) if fold.index == 0 and seed == 0 else ()
                    yield from _method(spec, fold, name, seed, (*shown, *(task.name for task in judges[:1])))

    def page(self, spec: SynthesizersSpec, results: Results) -> Report:
        """Pictures, likeness, texture, labels, edits, trainings and costs."""
        return page(spec, results)


def _judge(spec: SynthesizersSpec, fold: Fold) -> Iterator[Task]:
    """Training of the judge and its scores on scans; nothing for a study without one."""
    if spec.judge is None:
        return
    segmenter = spec.judge.segmenter
    budget = spec.judge.budget or segmenter.budget
    key = {"segmenter": segmenter, "budget": budget, "seed": fold.seed("judge")}
    train = Task(f"{fold.name}/judge", "judge", fold, fit_segmenter, key, amount=budget.steps)
    yield train
    name, regions = f"{fold.name}/judge-scores", {"regions": spec.regions}
    yield Task(name, "judge-scores", fold, judge_scans, regions, inputs=("test",), needs=(train.name,))


def _method(spec: SynthesizersSpec, fold: Fold, name: str, seed: int, needs: tuple[str, ...]) -> Iterator[Task]:
    """Training of a method and the images that it makes, which need the tasks named."""
    synthesizer: Any = spec.methods[name].trained_spec()
    train = Task(
        f"{fold.name}/synthesizers/{name}/seed-{seed}",
        "synthesizer",
        fold,
        fit_synthesizer,
        {"synthesizer": synthesizer, "seed": fold.seed("synthesizer", seed)},
        arm=name,
        seed=seed,
        amount=synthesizer.budget.steps,
    )
    yield train
    settings = {
        "seed": fold.seed("images"),
        "draw_seed": spec.seed,
        "draws": spec.draws,
        "shown": spec.shown_draws if fold.index == 0 and seed == 0 else None,
        "regions": spec.regions,
        "phantom": spec.phantom,
    }
    yield Task(
        f"{fold.name}/images/{name}/seed-{seed}",
        "images",
        fold,
        score_images,
        settings,
        inputs=("test",),
        needs=(train.name, *needs),
        arm=name,
        seed=seed,
        amount=len(fold.split.test) * spec.draws,
    )
