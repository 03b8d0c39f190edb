"""Variational autoencoder of whole label maps (Kingma & Welling 2014, arXiv:1312.6114), Glioforge's own small sampler.

An encoder of strided convolutions turns a label map into a Gaussian over a few
numbers, and a decoder turns numbers into class probabilities on a coarse grid.  A
sample interpolates the logits to the grid of the training cases, takes the most
probable tissue of each voxel, and draws lesions by their probability with noise
that is smooth, so that neighbours agree.  The loss is the negative evidence bound, in
nats per voxel of the coarse grid: it can be compared with any model that gives
probabilities, and on held-out subjects it selects the weights.

No paper makes complete label maps of tumour brains in this way: Foroozandeh & Eklund (2020)
grow 2-D maps with a progressive GAN, on one axis of numbers for all classes.  Here classes are nominal, maps are
volumes, and a probability is known.  There is one preset.
Deviations from Kingma & Welling:
1. Bits are classes: the likelihood is categorical.  Where the coarse grid is coarser than the map, its targets are the
   shares of the classes in each voxel.
2. Left and right are swapped in every second draw, since training subjects are few.
3. The decoder adds to the log frequency of each class in each voxel of the training maps, an atlas that is kept with
   the weights.
4. Average of the weights (EMA), AdamW at a rate that falls as a cosine.
Limits: fine structure is lost to the coarse grid.  The parts of a lesion are drawn with the right probability in each
place and without knowing that they are nested: put `quality.filters.plausible_labels` behind it, or set `coherence` to
0 and let edits insert lesions into the anatomies.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, final

import numpy as np
import torch
from jaxtyping import Float, Float32
from pydantic import Field, field_validator
from scipy import ndimage, special
from torch import nn
from torch.nn import functional

from glioforge.compute import AcceleratorSpec
from glioforge.core import Cohort, LabelMap, stream
from glioforge.sampling import SAMPLERS, Sampler, SamplerSpec
from glioforge.training import Budget, inferred

Shares = Float[torch.Tensor, "b classes x y z"]


class LabelVaeSpec(SamplerSpec):
    """Variational autoencoder of label maps."""

    kind: Literal["label_vae"] = "label_vae"
    """Name of the sampler."""
    size: tuple[int, int, int] = (48, 48, 32)
    """Coarse grid of the decoder; each axis is a multiple of 8."""
    widths: tuple[int, int, int] = (16, 32, 64)
    """Channels of the three levels, finest first."""
    latent: int = Field(32, ge=1)
    """Numbers that a map is drawn from."""
    batch_size: int = Field(8, ge=1)
    """Label maps in a step."""
    coherence: float = Field(3.0, ge=0)
    """Standard deviation, in voxels of the training grid, of the noise that decides between lesion and tissue: voxels
    within about this distance are decided together. 0 leaves lesions out, which in no place are as probable as
    tissue."""
    mirror: bool = True
    """Swap left and right in every second draw."""
    budget: Budget = Budget(steps=600, validate_every=50, checkpoint_every=200)
    """Length of the training."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"sound": {}}

    @field_validator("size")
    @classmethod
    def _halved_three_times(cls, size: tuple[int, int, int]) -> tuple[int, int, int]:
        if any(axis < 8 or axis % 8 for axis in size):
            msg = f"size {size}: each axis is halved three times, so give multiples of 8"
            raise ValueError(msg)
        return size


