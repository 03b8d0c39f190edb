"""Train the networks of a segmenter with the project's own loop, one for each view, scored on whole validation volumes.

Conventions
-----------
score      mean volumetric Dice of the validation subjects over the target's regions and tissue
unseen     a class that no training case has is named on screen and card, and a region of it alone is not scored
views      a training each, with the same budget; their outcomes are given as one
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from glioforge.compute import AcceleratorSpec, described, seed_torch, start
from glioforge.core import CaseRef, Cohort, LabelMap, Modality
from glioforge.data import fits_in_memory, steps_of_an_epoch
from glioforge.io import hash_of_file, kept_of, settled
from glioforge.metrics import evaluate_case
from glioforge.segmentation.batches import SegmenterBatches
from glioforge.segmentation.engine import Fitted, Fitting, Mix, SegmenterEngine
from glioforge.segmentation.method import NetworkSpec, SegmenterMethod, Task
from glioforge.segmentation.predict import Inference, Probabilities, predict
from glioforge.segmentation.target import CAVITY, ORDER, Target, View, target_named, unseen_classes
from glioforge.segmentation.trained import NetworkSegmenter, inference_of, open_networks, view_folders
from glioforge.training import WEIGHTS, Budget, Card, Outcome, joined

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric
    from torch import nn

    from glioforge.core import Progress


@final
class NetworkEngine(SegmenterEngine):
    """The engine of every method that is a network and a recipe.

    Args:
        spec: Settings of the method.
        method: The method.
    """

    def __init__(self, spec: NetworkSpec, method: SegmenterMethod) -> None:
        super().__init__(spec)
        self._method = method

    def fit(self, fitting: Fitting) -> Fitted:
        """Train a network for each view.

        Raises:
            CohortError: A lesion in a brain that must have none.
            LabelError: The target cannot express a label.
            SpecError: The size does not fit the method.
            OutputError: The folder was made with other settings or is in use.
        """
        spec, mix, folder = self.spec, fitting.mix, fitting.folder
        target = target_named(spec.target)
        for cohort in (*mix.used, fitting.validation):
            target.require_usable(cohort)
        unseen = _unseen(mix, target, fitting.progress)
        places = view_folders(folder, spec.views)
        accelerator = settled(fitting.accelerator, places[0])
        fitting.progress.say(described(accelerator))
        fabric = start(accelerator)
        outcomes, made = zip(
            *(
                self._fit_view(fitting, view, place, target, unseen, accelerator, fabric)
                for view, place in zip(spec.views, places, strict=True)
            ),
            strict=True,
        )
        files = [place / WEIGHTS for place in places]
        return Fitted(
            files={file.relative_to(folder).as_posix(): hash_of_file(file) for file in files},
            scheme=target.scheme,
            outcome=joined(list(outcomes)),
            accelerator=accelerator,
            precision=accelerator.precision,
            device=fabric.device.type,
            place=fabric.device,
            facts={"unseen classes": ", ".join(unseen)} if unseen else {},
            training={"fresh": made[0]} if made[0] else {},
        )

    def _fit_view(  # noqa: PLR0913, PLR0917 - what the trainings of all views share
        self,
        fitting: Fitting,
        view: View,
        place: Path,
        target: Target,
        unseen: tuple[str, ...],
        accelerator: AcceleratorSpec,
        fabric: "Fabric",
    ) -> tuple[Outcome, dict[str, float]]:
        """Train the network of one view; also what was made of cases meanwhile."""
        from glioforge.segmentation.objective import reported_weights
        from glioforge.training import train as run

        spec, method, mix, modalities = self.spec, self._method, fitting.mix, fitting.modalities
        length = _length(spec, method.dims, mix, view)
        task = Task(modalities, target, mix.real, length.steps, view, mix.used)
        how = inference_of(spec, method.dims, fabric.autocast)
        seed_torch(fitting.seed, "network")
        network = method.build(modalities, target)
        settings = _settings(fitting, spec, accelerator)
        weights = reported_weights(spec, task)
        batches = SegmenterBatches(
            mix,
            modalities,
            spec,
            dims=method.dims,
            view=view,
            seed=fitting.seed,
            steps=length.steps,
            device=fabric.device,
        )
        score = Validation(fitting.validation, modalities, how, view, unseen, weights)
        with closing(batches):
            outcome = run(
                method.recipe(network, task),
                batches,
                length,
                place,
                seed=fitting.seed,
                fabric=fabric,
                validate=score if len(fitting.validation) else None,
                progress=fitting.progress,
                settings=settings if len(spec.views) == 1 else {**settings, "view": view},
                kept=kept_of(accelerator),
            )
        return outcome, batches.fresh

    def open(
        self, folder: Path, card: Card, accelerator: AcceleratorSpec, device: "torch.device | None" = None
    ) -> NetworkSegmenter:
        """Load the networks of all views; errors as `segmentation.base.load_segmenter`."""
        return open_networks(folder, card, self._method, accelerator, device)


def _unseen(mix: Mix, target: Target, progress: "Progress") -> tuple[str, ...]:
    """Classes of the target that no training case has; said aloud, as is a cavity that the target does not name."""
    unseen = unseen_classes(mix.used, target)
    if CAVITY in mix.used[0].scheme.labels and CAVITY not in target.scheme.labels:
        progress.say(f"note: target {target.name} has no class for a resection cavity, which it takes as normal tissue")
    if unseen:
        progress.say(f"warning: no training case has {', '.join(unseen)}; the segmenter cannot learn to find it")
    return unseen


def _length(spec: NetworkSpec, dims: int, mix: Mix, view: View) -> Budget:
    """The spec's budget in steps; where it is in epochs, the slices or cases of all training cohorts are counted."""
    axis = ORDER[view][2] if dims == 2 else None
    counted = partial(steps_of_an_epoch, axis=axis, lesions_only=spec.lesion_share == 1, slab=spec.slab)
    return spec.budget.in_steps(lambda: counted(mix.used, spec.batch_size))


