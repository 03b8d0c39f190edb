from .base import (
    AnyFilter as AnyFilter,
    Evidence as Evidence,
    FILTERS as FILTERS,
    FilterSpec as FilterSpec,
    Model as Model,
    apply_filters as apply_filters,
    calibrated_limit as calibrated_limit,
    check_cohort as check_cohort,
    fit_filter as fit_filter,
    folds_of as folds_of,
)
from .filters.pixel_zscore import (
    PAPER_PIXELS as PAPER_PIXELS,
    PAPER_THRESHOLD as PAPER_THRESHOLD,
    PixelZscore as PixelZscore,
    PixelZscoreSpec as PixelZscoreSpec,
)
from .label_measures import Measure as Measure
