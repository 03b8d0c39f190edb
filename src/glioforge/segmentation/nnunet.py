"""nnU-Net version 2 (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z) as a peer, by its own commands.

The usual yardstick of segmentation.  `segmentation.nnunet_training` trains it;
here a trained one labels cases, and its masks come back onto the cases' grids.
Nothing of it is imported or copied: `pip install 'glioforge[nnunet]'` installs it.

Conventions
-----------
folder      the three roots of nnU-Net, `nnunet.log`, `card.json`
input       cases as they are, prepared or not: nnU-Net resamples and normalises by itself
output      scheme of its training files on the case's grid: BRATS2023, or BRATS2024 where these had a cavity
weights     nnU-Net keeps pickles, which its own code loads: take them from nobody you do not trust
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, final

from pydantic import Field

from glioforge.config.spec import Spec
from glioforge.core.case import Case
from glioforge.core.errors import GeometryError, InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.lineage import Lineage
from glioforge.core.modality import Modality
from glioforge.core.schemes import BRATS2023, scheme_named
from glioforge.io.digest import hash_of_file
from glioforge.io.nifti import read_labels
from glioforge.io.nnunet_raw import ENDING, write_channels
from glioforge.io.run_folder import read_json
from glioforge.segmentation.nnunet_command import call_nnunet

CARD = "card.json"
WAYS = "lineage_ways"
NUMBER = "1"
DATASET = "Dataset001_glioforge"

_PLANNERS = {
    "plain": ("ExperimentPlanner", "nnUNetPlans"),
    "residual_m": ("nnUNetPlannerResEncM", "nnUNetResEncUNetMPlans"),
    "residual_l": ("nnUNetPlannerResEncL", "nnUNetResEncUNetLPlans"),
    "residual_xl": ("nnUNetPlannerResEncXL", "nnUNetResEncUNetXLPlans"),
}


class NnunetRunSpec(Spec):
    """What nnU-Net is asked to do; all else it decides by itself."""

    configuration: Literal["2d", "3d_fullres", "3d_lowres"] = "3d_fullres"
    """Which of its configurations."""
    planner: Literal["plain", "residual_m", "residual_l", "residual_xl"] = "residual_m"
    """Plain U-Net, or the residual encoder that its authors recommend since 2024, for 9, 24 or 40 GB of memory."""
    trainer: str = Field("nnUNetTrainer", pattern=r"^\w+$")
    """Its trainer class, which sets the length: 1000 epochs unless its name says otherwise."""
    regions: bool = True
    """Learn WT, TC and ET as overlapping targets, as its entries to BraTS did; else the labels."""
    folds: int = Field(5, ge=2)
    """Folds of cross-validation, where no validation cohort is given."""
    trained: tuple[int, ...] | None = None
    """Which of the folds are trained and averaged; all unless given."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where it computes; a GPU if there is one unless said otherwise."""
    processes: int = Field(4, ge=1)
    """Processes for preprocessing."""
    mirror: bool = True
    """Average predictions over mirror images, as it does by itself."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"sound": {}, "paper": {"planner": "plain"}}

    @property
    def planner_class(self) -> str:
        """nnU-Net's name of the planner."""
        return _PLANNERS[self.planner][0]

    @property
    def plans(self) -> str:
        """nnU-Net's name of the plans that the planner writes."""
        return _PLANNERS[self.planner][1]

    @property
    def resolved_device(self) -> str:
        """The device, with `auto` made out."""
        if self.device != "auto":
            return self.device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"


@final
@dataclass(frozen=True, eq=False)
class NnunetSegmenter:
    """A trained nnU-Net; a `core.protocols.Segmenter`.

    Args:
        folder: Where its roots lie.
        spec: What it was asked to do.
        modalities: Contrasts it needs, in the order of its channels.
        folds: Folds that are averaged.
        lineage: Everyone behind its cases, those that validate its folds included, for the leakage firewall.
        weights_hash: Hash over the weights of its folds.
        scheme: Scheme of its masks.
    """

    folder: Path
    spec: NnunetRunSpec
    modalities: tuple[Modality, ...]
    folds: tuple[int, ...]
    lineage: Lineage
    weights_hash: str
    scheme: LabelScheme = BRATS2023

    @property
    def lineage_subjects(self) -> tuple[str, ...]:
        """Every subject of its lineage."""
        return self.lineage.subjects

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
        words += ["-tr", spec.trainer, "-p", spec.plans, "-f", *(str(fold) for fold in self.folds)]
        words += ["-device", spec.resolved_device, "-npp", "1", "-nps", "1", "--disable_progress_bar"]
        call_nnunet(words if spec.mirror else [*words, "--disable_tta"], self.folder)


def is_nnunet(folder: Path) -> bool:
    """Whether a folder holds a trained nnU-Net; false for a missing folder.

    Raises:
        InputFileError: Its card is damaged.
    """
    card = read_json(folder / CARD) if (folder / CARD).is_file() else None
    return isinstance(card, dict) and card.get("type") == "nnunet"


def load_nnunet(folder: Path, device: Literal["auto", "cpu", "cuda", "mps"] = "auto") -> NnunetSegmenter:
    """The trained nnU-Net of a folder.

    Args:
        folder: Made by `segmentation.nnunet_training`.
        device: Where it computes; `auto` keeps what the folder's settings say.

    Raises:
        InputFileError: The folder holds none, or its weights were changed.
    """
    card = read_json(folder / CARD)
    if card.get("type") != "nnunet":
        raise InputFileError(
            f"a card of type {card.get('type')!r}", "the card of an nnU-Net", "name its folder", folder / CARD
        )
    try:
        spec = NnunetRunSpec.model_validate(card["spec"])
        folds = tuple(int(fold) for fold in card["folds"])
        modalities = tuple(Modality(name) for name in card["modalities"])
        expected, lineage = str(card["weights"]), lineage_of(card, "nnunet")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputFileError(
            f"a damaged card ({error!r})", "the card as nnunet wrote it", "copy or train it again", folder / CARD
        ) from error
    spec = spec if device == "auto" else spec.model_copy(update={"device": device})
    found = weights_hash(spec, folds, folder)
    if found != expected:
        raise InputFileError(f"weights with hash {found}", f"hash {expected}", "copy or train it again", folder / CARD)
    scheme = scheme_named(str(card.get("scheme", BRATS2023.name)))
    return NnunetSegmenter(folder, spec, modalities, folds, lineage, found, scheme)


def lineage_of(card: Mapping[str, Any], kind: str) -> Lineage:
    """Lineage of a model by its card."""
    ways = {str(way): tuple(subjects) for way, subjects in card.get(WAYS, {}).items()}
    subjects = tuple(str(subject) for subject in card["lineage_subjects"])
    return Lineage("synthetic", kind, subjects, weights=str(card["weights"]), ways=ways)


def fold_folder(spec: NnunetRunSpec, fold: int, folder: Path) -> Path:
    """Where nnU-Net keeps a fold."""
    name = f"{spec.trainer}__{spec.plans}__{spec.configuration}"
    return folder / "nnUNet_results" / DATASET / name / f"fold_{fold}"


def weights_hash(spec: NnunetRunSpec, folds: Iterable[int], folder: Path) -> str:
    """One hash over the final weights of some folds."""
    hashes = [hash_of_file(fold_folder(spec, fold, folder) / "checkpoint_final.pth") for fold in folds]
    return hashlib.blake2b(" ".join(hashes).encode(), digest_size=16).hexdigest()


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
