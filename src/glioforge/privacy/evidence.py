"""What all attacks look at: how near each synthetic case is to each person, on one scale for all views.

A view is a field (brain or lesion crop) with a group of channels: one contrast,
all contrasts, other contrasts crossed, or labels.  The likeness of a synthetic
case to a person is brought to the scale of that person and view: 0 is the
median of all synthetic cases, 1 their 90th percentile.  A person whom
everything resembles therefore does not attract all neighbours, and no view
counts more than another.  The nearness is the largest over the views.

Conventions
-----------
person      training subjects first, then held-out ones, then control subjects
nearness    float32 `(case, person)`, larger is nearer, without unit
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from glioforge.core import CohortError, stream
from glioforge.metrics import Group, Shape, likeness

Near = Float32[np.ndarray, "case person"]

SCALE: Final = (0.5, 0.9)
"""Quantiles of the synthetic cases that are 0 and 1 on the scale of a person and view."""
DIMENSIONS: Final = 8
"""Principal components of the pictures in which densities are estimated."""


@final
@dataclass(frozen=True, eq=False)
class Field:
    """One part of the head of every case.

    Args:
        name: `brain` or `lesion`.
        shape: Grid of the pictures.
        groups: Channels that are compared together.
        made: Pictures of the synthetic cases.
        people: Pictures of training, held-out and control subjects.
        planted: Pictures of planted copies.
    """

    name: str
    shape: Shape
    groups: tuple[Group, ...]
    made: Float[np.ndarray, "case channel cell"]
    people: Float[np.ndarray, "person channel cell"]
    planted: Float[np.ndarray, "copy channel cell"]


@final
@dataclass(frozen=True)
class Sides:
    """How many people stand on each side.

    Args:
        training: Subjects whom the generator was trained on.
        held_out: Subjects of the same sites whom nothing was trained on.
        control: Further such subjects; the first half calibrates, the second half stands in for members in controls.
    """

    training: int
    held_out: int
    control: int

    @property
    def members(self) -> slice:
        """Places of training subjects."""
        return slice(0, self.training)

    @property
    def others(self) -> slice:
        """Places of held-out subjects."""
        return slice(self.training, self.training + self.held_out)

    @property
    def reference(self) -> slice:
        """Places of the control subjects that calibrate."""
        start = self.training + self.held_out
        return slice(start, start + self.control // 2)

    @property
    def strangers(self) -> slice:
        """Places of the control subjects that stand in for members."""
        start = self.training + self.held_out
        return slice(start + self.control // 2, start + self.control)


@final
@dataclass(frozen=True, eq=False)
class Attribute:
    """A fact of a person that a release may disclose.

    Args:
        name: Such as `tumour volume`.
        made: Value of each synthetic case, `(case, part)`; a category is one column a class, a mask one a cell.
        people: Value of each person, in the same columns; NaN where it is not known.
    """

    name: str
    made: Float64[np.ndarray, "case part"]
    people: Float64[np.ndarray, "person part"]


@final
@dataclass(frozen=True, eq=False)
class Evidence:
    """All that attacks may look at.

    Args:
        sides: Who is who.
        near: Nearness of synthetic cases to people, the largest over all views.
        near_labels: The same over views of label maps alone; empty columns where there are none.
        near_planted: Nearness of planted copies to people.
        near_people: Nearness of the second half of the control subjects to people, as if they were synthetic.
        by_view: Nearness in each view.
        kinds: Disguise of each planted copy.
        sources: Place of the person behind each planted copy.
        made_points: Synthetic cases in few dimensions.
        people_points: People in the same dimensions.
        donors: Place of the training subject whose label map each synthetic case was made from; -1 for none.
        made_anatomy: What an attacker knows of a target, such as its T1, of the synthetic cases.
        people_anatomy: The same of people.
        attributes: Facts that might be disclosed.
        size: Logarithm of each person's tumour volume; adjusts errors.
        sites: Site of each person as an integer; adjusts errors.
        model: Scores of the model itself for training, held-out and second-half control subjects, by attack.
    """

    sides: Sides
    near: Near
    near_labels: Float32[np.ndarray, "case _person"]
    near_planted: Float32[np.ndarray, "copy person"]
    near_people: Float32[np.ndarray, "stranger person"]
    by_view: Mapping[str, Near]
    kinds: tuple[str, ...]
    sources: Int64[np.ndarray, "copy"]
    made_points: Float64[np.ndarray, "case dimension"]
    people_points: Float64[np.ndarray, "person dimension"]
    donors: Int64[np.ndarray, "case"]
    made_anatomy: Float64[np.ndarray, "_case feature"] = field(default_factory=lambda: np.zeros((0, 0)))
    people_anatomy: Float64[np.ndarray, "_person feature"] = field(default_factory=lambda: np.zeros((0, 0)))
    attributes: tuple[Attribute, ...] = ()
    size: Float64[np.ndarray, "_person"] = field(default_factory=lambda: np.zeros(0))
    sites: Int64[np.ndarray, "_person"] = field(default_factory=lambda: np.zeros(0, np.int64))
    model: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of synthetic cases."""
        return len(self.near)


