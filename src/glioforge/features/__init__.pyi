from .encoder import (
    ENCODERS as ENCODERS,
    Encoder as Encoder,
    require_other_subjects as require_other_subjects,
    train_encoder as train_encoder,
)
from .radiomics import Radiomics as Radiomics
from .random_convolution import RandomConvolution as RandomConvolution
from .space import Space as Space
