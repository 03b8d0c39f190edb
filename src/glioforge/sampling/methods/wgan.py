"""WGAN of slices (Arjovsky et al. 2017, arXiv:1701.07875), as Han et al. 2018 (ISBI) make brain MRI from noise.

The networks are those of the DCGAN; the critic estimates how far the distributions of slices and scans are apart
(Wasserstein-1), and its slope is bounded by cutting its weights.

Preset `paper`: T1ce alone, sagittal slices 80 to 149 of 240, stretched to 64 x 64, widths 512 to 64, batch norm in the
critic, batch 64, RMSprop at 5e-5.  `size: 128`, other `modalities` and `pooled: true` (their "Concat") give the other
five trainings of the paper.  Left open by Han et al., chosen as Arjovsky et al. do: weights cut at 0.01, five steps of
the critic for one of the generator, no momentum.  From its training time: 24,000 steps of the generator.
Deviations from the paper are those of the DCGAN, and:
1. The critic's fifth step and the generator's step are computed from the same weights, so that a step that is not
   finite leaves no trace.
2. The critic does not take 100 steps at the start and after every 500 steps of the generator, which Arjovsky's text
   does not mention.

Preset `sound` deviates as that of the DCGAN does, and:
3. WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028): a penalty on slopes other than 1 in place of cut weights, Adam
   (0, 0.9) in place of RMSprop, and no norm in the critic, which the penalty asks for each image alone.
4. Two steps of the critic for one of the generator, at twice its rate.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, final

from glioforge.sampling import PAPER_SLICES, SAMPLERS, SliceGan, SliceGanSpec
from glioforge.training import Budget, GanSpec, OptimizerSpec

_PLAYER: Final = OptimizerSpec(
    method="adam", learning_rate=1e-3, momentum=0, second_momentum=0.9, weight_decay=0, schedule="cosine"
)
_PAPER_PLAYER: Final = OptimizerSpec(
    method="rmsprop", learning_rate=5e-5, momentum=0, second_momentum=0.99, weight_decay=0
)


class WganSpec(SliceGanSpec):
    """WGAN of slices."""

    kind: Literal["wgan"] = "wgan"
    """Name of the sampler."""
    losses: GanSpec = GanSpec(
        adversary="wasserstein", critic=_PLAYER, critic_steps=2, between=10.0, augment=("shift", "gain")
    )
    """Form of the loss, critic's optimiser, and what keeps the critic smooth."""
    optimizer: OptimizerSpec = _PLAYER
    """Optimiser and schedule of the generator."""
    ema: float | None = 0.995
    """Decay of the average of the generator's weights that is kept; none keeps the weights themselves."""
    budget: Budget = Budget(steps=5000, validate_every=500, checkpoint_every=500)
    """Length of the training, in steps of the critic."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "paper": {
            **PAPER_SLICES,
            "losses": GanSpec(
                adversary="wasserstein", critic=_PAPER_PLAYER, critic_steps=5, weight_clip=0.01
            ).model_dump(mode="json"),
            "optimizer": _PAPER_PLAYER.model_dump(mode="json"),
            "ema": None,
            "budget": {"steps": 120_000, "validate_every": 12_000, "checkpoint_every": 12_000},
        },
    }


@final
@SAMPLERS.register(WganSpec)
class Wgan(SliceGan):
    """Trains the generator to lower the critic's estimate of the Wasserstein distance."""
