"""Names the preparation of published studies.

A YAML says `preset: shin2018`, the command line `--set preset=shin2018`.

Where a paper leaves a step open, the preset keeps Glioforge's own.

shin2018              Shin et al. 2018: grid padded to 256 x 256, 108 central slices, resampled to 128 x 128 x 54
carver                Carver et al.: 1 mm, all 155 slices padded to 256 x 256, four bands of intensity
carver_tissue         the same with tissue classes in place of bands
han2018, han2018_64   Han et al. 2018: sagittal slices 80-149, squeezed into squares of 128 or 64
han2018_middle        the same number of slices around the middle of the grid, on whole millimetres, not squeezed
guo2020               Guo et al. 2020: the whole scan, resampled to 256 x 256 x 15
foroozandeh_eklund    Foroozandeh and Eklund: every axial slice, padded to 256 x 256

Han et al. number slices as BraTS stores them, from right to left; counted
from 0, slices 80-149 of 240 are 90-159 from left to right.  They squeeze
240 x 155 into squares; `han2018_middle` pads instead.  The 64 slices about
the lesion that Carver et al. train on are drawn from training cases while a
method trains (its setting `slab`); they segment all 155 slices of a test case.  Guo et al. bring scans of
512 x 512 x 150 voxels to 256 x 256 x 15, each axis by a whole factor; scans of
another size are resampled to the same grid.
"""

from collections.abc import Mapping
from typing import Any

_SAGITTAL = [[90, 160], "all", "all"]

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "shin2018": {"grid": {"spacing_mm": 2.0, "size": [128, 128, 54], "centre": "grid"}},
    "carver": {
        "grid": {"spacing_mm": 1.0, "size": [256, 256, 155], "centre": "grid"},
        "tissue": {"kind": "bands"},
    },
    "carver_tissue": {"grid": {"spacing_mm": 1.0, "size": [256, 256, 155], "centre": "grid"}},
    "han2018": {"grid": {"size": [70, 128, 128], "span": _SAGITTAL}, "intensity": {"kind": "percentile"}},
    "han2018_64": {"grid": {"size": [70, 64, 64], "span": _SAGITTAL}, "intensity": {"kind": "percentile"}},
    "han2018_middle": {
        "grid": {"spacing_mm": 1.0, "size": [70, 240, 240], "centre": "grid"},
        "intensity": {"kind": "percentile"},
    },
    "guo2020": {"grid": {"size": [256, 256, 15], "span": ["all", "all", "all"]}},
    "foroozandeh_eklund": {"grid": {"size": [256, 256, 155], "centre": "grid"}},
}
"""Values of `PrepareSpec` by name."""
