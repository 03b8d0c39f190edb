"""Places where a lesion may lie, all found at once, and one of them drawn.

The share of the lesion that would lie wrong (`placement_map.RULES`) is, for every
offset together, a correlation of the lesion with a mask, computed by Fourier
transform on a lattice of a few millimetres.  One of the valid offsets is drawn
by the prior, moved at random within its lattice cell, and judged voxel by
voxel; after a bounded number of tries an `EditError` says what stood in the way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float32, Float64
from pydantic import Field
from scipy import fft

from glioforge.config import Spec
from glioforge.core import EditError, Index, within
from glioforge.lesions.displacement import Coarse
from glioforge.lesions.patch import WHITE, LesionPatch
from glioforge.lesions.placement_map import RULES, PlacementMap, rule_shares

_LATTICE_TOLERANCE = 0.02

Prior = Callable[[Float64[np.ndarray, "place 3"]], Float64[np.ndarray, "place"]]
"""Gives places, in voxels, weights above 0."""


class PlacementSpec(Spec):
    """What makes a place valid; shares are of the lesion's voxels."""

    outside_share: float = Field(0.02, ge=0, le=1)
    """Share that may reach out of the brain; the lesion then gives way there and keeps its volume."""
    midline_share: float = Field(0.05, ge=0, le=0.5)
    """Share that may lie in the other hemisphere, as far as it gets there through anything but midline white matter."""
    ventricle_share: float = Field(0.05, ge=0, le=1)
    """Share that may lie in ventricles, or in deep fluid where the map has no label of them."""
    brainstem_share: float = Field(0.05, ge=0, le=1)
    """Share that may lie in the brainstem, or in the box that holds it where the map has no label of it."""
    tentorium_share: float = Field(0.02, ge=0, le=0.5)
    """Share that may lie in the smaller of its parts in cerebrum and cerebellum."""
    gap_mm: float = Field(2.0, ge=0)
    """Distance kept from other lesions."""
    prior: Literal["white_matter", "brain"] = "white_matter"
    """Tissue over which the lesion's centre falls evenly."""
    attempts: int = Field(40, ge=1, le=10_000)
    """Places tried voxel by voxel before the search ends with an error."""

    def limits(self, floor: dict[str, float] | None = None) -> dict[str, float]:
        """Largest share for each rule; `floor` holds shares that a lesion has already and may keep."""
        shares = (
            self.outside_share,
            0.0,
            self.ventricle_share,
            self.brainstem_share,
            self.tentorium_share,
            self.midline_share,
        )
        kept = floor or {}
        return {rule: max(share, kept.get(rule, 0.0)) for rule, share in zip(RULES, shares, strict=True)}


@final
@dataclass(frozen=True)
class Window:
    """Offsets that are looked at.

    Args:
        least_mm: Shortest way.
        most_mm: Longest way; infinite for the whole brain.
    """

    least_mm: float = 0.0
    most_mm: float = float("inf")

    def holds(self, distance_mm: Float64[np.ndarray, "..."] | float) -> Bool[np.ndarray, "..."]:
        """Whether ways are of an allowed length."""
        return np.asarray(within(self.least_mm, distance_mm) & within(distance_mm, self.most_mm))


