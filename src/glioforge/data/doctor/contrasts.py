"""Scans that look like others: contrasts by what physics makes bright and dark, and copies among cases.

Each rule about contrasts compares two of them in one place of the head, in units of
the spread of normal brain:

fluid        bright on T2, dark on T1, T1ce and FLAIR
oedema       brighter on FLAIR than on T1 and T1ce
enhancing    brighter on T1ce than on T1

Fluid is found without trusting names: it is what one image shows brightest
and all others dark.  Where no rule warns, two weaker ones need no labels and
only give hints:

tissue       what is bright on T2 is bright on FLAIR and dark on T1 and T1ce
vessels      T1ce has brighter spots than T1

The rules are Glioforge's own; they warn and never decide.

Copies are scans of different cases that are nearly the same, although filtered,
resampled, mirrored or renamed.  Each image becomes a coarse picture of its brain's
box, 12 x 12 x 12 means, and pictures are compared by correlation.  Different heads,
phantoms of one atlas among them, stay below 0.8; copies with noise, mirrored ones
too, above 0.95.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64

from glioforge.core import Modality, bounding_box
from glioforge.data.doctor.opened import Finding, Opened, Small

_FLUID_SHARE = 0.03
_FEWEST = 20
_MARGIN = 0.5
_TISSUE = (0.05, 0.7)
"""Quantiles of T2 between which lies tissue and not fluid."""
_CORRELATION_MARGIN = 0.4
_SPOTS = 0.999
_SPOT_MARGIN = 1.0
_REMEDY = "look at both images; if their names are swapped, rename the files"
_BRIGHTER: Mapping[str, tuple[tuple[Modality, Modality], ...]] = {
    "oedema": ((Modality.FLAIR, Modality.T1), (Modality.FLAIR, Modality.T1CE)),
    "enhancing": ((Modality.T1CE, Modality.T1),),
}
"""Lesion label: pairs of contrasts of which the first is brighter there."""


def swapped_contrasts(case: Opened, case_id: str) -> list[Finding]:
    """At most one finding a case: the pair of contrasts that most looks swapped, or else may be.

    Args:
        case: The case's sound files; without enough normal brain nothing is found.
        case_id: Its id.
    """
    suspects = [*_fluid(case), *_lesion(case)]
    hints = [] if suspects else [*_tissue(case), *_vessels(case)]
    if not suspects and not hints:
        return []
    _, (first, second), why = max(suspects or hints, key=lambda suspect: suspect[0])
    path = str(case.images[first].path)
    if suspects:
        what = f"{first.title} and {second.title} look swapped: {why}"
        return [Finding("warning", "contrasts look swapped", case_id, path, what, _REMEDY)]
    what = f"{first.title} and {second.title} may be swapped: {why}"
    return [Finding("remark", "contrasts may be swapped", case_id, path, what, _REMEDY)]


def fluid_of(z: Mapping[Modality, Small], normal: Bool[np.ndarray, "x y z"]) -> dict[Modality, tuple[float, Any]]:
    """For each contrast how dark the others are (in z) where it is brightest, and that place.

    Args:
        z: Images in units of normal brain's spread; fewer than two give nothing.
        normal: Where to look.
    """
    if len(z) < 2:
        return {}
    inside = {modality: voxels[normal] for modality, voxels in z.items()}
    result: dict[Modality, tuple[float, Any]] = {}
    for modality, values in inside.items():
        place = values >= np.quantile(values, 1 - _FLUID_SHARE)
        others = [float(np.median(other[place])) for name, other in inside.items() if name != modality]
        result[modality] = (float(np.mean(others)), place)
    return result


def _fluid(case: Opened) -> list[tuple[float, tuple[Modality, Modality], str]]:
    """The contrast that shows fluid bright is not the one called T2."""
    darkness = fluid_of(case.z, case.normal)
    if Modality.T2 not in darkness or len(darkness) < 3:
        return []
    brightest = min(darkness, key=lambda modality: darkness[modality][0])
    gap = darkness[Modality.T2][0] - darkness[brightest][0]
    if brightest == Modality.T2 or gap < _MARGIN:
        return []
    return [(gap + 10, (brightest, Modality.T2), f"fluid, dark on the others, is bright on {brightest.title}")]


def _lesion(case: Opened) -> list[tuple[float, tuple[Modality, Modality], str]]:
    """A lesion label is brighter on the wrong one of two contrasts."""
    suspects = []
    for label, pairs in _BRIGHTER.items():
        place = case.small_label(label)
        if np.count_nonzero(place) < _FEWEST:
            continue
        for bright, dark in pairs:
            if {bright, dark} <= set(case.z):
                gap = float(np.median(case.z[dark][place]) - np.median(case.z[bright][place]))
                if gap > _MARGIN:
                    why = f"{label} is brighter on {dark.title} than on {bright.title} by {gap:.1f} spreads"
                    suspects.append((gap, (bright, dark), why))
    return suspects


def _tissue(case: Opened) -> list[tuple[float, tuple[Modality, Modality], str]]:
    """FLAIR goes against T2 in tissue where T1 or T1ce goes with it."""
    if not {Modality.T2, Modality.FLAIR} <= set(case.z):
        return []
    bright = case.z[Modality.T2][case.normal]
    low, high = np.quantile(bright, _TISSUE)
    solid = (bright > low) & (bright < high)
    if np.count_nonzero(solid) < _FEWEST:
        return []
    along = {m: _correlation(voxels[case.normal][solid], bright[solid]) for m, voxels in case.z.items()}
    suspects = []
    for modality in {Modality.T1, Modality.T1CE} & set(along):
        gap = along[modality] - along[Modality.FLAIR]
        if gap > _CORRELATION_MARGIN:
            why = (
                f"in tissue {modality.title} goes with T2 (correlation {along[modality]:.2f}) "
                f"and FLAIR less so ({along[Modality.FLAIR]:.2f})"
            )
            suspects.append((gap, (modality, Modality.FLAIR), why))
    return suspects


def _vessels(case: Opened) -> list[tuple[float, tuple[Modality, Modality], str]]:
    """T1 has brighter spots than T1ce, where vessels should be bright."""
    if not {Modality.T1, Modality.T1CE} <= set(case.z):
        return []
    plain, enhanced = (float(np.quantile(case.z[m][case.normal], _SPOTS)) for m in (Modality.T1, Modality.T1CE))
    if plain - enhanced < _SPOT_MARGIN:
        return []
    why = f"the brightest spots are brighter on T1 than on T1ce by {plain - enhanced:.1f} spreads"
    return [(0.0, (Modality.T1, Modality.T1CE), why)]


def _correlation(first: Float32[np.ndarray, " n"], second: Float32[np.ndarray, " n"]) -> float:
    """Pearson's correlation; 0 for a constant."""
    spread = float(first.std() * second.std())
    return float(((first - first.mean()) * (second - second.mean())).mean() / spread) if spread > 0 else 0.0


