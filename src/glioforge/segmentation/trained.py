"""A trained segmenter: what it says of a case, and the card that it is loaded from.

Conventions
-----------
input      prepared cases: intensities in [-5, 5], 0 outside the brain
output     the target's scheme (BRATS2023 unless chosen otherwise) on the case's grid, background outside the brain
folder     a model's folder (see `training.model_folder`) in which `training.loop` wrote; where several views
           were trained, a folder for each next to the card
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast, final

import numpy as np

from glioforge import training
from glioforge.compute import AcceleratorSpec, device_of, precision_for, precision_note
from glioforge.core import Case, CaseError, InputFileError, LabelMap, LabelScheme, Lineage, Modality
from glioforge.io import CARD
from glioforge.segmentation.method import NetworkSpec, SegmenterMethod, clean
from glioforge.segmentation.predict import Inference, Probabilities, predict
from glioforge.segmentation.target import Target, target_named
from glioforge.training import WEIGHTS, Card, Outcome, expected_hash

if TYPE_CHECKING:
    import torch
    from torch import nn

LARGEST_INTENSITY: Final = 5.0
"""Prepared images are clipped here."""


@final
@dataclass(frozen=True, eq=False)
class NetworkSegmenter:
    """A segmenter that is a network, or several; an `engine.TrainedSegmenter`.

    Args:
        spec: Its settings.
        dims: 2 for networks for slices, 3 for volumes.
        networks: Its networks, in evaluation mode, one for each of the spec's views.
        modalities: Contrasts it needs, in the order of its channels.
        lineage: Everyone whom it has seen in any way, for the leakage firewall.
        weights_hash: Hash of its weights.
        outcome: What its training came to.
        precision: Precision that it predicts in.
        trained_in: Precision that it was trained in.
        preparations: Preparations of its training cases, where known.
        folder: Where it was loaded from.
    """

    spec: NetworkSpec
    dims: Literal[2, 3]
    networks: "tuple[nn.Module, ...]"
    modalities: tuple[Modality, ...]
    lineage: Lineage
    weights_hash: str
    outcome: Outcome
    precision: str
    trained_in: str
    preparations: tuple[str, ...] = ()
    folder: Path = Path()

    @property
    def lineage_subjects(self) -> tuple[str, ...]:
        """Every subject of its lineage."""
        return self.lineage.subjects

    @property
    def target(self) -> Target:
        """What it tells apart."""
        return target_named(self.spec.target)

    @property
    def scheme(self) -> LabelScheme:
        """Scheme of its maps."""
        return self.target.scheme

    @property
    def parameter_count(self) -> int:
        """Trained numbers of all its networks."""
        return sum(parameter.numel() for network in self.networks for parameter in network.parameters())

    @property
    def note(self) -> str:
        """What must be told of the precision that it runs in; empty where that is the one of its training."""
        return precision_note(self.trained_in, self.precision)

    @property
    def kept(self) -> dict[str, Any]:
        """Precision and threads that it runs with, for folders that remember them."""
        import torch

        return {"precision": self.precision, "threads": torch.get_num_threads()}

    def segment(self, case: Case) -> LabelMap:
        """Label a prepared case on its own grid.

        Raises:
            CaseError: A contrast is missing, or the images were not prepared.
        """
        return self.decode(self.probabilities(case), case)

    def segment_many(self, cases: Iterable[Case]) -> Iterator[LabelMap]:
        """Label cases one after the other; errors as `segment`."""
        return map(self.segment, cases)

    def probabilities(self, case: Case) -> Probabilities:
        """Probability of each of `target.channels` `(channel, i, j, k)`, before any rule of `clean`.

        Raises:
            CaseError: A contrast is missing, or the images were not prepared.
        """
        images = case.stack(self.modalities)
        largest = float(np.abs(images).max())
        if largest > LARGEST_INTENSITY * 1.01:
            raise CaseError(
                f"intensities up to {largest:.4g}",
                "prepared images within [-5, 5]",
                "prepare the case first",
                case.case_id,
            )
        how = inference_of(self.spec, self.dims, self._autocast())
        return predict(list(zip(self.spec.views, self.networks, strict=True)), images, case.brain_mask, how)

    def decode(self, probabilities: Probabilities, case: Case) -> LabelMap:
        """The map that belongs to these probabilities of a case, with the spec's rules applied."""
        voxels = self.target.decode(probabilities, case.brain_mask)
        return clean(LabelMap(voxels, case.geometry, self.scheme), self.spec.clean)

    def _autocast(self) -> Any:  # noqa: ANN401 - a function that gives a context
        """What gives the precision to run in."""
        import torch

        if self.precision != "bf16-mixed":
            return nullcontext
        device = next(self.networks[0].parameters()).device.type
        return partial(torch.autocast, device, torch.bfloat16)


def inference_of(spec: NetworkSpec, dims: int, autocast: Any) -> Inference:  # noqa: ANN401 - a function that gives a context
    """How networks of a spec are asked."""
    window = cast("tuple[int, int, int] | None", spec.size if dims == 3 and spec.windows else None)
    return Inference(target_named(spec.target), dims, spec.mirrored, window, spec.overlap, autocast)


def view_folders(folder: Path, views: Sequence[str]) -> list[Path]:
    """Folder of the training of each view: the segmenter's own where there is one view alone."""
    return [folder] if len(views) == 1 else [folder / view for view in views]


def open_networks(
    folder: Path,
    card: Card,
    method: SegmenterMethod,
    accelerator: AcceleratorSpec,
    device: "torch.device | None" = None,
) -> NetworkSegmenter:
    """Read weights onto a device, to run in the accelerator's precision; errors as `base.load_segmenter`."""
    spec, outcome = cast("NetworkSpec", card.spec), card.outcome
    if outcome is None or len(card.files) != len(spec.views):
        raise InputFileError(
            f"a damaged card with {len(card.files)} files of weights for {len(spec.views)} views",
            "the card as train wrote it",
            "copy or train it again",
            folder / CARD,
        )
    place = device or device_of(accelerator)
    networks = []
    for path in (view / WEIGHTS for view in view_folders(folder, spec.views)):
        expected = expected_hash(card, path.relative_to(folder).as_posix(), folder)
        network = training.built_to_fit(partial(method.build, card.modalities, target_named(spec.target)), path)
        training.read_weights(path, network, expected)
        networks.append(network.to(place).eval())
    return NetworkSegmenter(
        spec,
        method.dims,
        tuple(networks),
        card.modalities,
        card.model_lineage,
        card.weights,
        outcome,
        precision_for(card.precision, accelerator),
        card.precision,
        card.preparations,
        folder,
    )
