"""Tasks of a source of synthetic cases: training, cases, search for leaks, filters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

from glioforge.classification import Target
from glioforge.core import LeakageError
from glioforge.metrics import DRAWS, FEWEST_HALVED
from glioforge.quality import FilterSpec
from glioforge.studies import (
    KIND,
    SCREENER,
    CopiesSource,
    Fold,
    FolderSource,
    JoinedFolder,
    MixingSource,
    NoiseSource,
    Side,
    SourcedSpec,
    SynthesizerSource,
    Task,
    compare_reconstructions,
    content_of,
    fit_class_sampler,
    fit_sampler,
    fit_screener,
    fit_synthesizer,
    intact,
    judge_maps,
    make_cases,
    make_drawn,
    make_mixed,
    make_sampled,
    make_slices,
    measure_gap,
    mixed_intact,
    samplers_of,
    screen_cases,
    search_near_duplicates,
    settings_of,
    take_folder,
    take_joined,
    unverified,
)
from glioforge.studies.plan.draw import Draw, steps_of
from glioforge.synthesis import is_trained

_OWN = ("generator", "control")
"""Sources whose trainings lie directly below the fold."""


@final
@dataclass(frozen=True)
class Made:
    """The synthetic cases of one source.

    Args:
        source: Name of the source; empty for none.
        draw: Subjects that it is trained on.
        seed: Number of the generator's repetition.
    """

    source: str
    draw: Draw
    seed: int = 0

    def task(self, fold: Fold, kind: str) -> str:
        """Name of a task of this source: `model`, `cases`, `search` or `synthetic`."""
        below = "" if kind == "model" and self.source in _OWN else "models/" if kind == "model" else f"{kind}/"
        return f"{self.draw.below(fold)}/{below}{self.source}{f'-seed-{self.seed}' if self.seed else ''}"

    def needs(self, fold: Fold) -> tuple[str, ...]:
        """Names of the tasks that an arm needs."""
        return tuple(self.task(fold, kind) for kind in ("cases", "synthetic"))

    def random(self, fold: Fold, name: str) -> int:
        """Seed of the draws of one of its tasks."""
        return self.draw.seed(fold, name, *([self.seed] if self.seed else []))


def source_tasks(spec: SourcedSpec, fold: Fold, made: Made, target: Target = "tumour") -> Iterator[Task]:
    """Return the tasks that make and screen the cases of a source; none for copies of real cases.

    Args:
        spec: The study.
        fold: The fold.
        made: The source, and what it is trained on.
        target: What slices from noise, which have no label maps, answer.

    Raises:
        LeakageError: A subject who is declared to be behind a source is held out.
        InputFileError: The folder of a source is missing.
    """
    source = spec.all_sources[made.source]
    if isinstance(source, CopiesSource):
        return
    if isinstance(source, SynthesizerSource):
        yield from _from_synthesizer(spec, fold, made, source)
    elif isinstance(source, MixingSource):
        yield _from_mixing(spec, fold, made, source)
    elif isinstance(source, NoiseSource):
        yield from _slices_from_noise(fold, made, source, target)
    else:
        yield from _from_folder(spec, fold, made, source)
    filters = {"filters": source.filters, "seed": made.random(fold, "quality"), **made.draw.key}
    search = (made.task(fold, "search"),) if unverified(source) else ()
    screeners = list(_screener(spec, fold, made.draw, source.filters))
    yield from screeners
    needs = (made.task(fold, "cases"), *search, *(task.name for task in screeners))
    # Without filters all cases are kept, which takes no time.
    yield _task(fold, made, "synthetic", screen_cases, filters, needs=needs, amount=float(bool(source.filters)))


def fidelity_task(spec: SourcedSpec, fold: Fold, made: Made) -> Task:
    """Return the task that measures the likeness of a generator's images of unseen subjects to their scans."""
    key = {"seed": fold.seed("reconstruction"), "draw_seed": spec.seed, "phantom": spec.phantom}
    name, needs = f"{fold.name}/fidelity", (made.task(fold, "model"),)
    return Task(name, "fidelity", fold, compare_reconstructions, key, inputs=("train", "test"), needs=needs)


