"""Label maps and the schemes that give their integers a meaning.

A label map is an integer volume; a scheme says what each integer is.  The two
never travel apart, because the same enhancing tumour is 4 in one challenge and
3 in another, and a silent mix-up trains without an error.

Conventions
-----------
voxels      uint8, axes `(i, j, k)` as in `core.geometry`
background  always the integer 0
lesion      labels of the tumour; tissue: labels of normal brain
region      a named union of labels: WT whole tumour, TC tumour core, ET
            enhancing tumour
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Bool, Integer, UInt8

from glioforge.core.errors import GeometryError, LabelError
from glioforge.core.geometry import Geometry

LabelVoxels = UInt8[np.ndarray, "i j k"]


@final
@dataclass(frozen=True, eq=False)
class LabelScheme:
    """What the integers of a label map mean.

    Args:
        name: Name of the scheme, as used in files.
        labels: Integer of each label name; `background` is 0.
        regions: Label names that each region unites.
        tissue: Names of labels of normal brain; all others but background are lesion.
        broader: Where a label goes in a coarser scheme that does not name it.
        colours: RGB of each label for pictures, 0-255; grey where none is given.

    Raises:
        LabelError: Background is not 0, an integer is used twice or outside
            0-255, or a region or tissue names an unknown label.
    """

    name: str
    labels: Mapping[str, int]
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tissue: tuple[str, ...] = ()
    broader: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = list(self.labels.values())
        if self.labels.get("background") != 0:
            raise LabelError(f"scheme {self.name!r} without background 0", "label background = 0")
        if len(set(values)) != len(values) or min(values) < 0 or max(values) > 255:
            raise LabelError(f"scheme {self.name!r} with values {values}", "distinct integers 0-255")
        named = {n for names in self.regions.values() for n in names} | set(self.tissue)
        unknown = sorted(named - set(self.labels))
        if unknown:
            raise LabelError(f"scheme {self.name!r} uses {unknown}", f"labels among {sorted(self.labels)}")

    @property
    def lesion(self) -> tuple[str, ...]:
        """Names of the tumour's labels, in the order of the scheme."""
        return tuple(n for n in self.labels if n != "background" and n not in self.tissue)

    @property
    def lesion_values(self) -> tuple[int, ...]:
        """Integers of the tumour's labels."""
        return tuple(self.labels[n] for n in self.lesion)

    @property
    def is_complete(self) -> bool:
        """Whether normal tissue is labelled as well, so that an image can be made from the map."""
        return bool(self.tissue)

    def value(self, name: str) -> int:
        """Integer of a label.

        Raises:
            LabelError: The scheme has no such label.
        """
        if name not in self.labels:
            raise LabelError(f"label {name!r}", f"one of {sorted(self.labels)}", where=f"scheme {self.name}")
        return self.labels[name]

    def region_values(self, region: str) -> tuple[int, ...]:
        """Integers of a region, or of a single label of that name.

        Raises:
            LabelError: Neither a region nor a label has this name.
        """
        if region in self.regions:
            return tuple(self.labels[n] for n in self.regions[region])
        if region in self.labels:
            return (self.labels[region],)
        known = sorted([*self.regions, *self.labels])
        raise LabelError(f"region {region!r}", f"one of {known}", where=f"scheme {self.name}")

    def require(self, voxels: Integer[np.ndarray, "..."], where: str | None = None) -> None:
        """Refuse values that the scheme does not name, with their voxel counts.

        Raises:
            LabelError: A value has no name.
        """
        known = set(self.labels.values())
        if voxels.dtype == np.uint8 and not voxels.tobytes("A").translate(None, bytes(known)):
            return
        values, counts = np.unique(voxels, return_counts=True)
        strange = {int(v): int(c) for v, c in zip(values, counts, strict=True) if int(v) not in known}
        if strange:
            text = ", ".join(f"{v} ({c} voxels)" for v, c in strange.items())
            raise LabelError(
                f"label map holds {text}",
                f"values of scheme {self.name!r}: {dict(self.labels)}",
                "name the scheme that this data set uses, or remap the file",
                where,
            )

    def table_to(self, other: "LabelScheme") -> UInt8[np.ndarray, "256"]:
        """Look-up table that turns this scheme's integers into another's.

        A label goes to the one of the same name, else to its `broader` one;
        normal tissue goes to background where the other scheme has none.

        Raises:
            LabelError: A lesion label has no counterpart.
        """
        table = np.zeros(256, dtype=np.uint8)
        for name, value in self.labels.items():
            target = self._counterpart(name, other)
            if target is None and name in self.tissue:
                target = "background"
            if target is None:
                raise LabelError(
                    f"label {name!r} of scheme {self.name!r}",
                    f"a label of scheme {other.name!r}: {sorted(other.labels)}",
                    "pick a scheme that names it",
                )
            table[value] = other.labels[target]
        return table

    def _counterpart(self, name: str, other: "LabelScheme") -> str | None:
        """The nearest broader label that the other scheme names, if there is one."""
        tried: set[str] = set()
        target: str | None = name
        while target is not None and target not in other.labels and target not in tried:
            tried.add(target)
            target = self.broader.get(target) or other.broader.get(target)
        return target if target in other.labels else None

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "labels": dict(self.labels),
            "regions": {k: list(v) for k, v in self.regions.items()},
            "tissue": list(self.tissue),
            "broader": dict(self.broader),
            "colours": {k: list(v) for k, v in self.colours.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "LabelScheme":
        """Inverse of `to_json`."""
        colours = {k: (int(r), int(g), int(b)) for k, (r, g, b) in values["colours"].items()}
        regions = {k: tuple(v) for k, v in values["regions"].items()}
        return cls(
            values["name"], dict(values["labels"]), regions, tuple(values["tissue"]), dict(values["broader"]), colours
        )

    def __eq__(self, other: object) -> bool:
        """Equality of all fields."""
        if not isinstance(other, LabelScheme):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.labels.items())))


