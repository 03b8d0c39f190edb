"""Tasks of the pictures that a study makes besides its cases."""

from collections.abc import Iterator, Mapping
from typing import Any

from glioforge.studies import (
    HOSTS,
    SHOWN,
    Fold,
    JoinedFolder,
    ShownSpec,
    SourcedSpec,
    Task,
    content_of,
    insert_lesions,
    make_series,
    paint_shown,
    settings_of,
    take_host,
)
from glioforge.studies.plan.source import Made


def shown_tasks(
    spec: SourcedSpec, shown: ShownSpec, fold: Fold, made: Mapping[str, Made], judge: str
) -> Iterator[Task]:
    """Return the tasks that edit one unseen subject's label map and a healthy brain's, and paint both.

    Args:
        spec: The study.
        shown: What is shown.
        fold: The fold.
        made: What the synthesizer of each source is trained on.
        judge: Name of the training of the segmenter that says what it finds in the images.

    Raises:
        InputFileError: The folder of the healthy brains is missing.
    """
    key: dict[str, Any] = {"recipes": shown.edits, "seed": fold.seed("series"), "root_seed": spec.seed}
    series = Task(f"{fold.name}/series", "series", fold, make_series, key, inputs=("train", "test"))
    yield series
    needs = [series.name, judge]
    # Without tissue the label map of a healthy brain is empty.
    with_host = shown.hosts is not None and spec.prepare.tissue is not None
    if with_host:
        hosts, inserted = _inserted(spec, shown, fold)
        yield hosts
        yield inserted
        needs.append(inserted.name)
    rows = 1 + len(shown.edits) + (1 + len(shown.inserts) if with_host else 0)
    key = {"seed": fold.seed(SHOWN), "regions": spec.regions}
    for name in shown.sources:
        model = made[name].task(fold, "model")
        place = f"{fold.name}/{SHOWN}/{name}"
        yield Task(place, SHOWN, fold, paint_shown, key, ("test",), (model, *needs), arm=name, amount=rows)


def _inserted(spec: SourcedSpec, shown: ShownSpec, fold: Fold) -> tuple[Task, Task]:
    """The healthy brain, and lesions in it."""
    content = content_of(shown.hosts.path) if isinstance(shown.hosts, JoinedFolder) else ""
    key: dict[str, Any] = {"cohort": shown.hosts, "content": content, "prepare_as": settings_of(spec)}
    hosts = Task(f"{fold.name}/{HOSTS}", HOSTS, fold, take_host, key)
    key = {"recipes": shown.inserts, "seed": fold.seed("inserted"), "root_seed": spec.seed}
    inserted = Task(
        f"{fold.name}/inserted", "inserted", fold, insert_lesions, key, inputs=("train",), needs=(hosts.name,)
    )
    return hosts, inserted