def gap_tasks(fold: Fold, made: Made) -> Iterator[Task]:
    """Return the task that measures the domain gap of a source; none where the test subjects are too few for halves."""
    if len(fold.split.test.subject_ids) < 2 * FEWEST_HALVED:
        return
    key = {"draws": DRAWS, "seed": made.random(fold, "gap")}
    yield Task(
        made.task(fold, "gap"), "gap", fold, measure_gap, key, inputs=("test",), needs=made.needs(fold), arm=made.source
    )


def maps_task(fold: Fold, made: Made) -> Task:
    """Return the task that judges the label maps that a source draws from noise."""
    needs = (made.task(fold, "sampler"), made.task(fold, "cases"))
    return _task(fold, made, "maps", judge_maps, {}, needs=needs, sides=("train", "validation"))


def _from_synthesizer(spec: SourcedSpec, fold: Fold, made: Made, source: SynthesizerSource) -> Iterator[Task]:
    """Training of a synthesizer, and the cases that it makes of label maps of its training subjects.

    The control has no budget: it is fitted, not trained.
    """
    synthesizer: Any = source.synthesizer
    if made.source != "control":
        synthesizer = synthesizer.model_copy(update={"budget": source.budget or spec.spending.generator})
    kind = "control" if made.source == "control" else "generator"
    key = {"synthesizer": synthesizer, "seed": made.random(fold, "generator"), **made.draw.key}
    steps = synthesizer.budget.steps if is_trained(synthesizer) else 1
    name = made.task(fold, "model")
    seeds: dict[str, Any] = {"draw": made.draw.number, "generator_seed": made.seed}
    joined = list(_joined(spec, fold, made, source))
    yield from joined
    needs = tuple(task.name for task in joined)
    yield Task(name, kind, fold, fit_synthesizer, key, needs=needs, arm=made.source, amount=steps, **seeds)
    count = source.per_case or spec.spending.synthetic_per_case
    if source.sampler is not None:
        yield from _from_noise(fold, made, source.sampler, count)
        return
    making = {"source": made.source, "count": count, "seed": made.random(fold, "synthetic"), **made.draw.key}
    how: dict[str, Any] = {"needs": (name,), "intact": intact, "amount": count * made.draw.size(fold)}
    if source.maps is not None:
        yield _task(fold, made, "cases", make_drawn, {**making, "maps": source.maps}, **how)
        return
    recipe = source.recipe or spec.recipe
    yield _task(fold, made, "cases", make_cases, {**making, "recipe": recipe}, **how)


def _screener(spec: SourcedSpec, fold: Fold, draw: Draw, filters: Sequence[FilterSpec]) -> Iterator[Task]:
    """The training of the segmenter that filters ask, one for all sources of a draw; nothing where none asks."""
    if spec.screener is None or not any("segmenter" in one.models for one in filters):
        return
    segmenter, budget = spec.screener
    key = {"segmenter": segmenter, "budget": budget, "seed": draw.seed(fold, SCREENER), **draw.key}
    name, steps = f"{draw.below(fold)}/{SCREENER}", steps_of(budget, draw.size(fold))
    yield Task(name, SCREENER, fold, fit_screener, key, inputs=("train",), amount=steps, draw=draw.number)


def _joined(spec: SourcedSpec, fold: Fold, made: Made, source: SynthesizerSource) -> Iterator[Task]:
    """The task that prepares the second cohort of a synthesizer; none where it has none."""
    cohort = source.also_train_on
    if cohort is None:
        return
    content = content_of(cohort.path) if isinstance(cohort, JoinedFolder) else ""
    key = {"cohort": cohort, "content": content, "prepare_as": settings_of(spec)}
    numbers: dict[str, Any] = {"draw": made.draw.number, "generator_seed": made.seed}
    yield Task(made.task(fold, KIND), KIND, fold, take_joined, key, arm=made.source, **numbers)


