"""Spatially adaptive generator of slices (Park et al. 2019, arXiv:1903.07291), for brain-tumour MRI.

Foroozandeh & Eklund made BraTS images from complete label maps with it; the preset
`paper` is their setting, `sound` (the default) is what trains in minutes on a
laptop and gives many images for one map.

Preset `paper`: ngf 64, seven blocks and five doublings, batch norm and spectral
norm, nearest upsampling, tanh, critic of two scales and four layers at width 64,
hinge loss, feature matching 10, no VGG loss, Adam (0, 0.9), rates 1e-4 and 4e-4,
Xavier 0.02, batch 1, one contrast (T1ce).  Deviations from the paper:
1. The image is scaled so that tanh spans z-scores of -5 to 5, instead of 16-bit integers.
2. Length is counted in steps, by the budget, not in epochs.
3. Both players step after one forward pass of the generator, so a step is whole or not at all.
4. Slices come from all training subjects with equal shares with and without tumour.
5. Whole volumes are made slice by slice and masked to the brain.

Preset `sound` deviates further, each for a reason:
6. All contrasts at once, so that they show the same anatomy.
7. Narrow blocks, four doublings, batch 4 and no spectral norm in the generator: trains in
   about two minutes at 96 x 96 on two cores.
8. The label map painted with class means (a style) is added to the condition and to the
   output; styles are measured on training subjects and mixed between them when sampling,
   so that one map gives differing images.  The paper's generator is deterministic.
9. Noise enters every block; it is one field for the whole volume, smooth between slices.
   Grain that the generator still leaves out is measured after training and added
   (`synthesis.grain`), so that images are as noisy as scans.
10. Labels of the neighbouring slices belong to the condition, for a continuous third dimension.
11. Linear output; absolute difference (weight 10) inside the brain, with small weights of
    the adversarial loss (0.2) and of feature matching (1): anatomy is learned in minutes.
12. Adam (0.5, 0.9) at 2e-3 and 1e-3 falling as a cosine, Xavier gain 1, average of the
    weights (EMA), gradient clipping, critic of width 16 and three layers, slices mirrored.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal, final

import numpy as np
import torch
from pydantic import Field
from scipy import ndimage
from torch import nn

from glioforge.compute.accelerator import AcceleratorSpec, seed_torch, start
from glioforge.core.cohort import Cohort
from glioforge.core.labels import LabelMap
from glioforge.nn.blocks import Norm
from glioforge.nn.initialise import xavier
from glioforge.nn.patch_critic import MultiScaleCritic
from glioforge.nn.spade import SpadeGenerator, Stage
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.grain import measure_grain
from glioforge.synthesis.method import SYNTHESIZERS, Fitting, Images, Knowledge, Method, SynthesizerSpec
from glioforge.synthesis.slice_generator import POSITION_CHANNELS, SliceGenerator, one_hot
from glioforge.synthesis.slices import FramedSlices, make_volume
from glioforge.synthesis.unseen_score import unseen_score
from glioforge.training.loop import Budget, Outcome, train
from glioforge.training.optimizer import OptimizerSpec
from glioforge.training.recipes.adversarial import Adversarial, AdversarialSpec

SPAN = 5.0
"""Largest absolute z-score that tanh reaches."""
GRAIN_BATCHES = 200
"""Batches that grain is measured on, at most."""
_NOISE_WIDTH = 0.5
"""Blur of the noise between slices, in slices."""
_PLAYER = {"method": "adam", "momentum": 0.0, "second_momentum": 0.9, "weight_decay": 0.0}
_SOUND_GENERATOR = OptimizerSpec(
    method="adam", learning_rate=2e-3, momentum=0.5, second_momentum=0.9, weight_decay=0, schedule="cosine"
)
_SOUND_CRITIC = _SOUND_GENERATOR.model_copy(update={"learning_rate": 1e-3})
_SOUND_LOSSES = AdversarialSpec(
    adversarial=0.2,
    feature_matching=1.0,
    l1=10.0,
    generator=_SOUND_GENERATOR,
    critic=_SOUND_CRITIC,
    clip_norm=10.0,
    ema=0.995,
)


class SpadeSpec(SynthesizerSpec):
    """SPADE generator of axial slices."""

    kind: Literal["spade"] = "spade"
    """Name of the method."""
    ngf: int = Field(8, ge=1)
    """Unit of the generator's widths."""
    stages: tuple[tuple[int, bool], ...] = ((8, False), (8, True), (4, True), (2, True), (1, True))
    """Blocks from coarse to fine: width in units of `ngf`, and whether the grid doubles before it."""
    hidden: int = Field(16, ge=1)
    """Channels between condition and modulation; 128 in the paper."""
    norm: Norm = "batch"
    """Normalisation that is modulated."""
    spectral: bool = False
    """Spectral norm of the generator's convolutions."""
    output: Literal["linear", "tanh"] = "linear"
    """Last function; tanh is stretched to z-scores of -5 to 5."""
    style: bool = True
    """Paint the map with a subject's class means, as condition and as a base of the output."""
    position: bool = False
    """Give the place in the head as three channels."""
    noise: bool = True
    """Give noise to every block."""
    grain: float = Field(1.0, ge=0)
    """Strength of the white noise that makes images as grainy as the training scans; 0 gives clean images."""
    context: int = Field(1, ge=0)
    """Neighbouring slices on each side whose labels are seen."""
    jitter: float = Field(0.3, ge=0)
    """Shift of a drawn style's class means, as a share of the spread between subjects."""
    critic_width: int = Field(16, ge=1)
    """Channels of the critic's first layer."""
    critic_layers: int = Field(3, ge=2)
    """Convolutions of the critic before the score."""
    critic_scales: int = Field(2, ge=1)
    """Image sizes that are judged."""
    gain: float = Field(1.0, gt=0)
    """Gain of the Xavier start."""
    losses: AdversarialSpec = _SOUND_LOSSES
    """Weights of losses, and optimisers."""
    batch_size: int = Field(4, ge=1)
    """Slices in a step."""
    size: tuple[int, int] | None = None
    """Slices are cut or padded to this size for training; none keeps the grid's own."""
    lesion_share: float = Field(0.5, ge=0, le=1)
    """Share of the slices drawn from those with tumour."""
    mirror: bool = True
    """Swap left and right of a slice in every second draw."""
    select: bool = False
    """Keep the weights with the best score on validation subjects; else the last ones, as the learning rate ends at 0
    and a pixel score favours smooth images."""
    budget: Budget = Budget(steps=800, validate_every=100, checkpoint_every=200)
    """Length of the training."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "paper": {
            "modalities": ("t1ce",),
            "ngf": 64,
            "stages": ((16, False), (16, True), (16, False), (8, True), (4, True), (2, True), (1, True)),
            "hidden": 128,
            "gain": 0.02,
            "spectral": True,
            "output": "tanh",
            "style": False,
            "position": False,
            "noise": False,
            "grain": 0.0,
            "context": 0,
            "mirror": False,
            "critic_width": 64,
            "critic_layers": 4,
            "batch_size": 1,
            "losses": {
                "generator": {**_PLAYER, "learning_rate": 1e-4},
                "critic": {**_PLAYER, "learning_rate": 4e-4},
            },
            "budget": {"steps": 1_302_000, "validate_every": 26_040, "checkpoint_every": 5_000},
        },
    }


@final
@SYNTHESIZERS.register(SpadeSpec)
class SpadeMethod(Method):
    """Trains the generator against a multi-scale critic, and makes volumes slice by slice."""

    def __init__(self, spec: SpadeSpec, knowledge: Knowledge) -> None:
        super().__init__(spec, knowledge)
        self._classes, self._contrasts = len(knowledge.scheme.labels), len(knowledge.modalities)
        self._means = _means_of(knowledge.appearance)
        self._network = self._built()

    @property
    def network(self) -> nn.Module:
        """The generator."""
        return self._network

    def fit(self, fitting: Fitting) -> Outcome:
        """Train generator and critic; then measure grain, and the score on unseen subjects."""
        spec: SpadeSpec = self.spec
        seed_torch(fitting.seed, "spade", "weights")
        self._network = self._built()
        recipe = self._recipe()
        score = self._score(fitting)
        outcome = train(
            recipe,
            self._batches(fitting.train, fitting.seed),
            spec.budget,
            fitting.folder,
            seed=fitting.seed,
            fabric=start(fitting.accelerator),
            validate=score if spec.select else None,
            progress=fitting.progress,
            settings={"spec": spec.model_dump(mode="json"), "train": fitting.train.fingerprint},
        )
        self._network.load_state_dict(recipe.inference_network().state_dict())
        self._network.cpu().eval()
        if spec.grain:
            self._network.grain.copy_(self._measured_grain(fitting))
        return outcome if score is None else replace(outcome, best_score=score(self._network))

    def _recipe(self) -> Adversarial:
        """Generator against a critic with fresh weights."""
        spec: SpadeSpec = self.spec
        critic = MultiScaleCritic(
            self._classes + self._contrasts, spec.critic_width, spec.critic_layers, scales=spec.critic_scales
        )
        xavier(critic, spec.gain)
        return Adversarial(
            self._network,
            critic,
            spec.losses,
            steps=spec.budget.steps,
            generate=self._generate,
            condition=partial(_middle_one_hot, classes=self._classes),
        )

    def images(self, labels: LabelMap, rng: np.random.Generator, accelerator: AcceleratorSpec) -> Images:
        """All slices of a volume with one style and one noise field."""
        spec: SpadeSpec = self.spec
        style = self.knowledge.appearance.draw(rng, spec.jitter)
        field = ndimage.gaussian_filter1d(rng.standard_normal(labels.voxels.shape), _NOISE_WIDTH, axis=2)
        noise = torch.from_numpy((field / max(float(field.std()), 1e-6)).astype(np.float32)).movedim(2, 0)[:, None]
        made = make_volume(
            partial(_inferred, self._network, accelerator=accelerator),
            labels,
            torch.from_numpy(style.means).float(),
            noise,
            contrasts=self._contrasts,
            context=spec.context,
            batch_size=spec.batch_size,
        )
        grain = self._network.grain[int(rng.integers(len(self._network.grain)))].numpy()
        return made + spec.grain * grain[:, None, None, None] * rng.standard_normal(made.shape, dtype=np.float32)

    def _measured_grain(self, fitting: Fitting) -> torch.Tensor:
        """Grain that the trained generator leaves out, from about eight slices a case."""
        spec: SpadeSpec = self.spec
        cases = len(self._means)
        batches = self._batches(fitting.train, fitting.seed)

        def make(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
            noise = torch.zeros((len(batch["labels"]), 1, *batch["labels"].shape[2:]))
            made = _inferred(
                self._network, (batch["labels"], batch["frame"], batch["means"], noise), fitting.accelerator
            )
            return made * batch["brain"][:, None]

        return measure_grain(batches, make, cases, min(GRAIN_BATCHES, -(-8 * cases // spec.batch_size)))

    def _built(self) -> SliceGenerator:
        """A generator with fresh weights."""
        spec: SpadeSpec = self.spec
        planes = 2 * spec.context + 1
        inputs = planes * self._classes + self._contrasts * spec.style + POSITION_CHANNELS * spec.position
        stages = [Stage(width * spec.ngf, up) for width, up in spec.stages]
        spade = SpadeGenerator(
            inputs,
            self._contrasts,
            stages,
            hidden=spec.hidden,
            norm=spec.norm,
            spectral=spec.spectral,
            noise=spec.noise,
        )
        xavier(spade, spec.gain)
        span = SPAN if spec.output == "tanh" else None
        shape = (len(self._means), self._contrasts)
        return SliceGenerator(spade, self._classes, shape, style=spec.style, position=spec.position, span=span)

    def _score(self, fitting: Fitting) -> Callable[[nn.Module], float] | None:
        """Score on slices of the validation cohort, if there is one, each with its own case's style."""
        if fitting.validation is None or not len(fitting.validation):
            return None
        cases = (ref.load() for ref in fitting.validation)
        means = _means_of(Appearance.of(cases, self.knowledge.modalities, self.knowledge.scheme))
        return unseen_score(self._slices(fitting.validation, fitting.seed), means)

    def _slices(self, cohort: Cohort, seed: int) -> FramedSlices:
        """Batches of a cohort, as the spec asks for them."""
        spec: SpadeSpec = self.spec
        return FramedSlices(
            cohort,
            self.knowledge.modalities,
            batch_size=spec.batch_size,
            context=spec.context,
            size=spec.size,
            seed=seed,
            lesion_share=spec.lesion_share,
            mirror=spec.mirror,
        )

    def _batches(self, cohort: Cohort, seed: int) -> Callable[[int], Mapping[str, torch.Tensor]]:
        """Framed slices with each case's own style."""
        slices = self._slices(cohort, seed)

        def batch(step: int) -> Mapping[str, torch.Tensor]:
            drawn = slices.batch(step)
            return {**drawn, "means": self._means[drawn["case"]]}

        return batch

    def _generate(self, network: nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Images for a batch, masked to the brain as the real ones are."""
        labels = batch["labels"]
        noise = torch.randn((len(labels), 1, *labels.shape[2:]), device=labels.device)
        made: torch.Tensor = network(labels, batch["frame"], batch["means"], noise)
        return made * batch["brain"][:, None]


def _middle_one_hot(batch: Mapping[str, torch.Tensor], classes: int) -> torch.Tensor:
    """What the critic knows of a slice: its own labels."""
    labels = batch["labels"]
    return one_hot(labels[:, labels.shape[1] // 2][:, None], classes)


def _means_of(appearance: Appearance) -> torch.Tensor:
    """Class means of every case, `(case, class, contrast)`."""
    return torch.stack([torch.from_numpy(appearance.own(n).means).float() for n in range(len(appearance.means))])


def _inferred(network: nn.Module, inputs: tuple[torch.Tensor, ...], accelerator: AcceleratorSpec) -> torch.Tensor:
    """Output of a network in the precision and with the threads asked for; one thread unless told otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(accelerator.threads or 1)
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=accelerator.precision == "bf16-mixed"):
            made: torch.Tensor = network.eval()(*inputs)
            return made.float()
    finally:
        torch.set_num_threads(before)
