from .budget import Budget as Budget, Fitting as Fitting, HistoryRow as HistoryRow, Outcome as Outcome, joined as joined
from .estimation import Estimate as Estimate, estimate as estimate, preparing as preparing
from .loop import train as train
from .model_folder import (
    Card as Card,
    WEIGHTS as WEIGHTS,
    expected_hash as expected_hash,
    keep_trained as keep_trained,
    lineage_of as lineage_of,
    read_card as read_card,
    write_model as write_model,
)
from .optimizer import (
    HOUSE_ADAMW as HOUSE_ADAMW,
    OptimizerSpec as OptimizerSpec,
    build_optimizer as build_optimizer,
    set_rate as set_rate,
)
from .parallel import leads as leads, meet as meet, synchronised as synchronised
from .recipe import Observation as Observation, Recipe as Recipe
from .recipes.adversarial import Adversarial as Adversarial, Companion as Companion
from .recipes.adversarial_spec import (
    AdversarialSpec as AdversarialSpec,
    GanSpec as GanSpec,
    HOUSE_LOSSES as HOUSE_LOSSES,
    HOUSE_OPTIMIZER as HOUSE_OPTIMIZER,
)
from .recipes.supervised import Supervised as Supervised
from .recipes.unconditional import Unconditional as Unconditional
from .snapshots import PatchScore as PatchScore, load_snapshots as load_snapshots
from .step import (
    Batch as Batch,
    Ema as Ema,
    accumulated as accumulated,
    mean_over_processes as mean_over_processes,
    update_all as update_all,
)
from .watch import RIGHT as RIGHT
from .weights import (
    built_to_fit as built_to_fit,
    inferred as inferred,
    read_some as read_some,
    read_weights as read_weights,
    write_weights as write_weights,
)
