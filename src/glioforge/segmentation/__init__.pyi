from .base import engine_of as engine_of, load_segmenter as load_segmenter, train_segmenter as train_segmenter
from .engine import (
    Fitted as Fitted,
    Fitting as Fitting,
    Mix as Mix,
    SegmenterEngine as SegmenterEngine,
    TrainedSegmenter as TrainedSegmenter,
)
from .evaluate import (
    evaluate_predictions as evaluate_predictions,
    segment_cohort as segment_cohort,
    with_probabilities as with_probabilities,
)
from .masks import (
    find_masks as find_masks,
    source_of_masks as source_of_masks,
    stray_masks as stray_masks,
    write_facts as write_facts,
    written_scheme as written_scheme,
)
from .method import (
    AnySegmenter as AnySegmenter,
    Demand as Demand,
    NetworkSpec as NetworkSpec,
    SupervisedSpec as SupervisedSpec,
    SEGMENTERS as SEGMENTERS,
    SegmenterSpec as SegmenterSpec,
    Statistics as Statistics,
    Task as Task,
)
from .network import NetworkEngine as NetworkEngine
from .nnunet import (
    DATASET as DATASET,
    NUMBER as NUMBER,
    NnunetSegmenter as NnunetSegmenter,
    NnunetSpec as NnunetSpec,
    OWN_PRECISION as OWN_PRECISION,
    checkpoint as checkpoint,
    fold_folder as fold_folder,
    open_nnunet as open_nnunet,
)
from .nnunet_command import (
    SPLITS_FILE as SPLITS_FILE,
    Fold as Fold,
    call_nnunet as call_nnunet,
    nnunet_folds as nnunet_folds,
    repeated as repeated,
    single_fold as single_fold,
    write_trainer as write_trainer,
)
from .objective import LossName as LossName
from .supervised import SupervisedMethod as SupervisedMethod, UNetLikeSpec as UNetLikeSpec
from .target import ORDER as ORDER, Target as Target, VIEWS as VIEWS, View as View, class_shares as class_shares
from .tissue import complete_cohort as complete_cohort
from .trained import NetworkSegmenter as NetworkSegmenter
