from .base import MetricRow as MetricRow
from .evaluate import DEFAULT_METRICS as DEFAULT_METRICS, evaluate_case as evaluate_case, regions_of as regions_of
from .head_picture import HEAD as HEAD, Head as Head, halved as halved, head_of as head_of, laid_on as laid_on
from .near_duplicates import aligned_agreement as aligned_agreement
from .orbit import Group as Group, Shape as Shape, likeness as likeness
from .register import metric_named as metric_named
from .similarity import (
    PREPARED_RANGE as PREPARED_RANGE,
    SIMILARITY as SIMILARITY,
    compare_images as compare_images,
    psnr_of as psnr_of,
)
from .texture import gradient_ratio as gradient_ratio
