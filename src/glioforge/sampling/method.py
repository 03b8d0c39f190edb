"""What a sampler must offer: label maps or images from noise; free of torch.

A sampler draws one synthetic head, or one slice, at a time and sees no label map
of a real subject when it draws.  What it has learned still comes from its
training subjects, who are in the lineage of everything it makes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, final

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny

from glioforge import training
from glioforge.compute import AcceleratorSpec
from glioforge.config import Registry, Spec
from glioforge.core import Cohort, Geometry, LabelMap, LabelScheme, Modality, SpecError, Volume, stream
from glioforge.training import HOUSE_ADAMW, Budget, Fitting, OptimizerSpec, Outcome

if TYPE_CHECKING:
    import torch
    from torch import nn

    from glioforge.training import Recipe

Made = LabelMap | Mapping[Modality, Volume]
"""What a sampler makes of one draw of noise."""
Batches = Callable[[int], "Mapping[str, torch.Tensor]"]

_MEND: Final = "mend `make`: see docs/how-to/add-a-sampler.md"


class BareSamplerSpec(Spec):
    """Settings that no sampler can do without; a spec derives from this where a paper sets a training of its own."""

    modalities: tuple[Modality, ...] | None = None
    """Contrasts made, jointly; none takes those that every training case has. A sampler of label maps needs none."""
    budget: Budget = Budget()
    """Length of the training."""


class SamplerSpec(BareSamplerSpec):
    """Settings of a sampler that is trained by one optimiser; a sampler's spec adds `kind` and its own."""

    batch_size: int = Field(16, ge=1)
    """Training examples in a step."""
    optimizer: OptimizerSpec = HOUSE_ADAMW
    """Optimiser and schedule of the network that is kept."""
    ema: float | None = Field(0.99, ge=0, lt=1)
    """Decay of an average of the weights, which is what is kept; none keeps the weights themselves."""


@final
@dataclass(frozen=True, eq=False)
class Knowledge:
    """What is known of the training cohort before the network is trained.

    Args:
        modalities: Contrasts, in this order; none for label maps.
        scheme: Scheme of the label maps.
        geometry: Grid of the training cases.
    """

    modalities: tuple[Modality, ...]
    scheme: LabelScheme
    geometry: Geometry


