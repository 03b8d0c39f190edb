"""Differentiable augmentation: every image that a critic sees is changed at random, and gradients pass the change.

The critic of a few hundred images soon knows them by heart.  Where real and synthetic
images are changed alike, it cannot, and the generator does not learn the changes, since
they are the same on both sides.

Source: Zhao et al. 2020, arXiv:2006.10738: `shift` by up to an eighth of the image,
`cutout` of a square of half its side.  Instead of their brightness, saturation and
contrast, `gain` stretches intensities about the background, which stays where it is: a
background that moves is no slice.

Conventions
-----------
images    from -1, the background, to about 1; draws come from torch's global generator
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch.nn import functional

Change = Literal["shift", "cutout", "gain"]
Images = Float[torch.Tensor, "b contrast x y"]

BACKGROUND: Final = -1.0
"""Intensity outside the brain."""
REACH: Final = 1 / 8
"""Longest shift along an axis, as a share of the image."""
GAIN: Final = 0.2
"""Largest relative change of intensities."""


def changed(images: Images, changes: Sequence[Change]) -> Images:
    """Change each image by draws of its own; images as they are for no changes.

    Args:
        images: A batch.
        changes: Which, in this order.
    """
    for change in changes:
        images = _CHANGES[change](images)
    return images


def _shifted(images: Images) -> Images:
    """Moved along both axes by whole pixels."""
    rows, columns = images.shape[2:]
    down, right = max(1, round(REACH * rows)), max(1, round(REACH * columns))
    framed = functional.pad(images, (right, right, down, down), value=BACKGROUND)
    first = torch.randint(0, 2 * down + 1, (len(images),)).tolist()
    second = torch.randint(0, 2 * right + 1, (len(images),)).tolist()
    parts = zip(framed, first, second, strict=True)
    return torch.stack([image[:, top : top + rows, left : left + columns] for image, top, left in parts])


def _cut(images: Images) -> Images:
    """Without a square of half the image's side, whose centre lies anywhere."""
    inside = torch.ones((len(images), 1, 1, 1), dtype=torch.bool, device=images.device)
    for axis in (2, 3):
        side = images.shape[axis]
        centre = torch.randint(0, side, (len(images), 1, 1, 1), device=images.device)
        shape = [1, 1, side, 1] if axis == 2 else [1, 1, 1, side]
        inside = inside & ((torch.arange(side, device=images.device).view(shape) - centre).abs() < side / 4)
    return torch.where(inside, torch.full_like(images, BACKGROUND), images)


def _stretched(images: Images) -> Images:
    """Intensities stretched about the background, all contrasts alike."""
    factor = 1 + GAIN * (2 * torch.rand((len(images), 1, 1, 1), device=images.device) - 1)
    return (images - BACKGROUND) * factor + BACKGROUND


_CHANGES: Final[Mapping[Change, Callable[[Images], Images]]] = {
    "shift": _shifted,
    "cutout": _cut,
    "gain": _stretched,
}
