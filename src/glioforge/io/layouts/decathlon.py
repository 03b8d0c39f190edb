"""The Medical Segmentation Decathlon: one four-dimensional file a case.

    dataset.json, imagesTr/BRATS_001.nii.gz, labelsTr/BRATS_001.nii.gz

The order of the contrasts and the meaning of the labels, which are numbered
otherwise than in BraTS, are read from `dataset.json`.

Source: Medical Segmentation Decathlon (Antonelli et al. 2022), task 1.
"""

from collections import defaultdict
from pathlib import Path
from typing import Literal, final

from glioforge.core import composed
from glioforge.io import (
    LABELS,
    LAYOUTS,
    FoundCase,
    Layout,
    LayoutSpec,
    assemble,
    channels,
    hint_of,
    read_dataset_json,
    scan_files,
    stem,
)
from glioforge.io.dataset_json import DATASET_JSON
from glioforge.io.layouts.nnunet import numbered


@final
class DecathlonSpec(LayoutSpec):
    """A task of the Medical Segmentation Decathlon."""

    kind: Literal["decathlon"] = "decathlon"
    part: Literal["Tr", "Ts"] = "Tr"
    """Training cases, or test cases without labels."""


@LAYOUTS.register(DecathlonSpec)
@final
class DecathlonLayout(Layout):
    """Finds four-dimensional images and their labels by equal names."""

    def matches(self, folder: Path) -> bool:
        """Whether `dataset.json` tells contrasts and the images carry no channel numbers."""
        return any(
            not numbered(path) for path in scan_files(folder / "imagesTr", follow_links=self._spec.follow_links)
        ) and bool(self.find(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """One case for each image."""
        values = read_dataset_json(folder)
        if values is None:
            return []
        numbers = channels(values, folder / DATASET_JSON)
        labels = defaultdict(list)
        for path in scan_files(folder / f"labels{self._spec.part}", follow_links=self._spec.follow_links):
            labels[composed(stem(path))].append((LABELS, path))
        hint, found = hint_of(values), []
        for path in scan_files(folder / f"images{self._spec.part}", follow_links=self._spec.follow_links):
            case = stem(path)
            roles = [*((str(modality), path) for modality in numbers)]
            roles += labels[composed(case)]
            several = numbers if len(numbers) > 1 else {}
            found.append(assemble(case, roles, subject=self._spec.subject, hint=hint, channels=several))
        return found
