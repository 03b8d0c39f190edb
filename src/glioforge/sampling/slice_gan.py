"""Base of the GANs of slices: generator and critic, conditions, pools of contrasts, and draws."""

from abc import ABC
from collections.abc import Mapping
from copy import copy, deepcopy
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from glioforge.compute import AcceleratorSpec
from glioforge.core import Cohort, CohortError, Modality, Volume, stream
from glioforge.nn import BlendGenerator, DcganCritic, DcganGenerator, LevelSets, Modes, start_as_dcgan, start_critic
from glioforge.sampling.method import Batches
from glioforge.sampling.slice_sampler import SliceSampler
from glioforge.sampling.slice_spec import SliceGanSpec, described, fulfilling
from glioforge.sampling.slices import BACKGROUND, DARK, FINDINGS, TrainingSlices
from glioforge.training import Fitting, Outcome, PatchScore, Unconditional

_ROWS: Final = 512
"""Findings of training slices that are kept with the weights, to draw from."""
_LEVELS: Final = np.linspace(0.05, 0.95, 10, dtype=np.float32)
"""Quantiles of intensities by which contrasts are distinguished."""
_SETTLING: Final = 32
"""Batches of noise that the statistics of the batch norms are taken over in the end."""


class SliceGan(SliceSampler, ABC):
    """Generator of slices against a critic of whole slices; a method gives the settings.

    After the training the statistics of the generator's batch norms are taken anew, over batches of noise: those that
    were noted on the way belong to other weights than the averaged ones.
    """

    spec: SliceGanSpec
    network: Any

    def build(self) -> nn.Module:
        """Generator with normal weights."""
        spec, contrasts = self.spec, self._channels
        asked = len(spec.conditions)
        sizes = contrasts, spec.width, spec.size
        generator: nn.Module
        if self._blends:
            sets = LevelSets(contrasts, spec.levels, spec.size, BACKGROUND, DARK) if spec.levels else None
            prior = Modes(spec.places, spec.modes, contrasts, spec.size, sets)
            generator = BlendGenerator(prior, spec.latent, *sizes, findings=asked)
        else:
            generator = DcganGenerator(spec.latent, *sizes, findings=asked, texture=spec.texture)
            start_as_dcgan(generator)
        if asked:
            generator.register_buffer("shown", torch.zeros(_ROWS, asked))
        if self.pooled:
            generator.register_buffer("quantiles", torch.zeros(len(self.knowledge.modalities), len(_LEVELS)))
        return generator

    @property
    def pooled(self) -> bool:
        """Whether a slice has one contrast of a pool."""
        return self.spec.pooled

    def slices(self, cohort: Cohort) -> TrainingSlices:
        """Cut the slices of a cohort that the settings choose; of a pool, each contrast is a slice of its own.

        Raises:
            CohortError: There are none, or cases lack labels where content is asked for.
        """
        found = super().slices(cohort)
        return found.apart() if self.pooled else found

    @property
    def _blends(self) -> bool:
        """Whether the generator adds to blends of slices; contrasts of a pool do not blend."""
        return bool(self.spec.modes and self.spec.texture and not self.pooled)

    @property
    def _channels(self) -> int:
        """Contrasts that a slice has."""
        return 1 if self.pooled else len(self.knowledge.modalities)

    def before_training(self, network: Any, cohort: Cohort) -> None:  # noqa: ANN401 - the generator
        """Measure modes, findings of training slices to draw from, and what distinguishes the contrasts of a pool.

        Raises:
            CohortError: Findings are asked for and the cases have no labels.
        """
        spec = self.spec
        if not spec.conditions and not self.pooled and not self._blends:
            return
        slices = self.slices(cohort)
        if self._blends:
            network.prior.fill(slices.images, slices.positions)
        if spec.conditions:
            table = slices.findings[:, [FINDINGS.index(name) for name in spec.conditions]]
            if np.isnan(table).any():
                raise CohortError(
                    f"conditions {', '.join(spec.conditions)} and cases without labels",
                    "labels, which say what slices show",
                    "label these cases, or leave the conditions out",
                    cohort.where,
                )
            rows = np.linspace(0, len(table) - 1, _ROWS).round().astype(int)
            network.shown.copy_(torch.from_numpy(table[np.lexsort(table.T)][rows]))
        if self.pooled:
            images = slices.images.float().numpy()[:, 0]
            for place in range(len(network.quantiles)):
                network.quantiles[place] = torch.from_numpy(_quantiles(images[place :: len(network.quantiles)]))

    def examples(self, cohort: Cohort) -> Mapping[str, torch.Tensor]:
        """Slices of all cases with what they show; they are held in memory, in half precision."""
        slices = self.slices(cohort)
        columns = [FINDINGS.index(name) for name in self.spec.conditions]
        return {"images": slices.images, "findings": torch.from_numpy(slices.findings[:, columns])}

    def batches(self, cohort: Cohort, seed: int) -> Batches:
        """Draw slices of all training cases with the same chance, with their brain."""
        drawn = super().batches(cohort, seed)

        def batch(step: int) -> Mapping[str, torch.Tensor]:
            rows = drawn(step)
            return {**rows, "brain": (rows["images"] > DARK).any(dim=1)}

        return batch

    def recipe(self, network: Any, steps: int) -> Unconditional:  # noqa: ANN401 - the generator
        """Set the generator against a fresh critic."""
        spec = self.spec
        critic = DcganCritic(
            self._channels,
            spec.width,
            spec.size,
            norm=spec.critic_norm,
            findings=len(spec.conditions),
            deviation=spec.deviation,
        )
        start_critic(critic, spec.critic_norm)

        def noise(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
            return torch.randn((len(batch["images"]), network.noise), device=batch["images"].device)

        return Unconditional(network, critic, spec.losses, spec.optimizer, steps=steps, noise=noise, ema=spec.ema)

    def fit(self, fitting: Fitting) -> Outcome:
        """Train, then take the statistics of the batch norms that belong to the weights that are kept."""
        outcome = super().fit(fitting)
        self.settle(stream(fitting.seed, "settle"))
        return outcome

    def score(self, cohort: Cohort, seed: int) -> PatchScore | None:
        """Distance of slices from as many of held-out subjects, if the spec asks for it."""
        if not self.spec.select:
            return None
        real = self.slices(cohort).images.float().numpy()

        def make(network: nn.Module) -> np.ndarray:
            other = copy(self)
            other.network = deepcopy(network).cpu()
            other.settle(stream(seed, "settle"))
            rng = stream(seed, "score")
            made = [other.output(AcceleratorSpec(device="cpu"), *other.drawn(rng))[0] for _ in real]
            return np.clip(np.stack(made), -1, 1)

        return PatchScore(real, make)

    def ask(self, request: Mapping[str, str]) -> None:
        """Have every draw show these findings, as `sampling.slice_spec` words them."""
        fulfilling(self.shown, self.spec.conditions, request)
        self.asked = dict(request)

    def findings(self, rng: np.random.Generator) -> dict[str, Any]:
        """Findings that `make` asks for with the same state of `rng`."""
        return described(self._findings(rng)[0], self.spec.conditions)

    def make(self, rng: np.random.Generator, accelerator: AcceleratorSpec) -> dict[Modality, Volume]:
        """Draw one slice with all contrasts, or of one contrast of a pool, as a volume that is one voxel thick."""
        return self.volumes(self.output(accelerator, *self.drawn(rng))[0])

    def drawn(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Noise of one slice `(1, noise)`, and the findings asked of it `(1, finding)`, which are drawn first."""
        findings = self._findings(rng)
        return rng.standard_normal((1, self.network.noise), dtype=np.float32), findings

    def contrasts_of(self, images: np.ndarray) -> tuple[Modality, ...]:
        """All contrasts; of a pool the one whose intensities those of the slice are nearest to."""
        if not self.pooled:
            return self.knowledge.modalities
        known = self.network.quantiles.numpy()
        return (self.knowledge.modalities[int(np.abs(known - _quantiles(images)).sum(axis=1).argmin())],)

    def _findings(self, rng: np.random.Generator) -> Float32[np.ndarray, "1 findings"]:
        """What is asked of a draw: findings of one training slice, of those that fulfil the request."""
        table = self.shown
        if not table.shape[1]:
            return np.zeros((1, 0), dtype=np.float32)
        rows = np.flatnonzero(fulfilling(table, self.spec.conditions, self.asked))
        return table[rows[rng.integers(len(rows))]][None]

    @property
    def shown(self) -> Float32[np.ndarray, "row findings"]:
        """Findings of training slices, a row each, that draws take theirs from."""
        if not self.spec.conditions:
            return np.zeros((1, 0), dtype=np.float32)
        table: Float32[np.ndarray, "row findings"] = self.network.shown.cpu().numpy()
        return table

    @torch.no_grad()
    def settle(self, rng: np.random.Generator) -> None:
        """Take the statistics of the batch norms over batches of noise, which belong to these weights."""
        norms = [module for module in self.network.modules() if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        self.network.train()
        for _ in range(_SETTLING):
            findings = np.concatenate([self._findings(rng) for _ in range(self.spec.batch_size)])
            noise = rng.standard_normal((len(findings), self.network.noise), dtype=np.float32)
            self.network(torch.from_numpy(noise), torch.from_numpy(findings))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.network.eval()


def _quantiles(images: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "level"]:
    """Quantiles of the intensities within the brain; zeros where there is none."""
    inside = images[images > DARK]
    found = np.quantile(inside, _LEVELS) if inside.size else np.zeros(len(_LEVELS))
    return np.asarray(found, dtype=np.float32)
