"""Growth: conservation, the speed of the front, no flux into fluid, white before grey."""

import numpy as np
import pytest

from glioforge.data.growth import Kinetics, Tissue, grow, stages, visibility
from glioforge.data.lattice import Lattice

LATTICE = Lattice((0.0, 0.0, 0.0), 2.5, (17, 17, 17))


def tissue(white=1.0, grey=0.0) -> Tissue:
    """Even tissue on the whole lattice."""
    even = [np.full(LATTICE.shape, value, dtype=np.float32) for value in (white, grey, 1.0, 1.0)]
    return Tissue(LATTICE, *even)


def seed(sigma=3.0) -> np.ndarray:
    """A bump of density in the middle."""
    away = ((LATTICE.points - 20) ** 2).sum(axis=0)
    return np.exp(-away / (2 * sigma**2)).reshape(LATTICE.shape).astype(np.float32)


def test_density_stays_a_share():
    """Density never leaves [0, 1], and never falls below 0 in fluid."""
    grown = grow(tissue(), seed(), Kinetics(0.3, 0.05, 0.02), 20.0)
    assert grown.density.min() >= 0
    assert grown.density.max() <= 1 + 1e-5


def test_diffusion_alone_keeps_the_number_of_cells():
    """With next to no proliferation the number of cells stays what it was."""
    start = seed()
    grown = grow(tissue(), start, Kinetics(0.3, 0.05, 1e-9), 1e3)
    assert grown.density.sum() == pytest.approx(start.sum(), rel=1e-3)
    assert grown.density.std() < 0.05 * start.std()


def test_it_stops_at_the_volume():
    """The visible volume is reached and hardly exceeded."""
    grown = grow(tissue(), seed(), Kinetics(0.2, 0.04, 0.02), 15.0)
    seen = np.count_nonzero(grown.density > 0.16) * LATTICE.spacing_mm**3 / 1000
    assert 15.0 <= seen < 18.0
    assert grown.days > 0


def test_larger_takes_longer():
    """A tumour that aims at more grows for longer, at the front's rate of about 2 sqrt(D rho)."""
    small, large = (grow(tissue(), seed(), Kinetics(0.2, 0.04, 0.03), volume) for volume in (8.0, 24.0))
    radii = [(3 * v * 1000 / (4 * np.pi)) ** (1 / 3) for v in (8.0, 24.0)]
    speed = (radii[1] - radii[0]) / (large.days - small.days)
    assert speed == pytest.approx(2 * np.sqrt(0.2 * 0.03), rel=0.35)


def test_fluid_stops_the_tumour():
    """Behind a wall of fluid no cell arrives."""
    white = np.ones(LATTICE.shape, dtype=np.float32)
    white[10:13] = 0
    ones = np.ones(LATTICE.shape, dtype=np.float32)
    start = seed() * (LATTICE.points[0] < 25).reshape(LATTICE.shape)
    grown = grow(Tissue(LATTICE, white, ones * 0, ones, ones), start, Kinetics(0.5, 0.05, 0.03), 20.0)
    assert grown.density[13:].max() == 0
    assert grown.density[:10].max() > 0.3


def test_white_matter_draws_it_out():
    """In a sheet of white matter between grey the tumour reaches further than across."""
    grey = np.ones(LATTICE.shape, dtype=np.float32)
    grey[:, :, 7:10] = 0
    ones = np.ones(LATTICE.shape, dtype=np.float32)
    grown = grow(Tissue(LATTICE, 1 - grey, grey, ones, ones), seed(), Kinetics(0.5, 0.05, 0.02), 10.0).density > 0.16
    assert grown[:, 8, 8].sum() > 1.3 * grown[8, 8, :].sum()


def test_crowding_is_longest_where_it_began():
    """The middle has been crowded longest."""
    crowded = grow(tissue(), seed(), Kinetics(0.2, 0.04, 0.02), 15.0).crowded_days
    assert np.unravel_index(crowded.argmax(), crowded.shape) == (8, 8, 8)


def test_oedema_shows_in_white_matter_first():
    """White matter shows all of the oedema, cortex a fifth."""
    assert visibility(np.array([0.0, 1.0], dtype=np.float32)).tolist() == pytest.approx([0.2, 1.0])


def test_stages_are_the_tumour_at_each_volume():
    """A tumour seen in passing is the one that would have stopped there, and age never falls."""
    kinetics = Kinetics(0.2, 0.04, 0.03)
    seen = list(stages(tissue(), seed(), kinetics, (4.0, 9.0)))
    for stage, volume in zip(seen, (4.0, 9.0), strict=True):
        alone = grow(tissue(), seed(), kinetics, volume)
        np.testing.assert_array_equal(stage.density, alone.density)
        np.testing.assert_array_equal(stage.crowded_days, alone.crowded_days)
    assert seen[0].days < seen[1].days
