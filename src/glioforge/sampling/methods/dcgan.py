"""DCGAN of slices (Radford et al. 2016, arXiv:1511.06434), as Han et al. 2018 (ISBI) make brain MRI from noise.

Up-convolutions with batch norm and ReLU from noise to a slice, against a critic of strided convolutions with ELU; all
kernels are 4 x 4, the output is linear, and the widths are half of Radford's, as Han et al. say.

Preset `paper`: T1ce alone, sagittal slices 80 to 149 of 240, stretched to 64 x 64, widths 512 to 64, batch norm in the
critic, batch 64, Adam at 2e-4, log loss.  `size: 128`, other `modalities` and `pooled: true` (their "Concat") give the
other five trainings of the paper.  Left open by the paper, chosen as Radford et al. do or from its training time: 100
numbers of noise, Adam's momentum 0.5, normal start of 0.02, 24,000 steps (100 passes over 15,400 slices).
Deviations from the paper:
1. Intensities are z-scores within the brain, divided by 5 and clipped to -0.6 and 1, with -1 outside; the paper does
   not state its normalisation.  What is made below -0.8 or apart from the brain is background, exactly 0 in the
   finished slice.
2. Slices are counted from 0, in shares of the grid, since prepared cases are cropped: `between: [79/240, 149/240]`
   counts from 1.  Slices without any brain are left out.
3. A slice of a pool does not know its contrast; it is filed under the one whose intensities its own are nearest to.
4. After the training the statistics of the batch norms are taken over 32 batches of noise.

Preset `sound` deviates further, each for a reason:
5. All contrasts jointly, from the middle of the grid rather than off it, slices with little brain left out; padded to a
   square before they are resized, which keeps their proportions.
6. Widths of 128 to 16 and 64 numbers of noise: small enough for a CPU.
7. The network adds to blends of training slices, a mean and up to 48 principal modes of each part of the grid
   (`nn.blend`), and sees them at every resolution: a brain need not be found from nothing, and what is left to learn,
   folds, edges, grain and lesions, is learned in a hundredth of the images. A draw blends the slices of many subjects.
   `modes: 0` leaves this out. Slices of a pool have none. With `levels`, which is off since weights grow by it, blends
   move the borders between intensities and keep folds (`nn.level_sets`); the network then has less to learn.
8. Noise and an image of its own at every resolution, which are summed (Karras et al. 2019 and 2020), with leaky ReLU: a
   few numbers cannot make the grain of a scan, and without the sum it is learned slowly.
9. A penalty on the critic's slope at real slices, every fourth step, in place of its batch norm (R1, Mescheder et al.
   2018), and the deviation over the batch (Karras et al. 2018): batch norm lets the log loss run away on few subjects,
   and without the deviation slices repeat.  `critic_norm: spectral` (Miyato et al. 2018)
   is there too; it binds so small a critic too much to be the default.  The critic starts as He et al. 2015: weights of
   0.02 without a norm leave it blind for hundreds of steps.
10. Every image that the critic sees is shifted and stretched at random (Zhao et al. 2020): few subjects are soon known.
11. Adam (0, 0.99) at 5e-4 and, for the critic, 8e-4, which fall as a cosine; an average of the weights (EMA).  At equal
   or higher rates the generator outruns the critic.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, final

from glioforge.sampling import PAPER_SLICES, SAMPLERS, SliceGan, SliceGanSpec
from glioforge.training import Budget, GanSpec, OptimizerSpec

_PLAYER: Final = OptimizerSpec(
    method="adam", learning_rate=5e-4, momentum=0, second_momentum=0.99, weight_decay=0, schedule="cosine"
)
_CRITIC: Final = _PLAYER.model_copy(update={"learning_rate": 8e-4})
_PAPER_PLAYER: Final = OptimizerSpec(method="adam", learning_rate=2e-4, momentum=0.5, weight_decay=0)


class DcganSpec(SliceGanSpec):
    """DCGAN of slices."""

    kind: Literal["dcgan"] = "dcgan"
    """Name of the sampler."""
    losses: GanSpec = GanSpec(critic=_CRITIC, r1=0.1, penalty_every=4, augment=("shift", "gain"))
    """Form of the loss, critic's optimiser, and what keeps the critic smooth."""
    optimizer: OptimizerSpec = _PLAYER
    """Optimiser and schedule of the generator."""
    ema: float | None = 0.995
    """Decay of the average of the generator's weights that is kept; none keeps the weights themselves."""
    budget: Budget = Budget(steps=3000, validate_every=500, checkpoint_every=500)
    """Length of the training."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "paper": {
            **PAPER_SLICES,
            "losses": GanSpec(critic=_PAPER_PLAYER).model_dump(mode="json"),
            "optimizer": _PAPER_PLAYER.model_dump(mode="json"),
            "ema": None,
            "budget": {"steps": 24_000, "validate_every": 2400, "checkpoint_every": 2400},
        },
    }


@final
@SAMPLERS.register(DcganSpec)
class Dcgan(SliceGan):
    """Trains the generator by the log loss against a critic of whole slices."""