@final
@dataclass(frozen=True, eq=False)
class LabelMap:
    """An integer volume with its grid and the scheme of its integers.

    Args:
        voxels: Labels, uint8, `(i, j, k)`; set read-only.
        geometry: Their grid.
        scheme: Their meaning.

    Raises:
        GeometryError: The voxels' shape is not the grid's.
        LabelError: The type is not uint8, or a value has no name in the scheme.
    """

    voxels: LabelVoxels
    geometry: Geometry
    scheme: LabelScheme

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape:
            raise GeometryError(f"label voxels of shape {self.voxels.shape}", f"shape {self.geometry.shape}")
        if self.voxels.dtype != np.uint8:
            raise LabelError(f"label voxels of type {self.voxels.dtype}", "uint8", "convert exact integers first")
        self.scheme.require(self.voxels)
        self.voxels.setflags(write=False)

    def region(self, region: str) -> Bool[np.ndarray, "i j k"]:
        """Mask of a region or a single label; all false where it is absent."""
        return _any_of(self.voxels, self.scheme.region_values(region))

    @property
    def foreground(self) -> Bool[np.ndarray, "i j k"]:
        """Mask of everything but background: the brain in a complete map, the lesion in one of the tumour alone."""
        return np.asarray(self.voxels > 0)

    @property
    def lesion(self) -> Bool[np.ndarray, "i j k"]:
        """Mask of all tumour labels."""
        return _any_of(self.voxels, self.scheme.lesion_values)

    def volume_ml(self, region: str) -> float:
        """Volume of a region in millilitres; 0 where it is absent."""
        return float(np.count_nonzero(self.region(region)) * self.geometry.voxel_volume / 1000)

    def to(self, scheme: LabelScheme) -> "LabelMap":
        """The same map in another scheme (see `LabelScheme.table_to`)."""
        if scheme == self.scheme:
            return self
        return LabelMap(_translated(self.voxels, self.scheme.table_to(scheme)), self.geometry, scheme)

    def with_voxels(self, voxels: LabelVoxels) -> "LabelMap":
        """A map on the same grid, in the same scheme, with other voxels."""
        return LabelMap(voxels, self.geometry, self.scheme)


def _any_of(voxels: LabelVoxels, values: Sequence[int]) -> Bool[np.ndarray, "i j k"]:
    """Mask of a few values; comparing with each in turn is several times faster than `np.isin`."""
    masks = (voxels == value for value in values)
    mask = next(masks, np.zeros(voxels.shape, dtype=bool))
    for other in masks:
        mask |= other
    return mask


def _translated(voxels: LabelVoxels, table: UInt8[np.ndarray, "256"]) -> LabelVoxels:
    """Voxels looked up in a table, in the order in which they lie in memory; twice as fast as indexing."""
    order: Literal["F", "C"] = "F" if voxels.flags.f_contiguous else "C"
    data = voxels.tobytes(order).translate(table.tobytes())
    return np.frombuffer(data, dtype=np.uint8).reshape(voxels.shape, order=order)
