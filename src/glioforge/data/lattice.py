"""Regular lattices in millimetres, and smooth random fields and diffeomorphic deformations on them.

Warps, textures and tumours are drawn on lattices of their own, so that a
phantom is the same head and the same tumour on every voxel grid.

Conventions
-----------
points  float32 `(3, n)`, millimetres: RAS of MNI152 in phantoms, along the axes of a grid elsewhere
field   float32 `(x, y, z)` on a lattice

A deformation comes from a stationary velocity field by scaling and squaring
and is kept as the backward map: for each point of the subject the point of
the atlas that lies there.

Source: Arsigny et al. 2006, "A log-Euclidean framework for statistics on
diffeomorphisms", MICCAI, section 3 (scaling and squaring).
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

Points = Float32[np.ndarray, "3 n"]
Field = Float32[np.ndarray, "x y z"]
Values = Float32[np.ndarray, " n"]


@final
@dataclass(frozen=True)
class Lattice:
    """Axis-parallel points of cubic spacing.

    Args:
        origin_mm: Position of the first point.
        spacing_mm: Distance of neighbours, the same along all axes.
        shape: Points along each axis.
    """

    origin_mm: tuple[float, float, float]
    spacing_mm: float
    shape: tuple[int, int, int]

    @classmethod
    def covering(cls, low_mm: tuple[float, ...], high_mm: tuple[float, ...], spacing_mm: float) -> "Lattice":
        """Smallest lattice that starts at `low_mm` and reaches `high_mm`."""
        x, y, z = (int(np.ceil((h - o) / spacing_mm)) + 1 for o, h in zip(low_mm, high_mm, strict=True))
        return cls((float(low_mm[0]), float(low_mm[1]), float(low_mm[2])), spacing_mm, (x, y, z))

    @property
    def points(self) -> Points:
        """All points, in C order."""
        axes = [
            np.arange(n, dtype=np.float32) * np.float32(self.spacing_mm) + np.float32(o)
            for n, o in zip(self.shape, self.origin_mm, strict=True)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1)

    def sample(self, values: np.ndarray, points: Points, order: int = 1, outside: float | None = None) -> Values:
        """Interpolate a field of this lattice.

        Args:
            values: Any numeric array of the lattice's shape.
            points: Where, `(3, n)`.
            order: Degree of the spline.
            outside: Value beyond the lattice; none continues the border.

        Returns:
            Values as float32 `(n,)`.
        """
        index = points - np.asarray(self.origin_mm, dtype=np.float32)[:, None]
        index *= np.float32(1 / self.spacing_mm)
        mode = "nearest" if outside is None else "constant"
        sampler: Any = ndimage.map_coordinates
        sampled: Values = sampler(values, index, output=np.float32, order=order, mode=mode, cval=outside or 0.0)
        return sampled


def smooth_field(rng: np.random.Generator, lattice: Lattice, correlation_mm: float) -> Field:
    """Gaussian random field of mean 0 and variance 1, smooth over `correlation_mm` (its kernel's sigma).

    The random numbers are those of the lattice: another lattice gives another field.
    """
    noise = rng.standard_normal(lattice.shape, dtype=np.float32)
    smooth: Field = ndimage.gaussian_filter(noise, correlation_mm / lattice.spacing_mm, mode="reflect", truncate=3.0)
    smooth -= smooth.mean()
    smooth /= smooth.std()
    return smooth


VectorField = Float32[np.ndarray, "3 x y z"]


@final
@dataclass(frozen=True, eq=False)
class Deformation:
    """Backward map `x -> x + displacement(x)`.

    Args:
        lattice: Where the displacement is known.
        displacement: Millimetres, `(3, x, y, z)`.
    """

    lattice: Lattice
    displacement: VectorField

    def __call__(self, points: Points) -> Points:
        """Images of points, `(3, n)`."""
        moved = points.copy()
        for axis in range(3):
            moved[axis] += self.lattice.sample(self.displacement[axis], points)
        return moved

    def after(self, inner: "Deformation") -> "Deformation":
        """The map `x -> self(inner(x))` on the lattice of `inner`."""
        points = inner.lattice.points
        moved = self(points + inner.displacement.reshape(3, -1))
        return Deformation(inner.lattice, (moved - points).reshape(inner.displacement.shape))

    def jacobian(self) -> Float32[np.ndarray, "x y z"]:
        """Determinant of the derivative at each lattice point; positive for a diffeomorphism."""
        h = self.lattice.spacing_mm
        rows = [np.stack(np.gradient(self.displacement[a], h)) for a in range(3)]
        matrix = np.moveaxis(np.stack(rows), (0, 1), (-2, -1)) + np.eye(3, dtype=np.float32)
        determinant: Float32[np.ndarray, "x y z"] = np.linalg.det(matrix).astype(np.float32)
        return determinant


def exponential(lattice: Lattice, velocity_mm: VectorField, squarings: int = 5) -> Deformation:
    """Flow of a stationary velocity field over unit time.

    Args:
        lattice: Where the velocity is known.
        velocity_mm: Millimetres a unit time, `(3, x, y, z)`; zero gives the identity.
        squarings: The flow is composed of `2 ** squarings` small steps.
    """
    flow = Deformation(lattice, velocity_mm * np.float32(0.5**squarings))
    for _ in range(squarings):
        flow = flow.after(flow)
    return flow