class Sampler(ABC):
    """One way to make label maps or images from noise: a network, what it lowers, and a draw.

    A sampler gives `makes`, `build`, `loss` and `make`.  Training on whole cases with one optimiser is the default;
    `examples`, `batches` or `recipe` are overridden where a paper trains on something else or in another way.

    Args:
        spec: The sampler's own spec.
        knowledge: Facts of the training cohort.
    """

    makes: ClassVar[Literal["labels", "images"]]
    """What a draw gives."""

    def __init__(self, spec: Any, knowledge: Knowledge) -> None:  # noqa: ANN401 - each sampler has its own spec
        self.spec = spec
        self.knowledge = knowledge
        self.network = self.build()
        self.asked: Mapping[str, str] = {}

    @property
    def bundled(self) -> bool:
        """Whether draws are bare label maps of one small shape, kept many to a file."""
        return False

    @property
    def pooled(self) -> bool:
        """Whether a draw has any one of the contrasts, instead of all of them."""
        return False

    @abstractmethod
    def build(self) -> "nn.Module":
        """Network with fresh weights from torch's global generator; it is kept with the model."""

    @abstractmethod
    def make(self, rng: np.random.Generator, accelerator: AcceleratorSpec) -> Made:
        """Draw one label map, or one set of images on one grid; the same state of `rng` gives the same bytes."""

    def loss(self, network: Any, batch: Mapping[str, "torch.Tensor"]) -> "torch.Tensor":  # noqa: ANN401, ARG002 - as `build` gives it
        """Return the scalar that training lowers; every sampler with weights has this, or a recipe of its own."""
        raise TypeError(f"{type(self).__name__} has neither `loss` nor a `recipe` of its own")

    def examples(self, cohort: Cohort) -> Mapping[str, "torch.Tensor"]:
        """Return what is learned from, in memory, an example a row: images `(n, contrast, i, j, k)`, or label values.

        Names are those of the batch: `images` in float32, or `labels` `(n, i, j, k)` in uint8.
        """
        import torch

        if self.makes == "labels":
            maps = (ref.load().require_labels().voxels for ref in cohort)
            return {"labels": torch.stack([torch.from_numpy(voxels.copy()) for voxels in maps])}
        stacks = (ref.load().stack(self.knowledge.modalities) for ref in cohort)
        return {"images": torch.stack([torch.from_numpy(stack) for stack in stacks])}

    def batches(self, cohort: Cohort, seed: int) -> Batches:
        """Return the training batch of each step, a pure function of its number: examples drawn with equal chance."""
        import torch

        held = self.examples(cohort)
        count = len(next(iter(held.values())))

        def batch(step: int) -> Mapping[str, torch.Tensor]:
            drawn = stream(seed, "examples", step).integers(count, size=self.spec.batch_size)
            rows = torch.from_numpy(drawn)
            return {name: values[rows] for name, values in held.items()}

        return batch

    def recipe(self, network: "nn.Module", steps: int) -> "Recipe":
        """Losses and optimisers for the network, over this many steps: one network that lowers `loss`."""
        spec = self.spec
        return training.Supervised(
            network,
            lambda value, _: value,
            spec.optimizer,
            steps=steps,
            call=self._lowered,
            clip_norm=10.0,
            ema=spec.ema,
        )

    def _lowered(self, network: Any, batch: Mapping[str, "torch.Tensor"]) -> "torch.Tensor":  # noqa: ANN401 - as `build` gives it
        """What `loss` returns, once it is seen to be one number."""
        import torch

        loss: Any = self.loss(network, batch)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            found = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
            returned = f"`loss` of sampler {self.spec.kind!r} returned {found}"
            raise SpecError(returned, "a tensor of one number", "return its mean")
        return loss

    def output(self, accelerator: AcceleratorSpec, *inputs: np.ndarray) -> np.ndarray:
        """Return what the network gives for arrays, in float32, on the device and with the precision asked for."""
        import torch

        return training.inferred(
            self.network, tuple(torch.from_numpy(values) for values in inputs), accelerator
        ).numpy()

    def volumes(self, images: np.ndarray) -> dict[Modality, Volume]:
        """Return images `(contrast, i, j, k)` by contrast, on the grid of the training cases.

        Raises:
            SpecError: The images have another shape, or hold NaN or infinity.
        """
        modalities, grid = self.knowledge.modalities, self.knowledge.geometry
        found = self.checked(images, (len(modalities), *grid.shape))
        return {m: Volume(image, grid, m) for m, image in zip(modalities, found, strict=True)}

    def label_map(self, voxels: np.ndarray) -> LabelMap:
        """Return values of the scheme `(i, j, k)` as a label map on the grid of the training cases.

        Raises:
            SpecError: The values have another shape, or are no whole numbers from 0 to 255.
            LabelError: A value has no name in the scheme.
        """
        knowledge = self.knowledge
        found = self.checked(voxels, knowledge.geometry.shape)
        values = np.clip(found, 0, 255).astype(np.uint8)
        if not np.array_equal(values, found):
            known = ", ".join(map(str, sorted(knowledge.scheme.labels.values())))
            raise SpecError(f"labels of sampler {self.spec.kind!r} that are no whole numbers", f"one of {known}", _MEND)
        return LabelMap(values, knowledge.geometry, knowledge.scheme)

    def checked(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return what `make` has drawn in float32, once it is seen to be finite and of this shape.

        Raises:
            SpecError: It is not.
        """
        found = np.asarray(values, dtype=np.float32)
        made = f"an array of sampler {self.spec.kind!r}"
        if found.shape != shape:
            axes = "(contrast, ...)" if self.makes == "images" else "(i, j, k)"
            raise SpecError(f"{made} of shape {found.shape}", f"{axes} = {shape}", _MEND)
        bad = found.size - np.count_nonzero(np.isfinite(found))
        if bad:
            raise SpecError(
                f"{made} with {bad} values that are NaN or infinite", "finite values", f"train it again, or {_MEND}"
            )
        return found

    def before_training(self, network: Any, cohort: Cohort) -> None:  # noqa: ANN401, B027 - for networks with such buffers
        """Fill buffers of the fresh network from training cases; nothing unless a sampler has such buffers."""

    def facts(self) -> Mapping[str, Any]:
        """Facts of every case that is made, such as which slices of the grid were learned; none unless overridden."""
        return {}

    def ask(self, request: Mapping[str, str]) -> None:
        """Have every draw show these findings, such as `tumour` present.

        Raises:
            SpecError: The sampler cannot be asked for them.
        """
        if request:
            told = ", ".join(f"{finding} {word}" for finding, word in request.items())
            raise SpecError(f"{told} asked of sampler {self.spec.kind!r}", "a sampler that can be asked for findings")

    def findings(self, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG002 - for samplers that know more
        """Return what is asked of the draw that `make` gives with the same state of `rng`, as facts of its case."""
        return {}

    def score(self, cohort: Cohort, seed: int) -> "Callable[[nn.Module], float | None] | None":  # noqa: ARG002 - for samplers that can be scored
        """Score of a network on other subjects, higher is better, that selects the weights; none keeps the last."""
        return None

    def fit(self, fitting: Fitting) -> Outcome:
        """Train the network, after which it holds the kept weights; one without parameters is only measured."""
        from glioforge.compute import seed_torch, start

        began = monotonic()
        seed_torch(fitting.seed, "weights")
        self.network = self.build()
        self.before_training(self.network, fitting.train)
        if not list(self.network.parameters()):
            self.network.eval()
            return Outcome(0, 0, None, plateaued=False, seconds=monotonic() - began, skipped=0, history=())
        recipe = self.recipe(self.network, self.spec.budget.steps)
        held_out = fitting.validation if fitting.validation is not None and len(fitting.validation) else None
        outcome = training.train(
            recipe,
            self.batches(fitting.train, fitting.seed),
            self.spec.budget,
            fitting.folder,
            seed=fitting.seed,
            fabric=start(fitting.accelerator),
            validate=None if held_out is None else self.score(held_out, fitting.seed),
            progress=fitting.progress,
            settings={"spec": self.spec.model_dump(mode="json"), "train": fitting.train.fingerprint},
        )
        self.network.load_state_dict(recipe.inference_network().state_dict())
        self.network.cpu().eval()
        return outcome


def require_made(made: Any, sampler: Sampler) -> None:  # noqa: ANN401 - whatever a sampler's own file returns
    """Raise a `SpecError` unless `make` returned what the sampler makes: a label map, or images of its contrasts."""
    found, known = type(made).__name__, sampler.knowledge
    gives = "volumes" if sampler.makes == "images" else "label_map"
    if sampler.makes == "labels":
        expected = f"a label map in scheme {known.scheme.name}"
        fits = isinstance(made, LabelMap) and made.scheme == known.scheme
        found = f"a label map in scheme {made.scheme.name}" if isinstance(made, LabelMap) else found
    else:
        names = [str(modality) for modality in known.modalities]
        expected = f"images of {'one of ' if sampler.pooled else ''}{', '.join(names)}"
        fits = isinstance(made, Mapping) and all(isinstance(volume, Volume) for volume in made.values())
        if fits:
            found = f"images of {', '.join(map(str, made)) or 'no contrast'}"
            fits = set(made) == set(known.modalities) or (
                sampler.pooled and set(made) in [{m} for m in known.modalities]
            )
    if not fits:
        remedy = f"return what its `{gives}` gives"
        raise SpecError(f"`make` of sampler {sampler.spec.kind!r} returned {found}", expected, remedy)


SAMPLERS: Registry[Sampler] = Registry("sampler", "glioforge.sampling.methods")
"""All samplers by kind."""

AnySampler = Annotated[SerializeAsAny[Spec], BeforeValidator(SAMPLERS.parse)]
"""Field of a spec that holds the settings of any registered sampler."""
