"""Does synthetic data help a classifier on unseen real subjects?

Han et al. 2018 and Guo et al. 2020 name classification as what their images are
for and leave it open.  Two things can be asked: whether a slice shows tumour,
and whether a subject's tumour is of high grade.  Subjects are split before
anything is fitted; all arms and seeds share the classifier and its number of
steps; unseen subjects are asked slice by slice, and one subject is one unit of
every interval and test.
"""

from collections.abc import Iterator, Sequence
from typing import Any, final

from glioforge.report import Report
from glioforge.studies import (
    EVERYONE,
    QUESTIONS,
    ClassificationArm,
    ClassificationSpec,
    CopiesSource,
    Fold,
    Made,
    NoiseSource,
    Results,
    SynthesizerSource,
    Task,
    fit_classifier,
    score_classifier,
    source_tasks,
)
from glioforge.studies.classification_report import page


@QUESTIONS.register(ClassificationSpec)
@final
class Classification:
    """Compares classifiers trained on real cases with those that synthetic cases were mixed into."""

    def plan(self, spec: ClassificationSpec, folds: Sequence[Fold]) -> Iterator[Task]:
        """Sources, classifiers and their scores; each task once."""
        for fold in folds:
            seen: set[str] = set()
            for arm in spec.arms:
                for task in _arm(spec, fold, arm):
                    if task.name not in seen:
                        seen.add(task.name)
                        yield task

    def page(self, spec: ClassificationSpec, results: Results) -> Report:
        """Scores, differences between arms, trainings and costs."""
        return page(spec, results)


def _arm(spec: ClassificationSpec, fold: Fold, arm: ClassificationArm) -> Iterator[Task]:
    """The sources of an arm, its trainings and their scores."""
    source = None if arm.source is None else spec.all_sources[arm.source]
    trained = isinstance(source, SynthesizerSource | NoiseSource)
    made = [] if source is None else [Made(arm.source or "", EVERYONE, n) for n in range(_generators(spec, trained))]
    for one in made:
        yield from source_tasks(spec, fold, one, spec.target)
    classifier: Any = spec.classifier.model_copy(update={"budget": spec.spending.classifier})
    if not arm.augment:
        classifier = classifier.model_copy(update={"augment": None})
    asked = {"classifier": classifier, "target": spec.target}
    ready = made and not isinstance(source, CopiesSource)
    for one in made or [Made("", EVERYONE)]:
        needs, number = one.needs(fold) if ready else (), one.seed
        for seed in range(spec.spending.seeds):
            place = f"{f'generator-{number}-' if number else ''}seed-{seed}"
            drawn = {"seed": fold.seed("classifier", seed), "share": arm.synthetic_share, "source": arm.source}
            numbers: dict[str, Any] = {"arm": arm.name, "seed": seed, "generator_seed": number}
            fit = Task(
                f"{fold.name}/classifiers/{arm.name}/{place}",
                "classifier",
                fold,
                fit_classifier,
                {**asked, **drawn},
                needs=needs,
                amount=classifier.budget.steps,
                **numbers,
            )
            yield fit
            name = f"{fold.name}/scores/{arm.name}/{place}"
            resampling = {**asked, "seed": fold.seed("resamples")}
            yield Task(name, "scores", fold, score_classifier, resampling, ("test",), (fit.name,), **numbers)


def _generators(spec: ClassificationSpec, trained: bool) -> int:  # noqa: FBT001 - a property of the source
    """Generators of a source: several where one is trained."""
    return spec.spending.generator_seeds if trained else 1
