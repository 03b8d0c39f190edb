"""nnU-Net version 2 (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z), the usual yardstick, by its own commands.

It is trained on a raw data set with the folds of this project, in an environment of its own: nothing of it is imported
or copied, and `pip install 'glioforge[nnunet]'` is one way to have it.  The same call goes on where it stood: cases
that are written, plans that are made and folds that are validated stay; a fold goes on from its last checkpoint.

Preset `sound` (the default) has the residual encoder that its authors recommend since 2024 (Isensee et al. 2024,
arXiv:2404.09556); preset `paper` the plain U-Net.  Where validation subjects are given, they are the one fold that is
trained; without them, cross-validation over subjects gives an ensemble of as many networks as folds.
Deviations: folds never divide a subject, and synthetic cases validate none; a share of synthetic cases is reached by
repeating case names in the fold, as its data loader draws names at random.
"""

import json
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, final

from glioforge.compute import AcceleratorSpec, device_of
from glioforge.core import Cohort, SpecError, counted, tumour_scheme
from glioforge.io import Step, hash_of_file, write_json, write_nnunet_raw
from glioforge.segmentation import (
    DATASET,
    NUMBER,
    OWN_PRECISION,
    SEGMENTERS,
    Fitted,
    Fitting,
    Fold,
    NnunetSegmenter,
    NnunetSpec,
    SegmenterEngine,
    call_nnunet,
    checkpoint,
    fold_folder,
    nnunet_folds,
    open_nnunet,
    repeated,
    single_fold,
    write_trainer,
)
from glioforge.segmentation.nnunet_command import SPLITS_FILE as FOLDS_FILE
from glioforge.training import Card, Outcome

if TYPE_CHECKING:
    import torch

_PLANNED = "planned.json"
_SUMMARY = "validation/summary.json"


