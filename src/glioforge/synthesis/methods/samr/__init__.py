"""Stretch-out generator with a brain atlas and label-wise critics (Guo et al. 2020, "SAMR", MICCAI).

The network descends from pix2pixHD (Wang et al. 2018, arXiv:1711.11585).  Its
parts can be switched off one by one, as in the paper's ablations: a way up for
each contrast (`stretch_out`), critics of one region each (`label_wise`), the
average brain (`atlas`), and a U-Net that must find the labels again in the
image (`shape_consistency`).  `generator`, `nn.patch_critic`, `losses.dice`
and `atlas_slices` hold these parts.

Preset `paper`: five label classes, in which all normal tissue is one (white matter, grey matter and CSF of the label
maps are not shown), encoders of six layers (kernel 7, then five halvings), batch norm, transposed convolutions, critics
of background, brain and lesion at two scales, log loss, squared feature matching 5, shape consistency 1 without class
weights, in which the U-Net learns from real and synthetic images, Adam at 2e-4 falling to 0 over the second half of 500
epochs, batch 8, all slices with brain drawn alike.  The paper leaves open, chosen here: widths (64 doubled up to 512),
nine residual blocks, other kernels (3), zero padding, norm before ReLU, tanh, a normal start of 0.02 for generator and
critics, Adam's momentum 0.5, critics as in pix2pixHD (instance norm), and of the U-Net, for which it cites Ronneberger
et al. (arXiv:1505.04597), widths 64 to 1024, max pooling, instance norm and torch's own start.
Deviations from the paper:
1. The average brain is made of real training subjects, each counted once; the paper's introduction says the same, but
   its section on data averages before it splits.
2. Slices correspond to those of the average by their place in the brain's box, not by their number.
3. A sample without a region counts nothing for that region's critics, instead of showing them empty images.
4. The image is scaled so that tanh spans z-scores of -5 to 5; finished volumes are masked to the brain.
5. Players step after one forward pass of the generator, with its non-saturating log loss.
6. The critics' half-size images are local means, as in pix2pixHD; the paper's caption says global average pooling.
7. Any contrasts are made; the paper's are T1, T1ce, T2, FLAIR and APTw.  Prepared maps have no cavity unless the cohort
   is in a scheme that names it; its channel is empty then.

Preset `authors`: what the file that the authors published (`pytorch_networks.py` of CG-SAMR) does otherwise: three
halvings, ways up of 1024-512-256-128, reflection padding, instance norm without scale and shift, least squares,
absolute feature matching, the average brain shown to the critics, and as U-Net five strided kernels of 4 with batch
norm whose Dice is averaged over all classes, absent ones and the background included.  Not taken over: constants in
front of norms, which have no effect, and the critics' masks, which the file changes in place.

Preset `sound` deviates further from the paper, each for a reason:
8. Narrow: width 8 and two halvings, two residual blocks, instance norm, batch 4: trains in a few minutes at 96 x 96.
9. Nearest neighbour and convolution on the way up: transposed convolutions leave a checkerboard.
10. The label map painted with class means (a style) joins condition and output, styles are mixed between subjects
   when sampling, and measured grain is added, so that one map gives differing images.
11. All classes of the label map, and labels of the neighbouring slices, belong to the condition; slices are mirrored;
    half of them show tumour.
12. Linear output; absolute difference (weight 10) inside the brain; small weights of adversarial loss, feature
    matching (absolute) and shape consistency.
13. No critics of the background: images are masked there, so that both are 0.
14. The U-Net learns from real images only: one that learns from synthetic images may come to read whatever the
    generator writes.  Its Dice is averaged over classes: of all voxels together it hardly sees the lesion.
15. The average is made by fitting the boxes of brains, over normal tissue only: in seconds, without registration.
16. Adam (0.5, 0.9) at 2e-3 and 1e-3 falling as a cosine, average of the weights (EMA), gradient clipping, critics of
    width 8 and three layers with spectral norm.
"""

from dataclasses import replace
from functools import partial
from typing import Any, final

import torch
from jaxtyping import Bool
from torch import nn

from glioforge.core import GUO2020, LabelScheme
from glioforge.nn import LabelWiseCritic, MultiScaleCritic
from glioforge.synthesis import SYNTHESIZERS, Batch, Condition, ConditionalMethod, LabelGenerator
from glioforge.synthesis.methods.samr.atlas_slices import AtlasSlices, average_brain
from glioforge.synthesis.methods.samr.generator import SamrGenerator, doubling_widths
from glioforge.synthesis.methods.samr.shape_consistency import ShapeConsistency
from glioforge.synthesis.methods.samr.spec import SamrSpec
from glioforge.training import Adversarial, AdversarialSpec, Fitting


