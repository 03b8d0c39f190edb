"""Histogram matching: quantiles of a brain go to the mean quantiles of training subjects, piecewise linearly.

Landmarks at the deciles and at two outer percentiles, learnt on training
scans and applied to every scan (Nyúl, Udupa and Zhang 2000, IEEE Trans. Med.
Imaging 19(2), 143-150).  The standard scale is that of z-scores.  Landmarks
are fitted on training subjects only and name them.  A case prepared with them
lists these subjects in its lineage, so that the leakage firewall stops whoever
trains on it and tests on one of them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float64

from glioforge.config import Spec
from glioforge.core import CaseError, Cohort, CohortError, InputFileError, Kind, Lineage, Mask, Modality, Voxels
from glioforge.data.preparation.brain import BrainSpec, find_brain
from glioforge.io import read_json, write_json

PERCENTILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)
_LIMIT = 5.0


@final
class HistogramSpec(Spec):
    """Quantiles of each brain are brought to those of training subjects."""

    kind: Literal["histogram"] = "histogram"
    landmarks: Path
    """File of landmarks that were fitted on training subjects (`fit_landmarks`)."""


@final
@dataclass(frozen=True)
class Landmarks:
    """Mean quantiles of each contrast over training subjects.

    Args:
        values: For each contrast the standard values at `PERCENTILES`, rising, in z-scores.
        lineage: Whose scans they were fitted on.
    """

    values: Mapping[Modality, tuple[float, ...]]
    lineage: Lineage

    def save(self, path: Path) -> None:
        """Write them as JSON.

        Raises:
            OutputError: The file cannot be written.
        """
        write_json(path, {"landmarks": {str(m): list(v) for m, v in self.values.items()}} | self._origin())

    def _origin(self) -> dict[str, Any]:
        """Lineage and percentiles as plain values."""
        return {"percentiles": list(PERCENTILES), "lineage": self.lineage.to_json()}

    @classmethod
    def load(cls, path: Path) -> "Landmarks":
        """Inverse of `save`.

        Raises:
            InputFileError: The file is missing or holds something else.
        """
        values = read_json(path)
        try:
            found = {Modality(m): tuple(float(v) for v in row) for m, row in values["landmarks"].items()}
            lineage = Lineage.from_json(values["lineage"])
            fits = tuple(values["percentiles"]) == PERCENTILES
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _not_landmarks(repr(error), path) from error
        if not fits or any(len(row) != len(PERCENTILES) or not (np.diff(row) > 0).all() for row in found.values()):
            raise _not_landmarks("other percentiles, or values that do not rise", path)
        return cls(found, lineage)


def _not_landmarks(why: str, path: Path) -> InputFileError:
    """What to tell of a file that holds something else."""
    return InputFileError(f"not landmarks ({why})", "a file that `fit_landmarks` gave", "fit them again", path)


@final
@dataclass(frozen=True)
class Matching:
    """How a contrast was matched, enough to undo it.

    Args:
        own: Intensities of the scan at the landmarks, rising.
        standard: Values that they were brought to, rising.
        clipped: Number of brain voxels that were cut off at ±5.
    """

    own: tuple[float, ...]
    standard: tuple[float, ...]
    clipped: int = 0

    def apply(self, values: Float64[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
        """Standard values of intensities; the outer pieces go on beyond the outer landmarks."""
        return _piecewise(values, self.own, self.standard)

    def invert(self, voxels: Voxels, brain: Mask, background: float = 0.0) -> Voxels:
        """Intensities of the scan again; exact but for what was cut off and for rounding."""
        scan = _piecewise(voxels.astype(np.float64), self.standard, self.own).astype(np.float32)
        return np.where(brain, scan, np.float32(background))

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "kind": "histogram",
            "own": list(self.own),
            "standard": list(self.standard),
            "clipped": self.clipped,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Matching":
        """Inverse of `to_json`."""
        return cls(tuple(values["own"]), tuple(values["standard"]), values["clipped"])


def fit_landmarks(train: Cohort, spec: BrainSpec | None = None) -> Landmarks:
    """Mean quantiles of real or phantom training cases; each subject counts once.

    Args:
        train: Training cases as they came, not prepared ones, in any grid.
        spec: How brains are found.

    Raises:
        CohortError: The cohort is empty or holds synthetic cases.
        CaseError: A contrast has no spread in the brain.
    """
    synthetic = [ref.case_id for ref in train if ref.lineage.is_synthetic]
    if synthetic or not len(train):
        raise CohortError(
            f"synthetic cases {synthetic[:5]}" if synthetic else "no cases",
            "real training cases",
            "fit landmarks on the real training cohort",
            train.name,
        )
    by_subject: dict[str, list[np.ndarray]] = {}
    for ref in train:
        case = ref.load()
        brain = find_brain(case, spec)
        rows = [_scores(case.images[m].voxels[brain], f"{ref.case_id} {m}") for m in train.modalities]
        by_subject.setdefault(ref.subject_id, []).append(np.stack(rows))
    mean = np.mean([np.mean(rows, axis=0) for rows in by_subject.values()], axis=0)
    kind: Kind = "phantom" if all(ref.lineage.kind == "phantom" for ref in train) else "real"
    lineage = Lineage(kind, "intensity landmarks", tuple(sorted(train.subjects_behind)))
    return Landmarks({m: _rising(row) for m, row in zip(train.modalities, mean, strict=True)}, lineage)


def landmarks_for(
    spec: HistogramSpec, modalities: Collection[Modality], case_id: str
) -> Mapping[Modality, tuple[float, ...]]:
    """Landmarks that a spec names, for the contrasts of a case.

    Raises:
        CaseError: The landmarks lack a contrast.
        InputFileError: As `Landmarks.load`.
    """
    known = Landmarks.load(spec.landmarks).values
    missing = sorted(set(modalities) - set(known))
    if missing:
        raise CaseError(
            f"landmarks of {[str(m) for m in known]}",
            f"landmarks of {[str(m) for m in missing]} as well",
            "fit them on training cases with these contrasts",
            case_id,
        )
    return known


def match(voxels: Voxels, brain: Mask, landmarks: tuple[float, ...], *, where: str = "") -> tuple[Voxels, Matching]:
    """Bring a contrast's quantiles to landmarks; cut off at ±5, exactly 0 outside the brain.

    Args:
        voxels: One contrast.
        brain: Brain mask.
        landmarks: Standard values at `PERCENTILES`, rising.
        where: Case and contrast, for the message.

    Raises:
        CaseError: The brain is empty or all its voxels are alike.
    """
    values = voxels[brain].astype(np.float64)
    _scores(values, where)
    matching = Matching(_rising(np.percentile(values, PERCENTILES)), landmarks)
    scores = matching.apply(voxels.astype(np.float64))
    clipped = int(np.count_nonzero(np.abs(scores[brain]) > _LIMIT))
    result = np.where(brain, np.clip(scores, -_LIMIT, _LIMIT), 0.0).astype(np.float32)
    return result, Matching(matching.own, matching.standard, clipped)


def _scores(values: np.ndarray, where: str) -> Float64[np.ndarray, "p"]:
    """Quantiles in units of the brain's own spread."""
    exact = values.astype(np.float64)
    spread = float(np.ptp(np.percentile(exact, [1, 99]))) if exact.size else 0.0
    if not spread > 0:
        raise CaseError(
            f"{exact.size} voxels without spread",
            "a brain whose voxels differ",
            "look at the image: it may be empty or hold a mask",
            where or None,
        )
    return np.asarray((np.percentile(exact, PERCENTILES) - exact.mean()) / exact.std())


def _rising(values: np.ndarray) -> tuple[float, ...]:
    """The values, pushed apart a little where two are alike, so that the way back exists."""
    least = 1e-4 * float(values[-1] - values[0])
    steps = np.maximum(np.diff(values), least)
    return tuple(float(v) for v in values[0] + np.concatenate([[0.0], np.cumsum(steps)]))


def _piecewise(
    values: Float64[np.ndarray, "*any"], old: tuple[float, ...], new: tuple[float, ...]
) -> Float64[np.ndarray, "*any"]:
    """Piecewise linear map through pairs of points; the outer pieces go on."""
    x, y = np.array(old), np.array(new)
    piece = np.clip(np.searchsorted(x, values, side="right") - 1, 0, len(x) - 2)
    slope = np.diff(y) / np.diff(x)
    return np.asarray(y[piece] + slope[piece] * (values - x[piece]))
