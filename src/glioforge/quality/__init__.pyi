from .base import (
    AnyFilter as AnyFilter,
    FILTERS as FILTERS,
    Model as Model,
    apply_filters as apply_filters,
    check_cohort as check_cohort,
    fit_filter as fit_filter,
)
from .filters.pixel_zscore import (
    PAPER_PIXELS as PAPER_PIXELS,
    PAPER_THRESHOLD as PAPER_THRESHOLD,
    PixelZscore as PixelZscore,
    PixelZscoreSpec as PixelZscoreSpec,
)
