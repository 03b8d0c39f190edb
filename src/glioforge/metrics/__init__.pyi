from .base import Direction as Direction, ImagePair as ImagePair, MetricRow as MetricRow
from .borders import border_band as border_band, compare_borders as compare_borders
from .class_overlap import CLASSES as CLASSES, ClassOverlap as ClassOverlap
from .cohort.agreement import (
    Agreement as Agreement,
    FEWEST_ARMS as FEWEST_ARMS,
    rank_agreement as rank_agreement,
    require_apart as require_apart,
)
from .cohort.classifier import (
    FEWEST_CLASSIFIED as FEWEST_CLASSIFIED,
    TwoSample as TwoSample,
    two_sample_test as two_sample_test,
)
from .cohort.distances import nearest as nearest
from .cohort.halves import (
    DRAWS as DRAWS,
    FEWEST_HALVED as FEWEST_HALVED,
    Number as Number,
    half_of as half_of,
    halves as halves,
)
from .cohort.image_statistics import (
    KINDS as KINDS,
    checkerboard as checkerboard,
    consistency as consistency,
    roughness as roughness,
    shortcut_traits as shortcut_traits,
    spectrum as spectrum,
)
from .cohort.label_statistics import label_statistics as label_statistics, lesion_geometry as lesion_geometry
from .cohort.measure import Measured as Measured, Table as Table, measure as measure, tamed as tamed
from .cohort.pyramid import Images as Images, descriptors as descriptors, sliced_wasserstein as sliced_wasserstein
from .cohort.variety import likeness_of_pairs as likeness_of_pairs, mean_of_pairs as mean_of_pairs
from .evaluate import (
    DEFAULT_METRICS as DEFAULT_METRICS,
    METRICS as METRICS,
    REGIONS as REGIONS,
    evaluate_case as evaluate_case,
    regions_of as regions_of,
)
from .head_picture import HEAD as HEAD, Head as Head, halved as halved, head_of as head_of, laid_on as laid_on
from .duplicates import (
    LABEL_MAP as LABEL_MAP,
    Limits as Limits,
    NearDuplicate as NearDuplicate,
    aligned_agreement as aligned_agreement,
    near_duplicates as near_duplicates,
)
from .orbit import Group as Group, Shape as Shape, likeness as likeness
from .register import Level as Level, metric_named as metric_named
from .similarity import (
    PATCHES as PATCHES,
    PREPARED_RANGE as PREPARED_RANGE,
    SIMILARITY as SIMILARITY,
    compare_images as compare_images,
    psnr_of as psnr_of,
)
from .texture import (
    DIVERSITY as DIVERSITY,
    Draws as Draws,
    TEXTURE as TEXTURE,
    gradient_ratio as gradient_ratio,
    streaks as streaks,
    through_plane as through_plane,
)
from .tumour_picture import PICTURED_REGIONS as PICTURED_REGIONS
