"""Images painted from label maps without a network: the control that every generator must beat.

Each class is split into intensity subclasses (FetalSynthSeg, Zalevskyi et al.
2024, arXiv:2411.06842) that lie in the class by smooth random fields.  Their
means are drawn around the mean of the training cases, from a shrunk covariance,
at `width` times the spread between cases: wider than the cases themselves differ, as
domain randomisation does (Billot et al. 2023, SynthSeg, arXiv:2107.09559), but about
measured means, and only as far as the order of classes stays (both in
`synthesis.style_spread`).  Then texture, partial volume, resolution, shifts between
contrasts, measured noise and a bias field.

Training cases without a class or a contrast, such as unlabelled scans with
tissue alone, give the statistics of what they have.  The statistics of subclasses are
buffers of a network without trained numbers, kept and read as weights are.

Presets: `sound`, and `narrow`, `wide` and `means`, which differ in width.
`means` is of width 0, without subclasses, texture and scanner: the per-class
mean image.  `preset: means` with `texture: 1` adds the measured variation within
classes alone.

Deviations from FetalSynthSeg and SynthSeg: intensities are drawn around measured ones; subclasses are laid out by
partial volume and random patches, as new label maps have no scan to be clustered; label maps are warped elsewhere
(`labelmaps`); resolution is lost within limits of the training grid, and never so far as thick clinical slices.

Label maps may hold distractors (scheme `complete_distractors`); they are painted
after lesion classes and count as normal tissue.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float64
from torch import nn

from glioforge.compute import AcceleratorSpec
from glioforge.core import COMPLETE_DISTRACTORS, LabelMap, LabelScheme, bounding_box
from glioforge.synthesis import (
    FLOOR,
    SYNTHESIZERS,
    Images,
    Knowledge,
    Method,
    StyleSpread,
    class_indices,
    keeps_order,
    measured_order,
    places_of,
    require_order,
)
from glioforge.synthesis.methods.painted.canvas import Canvas, Style
from glioforge.synthesis.methods.painted.spec import PaintedSpec
from glioforge.synthesis.methods.painted.subclasses import Subclasses
from glioforge.training import Fitting, Outcome

__all__ = ["Painted", "PaintedSpec"]

_TRIES = 40
_MARGIN = 3


@final
@SYNTHESIZERS.register(PaintedSpec)
class Painted(Method):
    """Paints subclasses in drawn styles; its statistics are kept as a network without trained numbers."""

    learns: ClassVar[bool] = False

    def __init__(self, spec: PaintedSpec, knowledge: Knowledge) -> None:
        super().__init__(spec, knowledge)
        cases, classes, contrasts = knowledge.appearance.means.shape
        self._statistics = Statistics(cases, classes, spec.subclasses, contrasts)

    @property
    def network(self) -> nn.Module:
        """Statistics of the subclasses."""
        return self._statistics

    @property
    def varied(self) -> bool:
        """Whether one label map gives differing images."""
        spec: PaintedSpec = self.spec
        return bool(spec.width or spec.texture or spec.scanner or spec.subclasses > 1)

    def takes(self, scheme: LabelScheme) -> bool:
        """Whether label maps of a scheme can be painted: its own, and the one with distractors."""
        own = self.knowledge.scheme
        return scheme == own or (scheme == COMPLETE_DISTRACTORS and own.is_complete and "oedema" in own.labels)

    def fit(self, fitting: Fitting) -> Outcome | None:
        """Measure the subclasses of the training cases; whole classes without noise are known already.

        Raises:
            SpecError: A rule of `order` names an unknown class, or the mean of the training cases breaks it.
        """
        known, spec = self.knowledge, self.spec
        found = Subclasses.even(known.appearance.means, known.appearance.deviations, spec.subclasses)
        if spec.subclasses > 1 or spec.scanner is not None:
            count = len(fitting.train)
            cases = fitting.progress.track((ref.load() for ref in fitting.train), "measuring classes", count)
            measured = Subclasses.of(cases, known.modalities, known.scheme, spec.subclasses)
            found = measured.completed_by(found)
        self._statistics.take(found)
        _ = self._order
        return None

    def images(self, labels: LabelMap, rng: np.random.Generator, accelerator: AcceleratorSpec) -> Images:  # noqa: ARG002 - no network
        """Paint all contrasts in one style, within the box of the brain."""
        painted = np.zeros((len(self.knowledge.modalities), *labels.voxels.shape), dtype=np.float32)
        box = bounding_box(labels.foreground, _MARGIN)
        if box is not None:
            style = self._style(rng).in_scheme(labels.scheme, self.knowledge.scheme, rng)
            canvas = Canvas(self.spec, labels.geometry.spacing, class_indices(labels.voxels[box], labels.scheme), rng)
            painted[(slice(None), *box)] = canvas.paint(style)
        return painted

    @cached_property
    def _measured(self) -> Subclasses:
        return self._statistics.subclasses

    @cached_property
    def _order(self) -> tuple[tuple[int, int, int], ...]:
        """Places of the rules that styles keep."""
        known, spec = self.knowledge, self.spec
        means = known.appearance.means
        if spec.order is None:
            return places_of(measured_order(means, known.modalities, known.scheme), known.modalities, known.scheme)
        mean = StyleSpread.of(means, np.zeros(means.shape[1:])).mean
        require_order(spec.order, mean, known.modalities, known.scheme)
        return places_of(spec.order, known.modalities, known.scheme)

    @cached_property
    def _spread(self) -> StyleSpread:
        """Spread of the subclasses' means."""
        within = filled(self.knowledge.appearance.deviations).mean(axis=0)
        return StyleSpread.of(self._measured.means, np.repeat(FLOOR * within[:, None], self.spec.subclasses, axis=1))

    def _style(self, rng: np.random.Generator) -> Style:
        """Draw a style that keeps the order of classes; the width is halved where forty draws do not."""
        case, width = int(rng.integers(len(self._measured.means))), float(self.spec.width)
        kept = self._tables
        shares = kept["shares"][case]
        means, tries = self._spread.draw(rng, width), 0
        while width and not keeps_order((means * shares[..., None]).sum(axis=1), self._order):
            tries += 1
            # The mean of all cases keeps every rule; with the shares of one case it may not, and is taken as it is.
            width = width if tries % _TRIES else (width / 2 if width > 0.05 else 0.0)
            means = self._spread.draw(rng, width)
        return Style(
            self.knowledge.modalities,
            means,
            kept["deviations"][case],
            shares,
            kept["noise"][case],
            kept["centres"],
            self._measured.directions,
            self._measured.followed,
        )

    @cached_property
    def _tables(self) -> Mapping[str, np.ndarray]:
        """What was measured, without gaps."""
        return filled_tables(self._measured)