@final
@SAMPLERS.register(LabelVaeSpec)
class LabelVaeSampler(Sampler):
    """Lowers the negative evidence bound."""

    makes = "labels"

    def build(self) -> nn.Module:
        """Autoencoder with torch's default weights."""
        spec: LabelVaeSpec = self.spec
        return LabelVae(len(self.knowledge.scheme.labels), spec.size, spec.widths, spec.latent)

    def before_training(self, network: Any, cohort: Cohort) -> None:  # noqa: ANN401 - the autoencoder
        """Measure how often each voxel has each class; one more map of even shares leaves nothing impossible."""
        shares = self.shares_of(cohort).float()
        both = torch.cat([shares, shares.flip(2)]) if self.spec.mirror else shares
        network.atlas.copy_(((both.sum(dim=0) + 1 / both.shape[1]) / (len(both) + 1)).log())

    def loss(self, network: nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Negative evidence bound in nats per voxel."""
        bound: torch.Tensor = network(batch["shares"], batch["noise"])
        return (bound / int(np.prod(self.spec.size))).mean()

    def batches(self, cohort: Cohort, seed: int) -> Callable[[int], Mapping[str, torch.Tensor]]:
        """Draw label maps of all training cases with the same chance; their coarse forms are held in memory."""
        spec: LabelVaeSpec = self.spec
        held = self.shares_of(cohort)

        def batch(step: int) -> Mapping[str, torch.Tensor]:
            rng = stream(seed, "maps", step)
            shares = held[torch.from_numpy(rng.integers(len(held), size=spec.batch_size))].float()
            swapped = torch.from_numpy(rng.random(len(shares)) < 0.5) & spec.mirror
            shares = torch.where(swapped.view(-1, 1, 1, 1, 1), shares.flip(2), shares)
            noise = rng.standard_normal((len(shares), spec.latent), dtype=np.float32)
            return {"shares": shares, "noise": torch.from_numpy(noise)}

        return batch

    def score(self, cohort: Cohort, seed: int) -> Callable[[nn.Module], float]:
        """Evidence bound of the cohort's maps, in nats per voxel, from four draws of each."""
        spec: LabelVaeSpec = self.spec
        held = self.shares_of(cohort).float().repeat_interleave(4, dim=0)
        drawn = stream(seed, "score").standard_normal((len(held), spec.latent), dtype=np.float32)
        noise = torch.from_numpy(drawn)

        def bound(network: nn.Module) -> float:
            device = next(network.parameters()).device
            starts = range(0, len(held), spec.batch_size)
            parts = [slice(first, first + spec.batch_size) for first in starts]
            nats = [network(held[part].to(device), noise[part].to(device)).detach() for part in parts]
            return -float(torch.cat(nats).mean()) / int(np.prod(spec.size))

        return bound

    def make(self, rng: np.random.Generator, accelerator: AcceleratorSpec) -> LabelMap:
        """Draw a map on the grid of the training cases: the most probable tissue, and lesions by their probability."""
        knowledge = self.knowledge
        noise = torch.from_numpy(rng.standard_normal((1, self.spec.latent), dtype=np.float32))
        network: Any = self.network
        logits = inferred(network.decoder, (noise,), accelerator) + network.atlas
        fine = functional.interpolate(logits, knowledge.geometry.shape, mode="trilinear")[0].numpy()
        values = np.array(sorted(knowledge.scheme.labels.values()), dtype=np.uint8)
        diseased = np.isin(values, knowledge.scheme.lesion_values)
        voxels = values[~diseased][fine[~diseased].argmax(axis=0)]
        if self.spec.coherence and diseased.any():
            sides = np.stack([special.logsumexp(fine[side], axis=0) for side in (~diseased, diseased)])
            lesion = (sides + smooth_gumbel(sides.shape, self.spec.coherence, rng)).argmax(axis=0) == 1
            parts = fine[diseased] + smooth_gumbel(fine[diseased].shape, self.spec.coherence, rng)
            voxels = np.where(lesion & (voxels > 0), values[diseased][parts.argmax(axis=0)], voxels)
        return LabelMap(voxels, knowledge.geometry, knowledge.scheme)

    def shares_of(self, cohort: Cohort) -> Float[torch.Tensor, "n classes x y z"]:
        """Share of each class in each voxel of the coarse grid, for every case, in half precision."""
        values = torch.tensor(sorted(self.knowledge.scheme.labels.values()))
        coarse = []
        for ref in cohort:
            labels = torch.from_numpy(ref.load().require_labels().voxels.astype(np.int64))
            hot = (labels[None] == values.view(-1, 1, 1, 1)).float()
            coarse.append(functional.interpolate(hot[None], self.spec.size, mode="area").half())
        return torch.cat(coarse)


def smooth_gumbel(
    shape: tuple[int, ...], width: float, rng: np.random.Generator
) -> Float32[np.ndarray, "classes i j k"]:
    """Draw noise that is Gumbel in each voxel and smooth within each class.

    The largest of logits plus Gumbel noise is a draw from their softmax (Maddison et al. 2014, arXiv:1411.0030), so
    that each voxel keeps the decoder's probabilities while neighbours are decided alike.

    Args:
        shape: Classes and grid.
        width: Standard deviation of the smoothing in voxels.
        rng: Source of the draw.
    """
    plain = rng.standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(plain, (0, width, width, width), mode="wrap")
    # Smoothing takes variance away; what is left is the sum of the squared weights, the same in every voxel.
    point = np.zeros(shape[1:], np.float32)
    point[0, 0, 0] = 1
    kept = float(np.square(ndimage.gaussian_filter(point, width, mode="wrap")).sum())
    uniform = np.clip(special.ndtr(smooth / np.sqrt(kept)), 1e-6, 1 - 1e-6)
    gumbel: np.ndarray = -np.log(-np.log(uniform)).astype(np.float32)
    return gumbel


@final
class LabelVae(nn.Module):
    """Encoder and decoder; called, it gives the negative evidence bound of each map.

    Args:
        classes: Number of labels, background included.
        size: Grid of the maps; each axis a multiple of 8.
        widths: Channels of the three levels, finest first.
        latent: Numbers between encoder and decoder.
    """

    def __init__(self, classes: int, size: tuple[int, int, int], widths: tuple[int, int, int], latent: int) -> None:
        super().__init__()
        coarsest = (size[0] // 8, size[1] // 8, size[2] // 8)
        flat = widths[2] * int(np.prod(coarsest))
        fine, middle, wide = widths
        # Log frequency of each class in each voxel, which the decoder adds to: it starts as good as an atlas.
        self.atlas: torch.Tensor
        self.register_buffer("atlas", torch.zeros(classes, *size))
        self.encoder = nn.Sequential(
            nn.Conv3d(classes, fine, 4, 2, 1),
            nn.SiLU(),
            nn.Conv3d(fine, middle, 4, 2, 1),
            nn.SiLU(),
            nn.Conv3d(middle, wide, 4, 2, 1),
            nn.SiLU(),
            nn.Flatten(),  # (b, widths[2] * x/8 * y/8 * z/8)
            nn.Linear(flat, 2 * latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, flat),
            nn.SiLU(),
            nn.Unflatten(1, (wide, *coarsest)),
            nn.ConvTranspose3d(wide, middle, 4, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose3d(middle, fine, 4, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose3d(fine, classes, 4, 2, 1),
        )

    def forward(self, shares: Shares, noise: Float[torch.Tensor, "b latent"]) -> Float[torch.Tensor, "b"]:
        """Return the negative evidence bound of each map, in nats.

        Args:
            shares: Share of each class in each voxel.
            noise: Standard normal, one row per map.
        """
        mean, log_variance = self.encoder(shares).float().chunk(2, dim=1)  # (b, latent) each
        log_variance = log_variance.clamp(-10, 10)
        logits = self.decoder(mean + (0.5 * log_variance).exp() * noise).float() + self.atlas  # (b, classes, *size)
        missed = -(shares * functional.log_softmax(logits, dim=1)).flatten(1).sum(dim=1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
        return missed + divergence
