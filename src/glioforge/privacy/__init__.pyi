from .evidence import (
    Attribute as Attribute,
    Evidence as Evidence,
    Field as Field,
    Sides as Sides,
    compare as compare,
    nearness_of as nearness_of,
    points_of as points_of,
)
from .finding import FALSE_POSITIVE_RATES as FALSE_POSITIVE_RATES, Outcome as Outcome
from .gate import ATTACKS as ATTACKS, Judgement as Judgement, judge as judge, sizes_of as sizes_of
from .membership import (
    LIKELIHOOD_RATIO as LIKELIHOOD_RATIO,
    LOSS as LOSS,
    SHADOWS as SHADOWS,
    likelihood_ratios as likelihood_ratios,
)
from .plan import AuditPlan as AuditPlan, Sizes as Sizes, plan_audit as plan_audit
from .planted import DISGUISES as DISGUISES, Disguise as Disguise, disguised as disguised, transplanted as transplanted
from .registration import (
    AUDIT_BOOK as AUDIT_BOOK,
    Attempt as Attempt,
    Pair as Pair,
    book_with as book_with,
    decided as decided,
    next_attempt as next_attempt,
    read_book as read_book,
)
from .rules import AuditSpec as AuditSpec, RECIPIENTS as RECIPIENTS, rules_hash as rules_hash
from .sets import compared_sets as compared_sets, require_disjoint as require_disjoint, told_apart as told_apart
