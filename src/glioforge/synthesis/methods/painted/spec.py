"""Settings of `painted`."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from glioforge.synthesis.method import SynthesizerSpec
from glioforge.synthesis.methods.painted.scanner import ScannerSpec
from glioforge.synthesis.order_rules import OrderRule


class PaintedSpec(SynthesizerSpec):
    """Subclasses of the label map, painted in a drawn style."""

    kind: Literal["painted"] = "painted"
    """Name of the method."""
    subclasses: int = Field(3, ge=1, le=5)
    """Intensity subclasses of each class; 1 paints classes evenly."""
    width: float = Field(1.5, ge=0, le=5)
    """Spread of drawn styles, as a multiple of the spread between training cases; 0 paints in their mean style."""
    order: tuple[OrderRule, ...] | None = None
    """Which class is brighter than which in a contrast, kept by every style; none takes those of the usual rules that
    the training cases keep, an empty list takes no rule."""
    texture: float = Field(1.0, ge=0)
    """Strength of the variation within a subclass, as a share of what was measured."""
    texture_mm: float = Field(2.0, gt=0)
    """Width of that variation (standard deviation of its smoothing)."""
    patch_mm: tuple[float, float] = (2.5, 8.0)
    """Smallest and largest size of the patches that subclasses form, drawn for each volume."""
    scanner: ScannerSpec | None = ScannerSpec()
    """Resolution, shifts, noise and bias field; none leaves images as they were painted."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "narrow": {"width": 1.0},
        "wide": {"width": 2.5},
        "means": {"width": 0.0, "subclasses": 1, "texture": 0.0, "scanner": None},
    }
