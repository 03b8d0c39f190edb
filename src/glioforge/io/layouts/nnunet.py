"""The raw folders of nnU-Net: files side by side, numbered by contrast.

    dataset.json, imagesTr/<case>_0000.nii.gz, ..., labelsTr/<case>.nii.gz

What each number shows and what the labels mean is read from `dataset.json`.

Source: nnU-Net dataset format, versions 1 and 2 (Isensee et al. 2021).
"""

import re
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
        return any(
            numbered(path) for path in scan_files(folder / "imagesTr", follow_links=self._spec.follow_links)
        ) and bool(self.find(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """Cases in the order of their ids; numbers without a name are passed over."""
        values = read_dataset_json(folder)
        if values is None:
            return []
        shown = {number: modality for modality, number in channels(values, folder / DATASET_JSON).items()}
        cases: defaultdict[str, list[tuple[str, Path]]] = defaultdict(list)
        for path in scan_files(folder / f"images{self._spec.part}", follow_links=self._spec.follow_links):
            match = numbered(path)
            if match and int(match["number"]) in shown:
                cases[composed(match["case"])].append((str(shown[int(match["number"])]), path))
        for path in scan_files(folder / f"labels{self._spec.part}", follow_links=self._spec.follow_links):
            if composed(stem(path)) in cases:
                cases[composed(stem(path))].append((LABELS, path))
        hint = hint_of(values)
        return [assemble(case, roles, subject=self._spec.subject, hint=hint) for case, roles in sorted(cases.items())]


def numbered(path: Path) -> re.Match[str] | None:
    """Case and channel number in the name of a file, if it has one."""
    return _NUMBERED.fullmatch(stem(path))
