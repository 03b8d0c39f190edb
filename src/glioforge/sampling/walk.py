"""Walks through the noise of a GAN of slices: film strips that show what the numbers mean.

A walk leads from one draw to another on the sphere that both lie near (Shoemake 1985, doi:10.1145/325334.325242; for
noise White 2016, arXiv:1609.04468), or keeps the draw and moves a finding from its least to its greatest value.
Noise of the texture stays as it is, so that what changes is what is shown.
"""

from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32

from glioforge.core import SpecError, stream
from glioforge.io import ORPHAN_S, Step, write_atomically
from glioforge.report import Picture, picture_grid
from glioforge.sampling.base import TrainedSampler
from glioforge.sampling.preview import picture_of
from glioforge.sampling.slice_gan import SliceGan

STRIP: Final = "walk.png"
"""The film strip."""


def write_walk(
    sampler: TrainedSampler, out: Path, *, frames: int = 8, walks: int = 3, along: str | None = None, seed: int = 1
) -> Path:
    """Draw walks as a film strip, a row for each and for each contrast.

    Args:
        sampler: Trained GAN of slices.
        out: Folder of `walk.png`.
        frames: Slices of a walk, at least 2.
        walks: Number of walks.
        along: Finding that is moved while the draw stays; from one draw to another unless given.
        seed: Root of all draws.

    Raises:
        SpecError: The sampler is no GAN of slices, or cannot be asked for the finding.
        OutputError: The folder was made with other settings, or cannot be written.
    """
    method = method_of(sampler)
    if along is not None and along not in method.spec.conditions:
        raise SpecError(f"a walk along {along!r}", f"one of {', '.join(method.spec.conditions) or 'no conditions'}")
    if frames < 2:
        raise SpecError(f"a walk of {frames} slices", "at least 2")
    key = {"sampler": sampler.card.weights, "seed": seed, "frames": frames, "walks": walks, "along": along}
    with Step(out, key, wait_s=ORPHAN_S) as step:
        rows = [row for n in range(walks) for row in _rows(sampler, n + 1, frames, along, seed)]
        write_atomically(out / STRIP, picture_grid(rows, [""] * frames, cell_inch=1.1))
        step.finish({"frames": frames})
    return out / STRIP


def method_of(sampler: TrainedSampler) -> SliceGan:
    """Return the GAN of slices that a sampler is.

    Raises:
        SpecError: It is none.
    """
    if not isinstance(sampler.method, SliceGan):
        raise SpecError(f"sampler {sampler.card.kind!r}", "a GAN of slices, such as dcgan or wgan")
    return sampler.method


def on_sphere(
    first: Float32[np.ndarray, "n"], last: Float32[np.ndarray, "n"], share: float
) -> Float32[np.ndarray, "n"]:
    """Point between two draws along the great circle, with lengths in between.

    Example:
        >>> on_sphere(np.float32([1, 0]), np.float32([0, 1]), 0.5).round(3).tolist()
        [0.7070000171661377, 0.7070000171661377]
    """
    lengths = [float(np.linalg.norm(point)) for point in (first, last)]
    angle = float(np.arccos(np.clip(first @ last / max(lengths[0] * lengths[1], 1e-9), -1, 1)))
    if np.sin(angle) < 1e-6:
        return np.asarray((1 - share) * first + share * last, dtype=np.float32)
    weights = np.sin((1 - share) * angle) / np.sin(angle), np.sin(share * angle) / np.sin(angle)
    return np.asarray(weights[0] * first + weights[1] * last, dtype=np.float32)


def _rows(
    sampler: TrainedSampler, number: int, frames: int, along: str | None, seed: int
) -> list[tuple[str, list[Picture]]]:
    """A row of pictures for each contrast of one walk."""
    method = method_of(sampler)
    rng = stream(seed, "walk", number)
    (first, findings), (last, _) = method.drawn(rng), method.drawn(rng)
    latent = method.network.latent
    pictures: dict[str, list[Picture]] = {}
    for share in np.linspace(0, 1, frames):
        noise, asked = first.copy(), findings.copy()
        if along is None:
            noise[0, :latent] = on_sphere(first[0, :latent], last[0, :latent], float(share))
        else:
            column = [str(name) for name in method.spec.conditions].index(along)
            values = method.shown[:, column]
            asked[0, column] = values.min() + share * (values.max() - values.min())
        for modality, volume in method.volumes(method.output(sampler.accelerator, noise, asked)[0]).items():
            picture = picture_of(volume)
            pictures.setdefault("slice" if method.pooled else modality.title, []).append(picture)
    return [(f"walk {number}, {name}", row) for name, row in pictures.items()]