@final
class Statistics(nn.Module):
    """Subclass statistics as buffers, so that they are kept as weights are; what is absent is 0 and marked."""

    def __init__(self, cases: int, classes: int, subclasses: int, contrasts: int) -> None:
        super().__init__()
        table = (cases, classes, subclasses, contrasts)
        for name, shape in (
            ("means", table),
            ("deviations", table),
            ("shares", table[:-1]),
            ("noise", (cases, contrasts)),
            ("directions", (classes, contrasts)),
            ("followed", (classes,)),
            ("known", table),
            ("measured", (cases, contrasts)),
        ):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    def take(self, found: Subclasses) -> None:
        """Keep what was measured."""
        arrays = {
            "means": np.nan_to_num(found.means),
            "deviations": np.nan_to_num(found.deviations),
            "shares": found.shares,
            "noise": np.nan_to_num(found.noise),
            "directions": found.directions,
            "followed": found.followed,
            "known": np.isfinite(found.means).astype(np.float64),
            "measured": np.isfinite(found.noise).astype(np.float64),
        }
        for name, array in arrays.items():
            getattr(self, name).copy_(torch.from_numpy(array))

    @property
    def subclasses(self) -> Subclasses:
        """What was measured."""
        held = {name: buffer.numpy() for name, buffer in self.named_buffers()}
        known, measured = held["known"] > 0, held["measured"] > 0
        return Subclasses(
            np.where(known, held["means"], np.nan),
            np.where(known, held["deviations"], np.nan),
            held["shares"],
            np.where(measured, held["noise"], np.nan),
            held["directions"],
            held["followed"],
        )


def filled_tables(found: Subclasses) -> Mapping[str, np.ndarray]:
    """Return what was measured, with the mean of the other cases where one lacks something, and the mean of classes."""
    shares = _filled_shares(found.shares)
    centres = (filled(found.means) * shares[..., None]).sum(axis=2).mean(axis=0)
    tables = {name: filled(getattr(found, name)) for name in ("deviations", "noise")}
    return {**tables, "shares": shares, "centres": centres}


def filled(table: np.ndarray) -> np.ndarray:
    """Table with the mean of the other cases where a case lacks an entry, and 0 where all do."""
    known = np.isfinite(table)
    mean = np.where(known, table, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, table, mean)


def _filled_shares(shares: Float64[np.ndarray, "case class subclass"]) -> Float64[np.ndarray, "case class subclass"]:
    """Shares of which a class that a case lacks has those of the others, equal ones where all lack it."""
    there = shares.sum(axis=-1, keepdims=True) > 0
    known = filled(np.where(there, shares, np.nan))
    total = known.sum(axis=-1, keepdims=True)
    return np.where(total > 0, known / np.maximum(total, 1e-9), 1 / shares.shape[-1])
