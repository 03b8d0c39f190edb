"""Pictures of errors: how far images are from what they should equal, in grey."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from glioforge.core import Case, LabelMap, Modality, Volume
from glioforge.report import Picture, grey

MOST_ERROR: Final = 1.5
"""Error that is white in pictures, in standard deviations of the brain."""
Place = tuple[int, int]
"""A slice by axis and number."""


def error_picture(
    like: Picture, labels: LabelMap, made: Case, truth: Mapping[Modality, Volume], place: Place
) -> Picture:
    """Return the mean absolute difference from the truth over contrasts: black is none, white `MOST_ERROR` or more.

    Args:
        like: Picture of the same slice, whose sides and proportions are kept.
        labels: Label map, whose foreground is shown.
        made: Case with the images.
        truth: What they should equal, at least one contrast of them.
        place: The slice.
    """
    axis, index = place
    errors = [np.abs(made.images[m].voxels - truth[m].voxels).take(index, axis) for m in made.images if m in truth]
    brain = labels.voxels.take(index, axis) > 0
    return replace(like, pixels=grey(np.mean(errors, axis=0), brain, (0.0, MOST_ERROR)))


def difference_picture(
    like: Picture, labels: LabelMap, made: Case, truth: Mapping[Modality, Volume], modality: Modality, place: Place
) -> Picture:
    """Return image minus truth of one contrast: grey is none, white and black are `MOST_ERROR` or more.

    The mean absolute difference inside the brain of the whole volume stands in the picture, which is blank where the
    contrast was not made.  Arguments as `error_picture`.
    """
    if modality not in made.images or modality not in truth:
        return Picture.blank(like)
    axis, index = place
    difference, brain = made.images[modality].voxels - truth[modality].voxels, labels.foreground
    shades = grey(np.take(difference, index, axis), np.take(brain, index, axis), (-MOST_ERROR, MOST_ERROR))
    return replace(like, pixels=shades, text=f"{float(np.abs(difference[brain]).mean()):.2f}")
