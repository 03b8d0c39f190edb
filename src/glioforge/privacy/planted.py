"""Planted copies: cases of training subjects under a disguise, to prove that the search would find them.

Each disguise keeps what makes a copy a copy for a person who looks at it, and
changes what a comparison voxel by voxel relies on.
"""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

Disguise = Literal["noise", "mirror", "shift", "turn", "gamma", "blur", "contrast", "lesion", "labels"]
Channels = Float32[np.ndarray, "channel *grid"]
Region = Bool[np.ndarray, "*grid"]

DISGUISES: Final[tuple[Disguise, ...]] = (
    "noise",
    "mirror",
    "shift",
    "turn",
    "gamma",
    "blur",
    "contrast",
    "lesion",
    "labels",
)
"""Noise of 30 % of the brain's standard deviation; mirrored; shifted by up to 4 % of the grid; turned by up to 5
degrees; gamma of 0.6 or 1.6; blurred by 1.5 % of the grid; contrasts exchanged; lesion put into another head;
label map alone, mirrored, with the images of another head."""
_NOISE: Final = 0.3
_SHIFT: Final = 0.04
_TURN_DEG: Final = 5.0
_BLUR: Final = 0.015


def disguised(images: Channels, brain: Region, kind: Disguise, rng: np.random.Generator) -> Channels:
    """Return the images of a case under a disguise of all but `lesion` and `labels`.

    Args:
        images: Contrasts on one grid of 2 or 3 axes, the first left-right.
        brain: Where the brain is.
        kind: The disguise.
        rng: Of its draws.

    Example:
        >>> one = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
        >>> disguised(one, one[0] >= 0, "mirror", np.random.default_rng(0))[0, 0].tolist()
        [2.0, 3.0]
    """
    if kind == "mirror":
        return images[:, ::-1].copy()
    if kind == "contrast":
        return np.roll(images, 1, axis=0)
    changes: dict[str, Callable[[np.ndarray, Region, str, np.random.Generator], np.ndarray]]
    changes = {"noise": _noisy, "shift": _moved, "turn": _moved, "gamma": _curved, "blur": _blurred}
    change = changes[kind]
    return np.stack(
        [change(image, brain, kind, rng_of_channel) for image, rng_of_channel in _streams(images, kind, rng)]
    )


def transplanted(
    host: Channels, images: Channels, lesion: Region, place: tuple[int, ...], within: Region
) -> tuple[Channels, Region]:
    """Put a lesion with its contrasts into another head, and return the head with the lesion's new mask.

    Args:
        host: Images of the other head.
        images: Images that hold the lesion.
        lesion: Where it is, with a margin.
        place: Where its middle goes.
        within: Brain of the host; the lesion is cut to it.
    """
    at = np.argwhere(lesion)
    if not len(at):
        return host, np.zeros_like(lesion)
    there = at - np.rint(at.mean(axis=0)).astype(int) + np.array(place)
    inside = ((there >= 0) & (there < np.array(lesion.shape))).all(axis=1)
    source, target = tuple(at[inside].T), tuple(there[inside].T)
    mask = np.zeros_like(lesion)
    mask[target] = within[target]
    result = host.copy()
    moved = np.zeros_like(host)
    moved[(slice(None), *target)] = images[(slice(None), *source)]
    result[:, mask] = moved[:, mask]
    return result, mask


def _streams(
    images: np.ndarray, kind: Disguise, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.random.Generator]]:
    """Each channel with its draws: one motion for all, noise and curves apart."""
    seed = int(rng.integers(2**62))
    alike = kind in {"shift", "turn"}
    return [(image, np.random.default_rng([seed, 0 if alike else n])) for n, image in enumerate(images)]


def _noisy(image: np.ndarray, brain: Region, _: str, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise in the brain."""
    spread = float(image[brain].std()) if brain.any() else 0.0
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(_NOISE * spread)
    return np.where(brain, image + noise, image)


def _moved(image: np.ndarray, _: Region, kind: str, rng: np.random.Generator, order: Literal[0, 1] = 1) -> np.ndarray:
    """A shift, or a turn about the last axis, in the plane of the first two."""
    if kind == "shift":
        way = (_SHIFT * np.array(image.shape) * rng.uniform(-1, 1, image.ndim)).tolist()
        return np.asarray(ndimage.shift(image, way, order=order))
    angle = _TURN_DEG * rng.uniform(0.6, 1) * rng.choice([-1, 1])
    return np.asarray(ndimage.rotate(image, float(angle), axes=(0, 1), reshape=False, order=order))


def _curved(image: np.ndarray, brain: Region, _: str, rng: np.random.Generator) -> np.ndarray:
    """A power of the intensities between the least and greatest in the brain."""
    inside = image[brain]
    if not inside.size or inside.max() <= inside.min():
        return image
    low, high = float(inside.min()), float(inside.max())
    shade = np.clip((image - low) / (high - low), 0, 1) ** float(rng.choice([0.6, 1.6]))
    return np.where(brain, low + (high - low) * shade, image).astype(np.float32)


def _blurred(image: np.ndarray, brain: Region, kind: str, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001 - as its siblings
    """A Gaussian blur that leaves the outline of the brain."""
    blurred = ndimage.gaussian_filter(image, _BLUR * np.mean(image.shape))
    return np.where(brain, blurred, image).astype(np.float32)