@final
@dataclass(frozen=True, eq=False)
class Likenesses:
    """Likeness to all people in every view, by `compare`.

    Args:
        made: Of synthetic cases, by view.
        planted: Of planted copies.
        people: Of the second half of the control subjects.
    """

    made: dict[str, np.ndarray]
    planted: dict[str, np.ndarray]
    people: dict[str, np.ndarray]


@final
@dataclass(frozen=True, eq=False)
class Nearness:
    """Nearness of synthetic cases, planted copies and control subjects to all people, by `nearness_of`."""

    made: Near
    labels: Float32[np.ndarray, "case _person"]
    planted: Float32[np.ndarray, "copy person"]
    people: Float32[np.ndarray, "stranger person"]
    by_view: Mapping[str, Near]


def compare(fields: Sequence[Field], sides: Sides) -> Likenesses:
    """Compare all cases with all people in every view.

    Args:
        fields: Parts of the head.
        sides: Who is who; the mean picture is that of the first half of the control subjects.

    Raises:
        CohortError: There is no synthetic case, or there are fewer than 2 control subjects.
    """
    if not fields or not len(fields[0].made) or sides.control < 2:
        found = f"{len(fields[0].made) if fields else 0} synthetic cases and {sides.control} control subjects"
        raise CohortError(found, "a case or more, and 2 control subjects or more")
    sets = [[part.made for part in fields], [part.planted for part in fields]]
    sets.append([part.people[sides.strangers] for part in fields])
    return Likenesses(*(likeness_to_people(pictures, fields, sides) for pictures in sets))


def likeness_to_people(
    pictures: Sequence[Float[np.ndarray, "case _channel _cell"]], fields: Sequence[Field], sides: Sides
) -> dict[str, np.ndarray]:
    """Return the likeness of cases to all people in every view.

    Args:
        pictures: Pictures of the cases, one array a field.
        fields: Parts of the head, with their people.
        sides: Who is who.
    """
    found: dict[str, np.ndarray] = {}
    for part, shown in zip(fields, pictures, strict=True):
        middle = part.people[sides.reference].mean(axis=0, dtype=np.float32)
        near = likeness(shown, part.people, middle, part.shape, part.groups)
        found |= {f"{part.name}: {name}": values for name, values in near.items()}
    return found


def nearness_of(found: Likenesses, sides: Sides) -> Nearness:
    """Bring likenesses to the scale of each person and view, and join the views.

    The scale of a training subject is at most the largest of other people, so that
    a subject whom many cases copy is not taken for one whom everything resembles.

    Args:
        found: Likenesses.
        sides: Who is who.
    """
    views: dict[str, Near] = {}
    planted: list[np.ndarray] = []
    people: list[np.ndarray] = []
    for name, near in found.made.items():
        low, high = np.quantile(np.ascontiguousarray(near.T), SCALE, axis=1).astype(np.float32)
        step = high - low
        low, step = (np.minimum(one, one[sides.training :].max(initial=-np.inf)) for one in (low, step))
        step = np.maximum(step, 1e-3)
        views[name] = (near - low) / step
        planted.append((found.planted[name] - low) / step)
        people.append((found.people[name] - low) / step)
    labels = [near for name, near in views.items() if name.endswith(": labels")]
    made = np.maximum.reduce(list(views.values()))
    return Nearness(
        made,
        np.maximum.reduce(labels) if labels else made[:, :0],
        np.maximum.reduce(planted),
        np.maximum.reduce(people),
        views,
    )


def points_of(
    made: Float[np.ndarray, "case channel cell"],
    people: Float[np.ndarray, "person channel cell"],
    dimensions: int = DIMENSIONS,
) -> tuple[Float64[np.ndarray, "case dimension"], Float64[np.ndarray, "person dimension"]]:
    """Return principal components of the synthetic cases, and people in them, scaled to a standard deviation of 1.

    Args:
        made: Pictures of synthetic cases; at least 2.
        people: Pictures of people.
        dimensions: Most components.
    """
    from scipy.sparse.linalg import svds

    flat, others = (one.reshape(len(one), -1).astype(np.float64) for one in (made, people))
    middle = flat.mean(axis=0)
    count = min(dimensions, min(flat.shape) - 1)
    start = stream(0, "principal components").normal(size=min(flat.shape))
    _, values, axes = svds(flat - middle, k=count, v0=start)
    spread = np.maximum(values / np.sqrt(max(1, len(flat) - 1)), 1e-9)
    return (flat - middle) @ axes.T / spread, (others - middle) @ axes.T / spread
