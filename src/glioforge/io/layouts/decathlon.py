"""The Medical Segmentation Decathlon: one four-dimensional file a case.

    dataset.json, imagesTr/BRATS_001.nii.gz, labelsTr/BRATS_001.nii.gz

The order of the contrasts and the meaning of the labels, which are numbered
otherwise than in BraTS, are read from `dataset.json`.

Source: Medical Segmentation Decathlon (Antonelli et al. 2022), task 1.
"""

from pathlib import Path
from typing import Literal, final

from glioforge.io import LAYOUTS, DatasetJson, FoundCase, Layout, LayoutSpec
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
        return any(not numbered(file) for file in self.files(folder / "imagesTr")) and bool(self.find(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """One case for each image."""
        described = DatasetJson.of(folder)
        if described is None:
            return []
        channels, hint = described.channels, described.hint
        several = channels if len(channels) > 1 else {}
        labels = self.by_case(self.files(folder / f"labels{self._spec.part}"), lambda file: (file.composed, "labels"))
        found = []
        for file in self.files(folder / f"images{self._spec.part}"):
            holds = [(str(modality), file.path) for modality in channels] + labels.get(file.composed, [])
            found.append(self.case(file.stem, holds, hint=hint, channels=several))
        return found