def draw_offset(
    placement_map: PlacementMap,
    lesion: LesionPatch,
    spec: PlacementSpec,
    window: Window,
    rng: np.random.Generator,
    prior: Prior | None = None,
) -> Index:
    """Draw an offset that takes a lesion to a valid place.

    Args:
        placement_map: Made with the lesion's `start` as `phase`, so that lattices agree.
        lesion: The lesion where it lies now.
        spec: What is valid.
        window: How far it may go.
        rng: Source of the draw.
        prior: Further weights of the lesion's centre, as where tumours were seen; none is even.

    Raises:
        EditError: No place is valid.
    """
    offsets, weights, reasons = _valid_offsets(placement_map, lesion, spec, window)
    if prior is not None and len(offsets):
        weights = weights * prior(offsets + np.array(lesion.centre))
    if not len(offsets):
        raise EditError(f"no valid place for the lesion: {reasons}", "at least one", "widen range or limits")
    # Weights of 0 cannot be drawn without replacement, so there are never more tries than places with a weight.
    tries = min(spec.attempts, int(np.count_nonzero(weights)))
    chosen = rng.choice(len(offsets), size=tries, replace=False, p=weights / weights.sum())
    steps = np.array(placement_map.coarse.steps)
    # The lattice alone would put lesions on every third or fourth voxel only; the jitter reaches all voxels of a cell.
    jitters = rng.integers(-((steps - 1) // 2), steps // 2 + 1, size=(tries, 3))
    spacing = np.array(lesion.spacing)
    limits, last = spec.limits(), ""
    for offset, jitter in zip(offsets[chosen], jitters, strict=True):
        # The lattice point itself is tried second: its neighbour may break a rule that the point keeps.
        for candidate in (offset + jitter, offset):
            i, j, k = (int(o) for o in candidate)
            if not window.holds(float(np.linalg.norm(candidate * spacing))):
                continue
            last = placement_map.broken_rule(lesion.moved((i, j, k)), limits) or ""
            if not last:
                return i, j, k
    raise EditError(
        f"no valid place for the lesion in {tries} tries, at the last {last or 'the way was too short or too long'}",
        "at least one",
        "widen range or limits, or allow more attempts",
    )


def draw_near(
    placement_map: PlacementMap,
    lesion: LesionPatch,
    spec: PlacementSpec,
    most_mm: float,
    rng: np.random.Generator,
    *,
    floor: dict[str, float] | None = None,
) -> Index:
    """Offset to a valid place as near as can be: none at all, else within a third, two thirds, all of the way.

    Args:
        placement_map: Made with the lesion's `start` as `phase`.
        lesion: The lesion where it should lie.
        spec: What is valid.
        most_mm: How far away it may end.
        rng: Source of the draw.
        floor: Shares that it may keep where it is.

    Raises:
        EditError: No place within `most_mm` is valid.
    """
    if placement_map.broken_rule(lesion, spec.limits(floor)) is None:
        return 0, 0, 0
    # The prior says where lesions arise; one that is already there needs a place that is only anatomically possible.
    anywhere = spec.model_copy(update={"prior": "brain"})
    for share in (1 / 3, 2 / 3):
        try:
            return draw_offset(placement_map, lesion, anywhere, Window(0.0, most_mm * share), rng)
        except EditError:
            continue
    return draw_offset(placement_map, lesion, anywhere, Window(0.0, most_mm), rng)


def _valid_offsets(
    placement_map: PlacementMap, lesion: LesionPatch, spec: PlacementSpec, window: Window
) -> tuple[np.ndarray, Float64[np.ndarray, "n"], str]:
    """Lattice offsets in voxels that seem valid, their prior weights, and how many each rule excludes."""
    kernel = _kernel(lesion, placement_map.coarse.steps)
    first, shares = _shares_everywhere(placement_map, lesion, kernel, window)
    offsets = np.array(np.indices(shares.shape[1:])).reshape(3, -1).T + first
    offsets = offsets * np.array(placement_map.coarse.steps)
    distance = np.linalg.norm(offsets * np.array(lesion.spacing), axis=1)
    # A cell at the edge of the window holds voxels on both sides; its own centre does not decide for them.
    near = window.holds(distance) | _cell_holds_edge(distance, window, placement_map.coarse)
    weights = _weights(placement_map, lesion, offsets, spec)
    near &= weights > 0
    # Shares on the lattice are off by some per cent: the tolerance keeps places that the exact count may still accept.
    limits = np.array(list(spec.limits().values()))[:, None] + _LATTICE_TOLERANCE
    wrong = shares.reshape(len(RULES), -1) > limits
    valid = near & ~wrong.any(axis=0)
    tallies = ", ".join(f"{int((w & near).sum())} {rule}" for rule, w in zip(RULES, wrong, strict=True))
    return offsets[valid], weights[valid], f"of {int(near.sum())} places looked at, {tallies}"


def _cell_holds_edge(distance: Float64[np.ndarray, "n"], window: Window, coarse: Coarse) -> Bool[np.ndarray, "n"]:
    """Lattice points outside the window whose cell may reach into it."""
    reach = float(np.linalg.norm(coarse.spacing)) / 2
    wide = Window(window.least_mm - reach, window.most_mm + reach)
    return wide.holds(distance)


def _kernel(lesion: LesionPatch, steps: Index) -> Float64[np.ndarray, "a b c"]:
    """Share of the lesion's voxels in each cell of the lattice, centred on the lattice points."""
    before = [(n - 1) // 2 for n in steps]
    after = [-(size + b) % n for size, b, n in zip(lesion.voxels.shape, before, steps, strict=True)]
    mask = np.pad(lesion.mask, list(zip(before, after, strict=True)))
    a, b, c = (size // n for size, n in zip(mask.shape, steps, strict=True))
    blocks = mask.reshape(a, steps[0], b, steps[1], c, steps[2])
    return np.asarray(blocks.sum(axis=(1, 3, 5)) / lesion.mask.sum(), dtype=np.float64)


def _shares_everywhere(
    placement_map: PlacementMap, lesion: LesionPatch, kernel: Float64[np.ndarray, "a b c"], window: Window
) -> tuple[np.ndarray, Float32[np.ndarray, "rule x y z"]]:
    """Share that lies wrong for every lattice offset, and the first offset in lattice steps."""
    coarse = placement_map.coarse
    at = (np.array(lesion.start) - np.array(coarse.phase)) // np.array(coarse.steps)
    size, shape = np.array(kernel.shape), np.array(coarse.voxels.shape)
    reach = np.ceil(np.minimum(window.most_mm, 1e6) / np.array(coarse.spacing)).astype(int) + 1
    first = np.maximum(-size // 2 - at, -reach)
    last = np.minimum(shape - size // 2 - 1 - at, reach)
    if np.any(first > last):
        return first, np.ones((len(RULES), 0, 0, 0), dtype=np.float32)
    low, high = at + first, at + last + size
    return first, rule_shares(_correlated(_padded_masks(placement_map, low, high), kernel.astype(np.float32)))


def _correlated(
    masks: Float32[np.ndarray, "mask a b c"], kernel: Float32[np.ndarray, "d e f"]
) -> Float32[np.ndarray, "mask x y z"]:
    """Sum of the kernel over each mask for every offset that keeps it inside."""
    # As `scipy.signal.fftconvolve`, whose import takes longer than this, but with one transform of the kernel for all.
    whole, size = masks.shape[1:], kernel.shape
    axes = [axis for axis in range(3) if size[axis] > 1]
    lengths = [fft.next_fast_len(whole[axis] + size[axis] - 1, real=True) for axis in axes]
    flipped = kernel[::-1, ::-1, ::-1]
    factor = fft.rfftn(flipped, lengths, axes) if axes else flipped
    inside = tuple(slice(n - 1, m) for m, n in zip(whole, size, strict=True))
    sums = np.zeros((len(masks), *(m - n + 1 for m, n in zip(whole, size, strict=True))), dtype=np.float32)
    for found, mask in zip(sums, masks, strict=True):
        if mask.any():
            product = fft.irfftn(fft.rfftn(mask, lengths, axes) * factor, lengths, axes) if axes else mask * factor
            found[...] = product[inside]
    return sums


def _padded_masks(placement_map: PlacementMap, low: np.ndarray, high: np.ndarray) -> Float32[np.ndarray, "9 x y z"]:
    """Masks of what `rule_shares` needs on a box of the lattice that may reach outside the grid (no brain there)."""
    coarse = placement_map.coarse
    indices = np.array(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"))
    right = placement_map.plane.side_of(coarse.millimetres(indices.reshape(3, -1).astype(np.float64))) > 0
    masks = np.zeros((2 + len(placement_map.masks), *indices.shape[1:]), dtype=np.float32)
    masks[0] = 1.0
    inner = tuple(slice(max(a, 0), max(min(b, n), 0)) for a, b, n in zip(low, high, coarse.voxels.shape, strict=True))
    there = tuple(slice(s.start - a, s.stop - a) for s, a in zip(inner, low, strict=True))
    masks[0][there] = ~coarse.brain[inner]
    masks[1] = right.reshape(indices.shape[1:])
    for row, mask in zip(masks[2:], placement_map.masks, strict=True):
        row[there] = mask[inner]
    return masks


def _weights(
    placement_map: PlacementMap, lesion: LesionPatch, offsets: np.ndarray, spec: PlacementSpec
) -> Float64[np.ndarray, "n"]:
    """Prior weight of the voxel on which the lesion's centre would fall; 0 off the brain."""
    centres = np.rint(offsets + np.array(lesion.centre)).astype(np.int64)
    shape = np.array(placement_map.voxels.shape)
    on_grid = np.all((centres >= 0) & (centres < shape), axis=1)
    weights = np.zeros(len(offsets))
    places = tuple(centres[on_grid].T)
    tissue = placement_map.voxels[places]
    weights[on_grid] = tissue == WHITE if spec.prior == "white_matter" else tissue > 0
    return weights
