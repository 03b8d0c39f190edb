"""A trained nnU-Net as a segmenter, and the settings of its training; `methods/nnunet.py` trains it.

Conventions
-----------
folder      a model's folder with the three roots of nnU-Net and `nnunet.log`
input       cases as they are, prepared or not: nnU-Net resamples and normalises by itself
output      scheme of its training files on the case's grid: BRATS2023, or BRATS2024 where these had a cavity
weights     nnU-Net keeps pickles, which its own code loads: take them from nobody you do not trust
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Final, Literal, Self, final

from pydantic import Field, model_validator

from glioforge.compute import AcceleratorSpec, device_of
from glioforge.core import Case, Geometry, GeometryError, InputFileError, LabelMap, LabelScheme, Lineage, Modality
from glioforge.io import CARD, ENDING, hash_of_file, read_labels, write_channels
from glioforge.segmentation.method import SegmenterSpec
from glioforge.segmentation.nnunet_command import COMMANDS, call_nnunet, find_command
from glioforge.training import Budget, Card, Outcome

NUMBER: Final = "1"
DATASET: Final = "Dataset001_glioforge"
EPOCH: Final = 250
"""Steps of nnU-Net's epoch."""
OWN_PRECISION: Final = "nnU-Net's own"

_PLANNERS = {
    "plain": ("ExperimentPlanner", "nnUNetPlans"),
    "residual_m": ("nnUNetPlannerResEncM", "nnUNetResEncUNetMPlans"),
    "residual_l": ("nnUNetPlannerResEncL", "nnUNetResEncUNetLPlans"),
    "residual_xl": ("nnUNetPlannerResEncXL", "nnUNetResEncUNetXLPlans"),
}
_TRAINERS: Final = {1000: "nnUNetTrainer", 1: "nnUNetTrainer_1epoch"} | {
    epochs: f"nnUNetTrainer_{epochs}epochs" for epochs in (5, 10, 20, 50, 100, 250, 500, 750, 2000, 4000, 8000)
}
"""Trainers that nnU-Net comes with, by the epochs that they train for."""
_MACHINE: Final = ("environment", "device", "processes")
"""Settings that may differ where a training goes on or is used: they do not decide the weights."""


