from .base import engine_of as engine_of, load_segmenter as load_segmenter, train_segmenter as train_segmenter
from .engine import Mix as Mix, TrainedSegmenter as TrainedSegmenter
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
from .method import AnySegmenter as AnySegmenter, SEGMENTERS as SEGMENTERS, SegmenterSpec as SegmenterSpec
from .network import NetworkEngine as NetworkEngine
from .nnunet import DATASET as DATASET
from .nnunet_command import Fold as Fold, nnunet_folds as nnunet_folds
from .target import Target as Target, class_shares as class_shares
from .tissue import complete_cohort as complete_cohort
from .trained import NetworkSegmenter as NetworkSegmenter
