"""What can go wrong while numbers stay finite: losses that explode, images that collapse, a critic that always wins.

Pure functions of a state that is plain JSON: it is kept in checkpoints, so a
resumed training sounds the same alarms at the same steps.

Conventions
-----------
right_on_real, right_on_made    shares of the critic's scores on the right side, in a step
diversity                       spread of made images within a batch, as a share of that of scans
variety_lost                    how much more alike pairs of made images are than pairs of scans (MS-SSIM), at most 1
noise_response                  how far another draw of noise moves an image, as a share of the same spread
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from pydantic import Field

from glioforge.config import Spec

RIGHT = ("right_on_real", "right_on_made")
"""Names of the critic's shares among a step's scalars; they are no losses."""
WEIGHT = " weight"
"""End of the names of weights that are adapted while training; they are no losses either, and may jump."""
_SMALLEST_SCALE = 0.01
_LOST_RESPONSE = 0.1

Row = Mapping[str, float | int | None]


class WatchSpec(Spec):
    """When a training goes back, and when it warns."""

    explosion: float | None = Field(50.0, gt=1)
    """Factor over its running median at which a loss counts as exploded; none never does."""
    window: int = Field(100, ge=5)
    """Steps whose losses make the running median; nothing is judged before a fifth of them."""
    exploded_steps: int = Field(5, ge=1)
    """Exploded steps in a row until the training goes back to its last checkpoint, once."""
    collapse: float | None = Field(0.2, gt=0, lt=1)
    """Diversity, or variety that isn't lost, under which images count as collapsed; none never does."""
    saturation: float | None = Field(0.98, gt=0.5, le=1)
    """Share of right scores, on scans and on made images, at which the critic counts as saturated; none never does."""
    rows: int = Field(3, ge=1)
    """Validations in a row until collapse or saturation is an alarm."""
    ease: float | None = Field(None, gt=0, lt=1)
    """Factor on the critic's learning rate at each alarm of saturation; none only warns."""


@final
@dataclass(frozen=True)
class WatchState:
    """What has been seen so far.

    Args:
        sizes: Absolute values of each loss in the last steps that had not exploded.
        largest: Largest running median of each loss.
        exploded: Exploded steps in a row.
        response: Largest response to noise so far.
        collapsed: Validations in a row with collapsed images.
        saturated: Validations in a row with a saturated critic.
    """

    sizes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    largest: Mapping[str, float] = field(default_factory=dict)
    exploded: int = 0
    response: float = 0.0
    collapsed: int = 0
    saturated: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**self.__dict__, "sizes": {name: list(sizes) for name, sizes in self.sizes.items()}}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "WatchState":
        """Inverse of `to_json`."""
        return cls(**{**values, "sizes": {name: tuple(sizes) for name, sizes in values["sizes"].items()}})


def after_step(state: WatchState, scalars: Mapping[str, float], spec: WatchSpec) -> WatchState:
    """Look at the losses of a step; `exploded` counts such steps in a row.

    A loss is compared with the median of its own last absolute values, or with
    a hundredth of the largest median so far if that is more: a loss that was 0
    for long may rise again.

    Example:
        >>> spec, state = WatchSpec(window=5), WatchState()
        >>> for loss in (1.0, 1.1, 0.9, 60.0):
        ...     state = after_step(state, {"loss": loss}, spec)
        >>> state.exploded
        1
    """
    losses = {name: abs(value) for name, value in scalars.items() if name not in RIGHT and not name.endswith(WEIGHT)}
    medians = {
        name: statistics.median(sizes)
        for name, sizes in state.sizes.items()
        if name in losses and len(sizes) >= max(1, spec.window // 5)
    }
    largest = {**state.largest, **{name: max(state.largest.get(name, 0.0), m) for name, m in medians.items()}}
    scales = {name: max(m, _SMALLEST_SCALE * largest[name]) for name, m in medians.items()}
    if spec.explosion is not None and any(losses[n] > spec.explosion * s for n, s in scales.items() if s > 0):
        return replace(state, largest=largest, exploded=state.exploded + 1)
    sizes = {name: (*state.sizes.get(name, ()), value)[-spec.window :] for name, value in losses.items()}
    return replace(state, sizes={**state.sizes, **sizes}, largest=largest, exploded=0)


def after_row(state: WatchState, row: Row, spec: WatchSpec) -> tuple[WatchState, dict[str, str]]:
    """Look at a row of the history; give the alarms that it sets off, by name.

    An alarm sounds when its condition has held for `rows` rows, and again after
    as many more.

    Returns:
        The new state, and what to tell the user for each of `collapsed` and `saturated` that sounds.
    """
    alarms: dict[str, str] = {}
    diversity, response = row.get("diversity"), row.get("noise_response")
    right = [value for value in (row.get(name) for name in RIGHT) if value is not None]
    collapsed, saturated = _is_collapsed(state, row, spec), _is_saturated(right, spec)
    state = replace(
        state,
        response=max(state.response, response or 0.0),
        collapsed=state.collapsed + 1 if collapsed else 0,
        saturated=state.saturated + 1 if saturated else 0,
    )
    if collapsed and state.collapsed % spec.rows == 0:
        alarms["collapsed"] = (
            f"made images hardly differ any more: diversity {diversity or 0:.3g} of that of scans, "
            f"variety lost {row.get('variety_lost') or 0:.3g}, "
            f"response to noise {response or 0:.3g} (largest so far {state.response:.3g})"
        )
    if saturated and state.saturated % spec.rows == 0:
        alarms["saturated"] = (
            f"the critic classifies {min(right):.1%} or more of scans and synthetic images correctly: "
            "the generator learns little from it"
        )
    return state, alarms


def _is_collapsed(state: WatchState, row: Row, spec: WatchSpec) -> bool:
    """Whether images of a batch hardly differ, or noise that had moved them does so no more."""
    if spec.collapse is None:
        return False
    diversity, response, alike = (row.get(name) for name in ("diversity", "noise_response", "variety_lost"))
    if alike is not None and alike > 1 - spec.collapse:
        return True
    lost = response is not None and state.response > 0 and response < _LOST_RESPONSE * state.response
    return lost or (diversity is not None and diversity < spec.collapse)


def _is_saturated(right: list[float], spec: WatchSpec) -> bool:
    """Whether nearly all scores are right on both sides."""
    return spec.saturation is not None and len(right) == len(RIGHT) and min(right) >= spec.saturation
