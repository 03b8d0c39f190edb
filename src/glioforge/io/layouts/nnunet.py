"""The raw folders of nnU-Net: files side by side, numbered by contrast.

    dataset.json, imagesTr/<case>_0000.nii.gz, ..., labelsTr/<case>.nii.gz

What each number shows and what the labels mean is read from `dataset.json`.

Source: nnU-Net dataset format, versions 1 and 2 (Isensee et al. 2021).
"""

import re
from pathlib import Path
from typing import Literal, final

from glioforge.io import LAYOUTS, DatasetJson, FoundCase, Layout, LayoutSpec, ScanFile

_NUMBERED = re.compile(r"(?P<case>.+)_(?P<number>\d{4})")


@final
class NnunetSpec(LayoutSpec):
    """A raw data set of nnU-Net."""

    kind: Literal["nnunet"] = "nnunet"
    part: Literal["Tr", "Ts"] = "Tr"
    """Training cases, or test cases."""


@LAYOUTS.register(NnunetSpec)
@final
class NnunetLayout(Layout):
    """Finds images by number and labels by name."""

    def matches(self, folder: Path) -> bool:
        """Whether `dataset.json` tells contrasts and the images carry their numbers."""
        return any(numbered(file) for file in self.files(folder / "imagesTr")) and bool(self.find(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """Cases in the order of their ids; numbers without a name are passed over."""
        described = DatasetJson.of(folder)
        if described is None:
            return []
        shown = {number: str(modality) for modality, number in described.channels.items()}

        def place(file: ScanFile) -> tuple[str, str] | None:
            match = numbered(file)
            return (match["case"], shown[int(match["number"])]) if match and int(match["number"]) in shown else None

        cases = self.by_case(self.files(folder / f"images{self._spec.part}"), place)
        for file in self.files(folder / f"labels{self._spec.part}"):
            if file.composed in cases:
                cases[file.composed].append(("labels", file.path))
        return [self.case(name, files, hint=described.hint) for name, files in sorted(cases.items())]


def numbered(file: ScanFile) -> re.Match[str] | None:
    """Case and channel number in the name of a file, if it has one."""
    return _NUMBERED.fullmatch(file.composed)
