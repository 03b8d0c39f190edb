from .base import AnyMixing as AnyMixing, MIXINGS as MIXINGS, Mixed as Mixed, MixingSpec as MixingSpec, Scan as Scan
from .cohort import (
    Mixer as Mixer,
    has_donors as has_donors,
    kind_of as kind_of,
    mix_cohort as mix_cohort,
    require_mixable as require_mixable,
)
