from .axes import spread_axes as spread_axes
from .blend import BlendGenerator as BlendGenerator
from .blocks import (
    Activation as Activation,
    Dims as Dims,
    Features as Features,
    Norm as Norm,
    PaddingMode as PaddingMode,
    ResidualBlock as ResidualBlock,
    convolution as convolution,
    fit_grid as fit_grid,
    gaussian as gaussian,
    he as he,
    low_pass as low_pass,
    norm_layer as norm_layer,
    pad_to_multiple as pad_to_multiple,
    transposed_convolution as transposed_convolution,
    xavier as xavier,
)
from .dcgan import (
    CriticNorm as CriticNorm,
    DcganCritic as DcganCritic,
    DcganGenerator as DcganGenerator,
    start_as_dcgan as start_as_dcgan,
    start_critic as start_critic,
)
from .level_sets import LevelSets as LevelSets, signed_distances as signed_distances
from .modes import Modes as Modes
from .patch_critic import LabelWiseCritic as LabelWiseCritic, MultiScaleCritic as MultiScaleCritic, Padding as Padding
from .perceptual import LabelEncoder as LabelEncoder, LabelReader as LabelReader, read_vgg19 as read_vgg19
from .pix2pix import Pix2PixGenerator as Pix2PixGenerator, halvings as halvings, paper_widths as paper_widths
from .pix2pixhd import Pix2PixHDGenerator as Pix2PixHDGenerator
from .progressive import (
    START_SIZE as START_SIZE,
    Maps as Maps,
    Numbers as Numbers,
    ProgressiveCritic as ProgressiveCritic,
    ProgressiveGenerator as ProgressiveGenerator,
    doubled as doubled,
    halved as halved,
    level_widths as level_widths,
)
from .residual_generator import ResidualGenerator as ResidualGenerator
from .residual_unet import Classifier as Classifier, ResidualUNet as ResidualUNet
from .spade import SpadeGenerator as SpadeGenerator, Stage as Stage
from .unet import UNet as UNet, Upsampling as Upsampling