@final
@SYNTHESIZERS.register(SamrSpec)
class SamrMethod(ConditionalMethod):
    """Trains the generator against critics of regions, together with a U-Net."""

    def condition(self) -> Condition:
        """Add the average brain, and group the classes as the paper does where the spec asks for it."""
        spec: SamrSpec = self.spec
        plain = super().condition()
        groups = () if spec.label_classes == "cohort" else guo_classes(self.knowledge.scheme)
        return replace(plain, groups=groups, extras=nn.ModuleList([*plain.extras, *self._atlas()]))

    def build(self, inputs: int, contrasts: int) -> SamrGenerator:
        """Generator with normal weights; the average brain has an encoder of its own."""
        spec: SamrSpec = self.spec
        channels = sum(atlas.channels for atlas in self._atlas())
        generator = SamrGenerator(
            inputs - channels,
            channels,
            contrasts,
            doubling_widths(spec.ngf, spec.halvings, spec.widest),
            spec.blocks,
            dims=spec.dims,
            norm=spec.norm,
            upsampling=spec.upsampling,
            stretch_out=spec.stretch_out,
            wide_up=spec.wide_up,
            padding=spec.padding,
            affine=spec.affine,
        )
        self.draw_weights(generator, "gaussian", 0.02)
        return generator

    def before_training(self, network: LabelGenerator, fitting: Fitting) -> None:
        """Average the real training cases."""
        spec: SamrSpec = self.spec
        if spec.atlas:
            average = average_brain(
                fitting.train, self.knowledge.modalities, spec.atlas_shape, spec.atlas_alignment, fitting.progress
            )
            _atlas_of(network).images.copy_(torch.from_numpy(average))

    def recipe(self, network: LabelGenerator, steps: int) -> Adversarial:
        """Set the generator against fresh critics, with a fresh U-Net."""
        condition = network.condition
        spec: SamrSpec = self.spec
        shape = (
            ShapeConsistency(spec.consistency, self.contrasts, condition.hot, dims=spec.dims, grouped=condition.grouped)
            if spec.shape_consistency
            else None
        )
        return Adversarial(
            network,
            self._critics(),
            self._summed(),
            steps=steps,
            generate=self.generate,
            condition=partial(self._shown, network),
            terms=None if shape is None else lambda fake, batch: {"shape": shape.generator_loss(fake, batch)},
            companion=None if shape is None else shape.companion,
        )

    def _critics(self) -> LabelWiseCritic | MultiScaleCritic:
        """Critics with fresh weights: of each region, or of the entire image."""
        spec: SamrSpec = self.spec
        atlas = self._atlas() if spec.atlas_in_critic else []
        channels = self.condition().hot + self.contrasts + sum(part.channels for part in atlas)
        settings: dict[str, Any] = {"scales": spec.critic_scales, "dims": spec.dims, "spectral": spec.critic_spectral}
        sizes = (channels, spec.critic_width, spec.critic_layers)
        critic = (
            LabelWiseCritic(self._region_classes(), *sizes, **settings)
            if spec.label_wise
            else spec.critic(channels, spectral=spec.critic_spectral)
        )
        if spec.critic_deviation is None:
            self.draw_weights(critic, "xavier")
        else:
            self.draw_weights(critic, "gaussian", spec.critic_deviation)
        return critic

    def _atlas(self) -> list[AtlasSlices]:
        """The average brain, empty until training fills it; none where the spec leaves it out."""
        spec: SamrSpec = self.spec
        return [AtlasSlices(self.contrasts, spec.atlas_shape, dims=spec.dims, axis=spec.axis)] if spec.atlas else []

    def _region_classes(self) -> Bool[torch.Tensor, "regions classes"]:
        """Which classes form each region: what is neither background nor normal tissue is lesion."""
        scheme = self.knowledge.scheme if self.spec.label_classes == "cohort" else GUO2020
        kinds = [
            "background" if n == "background" else "brain" if n in scheme.tissue else "lesion"
            for n in sorted(scheme.labels, key=scheme.value)
        ]
        return torch.tensor([[kind == region for kind in kinds] for region in self.spec.regions])

    def _summed(self) -> AdversarialSpec:
        """Losses with weights for the sum over critics; the recipe averages over them."""
        spec: SamrSpec = self.spec
        losses = spec.losses
        critics = spec.critic_scales * (len(spec.regions) if spec.label_wise else 1)
        weights = {
            "adversarial": critics * losses.adversarial,
            "feature_matching": critics * losses.feature_matching,
        }
        return losses.model_copy(update=weights)

    def _shown(self, network: LabelGenerator, batch: Batch) -> torch.Tensor:
        """What the critics see with the images: labels, and the average brain if asked for."""
        labels = self.label_channels(batch)
        if not (self.spec.atlas and self.spec.atlas_in_critic):
            return labels
        return torch.cat([labels, _atlas_of(network)(batch["frame"], labels.shape[2:])], dim=1)


def guo_classes(scheme: LabelScheme) -> tuple[int, ...]:
    """Return the class of Guo et al. for each class of a scheme, by rank: normal tissue is one class.

    Raises:
        LabelError: A lesion label has no counterpart.

    Example:
        >>> from glioforge.core.schemes import COMPLETE
        >>> guo_classes(COMPLETE)
        (0, 4, 2, 4, 1, 1, 1)
    """
    table, brain = scheme.table_to(GUO2020), GUO2020.value("brain")
    names = sorted(scheme.labels, key=scheme.value)
    return tuple(brain if name in scheme.tissue else int(table[scheme.value(name)]) for name in names)


def _atlas_of(network: LabelGenerator) -> AtlasSlices:
    """The average brain among a network's further channels."""
    (atlas,) = [extra for extra in network.extras if isinstance(extra, AtlasSlices)]
    return atlas
