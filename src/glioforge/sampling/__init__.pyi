from .base import TrainedSampler as TrainedSampler, load_sampler as load_sampler, train_sampler as train_sampler
from .cohort import sample_cohort as sample_cohort
from .content import train_reader as train_reader
from .method import (
    AnySampler as AnySampler,
    BareSamplerSpec as BareSamplerSpec,
    Batches as Batches,
    SAMPLERS as SAMPLERS,
    Sampler as Sampler,
    SamplerSpec as SamplerSpec,
)
from .preview import picture_of as picture_of, preview_samples as preview_samples
from .slice_gan import SliceGan as SliceGan
from .slice_sampler import SliceSampler as SliceSampler
from .slice_spec import (
    AXES as AXES,
    FINDING_WORDS as FINDING_WORDS,
    PAPER_SLICES as PAPER_SLICES,
    Finding as Finding,
    SliceGanSpec as SliceGanSpec,
    SliceSpec as SliceSpec,
    request_of as request_of,
)
from .slices import chosen_slices as chosen_slices
from .walk import method_of as method_of, write_walk as write_walk
