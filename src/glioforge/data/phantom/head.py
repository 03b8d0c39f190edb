"""The shape of an individual head: a random diffeomorphism of the atlas."""

import numpy as np
from jaxtyping import Float32

from glioforge.data.lattice import Deformation, Lattice, Points, exponential, smooth_field
from glioforge.data.phantom.spec import CENTRE_MM


def random_deformation(rng: np.random.Generator, lattice: Lattice, strength: float) -> Deformation:
    """An individual head: smooth diffeomorphism after a modest affine map.

    Broad components (sigma 22 mm, 2.3 mm strong) vary lobes and ventricles and
    make left and right differ; fine ones (sigma 8 mm, 0.9 mm) vary the gyri.
    Heads are 4 % smaller than the atlas, which is larger than life (Lancaster et
    al. 2007, Hum Brain Mapp 28:1194), and vary by 3 % along each axis and by 1.5
    degrees of rotation.

    Args:
        rng: Draws from it.
        lattice: Where the map is kept.
        strength: Scales all of it; 0 gives the identity.
    """
    broad = np.stack([smooth_field(rng, lattice, 22.0) for _ in range(3)])
    fine = np.stack([smooth_field(rng, lattice, 8.0) for _ in range(3)])
    flow = exponential(lattice, np.float32(strength) * (np.float32(2.3) * broad + np.float32(0.9) * fine))
    sizes = 1 + strength * (np.clip(rng.normal(0.96, 0.03, 3), 0.9, 1.02) - 1)
    angles = np.clip(rng.normal(0, np.radians(1.5), 3), -0.05, 0.05) * strength
    matrix = np.diag(1 / sizes).astype(np.float32)
    for (row, column), angle in zip(((0, 1), (0, 2), (1, 2)), angles, strict=True):
        matrix[row, column] += np.float32(angle)
        matrix[column, row] -= np.float32(angle)
    points = lattice.points
    centre = np.asarray(CENTRE_MM, dtype=np.float32)[:, None]
    moved = _transform(matrix, flow(points) - centre) + centre
    return Deformation(lattice, (moved - points).reshape(flow.displacement.shape))


def _transform(matrix: Float32[np.ndarray, "3 3"], points: Points) -> Points:
    """Matrix times points, written out so that no threaded library orders the sums."""
    return np.stack([row[0] * points[0] + row[1] * points[1] + row[2] * points[2] for row in matrix])
