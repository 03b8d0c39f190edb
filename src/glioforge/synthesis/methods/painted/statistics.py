"""Subclass statistics as buffers of a network without trained numbers, kept and read as weights are."""

from collections.abc import Mapping
from typing import final

import numpy as np
import torch
from jaxtyping import Float64
from torch import nn

from glioforge.synthesis.methods.painted.subclasses import Subclasses


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
