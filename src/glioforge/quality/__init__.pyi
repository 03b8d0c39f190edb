from .base import (
    AnyFilter as AnyFilter,
    FILTERS as FILTERS,
    FilterSpec as FilterSpec,
    apply_filters as apply_filters,
    check_cohort as check_cohort,
    fit_filter as fit_filter,
)
from .evidence import (
    Evidence as Evidence,
    Model as Model,
    calibrated_limit as calibrated_limit,
    folds_of as folds_of,
)
from .filters.pixel_zscore import (
    PAPER_PIXELS as PAPER_PIXELS,
    PAPER_THRESHOLD as PAPER_THRESHOLD,
    PixelZscore as PixelZscore,
    PixelZscoreSpec as PixelZscoreSpec,
)
from .label_measures import Measure as Measure
