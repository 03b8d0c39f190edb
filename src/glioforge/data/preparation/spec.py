"""Settings of preparation; every step can be changed or switched off in a YAML.

Presets name the preparation of published studies: a YAML says `preset:
shin2018`, the command line `--set preset=shin2018`.  Where a paper leaves a
step open, the preset keeps Glioforge's own.

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
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, final

from pydantic import Field, Tag, model_validator

from glioforge.config import Spec, expand_preset
from glioforge.core import CARVER_BRAINMAP, LabelScheme, Lineage, Modality, complete_scheme
from glioforge.data.preparation.brain import BrainSpec, Centre, Span
from glioforge.data.preparation.hmrf import HmrfSpec
from glioforge.data.preparation.intensity import IntensitySpec, PercentileSpec, kind_or, unless
from glioforge.data.preparation.landmarks import HistogramSpec, Landmarks
from glioforge.data.preparation.register import RegisterSpec
from glioforge.data.preparation.strip import BiasSpec, StripSpec
from glioforge.data.preparation.template import PriorSpec
from glioforge.data.preparation.tissue import BandsSpec, TissueSpec
from glioforge.data.preparation.unified import UnifiedSpec

AnyIntensitySpec = Annotated[
    Annotated[IntensitySpec, Tag("zscore")]
    | Annotated[PercentileSpec, Tag("percentile")]
    | Annotated[HistogramSpec, Tag("histogram")],
    kind_or("zscore"),
]
AnyTissueSpec = Annotated[
    Annotated[UnifiedSpec, Tag("unified")]
    | Annotated[TissueSpec, Tag("mixture")]
    | Annotated[PriorSpec, Tag("atlas")]
    | Annotated[HmrfSpec, Tag("hmrf")]
    | Annotated[BandsSpec, Tag("bands")],
    kind_or("unified"),
]


@final
class GridSpec(Spec):
    """The prepared grid."""

    spacing_mm: float | tuple[float, float, float] | None = None
    """Voxel size, one number or one an axis (right, front, up); none keeps each case's own."""
    size: tuple[int, int, int] | None = None
    """Shape of the grid; none takes the smallest that holds every brain of the cohort."""
    margin: int = Field(2, ge=0)
    """Voxels kept free around the largest brain, where the size is fitted."""
    multiple: int = Field(8, ge=1)
    """Each side of a fitted size is a multiple of it."""
    keep_lesions_mm3: float | None = Field(0.0, ge=0)
    """Connected lesions of at least this volume never vanish; none lets them."""
    centre: Centre | tuple[Centre, Centre, Centre] = Field("brain", exclude_if=unless("brain"))
    """Centre of the prepared grid: the `brain` or the whole `grid`, for all axes or for each."""
    span: tuple[Span, Span, Span] | None = Field(None, exclude_if=unless(None))
    """For each RAS axis the source voxels that it shows, `[first, end)` from 0, or `all`; resampled to `size`.

    An axis of none goes by `centre` and `spacing_mm`.
    """

    @model_validator(mode="after")
    def _spans_need_a_size(self) -> Self:
        """A span is resampled to a size, which cannot be fitted."""
        spans = [s for s in self.span or () if isinstance(s, tuple)]
        if any(first >= end for first, end in spans):
            raise ValueError("a span [first, end) needs first below end")
        if self.span is not None and self.size is None:
            raise ValueError("span needs a size: the shape that the span is resampled to")
        return self

    @property
    def spacing(self) -> tuple[float, float, float] | None:
        """Spacing for each axis."""
        if isinstance(self.spacing_mm, float | int):
            return (float(self.spacing_mm),) * 3
        return self.spacing_mm

    @property
    def window(self) -> tuple[tuple[Centre, Span], tuple[Centre, Span], tuple[Centre, Span]] | None:
        """Centre and span for each axis; none where everything goes by the brain."""
        if self.centre == "brain" and self.span is None:
            return None
        centres = self.centre if isinstance(self.centre, tuple) else (self.centre,) * 3
        x, y, z = zip(centres, self.span or (None, None, None), strict=True)
        return (x, y, z)


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


@final
class PrepareSpec(Spec):
    """How cases become a prepared cohort."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    modalities: tuple[Modality, ...] | None = None
    """Contrasts to keep; none keeps all, and refuses cases whose contrasts differ."""
    allow_missing: bool = Field(False, exclude_if=unless(False))
    """Keep of each case the contrasts that it has, at least one; for synthesizers that learn from gaps."""
    registration: RegisterSpec | None = Field(None, exclude_if=unless(None))
    """What is registered before all else; none for scans that lie on each other already."""
    strip: StripSpec | None = Field(None, exclude_if=unless(None))
    """How the skull is taken off; none for scans without one."""
    bias: BiasSpec | None = Field(None, exclude_if=unless(None))
    """How bias fields are evened out in the images kept; none leaves them."""
    brain: BrainSpec = BrainSpec()
    """How the brain mask is found."""
    grid: GridSpec = GridSpec()
    """Spacing and shape."""
    intensity: AnyIntensitySpec | None = IntensitySpec()
    """How intensities are normalised (`zscore`, `percentile`, `histogram`); none leaves them as they are."""
    tissue: AnyTissueSpec | None = UnifiedSpec()
    """How normal brain is classified (`unified`, `mixture`, `atlas`, `hmrf`, `bands`); none leaves maps without it."""

    @model_validator(mode="before")
    @classmethod
    def _expanded(cls, values: Any) -> Any:  # noqa: ANN401 - whatever a YAML holds
        """Expand `preset: name`, also where this spec lies inside another."""
        return expand_preset(cls, values) if isinstance(values, Mapping) else values

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the prepared cases depend on beside the scans."""
        template = self.registration.template if self.registration else None
        named = [template, self.intensity.landmarks if isinstance(self.intensity, HistogramSpec) else None]
        return tuple(path for path in named if isinstance(path, Path))

    def fitted(self) -> dict[str, Lineage]:
        """Provenance of what was fitted on subjects beforehand and shapes every prepared case, by name.

        Raises:
            InputFileError: A file cannot be read.
        """
        if not isinstance(self.intensity, HistogramSpec):
            return {}
        return {"intensity landmarks": Landmarks.load(self.intensity.landmarks).lineage}

    def scheme_of(self, source: LabelScheme) -> LabelScheme:
        """Return the scheme of prepared label maps; a resection cavity is kept, but among bands of intensity.

        Args:
            source: Scheme of the label maps before.
        """
        return CARVER_BRAINMAP if isinstance(self.tissue, BandsSpec) else complete_scheme(source)
