"""Put a cohort through quality filters on its own, and keep what passes as a cohort."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

from glioforge.config.load import load_spec, parse_spec
from glioforge.config.spec import Spec
from glioforge.core import Cohort, CohortError, Progress, VerdictRow, counted
from glioforge.io.atomic_write import write_json
from glioforge.io.cohort_file import NAME, write_cohort
from glioforge.io.run_folder import VERB, Step
from glioforge.quality.base import AnyFilter
from glioforge.quality.check import check_cohort

VERDICTS: Final = "verdicts.json"
"""Every verdict with score and reason, filter by filter within each case."""


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


def filter_cohort(
    made: Cohort,
    train: Cohort,
    filters: Sequence[Spec],
    out: Path,
    *,
    seed: int = 1,
    progress: Progress | None = None,
) -> tuple[Cohort, tuple[VerdictRow, ...]]:
    """Judge every case by filters that are fitted on real cases, and write the cohort of those that all of them keep.

    The files of the cases stay where they are.  The lineage of a kept case names the filters' subjects too.

    Args:
        made: Cases to judge.
        train: Real or phantom training cases in the same scheme; no evaluation subject may be among them.
        filters: Filters in the order of the funnel.
        out: Folder of the kept cohort: `cohort.json`, `verdicts.json`.
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
    }
    with Step(out, key, writes=(NAME, VERDICTS)) as step:
        kept, verdicts = check_cohort(made, train, filters, seed=seed, progress=progress)
        write_json(out / VERDICTS, [row.to_json() for row in verdicts])
        write_cohort(kept, out)
        if not step.done:
            step.finish({"cases": len(kept), "fingerprint": kept.fingerprint})
    return kept, verdicts


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
