"""The settings of phantoms: what grid they imply, and what they refuse."""

import pytest
from pydantic import ValidationError

from glioforge.data.phantom.spec import FIELD_OF_VIEW_MM, PhantomSpec


def test_default_grid_is_the_stated_one():
    """The default is 96 x 96 x 64 voxels of 2.15 x 2.15 x 2.75 mm."""
    assert PhantomSpec().spacing == pytest.approx((2.15, 2.15, 2.75))
    assert PhantomSpec().ras_geometry().orientation == "RAS"


def test_spacing_follows_the_shape():
    """Another shape covers the same field of view."""
    spec = PhantomSpec(shape=(24, 32, 16))
    view = [n * s for n, s in zip(spec.shape, spec.spacing, strict=True)]
    assert view == pytest.approx(FIELD_OF_VIEW_MM)


def test_grid_is_centred_on_the_brain():
    """The middle of the grid is the middle of the atlas's brain, on odd and even shapes."""
    for n in (24, 25):
        geometry = PhantomSpec(shape=(n, n, n)).ras_geometry()
        assert geometry.world_of([(n - 1) / 2] * 3) == pytest.approx((0, -17, 5))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shape": (96, 96, 64), "spacing_mm": (1.0, 1.0, 1.0)}, "cuts the brain"),
        ({"shape": (0, 96, 64)}, "cuts the brain"),
        ({"shape": (8, 8, 8)}, "expected 0.5 to 16 mm"),
        ({"field_strengths": (7.0,)}, "expected 1.5 and 3.0 only"),
        ({"tumour_ml": (50.0, 10.0)}, "expected two rising numbers"),
        ({"tumour_ml": (0.0, 10.0)}, "expected two rising numbers"),
        ({"warp": 3.0}, "less than or equal to 1.2"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    """A grid that cuts the brain, an unknown field and an empty interval say what is wrong."""
    with pytest.raises(ValidationError, match=message):
        PhantomSpec(**values)