def _from_noise(fold: Fold, made: Made, sampler: Any, per_case: int) -> Iterator[Task]:  # noqa: ANN401 - any registered spec
    """Training of a sampler of label maps, and images of as many of its maps as the subjects would give."""
    name, count = made.task(fold, "sampler"), per_case * made.draw.size(fold)
    key = {"sampler": sampler, "seed": made.random(fold, "sampler"), "chosen_by": "training"}
    key |= made.draw.key
    seeds: dict[str, Any] = {"draw": made.draw.number, "generator_seed": made.seed}
    yield Task(name, "sampler", fold, fit_sampler, key, arm=made.source, amount=sampler.budget.steps, **seeds)
    making = {"source": made.source, "count": count, "seed": made.random(fold, "synthetic")}
    needs = (made.task(fold, "model"), name)
    yield _task(fold, made, "cases", make_sampled, making, needs=needs, intact=intact, amount=count)


def _slices_from_noise(fold: Fold, made: Made, source: NoiseSource, target: Target) -> Iterator[Task]:
    """Training of a sampler, or of one for each answer, and slices of both answers."""
    numbers: dict[str, Any] = {"draw": made.draw.number, "generator_seed": made.seed, "arm": made.source}
    names = []
    for answer, asked in samplers_of(source.sampler, target).items():
        sampler = asked if source.budget is None else asked.model_copy(update={"budget": source.budget})
        name = f"{made.task(fold, 'sampler')}{f'-{answer.lower()}' if answer else ''}"
        seed = fold.seed("sampler", answer, made.seed)
        key = {"sampler": sampler, "target": target, "answer": answer, "seed": seed}
        numbers["amount"] = sampler.budget.steps
        yield Task(name, "sampler", fold, fit_class_sampler, key, inputs=("train",), **numbers)
        names.append(name)
    making = {"source": made.source, "target": target, "count": source.per_answer}
    making["seed"] = made.random(fold, "synthetic")
    yield _task(fold, made, "cases", make_slices, making, needs=tuple(names), intact=intact)


def _from_mixing(spec: SourcedSpec, fold: Fold, made: Made, source: MixingSource) -> Task:
    """Cases that are mixed of training subjects."""
    count = source.per_case or spec.spending.synthetic_per_case
    key = {"source": made.source, "mixing": source.mixing, "count": count, "seed": made.random(fold, "synthetic")}
    amount = count * made.draw.size(fold)
    return _task(fold, made, "cases", make_mixed, {**key, **made.draw.key}, intact=mixed_intact, amount=amount)


def _from_folder(spec: SourcedSpec, fold: Fold, made: Made, source: FolderSource) -> Iterator[Task]:
    """Cases of a folder, and the search for held-out subjects among them where nobody declared whose they are."""
    _require_declared_apart(fold, made.source, source)
    key = {
        "source": made.source,
        "content": content_of(source.path),
        "layout": source.layout,
        "prepare_as": settings_of(spec),
        "subjects": source.subjects,
    }
    yield _task(fold, made, "cases", take_folder, key)
    if unverified(source):
        name, needs = made.task(fold, "search"), (made.task(fold, "cases"),)
        sides: tuple[Side, ...] = ("train", "validation", "test")
        search = {"source": made.source}
        yield Task(name, "search", fold, search_near_duplicates, search, sides, needs, made.source, guards=True)


def _task(
    fold: Fold,
    made: Made,
    kind: str,
    run: Any,  # noqa: ANN401 - of a task
    key: dict[str, Any],
    *,
    sides: tuple[Side, ...] = ("train",),
    **more: Any,  # noqa: ANN401 - of a task
) -> Task:
    """A task that reads the training side, or others, for a source."""
    numbers: dict[str, Any] = {"draw": made.draw.number, "generator_seed": made.seed}
    return Task(made.task(fold, kind), kind, fold, run, key, inputs=sides, arm=made.source, **numbers, **more)


def _require_declared_apart(fold: Fold, name: str, source: FolderSource) -> None:
    """Refuse a source whose declared subjects are held out, before anything is trained."""
    held_out = {*fold.split.validation.subject_ids, *fold.split.test.subject_ids}
    shared = sorted(held_out & set(source.subjects or ()))
    if shared:
        raise LeakageError(
            f"source {name!r} was made from subjects {shared}, who are held out in {fold.name}",
            "only subjects of the training side",
            "make the cases again without these subjects, or split so that they are trained on",
        )