def alike_contrasts(case: Opened, case_id: str) -> list[Finding]:
    """Two contrasts of one case that show nearly the same image."""
    findings = []
    for first, second in combinations(case.z, 2):
        agreement = abs(_correlation(case.z[first][case.small_brain], case.z[second][case.small_brain]))
        if agreement > 0.995:
            what = f"{first.title} and {second.title} are nearly the same image (correlation {agreement:.4f})"
            findings.append(
                Finding(
                    "warning", "contrasts nearly the same", case_id, str(case.images[second].path), what,
                    "check that one was not saved under the other's name",
                )
            )  # fmt: skip
    return findings


SIDE = 12
Coarse = Float32[np.ndarray, "12 12 12"]
_ALIKE = 0.9


def coarse_images(case: Opened) -> dict[Modality, Coarse]:
    """Coarse picture of each image within the box of the brain; none where there is no brain."""
    box = bounding_box(case.small_brain)
    if box is None or not case.z:
        return {}
    brain = case.small_brain[box]
    return {modality: _block_means(np.where(brain, voxels[box], 0)) for modality, voxels in case.z.items()}


def twins(cases: Sequence[tuple[str, str, Mapping[Modality, Coarse]]]) -> list[Finding]:
    """A warning for each pair of cases of which some contrast looks the same, straight or mirrored.

    Args:
        cases: Id, subject and coarse pictures of each case.
    """
    findings = []
    for modality in Modality:
        shown = [(case_id, subject, coarse[modality]) for case_id, subject, coarse in cases if modality in coarse]
        for first, second, agreement, way in _alike(shown):
            what = f"{modality.title} is nearly that of {first[0]}{way} (correlation {agreement:.4f})"
            remedy = "look at both; the same head under two names leaks between training and test"
            if first[1] == second[1]:
                continue
            findings.append(Finding("warning", "nearly the same scan", second[0], "", what, remedy))
    return findings


def _alike(
    shown: Sequence[tuple[str, str, Coarse]],
) -> list[tuple[tuple[str, str, Coarse], tuple[str, str, Coarse], float, str]]:
    """Pairs whose coarse pictures agree, with their agreement and whether one is mirrored."""
    if len(shown) < 2:
        return []
    straight = np.stack([coarse for _, _, coarse in shown]).astype(np.float64)
    units = _units(straight)
    pairs = []
    for way, other in (("", units), (" mirrored", _units(straight[:, ::-1]))):
        agreement = units @ other.T
        for i, j in np.argwhere(np.triu(agreement > _ALIKE, 1)):
            pairs.append((shown[int(i)], shown[int(j)], float(agreement[i, j]), way))
    return pairs


def _units(pictures: Float64[np.ndarray, "n 12 12 12"]) -> Float64[np.ndarray, "n d"]:
    """Each picture as a vector of mean 0 and length 1; 0 for a constant one."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    units: Float64[np.ndarray, "n d"] = flat / np.where(length > 0, length, 1)
    return units


def _block_means(voxels: Small) -> Coarse:
    """Means of 12 x 12 x 12 blocks; small boxes repeat their voxels."""
    for axis in range(3):
        length = voxels.shape[axis]
        if length < SIDE:
            voxels = voxels.take(np.arange(SIDE) * length // SIDE, axis=axis)
            continue
        starts = np.rint(np.arange(SIDE) * length / SIDE).astype(np.int64)
        sizes = np.diff([*starts, length])
        shape = [1, 1, 1]
        shape[axis] = SIDE
        voxels = np.add.reduceat(voxels, starts, axis=axis) / sizes.reshape(shape)
    coarse: Coarse = voxels.astype(np.float32)
    return coarse