class NnunetSpec(SegmenterSpec):
    """What nnU-Net is asked to do; all else it decides by itself."""

    kind: Literal["nnunet"] = "nnunet"
    environment: Path | None = None
    """Environment in which nnU-Net is installed, such as `/opt/nnunet` with `bin/nnUNetv2_train`; without one its
    commands are looked for next to this Python and on the path."""
    configuration: Literal["2d", "3d_fullres", "3d_lowres"] = "3d_fullres"
    """Which of its configurations."""
    planner: Literal["plain", "residual_m", "residual_l", "residual_xl"] = "residual_m"
    """Plain U-Net, or the residual encoder that its authors recommend since 2024, for 9, 24 or 40 GB of memory."""
    budget: Budget = Budget(steps=1000 * EPOCH, validate_every=EPOCH)
    """Length in steps, 250 of which are an epoch of nnU-Net; `epochs: 100` in a YAML is short for 25,000 steps.
    nnU-Net neither selects weights nor stops by a validation score."""
    trainer: str | None = Field(None, pattern=r"^\w+$")
    """Its trainer class; the one that trains for the budget unless given. Another one keeps its own length, which the
    budget should state."""
    regions: bool = True
    """Learn WT, TC and ET as overlapping targets, as its entries to BraTS did; else the labels."""
    folds: int = Field(5, ge=2)
    """Folds of cross-validation, where there are no validation subjects."""
    trained: tuple[int, ...] | None = None
    """Which of the folds are trained and averaged; all unless given."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where it computes; the device of the run unless said otherwise."""
    processes: int = Field(4, ge=1)
    """Processes for preprocessing."""
    mirror: bool = True
    """Average predictions over mirror images, as it does by itself."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"sound": {}, "paper": {"planner": "plain"}}

    @model_validator(mode="before")
    @classmethod
    def _epochs(cls, values: Any) -> Any:  # noqa: ANN401 - whatever a YAML holds
        """Length in nnU-Net's epochs, in place of a budget."""
        if not isinstance(values, Mapping) or "epochs" not in values:
            return values
        others = {name: value for name, value in values.items() if name != "epochs"}
        if "budget" in others or not isinstance(values["epochs"], int):
            msg = f"epochs {values['epochs']!r}: give a number of epochs, or a budget in steps, not both"
            raise ValueError(msg)
        return {**others, "budget": {"steps": values["epochs"] * EPOCH, "validate_every": EPOCH}}

    @model_validator(mode="after")
    def _in_steps(self) -> Self:
        """Refuse a budget in passes over the cases, which nnU-Net does not count."""
        if self.budget.epochs is not None:
            msg = "budget.epochs: give budget.steps, or `epochs` of nnU-Net, which are 250 steps each"
            raise ValueError(msg)
        return self

    @property
    def planner_class(self) -> str:
        """nnU-Net's name of the planner."""
        return _PLANNERS[self.planner][0]

    @property
    def plans(self) -> str:
        """nnU-Net's name of the plans that the planner writes."""
        return _PLANNERS[self.planner][1]

    @property
    def trainer_class(self) -> str:
        """The trainer, chosen by the budget unless one is given."""
        if self.trainer is not None:
            return self.trainer
        epochs, steps = divmod(self.budget.steps, EPOCH)
        return _TRAINERS.get(0 if steps else epochs, f"nnUNetTrainer_glioforge_{self.budget.steps}steps")

    @property
    def own_length(self) -> tuple[int, int] | None:
        """Epochs and steps of each where nnU-Net has no trainer of that length; none where it has.

        Epochs are as long as nnU-Net's or a little shorter; a prime number of steps loses less than 1 % to rounding.
        """
        if self.trainer is not None or self.trainer_class in _TRAINERS.values():
            return None
        epochs = -(-self.budget.steps // EPOCH)
        return epochs, round(self.budget.steps / epochs)

    def identity(self) -> dict[str, Any]:
        """Settings that decide the weights, plain JSON values."""
        return {"spec": self.model_dump(mode="json", exclude=set(_MACHINE))}

    def require_available(self) -> None:
        """Refuse where nnU-Net's commands are missing.

        Raises:
            DependencyError: Says where they were looked for.
        """
        for name in COMMANDS:
            find_command(name, self.environment)


@final
@dataclass(frozen=True, eq=False)
class NnunetSegmenter:
    """A trained nnU-Net; an `engine.TrainedSegmenter`.

    Args:
        folder: Where its roots lie.
        spec: What it was asked to do.
        modalities: Contrasts it needs, in the order of its channels.
        folds: Folds that are averaged.
        lineage: Everyone behind its cases, those that validate its folds included, for the leakage firewall.
        weights_hash: Hash over the weights of its folds.
        scheme: Scheme of its masks.
        outcome: What its training came to.
        preparations: Preparations of its training cases, where known.
        device: Where it computes.
    """

    folder: Path
    spec: NnunetSpec
    modalities: tuple[Modality, ...]
    folds: tuple[int, ...]
    lineage: Lineage
    weights_hash: str
    scheme: LabelScheme
    outcome: Outcome
    preparations: tuple[str, ...]
    device: str
    precision: str = OWN_PRECISION
    note: str = ""
    kept: Mapping[str, Any] = field(default_factory=dict)
    parameter_count: int | None = None

    def segment(self, case: Case) -> LabelMap:
        """Label one case; for many, `segment_many` loads the network once.

        Raises:
            CaseError: A contrast is missing.
            DependencyError: nnU-Net is not installed.
            TrainingError: Its command failed.
            InputFileError: What it wrote is no label map on the case's grid.
        """
        return next(self.segment_many([case]))

    def segment_many(self, cases: Iterable[Case]) -> Iterator[LabelMap]:
        """Label cases in their order, with one call of nnU-Net for all; errors as `segment`; none for none."""
        with tempfile.TemporaryDirectory(prefix="nnunet-") as place:
            images, masks = Path(place) / "images", Path(place) / "masks"
            grids = {}
            for case in cases:
                write_channels(case, self.modalities, images)
                grids[case.case_id] = case.geometry
            if grids:
                self._predict(images, masks)
            for case_id, grid in grids.items():
                yield _mask(masks / f"{case_id}{ENDING}", grid, self.scheme)

    def _predict(self, images: Path, masks: Path) -> None:
        """One call of nnU-Net's own prediction."""
        spec = self.spec
        words = ["nnUNetv2_predict", "-i", str(images), "-o", str(masks), "-d", NUMBER, "-c", spec.configuration]
        words += ["-tr", spec.trainer_class, "-p", spec.plans, "-f", *(str(fold) for fold in self.folds)]
        words += ["-device", self.device, "-npp", "1", "-nps", "1", "--disable_progress_bar"]
        call_nnunet(words if spec.mirror else [*words, "--disable_tta"], self.folder, spec.environment)


def open_nnunet(folder: Path, card: Card, accelerator: AcceleratorSpec) -> NnunetSegmenter:
    """Return the trained nnU-Net of a folder, once its weights are seen to be those of its card.

    Raises:
        InputFileError: The weights were changed, or the card is damaged.
        DependencyError: The device asked for is not there.
    """
    spec = card.spec
    if not isinstance(spec, NnunetSpec) or card.scheme is None:
        raise InputFileError("a damaged card", "the card as train wrote it", "copy or train it again", folder / CARD)
    for name, expected in card.files.items():
        found = hash_of_file(folder / name)
        if found != expected:
            raise InputFileError(
                f"weights with hash {found}", f"hash {expected}", "copy or train it again", folder / name
            )
    if spec.environment is not None and not spec.environment.exists():
        # The model was trained on another machine: its environment is looked for as if none had been named.
        spec = spec.model_copy(update={"environment": None})
    chosen = spec.device if accelerator.device == "auto" else accelerator.device
    return NnunetSegmenter(
        folder=folder,
        spec=spec,
        modalities=card.modalities,
        folds=tuple(_number(name, folder) for name in card.files),
        lineage=card.model_lineage,
        weights_hash=card.weights,
        scheme=card.scheme,
        outcome=card.outcome or Outcome(0, 0, None, plateaued=False, seconds=0.0, skipped=0, history=()),
        preparations=card.preparations,
        device=device_of(accelerator).type if chosen == "auto" else chosen,
    )


def fold_folder(spec: NnunetSpec, fold: int) -> str:
    """Where nnU-Net keeps a fold, below the folder of its roots."""
    name = f"{spec.trainer_class}__{spec.plans}__{spec.configuration}"
    return f"nnUNet_results/{DATASET}/{name}/fold_{fold}"


def checkpoint(spec: NnunetSpec, fold: int) -> str:
    """Final weights of a fold, below the folder of nnU-Net's roots."""
    return f"{fold_folder(spec, fold)}/checkpoint_final.pth"


def _number(name: str, folder: Path) -> int:
    """Number of the fold that a file of weights belongs to."""
    number = PurePosixPath(name).parent.name.removeprefix("fold_")
    if not number.isdigit():
        raise InputFileError(
            f"weights {name}", "files of folds", "take the whole folder as train made it", folder / CARD
        )
    return int(number)


def _mask(path: Path, grid: Geometry, scheme: LabelScheme) -> LabelMap:
    """A mask that nnU-Net wrote, on the grid of the case.

    Raises:
        InputFileError: It is missing, no label map of the scheme, or lies on another grid.
    """
    labels = read_labels(path, scheme)
    try:
        grid.require_same(labels.geometry, "nnU-Net's mask")
    except GeometryError as error:
        raise InputFileError(
            error.found, error.expected, "give the case an orthogonal grid: prepare it first", path
        ) from error
    return LabelMap(labels.voxels, grid, labels.scheme)
