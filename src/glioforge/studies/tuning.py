"""Tuning trials: changes to a segmenter's settings that every arm tries alike."""

import json
from collections.abc import Mapping
from typing import Any, cast

from glioforge.config import with_overrides
from glioforge.core import SpecError
from glioforge.segmentation import SEGMENTERS, SegmenterSpec


def changed(segmenter: SegmenterSpec, changes: Mapping[str, Any]) -> SegmenterSpec:
    """Return a segmenter's settings with some changed.

    Args:
        segmenter: Settings.
        changes: New values by the path of the key.

    Raises:
        SpecError: A key or a value is wrong.

    Example:
        >>> unet = SEGMENTERS.parse({"kind": "unet"})
        >>> changed(unet, {"optimizer.learning_rate": 0.01}).optimizer.learning_rate
        0.01
    """
    overrides = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    return cast("SegmenterSpec", SEGMENTERS.parse(with_overrides(segmenter.model_dump(mode="json"), overrides)))


def require_changeable(segmenter: SegmenterSpec, changes: Mapping[str, Any]) -> None:
    """Refuse changes that a segmenter's settings do not take, while settings are read.

    Raises:
        ValueError: Names the key.
    """
    try:
        changed(segmenter, changes)
    except SpecError as error:
        msg = f"tuning {dict(changes)}: {error}"
        raise ValueError(msg) from error
