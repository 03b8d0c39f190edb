"""Training batches of a conditional generator: slices or patches with their case's style, in one stage or two.

Conventions
-----------
batch       as in `synthesis.slices` and `synthesis.patches`, with `means` `(b, class, contrast)` of each sample's case
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, final

import torch

from glioforge.core import Cohort, CohortError, Modality, counted
from glioforge.synthesis.conditional_spec import ConditionalSpec, augmented
from glioforge.synthesis.patches import FramedPatches
from glioforge.synthesis.slices import FramedSlices
from glioforge.training import Batch

__all__ = ["Batch", "StyledBatches"]


@final
class StyledBatches:
    """Batches of a cohort as a spec asks for them.

    Args:
        spec: Settings of the sampling.
        modalities: Contrasts, in this order.
        means: Class means of every training case, `(case, class, contrast)`.
    """

    def __init__(self, spec: ConditionalSpec, modalities: tuple[Modality, ...], means: torch.Tensor) -> None:
        self._spec, self.modalities, self.means = spec, modalities, means

    def staged(self, cohort: Cohort, seed: int, steps: int) -> tuple[Callable[[int], Batch], str]:
        """Return the batch of each step, and one sentence on the stages; empty where there is a single one.

        Where the spec asks for it, cases that lack contrasts come first.

        Args:
            cohort: Training cases.
            seed: Seed of the draws.
            steps: Length of the training.

        Raises:
            CohortError: The second stage takes complete cases, and there are none.
        """
        spec = self._spec
        if not spec.gaps_first:
            return self.styled(cohort, seed), ""
        lacking = [place for place, ref in enumerate(cohort) if not set(self.modalities) <= set(ref.images)]
        complete = sorted(set(range(len(cohort))) - set(lacking))
        chosen = complete if spec.gaps_then == "complete" else list(range(len(cohort)))
        if not chosen:
            raise CohortError(
                "no case with all contrasts",
                "some, for the second stage (gaps_then: complete)",
                "add complete cases, or set gaps_then to all",
                cohort.name,
            )
        share = len(lacking) / (len(lacking) + len(chosen)) if spec.gaps_first == "epochs" else spec.gaps_first
        early = int(share * steps) if lacking else 0
        then = self.styled(cohort, seed, chosen)
        some, others = counted(len(lacking), "case"), counted(len(chosen), "case")
        text = f"{early} steps on {some} that lack contrasts, then {steps - early} on {others}"
        if not early:
            return then, text
        first = self.styled(cohort, seed, lacking)
        return (lambda step: (first if step < early else then)(step)), text

    def styled(
        self, cohort: Cohort, seed: int, places: Sequence[int] | None = None, *, plain: bool = False
    ) -> Callable[[int], Batch]:
        """Return the batch of each step, of the training cases or of those at some places.

        Args:
            cohort: Training cases.
            seed: Seed of the draws.
            places: Places of the cases in the cohort; all unless given.
            plain: Leave augmentation and the mixing of axes out.
        """
        spec = self._spec
        chosen = range(len(cohort)) if places is None else places
        cases = replace(cohort, cases=tuple(cohort.cases[place] for place in chosen))
        axes = [(spec.axis + turn) % 3 for turn in range(3 if spec.mix_axes and not plain else 1)]
        framed = [self.framed(cases, seed, axis) for axis in axes]
        table = torch.tensor(list(chosen))

        def batch(step: int) -> Batch:
            drawn = framed[step % len(framed)].batch(step)
            if spec.augment is not None and not plain:
                drawn = augmented(drawn, spec.augment, seed=seed, step=step)
            case = table[drawn["case"]]
            return {**drawn, "case": case, "means": self.means[case]}

        return batch

    def framed(self, cohort: Cohort, seed: int, axis: int | None = None) -> FramedSlices | FramedPatches:
        """Return the sampler of a cohort, along the spec's axis or another; its batches have no style."""
        spec = self._spec
        common: dict[str, Any] = {
            "batch_size": spec.batch_size,
            "size": spec.size,
            "seed": seed,
            "lesion_share": spec.lesion_share,
            "mirror": spec.mirror,
            "gaps": spec.gaps,
        }
        if spec.dims == 3:
            return FramedPatches(cohort, self.modalities, **common)
        cut = spec.axis if axis is None else axis
        return FramedSlices(cohort, self.modalities, context=spec.context, axis=cut, slab=spec.slab, **common)
