"""Put a cohort through quality filters on its own, and keep what passes as a cohort."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, final

from glioforge.compute import AcceleratorSpec
from glioforge.config import Spec, load_spec, parse_spec
from glioforge.core import Cohort, CohortError, Progress, SpecError, VerdictRow, counted
from glioforge.io import (
    COHORT_FILE,
    VERB,
    Step,
    hash_of_file,
    read_cohort,
    read_json,
    write_atomically,
    write_cohort,
    write_json,
)
from glioforge.quality import AnyFilter, Model, check_cohort
from glioforge.report import render
from glioforge.runs.filter_page import filter_page

VERDICTS: Final = "verdicts.json"
"""Every verdict with score and reason, filter by filter within each case."""
FILTER_PAGE: Final = "filter.html"
"""Funnel, and examples of what fell at each filter."""
QUEUE: Final = "queue"
"""Folder of the cases that experts shall see, a cohort."""


@final
class FilterChoice(Spec):
    """A YAML file that describes a filter."""

    filter: AnyFilter
    """The filter, by `kind`."""


def filter_from(text: str) -> Spec:
    """Return the filter of a kind, or of a YAML file such as `filter: {kind: duplicate}`.

    Raises:
        SpecError: Neither a kind nor a file with a filter.
    """
    if Path(text).suffix in {".yaml", ".yml"}:
        return load_spec(Path(text), FilterChoice).filter
    return parse_spec({"filter": text}, FilterChoice, where="--filter").filter


def filter_cohort(  # noqa: PLR0913 - cohorts, filters and run settings, by keyword
    made: Cohort,
    train: Cohort,
    filters: Sequence[Spec],
    out: Path,
    *,
    models: Mapping[str, Model] | None = None,
    queue: int = 0,
    seed: int = 1,
    progress: Progress | None = None,
) -> tuple[Cohort, tuple[VerdictRow, ...]]:
    """Judge every case by filters that are fitted on real cases, and write the cohort of those that all of them keep.

    The files of the cases stay where they are.  The lineage of a kept case names the filters' subjects too.

    Args:
        made: Cases to judge.
        train: Real or phantom training cases in the same scheme; no evaluation subject may be among them.
        filters: Filters in the order of the funnel.
        out: Folder of the kept cohort: `cohort.json`, `verdicts.json`, `filter.html`.
        models: Trained models by name, for filters that ask for them.
        queue: Kept cases to hand to experts, those nearest to the limits first; they become the cohort `queue`.
        seed: Of filters that draw.
        progress: Where to show progress.

    Returns:
        The kept cases, maybe none, and all verdicts.

    Raises:
        CohortError: A training case is synthetic, the schemes differ, or a filter cannot be fitted to so few cases.
        SpecError: A filter needs a model.
        OutputError: The folder was made with other settings, or cannot be written.
    """
    _require_real(train, made)
    key = {
        VERB: "filter",
        "cohort": made.fingerprint,
        "train": train.fingerprint,
        "filters": [spec.model_dump(mode="json") for spec in filters],
        "seed": seed,
        **_files_of(filters),
        **({"models": {name: model.lineage.to_json() for name, model in models.items()}} if models else {}),
    }
    with Step(out, key, writes=(COHORT_FILE, VERDICTS, FILTER_PAGE)) as step:
        if step.done and (out / VERDICTS).is_file() and (out / COHORT_FILE).is_file():
            rows = tuple(VerdictRow.from_json(row) for row in read_json(out / VERDICTS))
            kept = read_cohort(out)
            _write_queue(kept, rows, out, queue)
            return kept, rows
        kept, verdicts = check_cohort(made, train, filters, models=models, seed=seed, progress=progress)
        write_json(out / VERDICTS, [row.to_json() for row in verdicts])
        write_atomically(out / FILTER_PAGE, render(filter_page(made, verdicts)).encode())
        write_cohort(kept, out)
        _write_queue(kept, verdicts, out, queue)
        if not step.done:
            step.finish({"cases": len(kept), "fingerprint": kept.fingerprint})
    return kept, verdicts


def filter_models(folders: Sequence[str], *, accelerator: AcceleratorSpec | None = None) -> dict[str, Model]:
    """Load trained models for filters.

    Args:
        folders: Texts such as `segmenter=FOLDER` and `encoder=FOLDER`.
        accelerator: Where a segmenter runs.

    Raises:
        SpecError: A text has another form, or names another kind of model.
        InputFileError: A folder holds no such model.
    """
    found: dict[str, Model] = {}
    for text in folders:
        name, _, folder = text.partition("=")
        if name == "segmenter" and folder:
            from glioforge.segmentation import load_segmenter

            found[name] = load_segmenter(Path(folder), accelerator)
        elif name == "encoder" and folder:
            from glioforge.features import Encoder

            found[name] = Encoder(Path(folder))
        else:
            raise SpecError(
                f"model {text!r}", "segmenter=FOLDER or encoder=FOLDER", "name the folder that train wrote", "--model"
            )
    return found


def _files_of(filters: Sequence[Spec]) -> dict[str, dict[str, str]]:
    """Hashes of the files that filters read, such as answers of experts; nothing where they read none."""
    paths = [value for spec in filters for value in dict(spec).values() if isinstance(value, Path)]
    return {"files": {str(path): hash_of_file(path) for path in paths}} if paths else {}


def _write_queue(kept: Cohort, verdicts: Sequence[VerdictRow], out: Path, count: int) -> None:
    """Write the kept cases with the largest ranks among all scores of a filter as a cohort for experts."""
    if not count:
        return
    ranks: dict[str, float] = {}
    for name in dict.fromkeys(row.filter for row in verdicts):
        mine = sorted((row for row in verdicts if row.filter == name and row.keep), key=lambda row: row.score)
        for place, row in enumerate(mine):
            ranks[row.case_id] = max(ranks.get(row.case_id, 0.0), place / max(1, len(mine) - 1))
    chosen = sorted(kept, key=lambda ref: (-ranks.get(ref.case_id, 0.0), ref.case_id))[:count]
    write_cohort(replace(kept, name=f"{kept.name}-queue", cases=tuple(chosen)), out / QUEUE)


def _require_real(train: Cohort, made: Cohort) -> None:
    """Refuse training cases that cannot set a limit for the made ones."""
    synthetic = sum(ref.lineage.is_synthetic for ref in train)
    if synthetic:
        raise CohortError(
            f"{counted(synthetic, 'synthetic case')} among the training cases of a filter",
            "real cases, which set its limits",
            "name the prepared cohort",
            train.where,
        )
    if train.scheme != made.scheme:
        raise CohortError(
            f"labels {train.scheme.name} in the training cases and {made.scheme.name} in the cases to judge",
            "one label scheme",
            "name the prepared cohort that the synthetic cases were made from",
            train.where,
        )
