"""Change one sub-region and leave the others: more necrosis, a thinner rim, wider oedema, a cavity.

`necrotic_core` and `enhancing` trade volume within the tumour core, whose
outline stays; `oedema` changes the outline around a core that stays; `cavity`
turns the innermost part of the core into a resection cavity, or into fluid (label
`csf`) in maps without a label for one, as after surgery or in a cyst.  A cavity
that is there keeps its volume.  An edit of Glioforge's own.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np

from glioforge.core import EditError, LabelMap
from glioforge.lesions import EDITS, EditContext, EditSpec, Graft, LesionPatch, uniform

Subregion = Literal["necrotic_core", "enhancing", "oedema", "cavity"]
_CERTAIN = np.float32(1e3)


@final
class ResizeSubregionSpec(EditSpec):
    """Settings of a change of one sub-region."""

    kind: Literal["resize_subregion"] = "resize_subregion"
    """Name of the edit."""
    subregion: Subregion = "necrotic_core"
    """Which sub-region changes."""
    factor: tuple[float, float] = (0.5, 1.5)
    """Smallest and largest factor of its volume, up to 4; for a cavity 1 plus its share of the core (1 to 1.9)."""


@EDITS.register(ResizeSubregionSpec)
@final
@dataclass(frozen=True)
class ResizeSubregion:
    """Change one sub-region; record: `subregion`, `factor`."""

    spec: ResizeSubregionSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Draw a factor; raises `EditError` for an impossible range, or a lesion without this sub-region."""
        (low, high), subregion = self.spec.factor, self.spec.subregion
        least, most = (1.0, 1.9) if subregion == "cavity" else (0.0, 4.0)
        if not least <= low <= high <= most:
            raise EditError(f"factors {low} to {high}", f"a rising range within {least:g} to {most:g}")
        factor = uniform(rng, self.spec.factor)
        resized_counts(context.lesion.counts, subregion, factor)
        return {"subregion": subregion, "factor": factor}

    def changed(self, context: EditContext) -> LabelMap | Graft | LesionPatch:
        """Change the sub-region; a factor of 1 leaves the lesion as it is."""
        subregion, factor, lesion = context.values["subregion"], float(context.values["factor"]), context.lesion
        if factor == 1:
            return lesion
        if subregion == "cavity":
            return _with_cavity(context.labels, lesion, factor - 1)
        return resized(lesion, subregion, factor)


def resized_counts(counts: tuple[int, ...], subregion: Subregion, factor: float) -> tuple[int, ...]:
    """Voxels of WT, TC and necrotic core once one sub-region is changed; it cannot outgrow the core.

    Raises:
        EditError: The sub-region is absent.

    Example:
        >>> resized_counts((100, 40, 10), "necrotic_core", 2.0)
        (100, 40, 20)
        >>> resized_counts((100, 40, 10), "enhancing", 0.5)
        (100, 40, 25)
        >>> resized_counts((100, 40, 10), "oedema", 1.5)
        (130, 40, 10)
    """
    whole, core, necrotic, *hollow = counts
    oedema = whole - core - sum(hollow)
    sizes = {"necrotic_core": necrotic, "enhancing": core - necrotic, "oedema": oedema, "cavity": core}
    if not sizes[subregion]:
        raise EditError(f"a lesion without {subregion}", f"some {subregion} to change", "choose another sub-region")
    size = round(sizes[subregion] * factor)
    if subregion == "oedema":
        return max(core + sum(hollow) + size, 1), core, necrotic, *hollow
    if subregion == "necrotic_core":
        return whole, core, min(size, core), *hollow
    return (whole, core, core - min(size, core), *hollow) if subregion == "enhancing" else counts


def resized(lesion: LesionPatch, subregion: Subregion, factor: float) -> Graft:
    """Return a lesion's graft with one sub-region changed."""
    counts = resized_counts(lesion.counts, subregion, factor)
    growth = max((counts[0] / lesion.counts[0]) ** (1 / 3) - 1, 0.0)
    extent = max(n * s for n, s in zip(lesion.voxels.shape, lesion.spacing, strict=True))
    graft = Graft.of(lesion, growth_mm=growth * extent)
    fields = graft.fields.copy()
    if subregion == "oedema":
        kept = np.logical_or.reduce([fields[1] > 0, *(field > 0 for field in fields[3:])])
        fields[0] = np.where(kept, _CERTAIN, fields[0])
    if not (fields[2] > 0).any():
        fields[2] = fields[1]
    return replace(graft, fields=fields, counts=counts)


def _with_cavity(labels: LabelMap, lesion: LesionPatch, share: float) -> LabelMap:
    """Map whose innermost share of the tumour core is a cavity, or fluid where the scheme names no cavity."""
    voxels = labels.voxels.copy()
    places = Graft.of(lesion, 0.0).innermost_core(share)
    voxels[tuple(places)] = labels.scheme.labels.get("resection_cavity", labels.scheme.value("csf"))
    return labels.with_voxels(voxels)
