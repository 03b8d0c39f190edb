"""A reading study's methods paragraph, as for a paper, and its numbers as plain values."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from glioforge.core import InputFileError
from glioforge.io import read_json
from glioforge.reader.analysis import Analysis
from glioforge.reader.mrmc import FEWEST_READERS
from glioforge.reader.report_words import verdict
from glioforge.reader.spec import ReaderSpec

_ASKED = {
    "turing": "called each image real or synthetic",
    "training": "called each image real or synthetic and were shown the truth after each answer",
    "choice": "chose the real image of a real and a synthetic one, shown side by side",
    "preference": "chose the better of two images that two methods made of one label map, or said that both were equal",
    "accept": "accepted or rejected each image",
    "likert": "scored the quality of each image",
    "delineation": "drew the tumour in each image",
    "diagnosis": "said for each image whether it shows a tumour",
}


def methods_text(analysis: Analysis, spec: ReaderSpec) -> str:
    """Describe design and statistics in running text.

    Args:
        analysis: The analysis.
        spec: Settings of the study.
    """
    return " ".join([*_design(analysis, spec), *_statistics(analysis)])


def _design(analysis: Analysis, spec: ReaderSpec) -> list[str]:
    """What was shown and asked."""
    count = len(analysis.readers)
    shown = {"slice": "one slice", "stack": "a stack of slices", "volume": "a volume in three planes"}[spec.show]
    contrasts = "with all MRI contrasts next to each other" if spec.together else "in one MRI contrast"
    sentences = [
        f"{count} reader{'' if count == 1 else 's'} {_ASKED[analysis.kind]}; an item showed {shown} {contrasts}.",
        "Items came in a random order of each reader's own, without feedback and without what was true of them."
        if analysis.kind != "training"
        else "Items came in a random order of each reader's own.",
    ]
    if analysis.practice:
        sentences.append("Practice items, made of phantoms, came first and do not count.")
    if analysis.repeats:
        sentences.append(f"{analysis.repeats} items were shown once more, which serves agreement alone.")
    if analysis.several_per_subject:
        sentences.append("Some subjects have several items; they are resampled and exchanged as wholes.")
    return sentences


def _statistics(analysis: Analysis) -> list[str]:
    """How answers were tested."""
    plan = analysis.plan
    sentences = [
        (
            f"Margin ({100 * plan.margin:g} points), level ({100 * plan.alpha:g} %), primary method ({plan.primary}) "
            "and the planned tests were fixed before the first answer; Holm's method corrects over the planned tests."
        )
    ]
    if analysis.rows:
        sentences.append(_of_detection(analysis))
    if analysis.preference is not None:
        sentences.append(
            "Rates have Wilson's interval; strengths are those of Bradley and Terry (logistic regression with an "
            "effect of the side, half a comparison added each way, errors clustered by subject); that all methods are "
            "alike is tested by exchanging methods within comparisons, which is exact."
        )
    if any(means.differences for means in analysis.means):
        sentences.append(
            "Methods are compared by means over subjects: by sign flips where they share subjects, else by exchanging "
            "subjects."
        )
    if analysis.agreements:
        sentences.append("Agreement is Cohen's kappa, with a bootstrap over subjects.")
    return sentences


def _of_detection(analysis: Analysis) -> str:
    """Statistics of right and wrong answers."""
    basis = analysis.rows[0].basis
    text = (
        "Sensitivity is d' with a log-linear correction (Hautus 1995) and bias the criterion c; calls are tested "
        "against truth with the bias given (Fisher's exact test, or an exchange of truth between subjects)."
    )
    if basis == "exact":
        return (
            "Accuracy has Wilson's interval and is tested against chance by the exact binomial test, and for "
            f"equivalence by two exact one-sided tests (Schuirmann 1987). {text}"
        )
    if basis == "readers":
        return (
            "Accuracy and AUC are means over readers; their variance over readers and cases comes from U-statistics "
            f"(Gallas 2006; binary answers: Gallas 2007), with t tests in the manner of Obuchowski and Rockette. {text}"
        )
    if basis == "these readers":
        return (
            f"With fewer than {FEWEST_READERS} readers, variances of accuracy and AUC are over cases alone "
            f"(U-statistics), and hold for these readers. {text}"
        )
    return f"Accuracy is the mean of the shares of right answers on both kinds, with a variance over subjects. {text}"


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
