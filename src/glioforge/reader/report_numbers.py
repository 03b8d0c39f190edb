"""Numbers of a reading study's report: all of an analysis as plain values, and diversity from a fidelity file."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from glioforge.core import InputFileError
from glioforge.io import read_json
from glioforge.reader.analysis import Analysis
from glioforge.reader.report_words import verdict

DIVERSITY: Final = ("manifold_recall", "manifold_coverage", "ms_ssim_gap")
"""Numbers of a fidelity file that measure diversity."""


def read_diversity(path: Path) -> dict[str, float]:
    """Take the measures of diversity from a fidelity file.

    Raises:
        InputFileError: The file holds no such number.
    """
    values = read_json(path)
    rows = values.get("numbers", []) if isinstance(values, dict) else []
    found = {
        f"{str(row.get('metric', '')).replace('manifold_', '').replace('_', ' ')} of {row.get('space')} features": row[
            "value"
        ]
        for row in rows
        if isinstance(row, dict) and row.get("metric") in DIVERSITY and isinstance(row.get("value"), float | int)
    }
    if not found:
        raise InputFileError(
            "no measure of diversity", f"a fidelity file with one of {', '.join(DIVERSITY)}", where=path
        )
    return {name: float(value) for name, value in found.items()}


def numbers_of(analysis: Analysis) -> dict[str, Any]:
    """All numbers of an analysis as plain values for JSON; null where there is none."""
    values = {
        name: _plain(asdict(value) if hasattr(value, "__dataclass_fields__") else value)
        for name, value in vars(analysis).items()
        if name != "plan"
    }
    return {"verdict": verdict(analysis), "plan": analysis.plan.model_dump(mode="json"), **values}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever an analysis holds
    """Plain values: dataclasses as mappings, tuples as lists, NaN as nothing."""
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
