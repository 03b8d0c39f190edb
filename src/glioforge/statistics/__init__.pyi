from .crossed import estimate_by_seed as estimate_by_seed
from .inference import holm as holm, sign_flip_p as sign_flip_p
from .intervals import ENOUGH_SUBJECTS as ENOUGH_SUBJECTS, Interval as Interval, too_few as too_few
from .shares import binomial_p as binomial_p, equivalence_p as equivalence_p, wilson as wilson
