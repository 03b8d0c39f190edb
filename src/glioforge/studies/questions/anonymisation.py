"""Does what is made of a subject's label map lead back to the subject, and at what utility does it not?

Shin et al. 2018 name anonymisation as what synthetic images are for: one mask
gives notably different images, and a generator draws individuals from the
population.  Nobody tested it; the map of tissue and tumour that the images
are made of is the subject's own.  Each route from a subject's map to a case is
therefore audited by the same rules: the map as it is, with many draws, the map
edited, warped, or drawn from noise.  Next to the verdict stands what the release
is good for: its distance from unseen scans, and a segmenter trained on it alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any, final

from glioforge.report import Report
from glioforge.studies import (
    EVERYONE,
    QUESTIONS,
    REAL,
    AnonymisationSpec,
    Fold,
    Made,
    Results,
    Task,
    audit_route,
    fit_arm,
    gap_tasks,
    score_segmenter,
    source_tasks,
)
from glioforge.studies.anonymisation_report import page


@QUESTIONS.register(AnonymisationSpec)
@final
class Anonymisation:
    """Makes the cases of every route in every fold, audits them, and measures what they are good for."""

    def plan(self, spec: AnonymisationSpec, folds: Sequence[Fold]) -> Iterator[Task]:
        """Cases, audit and utility of each route; the segmenter of the scans first."""
        for fold in folds:
            yield from _segmenters(spec, fold, REAL, ())
            seen: set[str] = set()
            for name in spec.routes:
                made = Made(name, EVERYONE)
                for task in source_tasks(spec, fold, made):
                    if task.name not in seen:
                        seen.add(task.name)
                        yield task
                yield Task(
                    f"{fold.name}/audits/{name}",
                    "audit",
                    fold,
                    audit_route,
                    {"rules": spec.audit, "seed": fold.seed("audit")},
                    inputs=("train", "validation", "test"),
                    needs=made.needs(fold),
                    arm=name,
                )
                yield from gap_tasks(fold, made)
                yield from _segmenters(spec, fold, name, made.needs(fold))

    def page(self, spec: AnonymisationSpec, results: Results) -> Report:
        """Verdicts, donors, utility, pictures, trainings and costs."""
        return page(spec, results)


def _segmenters(spec: AnonymisationSpec, fold: Fold, arm: str, needs: tuple[str, ...]) -> Iterator[Task]:
    """Segmenters trained on a release alone, or on scans, and their scores; nothing for a study without one."""
    if spec.segmenter is None:
        return
    budget, settings = spec.spending.segmenter, {"segmenter": spec.segmenter, "share": 1.0 if needs else 0.0}
    for seed in range(spec.spending.seeds):
        numbers: dict[str, Any] = {"arm": arm, "seed": seed}
        key = {**settings, "budget": budget, "seed": fold.seed("segmenter", seed), "source": arm if needs else None}
        name = f"{fold.name}/segmenters/{arm}/seed-{seed}"
        yield Task(name, "segmenter", fold, fit_arm, key, needs=needs, amount=budget.steps, **numbers)
        scores = f"{fold.name}/scores/{arm}/seed-{seed}"
        numbers["amount"] = len(fold.split.test)
        yield Task(scores, "scores", fold, score_segmenter, {"regions": spec.regions}, ("test",), (name,), **numbers)
