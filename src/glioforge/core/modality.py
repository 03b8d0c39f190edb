"""MRI contrasts by their names in the field."""

from enum import StrEnum, unique
from typing import final


@final
@unique
class Modality(StrEnum):
    """One MRI contrast; the value is its short name in files and tables.

    Example:
        >>> Modality("t1ce") is Modality.T1CE
        True
    """

    T1 = "t1"
    """T1-weighted, before contrast agent."""
    T1CE = "t1ce"
    """T1-weighted, after gadolinium."""
    T2 = "t2"
    """T2-weighted."""
    FLAIR = "flair"
    """T2-weighted with the signal of free fluid nulled by inversion."""
    APTW = "aptw"
    """Amide-proton-transfer-weighted."""

    @property
    def title(self) -> str:  # type: ignore[override]  # a name in place of `str.title`, which nobody needs here
        """Name as printed in figures, for example `"T1ce"`."""
        return {"t1": "T1", "t1ce": "T1ce", "t2": "T2", "flair": "FLAIR", "aptw": "APTw"}[self]


def in_standard_order(modalities: "frozenset[Modality] | set[Modality]") -> tuple[Modality, ...]:
    """Sort contrasts in the order T1, T1ce, T2, FLAIR, APTw; empty in, empty out.

    Example:
        >>> in_standard_order({Modality.FLAIR, Modality.T1})
        (<Modality.T1: 't1'>, <Modality.FLAIR: 'flair'>)
    """
    return tuple(modality for modality in Modality if modality in modalities)
