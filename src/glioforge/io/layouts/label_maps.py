"""A folder of label maps without scans: one file per subject, as FreeSurfer, SynthSeg and FastSurfer leave them.

The layout is never detected, since any folder of images would look like it: name it with `--layout label_maps`,
and the scheme of the values with `--scheme freesurfer`.  The case id is the name of the file, or, where files of
several folders have one name (`sub-01/aseg.nii.gz`), the folder below the one that is read.  The layout is
Glioforge's own; FreeSurfer: Fischl 2012, doi:10.1016/j.neuroimage.2012.01.021.
"""

from collections import Counter
from pathlib import Path
from typing import ClassVar, Literal, final

from glioforge.io import LAYOUTS, FoundCase, Layout, LayoutSpec


@final
class LabelMapsSpec(LayoutSpec):
    """Label maps alone."""

    kind: Literal["label_maps"] = "label_maps"
    name: str | None = None
    """Name of the file without its ending, where each subject's folder holds several; none takes every file."""


@LAYOUTS.register(LabelMapsSpec)
@final
class LabelMapsLayout(Layout):
    """Takes every image file as the label map of one subject."""

    general: ClassVar[bool] = True

    def find(self, folder: Path) -> list[FoundCase]:
        """Return one case per file; none for a folder without image files."""
        files = [file for file in self.files(folder) if self._spec.name in {None, file.stem}]
        often = Counter(file.stem for file in files)
        cases = [
            self.case(file.stem if often[file.stem] == 1 else file.parts[0], [("labels", file.path)]) for file in files
        ]
        return sorted(cases, key=lambda case: case.case_id)
