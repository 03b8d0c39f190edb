"""A network with what it is shown and how it is called: from labels, place, style and noise to images."""

from typing import final

import torch
from jaxtyping import Float, Int64
from torch import nn

from glioforge.synthesis.condition import Condition, painted_with
from glioforge.synthesis.passes import OnePass, Passes


@final
class LabelGenerator(nn.Module):
    """A generator of images with the inputs that it is conditioned on.

    Args:
        generator: What `passes` calls with the condition and noise.
        condition: Labels, place and style to channels.
        cases: Training cases: rows of the table of grain, which is kept with the weights, as the widths of the
            smoothing across slices are.
        span: Largest absolute output, by tanh; none leaves it linear.
        passes: How noise becomes images: by one call of the generator, or by several.
    """

    def __init__(
        self,
        generator: nn.Module,
        condition: Condition,
        cases: int,
        *,
        span: float | None = None,
        passes: Passes | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.condition, self.span = generator, condition, span
        self.passes: Passes = passes or OnePass()
        self.extras = condition.extras
        self.grain: torch.Tensor
        self.register_buffer("grain", torch.zeros(cases, condition.contrasts))
        self.smoothing: torch.Tensor
        self.register_buffer("smoothing", torch.zeros(condition.contrasts))

    def forward(
        self,
        labels: Int64[torch.Tensor, "b planes *grid"],
        frame: Float[torch.Tensor, "b _"],
        means: Float[torch.Tensor, "b classes contrasts"],
        noise: Float[torch.Tensor, "b channels *grid"],
    ) -> Float[torch.Tensor, "b contrasts *grid"]:
        """Images in z-scores.

        Args:
            labels: Classes of the slice (in the middle) and its neighbours, or of a patch (one plane).
            frame: Place of the sample in the brain's box.
            means: Class means of each sample's style.
            noise: Of variance 1, with as many channels as `passes` takes.
        """
        painted = painted_with(means, labels)
        made = self.passes(self.generator, self.condition(labels, frame, painted), noise).float()
        if self.span is not None:
            made = self.span * torch.tanh(made)
        return made + painted if self.condition.style else made
