"""Label maps whose details an autoencoder of real maps cannot repeat.

A small network compresses patches of one-hot labels to a few numbers and restores
them.  It has seen patches of real maps alone, so that borders, rims and folds as real
maps have them are restored, and specks, false rims between classes and holes are not.
A case's score is the mean cross-entropy of its worst tenth of patches, in nats per voxel; the
limit is set on real cases whose subjects were left out of a network's training.

Source: reconstruction errors as scores of anomalies are those of Sakurada & Yairi
(2014), doi:10.1145/2689746.2689747; in brain MRI Baur et al. (2021),
doi:10.1016/j.media.2020.101952.  Foroozandeh & Eklund (2020) found that their
z-scores keep blurred masks; patches see what pixels apart cannot.

Slices are judged against slices, and volumes against volumes.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, final

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from glioforge.core import Case, LabelScheme, Verdict, stream, stream_seed
from glioforge.quality import FILTERS, Evidence, FilterSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

Patches = UInt8[np.ndarray, "patch voxel"]

_FOLDS, _BATCH, _RATE, _WORST = 3, 256, 3e-3, 0.1
_SIDE: Final = {2: 9, 3: 5}
"""Width of a patch in slices and in volumes."""


class LabelAutoencoderSpec(FilterSpec):
    """Settings of the filter by reconstruction."""

    kind: Literal["label_autoencoder"] = "label_autoencoder"
    refused_share: float = Field(0.05, gt=0, lt=1)
    """Share of real cases of unseen subjects that may be refused."""
    latent: int = Field(12, ge=1)
    """Numbers to which a patch is compressed."""
    hidden: int = Field(96, ge=1)
    """Width of the layers on both sides."""
    steps: int = Field(400, ge=1)
    """Optimiser steps of each training."""
    patches: int = Field(400, ge=10)
    """Patches of a case, evenly spread over its labelled voxels."""


@FILTERS.register(LabelAutoencoderSpec)
@final
@dataclass(frozen=True, eq=False)
class LabelAutoencoder:
    """A trained autoencoder of patches and the largest error that passes.

    Args:
        spec: Settings.
        subjects: Subjects behind weights and limit.
        scheme: Scheme in which maps are read.
        network: Restores patches.
        limit: Largest error that passes.
    """

    spec: LabelAutoencoderSpec
    subjects: tuple[str, ...]
    scheme: LabelScheme
    network: Any
    limit: float

    @classmethod
    def fit(cls, spec: LabelAutoencoderSpec, evidence: Evidence) -> "LabelAutoencoder":
        """Train on all training cases, and set the limit by networks that each left out a third of the subjects.

        Raises:
            CohortError: There are fewer than three subjects.
        """
        evidence.require_subjects(3, spec.kind)
        scheme = evidence.train.scheme
        cut = [(_patches(case, scheme, spec.patches), case.subject_id) for case in evidence.real()]
        cut = [(patches, subject) for patches, subject in cut if len(patches)]
        held = [patches for patches, _ in cut]
        classes = len(scheme.labels)
        errors = np.empty(len(held))
        for fold, held_out in enumerate(evidence.folds([subject for _, subject in cut], _FOLDS)):
            others = [held[n] for n in np.flatnonzero(~held_out)]
            network = _trained(others, classes, spec, stream_seed(evidence.seed, spec.kind, fold))
            errors[held_out] = [_error(network, held[n], classes) for n in np.flatnonzero(held_out)]
        network = _trained(held, classes, spec, stream_seed(evidence.seed, spec.kind, "all"))
        return cls(spec, evidence.subjects(), scheme, network, evidence.limit(errors, spec.refused_share))

    def assess(self, case: Case) -> Verdict:
        """Restore the patches of the case.

        Raises:
            CaseError: The case has no label map.
            LabelError: Its labels cannot be read in the training cases' scheme.
        """
        patches = _patches(case, self.scheme, self.spec.patches)
        if not len(patches):
            return Verdict(False, float("inf"), "the label map is empty")
        if patches.shape[1] * len(self.scheme.labels) != self.network[0].in_features:
            return Verdict(False, float("inf"), "the label map is a slice where real cases are volumes, or the reverse")
        error = _error(self.network, patches, len(self.scheme.labels))
        keep = error <= self.limit
        relation = "within" if keep else "beyond"
        text = f"the worst tenth of patches is restored with {error:.3f} nats a voxel"
        return Verdict(keep, error, f"{text}; {relation} the limit of {self.limit:.3f}")


def _patches(case: Case, scheme: LabelScheme, count: int) -> Patches:
    """Ranks of the classes in patches around labelled voxels, evenly spread; none of an empty map."""
    table = np.zeros(256, dtype=np.uint8)
    values = sorted(scheme.labels.values())
    table[values] = np.arange(len(values))
    ranks = table[case.require_labels().to(scheme).voxels]
    places = np.argwhere(ranks > 0)
    side = _SIDE[max(2, sum(size > 1 for size in ranks.shape))]
    window = tuple(1 if size == 1 else side for size in ranks.shape)
    padded = np.pad(ranks, [(width // 2, width // 2) for width in window])
    views = np.lib.stride_tricks.sliding_window_view(padded, window)
    chosen = places[np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(int)]
    return np.ascontiguousarray(views[tuple(chosen.T)].reshape(len(chosen), int(np.prod(window))))


def _trained(held: Sequence[Patches], classes: int, spec: LabelAutoencoderSpec, seed: int) -> "nn.Sequential":
    """The autoencoder of these patches; the same seed gives the same weights."""
    import torch
    from torch import nn

    from glioforge.compute import AcceleratorSpec, start
    from glioforge.training import Budget, OptimizerSpec, Supervised, train

    patches = np.concatenate(held)
    size = patches.shape[1] * classes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        network = nn.Sequential(
            nn.Linear(size, spec.hidden),
            nn.SiLU(),
            nn.Linear(spec.hidden, spec.latent),
            nn.Linear(spec.latent, spec.hidden),
            nn.SiLU(),
            nn.Linear(spec.hidden, size),
        )
        chosen = stream(seed, "patches").integers(len(patches), size=(spec.steps, _BATCH))
        recipe = Supervised(
            network,
            lambda logits, batch: _losses(logits, batch["ranks"]).mean(),
            OptimizerSpec(method="adam", learning_rate=_RATE, weight_decay=0),
            steps=spec.steps,
            call=lambda network, batch: network(_hot(batch["ranks"], classes)),
            clip_norm=None,
        )
        # A filter is fitted within a verb and has no folder of its own: seconds of training are not resumed.
        with tempfile.TemporaryDirectory() as place:
            train(
                recipe,
                lambda step: {"ranks": _ranks(patches[chosen[step]])},
                Budget(steps=spec.steps, validate_every=spec.steps, checkpoint_every=spec.steps),
                Path(place),
                seed=seed,
                fabric=start(AcceleratorSpec(device="cpu", precision="32-true")),
            )
    return network.eval()


def _ranks(patches: Patches) -> "torch.Tensor":
    """Ranks of classes as torch indexes by them."""
    import torch

    return torch.from_numpy(patches.astype(np.int64))


def _hot(ranks: "torch.Tensor", classes: int) -> "torch.Tensor":
    """One-hot patches, flat: `(b, voxel * class)`."""
    from torch.nn import functional

    return functional.one_hot(ranks, classes).float().flatten(1)


def _losses(logits: "torch.Tensor", ranks: "torch.Tensor") -> "torch.Tensor":
    """Cross-entropy of each patch in nats a voxel."""
    from torch.nn import functional

    by_class = logits.view(*ranks.shape, -1).movedim(2, 1)  # (b, class, voxel)
    return functional.cross_entropy(by_class, ranks, reduction="none").mean(dim=1)


def _error(network: "nn.Sequential", patches: Patches, classes: int) -> float:
    """Mean over the worst tenth of patches."""
    import torch

    ranks = _ranks(patches)
    with torch.inference_mode():
        losses = np.sort(_losses(network(_hot(ranks, classes)), ranks).numpy())[::-1]
    return float(losses[: max(1, round(_WORST * len(losses)))].mean())
