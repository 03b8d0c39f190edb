from .contrast import Contrast as Contrast, Margins as Margins
from .crossed import estimate_by_seed as estimate_by_seed
from .inference import (
    Comparison as Comparison,
    Range as Range,
    compare as compare,
    holm as holm,
    sign_flip_p as sign_flip_p,
)
from .intervals import (
    ENOUGH_SUBJECTS as ENOUGH_SUBJECTS,
    Interval as Interval,
    binomial_p as binomial_p,
    equivalence_p as equivalence_p,
    is_resample as is_resample,
    resampled as resampled,
    resampled_interval as resampled_interval,
    subject_means as subject_means,
    too_few as too_few,
    wilson as wilson,
)
from .judging import Finding as Finding, Needed as Needed, Shown as Shown, judge as judge, judge_family as judge_family
from .power import DIFFERENCES as DIFFERENCES, Plan as Plan, smallest_shown as smallest_shown
from .small_regions import (
    SmallRegions as SmallRegions,
    WithAndWithout as WithAndWithout,
    judge_with_and_without as judge_with_and_without,
)