def _settings(fitting: Fitting, spec: NetworkSpec, accelerator: AcceleratorSpec) -> dict[str, Any]:
    """What the weights depend on besides budget and seed."""
    mix, validation = fitting.mix, fitting.validation
    return {
        "spec": spec.model_dump(mode="json"),
        "modalities": [str(modality) for modality in fitting.modalities],
        "precision": accelerator.precision,
        "train": [{"name": cohort.name, "fingerprint": cohort.fingerprint} for cohort in mix.used],
        "synthetic_share": mix.share,
        **({"real_steps": mix.real_steps} if mix.real_steps else {}),
        **({} if mix.fresh is None else {"fresh": {"reuse": mix.fresh.reuse, **mix.fresh.key}}),
        "validation": {"name": validation.name, "fingerprint": validation.fingerprint},
        "lineage_subjects": list(mix.lineage("segmenter", validation).subjects),
    }


@final
class Validation:
    """Mean volumetric Dice over validation cases and regions: WT, TC, ET, tissue, whatever the target scores.

    An empty region counts as `metrics.base.AGREEMENT` says, so that a network
    cannot gain by leaving tumours out.

    Args:
        cohort: Prepared, labelled cases; at least one; read when first needed and kept in memory where they fit.
        modalities: Contrasts, in the order of the network's input channels.
        how: How the network is asked.
        view: How it sees the heads.
        unseen: Classes that no training case has. A region of these alone does not count, for a network that never
            finds it would score 1 for that.
        weights: Weight of each class; with it `scalars` holds the weighted Dice of the last call, mean over cases,
            which Foroozandeh & Eklund report, beside the unweighted score.
    """

    def __init__(
        self,
        cohort: Cohort,
        modalities: Sequence[Modality],
        how: Inference,
        view: View = "axial",
        unseen: Collection[str] = (),
        weights: Sequence[float] | None = None,
    ) -> None:
        self.scalars: dict[str, float] = {}
        self._weights = weights
        self._cohort = cohort
        self._regions = how.target.scored_without(unseen)
        self._modalities = tuple(modalities)
        self._how = how
        self._view: View = view
        self._held: list[tuple[np.ndarray, np.ndarray, LabelMap]] | None = None

    def __call__(self, network: "nn.Module") -> float:
        """Score the network; higher is better, and 0 where no region counts."""
        target = self._how.target
        scores, weighted = [], []
        for images, brain, truth in self._cases():
            probabilities = predict([(self._view, network)], images, brain, self._how)
            if self._weights is not None:
                weighted.append(weighted_dice(probabilities, truth, target, self._weights))
            voxels = target.decode(probabilities, brain)
            prediction = LabelMap(voxels, truth.geometry, target.scheme)
            scores += [row.value for row in evaluate_case(prediction, truth, self._regions, ("dice",))]
        self.scalars = {"weighted_dice": float(np.mean(weighted))} if weighted else {}
        return float(np.mean(scores)) if scores else 0.0

    def _cases(self) -> Iterable[tuple[np.ndarray, np.ndarray, LabelMap]]:
        """Images, brain and true labels of every case; read again each time where memory is short."""
        read = (self._read(ref) for ref in self._cohort)
        if self._held is None and fits_in_memory(self._cohort, bytes_per_voxel=4):
            self._held = list(read)
        return read if self._held is None else self._held

    def _read(self, ref: CaseRef) -> tuple[np.ndarray, np.ndarray, LabelMap]:
        """Images, brain and true labels of a case."""
        case = ref.load()
        return case.stack(self._modalities), case.brain_mask, self._how.target.truth(case.require_labels())


def weighted_dice(probabilities: Probabilities, truth: LabelMap, target: Target, weights: Sequence[float]) -> float:
    """Return one overlap over all classes of a case, background included, each weighed: 1 where all is right.

    Args:
        probabilities: Of each class of the target.
        truth: In the target's scheme.
        target: Classes, no nested regions.
        weights: Weight of each class, not all 0.
    """
    masks = np.stack([truth.voxels == target.scheme.value(name) for name in target.classes])
    overlap = (probabilities * masks).sum(axis=(1, 2, 3), dtype=np.float64)
    sizes = probabilities.sum(axis=(1, 2, 3), dtype=np.float64) + masks.sum(axis=(1, 2, 3))
    return float(2 * np.dot(weights, overlap) / np.dot(weights, sizes))
