"""What a segmenter sees while it trains: augmented slices or patches of real cases, synthetic ones, or both."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast, final

from glioforge.core import Cohort, Modality, SpecError, stream_seed
from glioforge.data import Batches, MixedPairs, PatchPairs, Pool, Replay, SlicePairs, Source, augment_batch
from glioforge.segmentation.engine import Mix
from glioforge.segmentation.method import NetworkSpec
from glioforge.segmentation.target import ORDER, View, augment_for, own_size, seen_batch, target_named

if TYPE_CHECKING:
    import torch


@final
class SegmenterBatches:
    """Batch of any step: images, labels as classes of the target, brain.

    Args:
        mix: Cases; read into memory at once.
        modalities: Contrasts, in the order of the network's input channels.
        spec: Size, number, target, augmentation and how often tumour is shown.
        dims: 2 for slices, 3 for patches.
        view: How the heads are cut.
        seed: Seed of the training.
        steps: Length of the training, which the mix's last steps are counted from.
        device: Where batches are augmented.

    Raises:
        SpecError: The size does not fit the dimensions, or a slab of slices is asked for in 3 dimensions.
    """

    def __init__(  # noqa: PLR0913 - the settings of a training's input
        self,
        mix: Mix,
        modalities: Sequence[Modality],
        spec: NetworkSpec,
        *,
        dims: int,
        view: View = "axial",
        seed: int,
        steps: int = 0,
        device: "torch.device | str" = "cpu",
    ) -> None:
        if spec.size is not None and len(spec.size) != dims:
            raise SpecError(f"size {spec.size}", f"{dims} numbers for a method of {dims} dimensions")
        sources: list[Source[Any]] = [
            _source(cohort, modalities, spec, dims, view, stream_seed(seed, "slices", place))
            for place, cohort in enumerate(mix.used)
        ]
        self._replay: Replay[Any] | None = None
        if mix.fresh is not None:
            drawn = spec.batch_size * mix.share
            self._replay = Replay(cast("Pool[Any]", sources[-1]), mix.fresh, drawn, _mixed_until(mix, steps) or steps)
            sources[-1] = self._replay
        first, *others = sources
        self._pairs = cast("Batches", first)
        if others:
            self._pairs = MixedPairs(first, others[0], mix.share, seed=seed, until=_mixed_until(mix, steps))
        self._table = target_named(spec.target).classes_from(mix.used[0].scheme)
        self._augment = None if spec.augment is None else augment_for(spec.augment, view)
        self._view = view if dims == 3 else None
        self._seed = seed
        self._steps = steps
        self._device = device

    @property
    def fresh(self) -> dict[str, float]:
        """What was drawn of cases made while training: their number, and how often each slice was drawn."""
        replay = self._replay
        return {} if replay is None else {"cases": replay.arrived(self._steps), "every": round(replay.every, 2)}

    def close(self) -> None:
        """End what makes cases beside the training."""
        if self._replay is not None:
            self._replay.close()

    def __call__(self, step: int) -> "dict[str, torch.Tensor]":
        """`images` float32 (b, c, x, y[, z]), `labels` int64 and `brain` bool (b, x, y[, z]) of a step."""
        import torch

        drawn = self._pairs.batch(step)
        batch = {name: drawn[name].to(self._device) for name in ("images", "labels", "brain")}
        if self._view is not None:
            batch = {name: seen_batch(value, self._view).contiguous() for name, value in batch.items()}
        if self._augment is not None:
            batch = augment_batch(batch, self._augment, seed=self._seed, step=step)
        return {**batch, "labels": torch.from_numpy(self._table).to(self._device)[batch["labels"]]}


def _mixed_until(mix: Mix, steps: int) -> int | None:
    """Step from which on only real cases are drawn; none where they are mixed to the end."""
    return round(steps * (1 - mix.real_steps)) if mix.real_steps else None


def _source(
    cohort: Cohort, modalities: Sequence[Modality], spec: NetworkSpec, dims: int, view: View, seed: int
) -> Source[Any]:
    """Slices or patches of one cohort."""
    settings: dict[str, Any] = {"batch_size": spec.batch_size, "seed": seed, "lesion_share": spec.lesion_share}
    if dims == 2:
        return SlicePairs(
            cohort, modalities, axis=ORDER[view][2], size=cast("Any", spec.size), slab=spec.slab, **settings
        )
    if spec.slab is not None:
        raise SpecError(f"slab {spec.slab} for patches", "a method for slices", "leave slab out, and set lesion_share")
    size = None if spec.size is None else own_size(cast("tuple[int, int, int]", spec.size), view)
    return PatchPairs(cohort, modalities, size=size, **settings)
