"""How bright each class is in each contrast, and how frequent it is, over training subjects.

The object is fitted once on real training subjects and kept, so that class
weights and intensities never depend on synthetic cases that are mixed in
later, nor on subjects that are tested on (a flaw of Foroozandeh & Eklund's
set-up, who flag it themselves).  It carries the subjects it saw; the leakage
firewall reads them.

Conventions
-----------
mean      mean over subjects of the subject's own mean of a class
within    root mean square over subjects of the standard deviation inside a class
between   standard deviation over subjects of the subject's own mean; 0 for one subject
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from glioforge.core import Case, Cohort, CohortError, InputFileError, Kind, LabelScheme, Lineage, Modality


@final
@dataclass(frozen=True)
class Brightness:
    """Intensity of one class in one contrast."""

    mean: float
    within: float
    between: float


@final
@dataclass(frozen=True, eq=True)
class ClassStatistics:
    """Brightness and frequency of every class that was seen.

    Args:
        scheme: Meaning of the classes.
        modalities: Contrasts, in standard order.
        brightness: By class name and contrast; classes that no subject shows are absent.
        frequencies: Mean over subjects of the share of brain voxels of each class; 0 for classes never seen.
        lineage: Whose scans it was fitted on.
    """

    scheme: LabelScheme
    modalities: tuple[Modality, ...]
    brightness: Mapping[str, Mapping[Modality, Brightness]]
    frequencies: Mapping[str, float]
    lineage: Lineage

    def weights(self, power: float = 0.5, largest: float = 20.0) -> dict[str, float]:
        """Loss weight of each class: frequency to the power `-power`, mean 1 over the classes seen.

        Args:
            power: 0 weighs all alike, 1 by inverse frequency.
            largest: No class seen weighs more than this many times the lightest; classes never seen weigh 0.
        """
        raw = {n: f**-power for n, f in self.frequencies.items() if f > 0}
        lightest = min(raw.values(), default=1.0)
        kept = {n: min(w, largest * lightest) for n, w in raw.items()}
        total = sum(kept.values())
        return {n: kept[n] * len(kept) / total if n in kept else 0.0 for n in self.frequencies}

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "scheme": self.scheme.to_json(),
            "modalities": [str(m) for m in self.modalities],
            "brightness": {
                name: {str(m): [b.mean, b.within, b.between] for m, b in contrasts.items()}
                for name, contrasts in self.brightness.items()
            },
            "frequencies": dict(self.frequencies),
            "lineage": self.lineage.to_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ClassStatistics":
        """Inverse of `to_json`.

        Raises:
            InputFileError: The values are not those of class statistics.
        """
        try:
            brightness = {
                name: {Modality(m): Brightness(*numbers) for m, numbers in contrasts.items()}
                for name, contrasts in values["brightness"].items()
            }
            return cls(
                LabelScheme.from_json(values["scheme"]),
                tuple(Modality(m) for m in values["modalities"]),
                brightness,
                dict(values["frequencies"]),
                Lineage.from_json(values["lineage"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputFileError(
                f"not class statistics ({error!r})", "what `to_json` gave", "fit them again"
            ) from error


def fit_statistics(train: Cohort) -> ClassStatistics:
    """Fit class statistics on real or phantom training cases; each subject counts once.

    Args:
        train: Prepared cases with labels.

    Raises:
        CohortError: The cohort is empty or holds synthetic cases.
        CaseError: A case has no labels.
    """
    synthetic = [ref.case_id for ref in train if ref.lineage.is_synthetic]
    if synthetic or not len(train):
        raise CohortError(
            f"synthetic cases {synthetic[:5]}" if synthetic else "no cases",
            "real training cases",
            "fit on the real training cohort before anything is mixed in",
            train.name,
        )
    modalities = train.modalities
    subjects: dict[str, list[np.ndarray]] = {}
    for ref in train:
        subjects.setdefault(ref.subject_id, []).append(_sums(ref.load(), modalities, train.scheme))
    moments = np.stack([np.sum(sums, axis=0) for sums in subjects.values()])
    names = [n for n in train.scheme.labels if n != "background"]
    counts = moments[:, :, 0, 0]
    brightness = {
        name: {m: _brightness(moments[:, row, column]) for column, m in enumerate(modalities)}
        for row, name in enumerate(names)
        if counts[:, row].any()
    }
    frequencies = (counts / counts.sum(axis=1, keepdims=True)).mean(axis=0)
    kind: Kind = "phantom" if all(ref.lineage.kind == "phantom" for ref in train) else "real"
    lineage = Lineage(kind, "class statistics", tuple(sorted(train.subjects_behind)))
    return ClassStatistics(
        train.scheme, modalities, brightness, dict(zip(names, frequencies.tolist(), strict=True)), lineage
    )


def _sums(case: Case, modalities: tuple[Modality, ...], scheme: LabelScheme) -> np.ndarray:
    """Number, sum and sum of squares of the voxels of each class, `(class, contrast, 3)`."""
    labels = case.require_labels().voxels
    values = [v for n, v in scheme.labels.items() if n != "background"]
    inside = labels > 0
    flat = labels[inside]
    sums = np.zeros((len(values), max(len(modalities), 1), 3))
    sums[:, :, 0] = np.bincount(flat, minlength=256)[values][:, None]
    for column, modality in enumerate(modalities):
        intensities = case.images[modality].voxels[inside].astype(np.float64)
        sums[:, column, 1] = np.bincount(flat, weights=intensities, minlength=256)[values]
        sums[:, column, 2] = np.bincount(flat, weights=intensities**2, minlength=256)[values]
    return sums


def _brightness(moments: np.ndarray) -> Brightness:
    """Statistics of one class in one contrast, from each subject's `(subject, 3)` moments."""
    seen = moments[moments[:, 0] > 0]
    means = seen[:, 1] / seen[:, 0]
    variances = np.clip(seen[:, 2] / seen[:, 0] - means**2, 0, None)
    between = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    return Brightness(float(means.mean()), float(np.sqrt(variances.mean())), between)
