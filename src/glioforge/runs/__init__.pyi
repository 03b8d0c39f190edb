from .audit import planned_audit as planned_audit, scores_from as scores_from
from .audit_cases import sighted as sighted
from .audit_evidence import Gathered as Gathered, gather as gather
from .doctor import (
    diagnosis_step as diagnosis_step,
    headline as headline,
    topics as topics,
    write_diagnosis as write_diagnosis,
)
from .evaluate import evaluate_folder as evaluate_folder
from .fidelity_cases import describe_cases as describe_cases
from .fidelity_numbers import (
    DESCRIBED as DESCRIBED,
    FidelitySpec as FidelitySpec,
    table_of as table_of,
    unit_of as unit_of,
)
from .filter import (
    FILTER_PAGE as FILTER_PAGE,
    filter_cohort as filter_cohort,
    filter_from as filter_from,
    filter_models as filter_models,
)
from .segment import complete_folder as complete_folder, segment_folder as segment_folder
from .shadow import shadow_scores as shadow_scores
from .synthesize import (
    fresh_drawn as fresh_drawn,
    fresh_images as fresh_images,
    fresh_mixtures as fresh_mixtures,
    make_synthetic as make_synthetic,
)
from .teaching import write_teaching_set as write_teaching_set
from .tissue_sheets import write_sheets as write_sheets
from .train import (
    TrainingRunSpec as TrainingRunSpec,
    estimate_training as estimate_training,
    preparation_note as preparation_note,
    require_trainable as require_trainable,
    run_training as run_training,
    with_own_budget as with_own_budget,
)
from .whole import WHOLE_PAGE as WHOLE_PAGE, WholeSpec as WholeSpec, make_whole_cases as make_whole_cases
