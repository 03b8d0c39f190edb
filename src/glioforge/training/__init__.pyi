from .budget import Budget as Budget, Outcome as Outcome, joined as joined
from .estimate import Estimate as Estimate, preparing as preparing
from .fitting import Fitting as Fitting
from .inference import inferred as inferred
from .loop import train as train
from .model_folder import (
    Card as Card,
    WEIGHTS as WEIGHTS,
    expected_hash as expected_hash,
    read_card as read_card,
    write_model as write_model,
)
from .optimizer import OptimizerSpec as OptimizerSpec
from .parallel import leads as leads, meet as meet
from .recipe import Recipe as Recipe
from .snapshots import load_snapshots as load_snapshots
from .weights import (
    MAX_WEIGHTS as MAX_WEIGHTS,
    built_to_fit as built_to_fit,
    decode as decode,
    digest as digest,
    read_some as read_some,
    read_weights as read_weights,
    require_fit as require_fit,
    write_weights as write_weights,
)