@SEGMENTERS.register(NnunetSpec)
@final
class Nnunet(SegmenterEngine):
    """The engine of nnU-Net."""

    takes_scans = True

    def fit(self, fitting: Fitting) -> Fitted:
        """Write the raw data set, plan, and train each fold.

        Raises:
            DependencyError: nnU-Net is not installed.
            TrainingError: One of its commands failed.
            LeakageError: A validation subject stands behind a training case.
            CohortError: There are too few subjects.
            SpecError: A fold is asked for that there is not.
            OutputError: The folder was made with other settings or is in use.
        """
        spec: NnunetSpec = self.spec
        cohort, folds = _folds(spec, fitting)
        chosen = _chosen(spec, len(folds))
        device = spec.device if spec.device != "auto" else device_of(fitting.accelerator).type
        key = {**spec.identity(), "cohort": cohort.fingerprint, "splits": folds}
        key["modalities"] = [str(modality) for modality in fitting.modalities]
        with Step(fitting.folder, {"engine": "nnunet", **key}) as step:
            if not step.done:
                began = monotonic()
                fitting.progress.say(f"nnU-Net on {device}, with the precision and threads that it chooses")
                self._plan(cohort, folds, fitting)
                for fold in fitting.progress.track(chosen, "training nnU-Net, fold by fold", len(chosen)):
                    self._train(fold, fitting.folder, device)
                step.finish({"outcome": self._outcome(fitting.folder, chosen, monotonic() - began).to_json()})
        files = [checkpoint(spec, fold) for fold in chosen]
        return Fitted(
            files={file: hash_of_file(fitting.folder / file) for file in files},
            scheme=tumour_scheme(cohort.scheme),
            outcome=Outcome.from_json(dict(step.facts["outcome"])),
            accelerator=AcceleratorSpec(device=device, threads=fitting.accelerator.threads),
            precision=OWN_PRECISION,
            device=device,
            training={"folds": list(chosen)},
        )

    def open(
        self,
        folder: Path,
        card: Card,
        accelerator: AcceleratorSpec,
        device: "torch.device | None" = None,  # noqa: ARG002 - the protocol's signature
    ) -> NnunetSegmenter:
        """Return the trained nnU-Net of a folder; errors as `segmentation.base.load_segmenter`."""
        return open_nnunet(folder, card, accelerator)

    def _plan(self, cohort: Cohort, folds: list[Fold], fitting: Fitting) -> None:
        """Write the raw data set, let nnU-Net plan and preprocess, and put our folds in the place of its own."""
        spec, folder, progress = self.spec, fitting.folder, fitting.progress
        raw = folder / "nnUNet_raw" / DATASET
        write_nnunet_raw(cohort, raw, regions=spec.regions, modalities=fitting.modalities, progress=progress)
        if not (folder / _PLANNED).exists():
            progress.say(f"nnU-Net plans and preprocesses {counted(len(cohort), 'case')}")
            processes = str(spec.processes)
            words = ["nnUNetv2_plan_and_preprocess", "-d", NUMBER, "-c", spec.configuration, "-pl", spec.planner_class]
            words += ["-np", processes, "-npfp", processes, "--verify_dataset_integrity", "--clean", "--no_pbar"]
            call_nnunet(words, folder, spec.environment)
            write_json(folder / _PLANNED, {"planner": spec.planner_class, "configuration": spec.configuration})
        write_json(folder / "nnUNet_preprocessed" / DATASET / FOLDS_FILE, folds)
        if spec.own_length is not None:
            write_trainer(folder, spec.trainer_class, *spec.own_length)

    def _train(self, fold: int, folder: Path, device: str) -> None:
        """Train one fold, from its last checkpoint if there is one; nothing once it was validated."""
        spec = self.spec
        place = folder / fold_folder(spec, fold)
        if (place / _SUMMARY).exists():
            return
        words = ["nnUNetv2_train", NUMBER, spec.configuration, str(fold), "-tr", spec.trainer_class, "-p", spec.plans]
        words += ["-device", device]
        going_on = any(place.glob("checkpoint_*.pth"))
        call_nnunet([*words, "--c"] if going_on else words, folder, spec.environment)

    def _outcome(self, folder: Path, chosen: tuple[int, ...], seconds: float) -> Outcome:
        """Steps of a fold, and the mean over folds of the foreground Dice that nnU-Net finds at their end."""
        scores = []
        for fold in chosen:
            summary = json.loads((folder / fold_folder(self.spec, fold) / _SUMMARY).read_text(encoding="utf-8"))
            score = summary.get("foreground_mean", {}).get("Dice")
            scores += [] if score is None else [float(score)]
        mean = sum(scores) / len(scores) if scores else None
        steps = self.spec.budget.steps
        return Outcome(steps, steps, mean, plateaued=False, seconds=seconds, skipped=0, history=())


def _folds(spec: NnunetSpec, fitting: Fitting) -> tuple[Cohort, list[Fold]]:
    """All cases that nnU-Net gets, and its folds: the one of the validation cases, else cross-validation."""
    mix, validation = fitting.mix, fitting.validation
    cohort = mix.used[0]
    for other in mix.used[1:]:
        # Copies of real cases are those cases: a second file of the same name would change nothing but the disk.
        cohort += other.select([ref.case_id for ref in other if ref not in cohort.cases])
    made = frozenset() if mix.synthetic is None else frozenset(ref.case_id for ref in mix.synthetic)
    if not len(validation):
        folds = nnunet_folds(cohort, spec.folds, fitting.seed)
    else:
        folds = single_fold(cohort, validation)
        cohort = cohort + validation
    return cohort, [repeated(fold, made, mix.share) for fold in folds]


def _chosen(spec: NnunetSpec, count: int) -> tuple[int, ...]:
    """Folds to train.

    Raises:
        SpecError: There is no such fold.
    """
    chosen = tuple(range(count)) if spec.trained is None else spec.trained
    if not chosen or not set(chosen) <= set(range(count)):
        raise SpecError(f"folds {list(chosen)}", f"some of 0 to {count - 1}", where="trained")
    return chosen
