from .anisotropic import (
    AnisotropicNet as AnisotropicNet,
    ENET as ENET,
    Level as Level,
    MultiView as MultiView,
    WNET as WNET,
    turn as turn,
)
from .apart import Apart as Apart
from .axes import spread_axes as spread_axes
from .blend import BlendGenerator as BlendGenerator
from .blocks import Activation as Activation, Dims as Dims, Features as Features, Norm as Norm
from .cascade import Cascade as Cascade, ClassCascade as ClassCascade, MARGIN as MARGIN
from .classifier import Classifier as Classifier
from .dcgan import (
    CriticNorm as CriticNorm,
    DcganCritic as DcganCritic,
    DcganGenerator as DcganGenerator,
    start_as_dcgan as start_as_dcgan,
    start_critic as start_critic,
)
from .initialise import gaussian as gaussian, he as he, xavier as xavier
from .label_reader import LabelEncoder as LabelEncoder, LabelReader as LabelReader
from .label_wise_critic import LabelWiseCritic as LabelWiseCritic
from .level_sets import LevelSets as LevelSets, signed_distances as signed_distances
from .modes import Modes as Modes
from .patch_critic import MultiScaleCritic as MultiScaleCritic, Padding as Padding
from .perceptual import read_vgg19 as read_vgg19
from .pix2pix import Pix2PixGenerator as Pix2PixGenerator, halvings as halvings, paper_widths as paper_widths
from .pix2pixhd import Pix2PixHDGenerator as Pix2PixHDGenerator
from .progressive import (
    Maps as Maps,
    Numbers as Numbers,
    ProgressiveCritic as ProgressiveCritic,
    ProgressiveGenerator as ProgressiveGenerator,
    doubled as doubled,
    halved as halved,
    level_widths as level_widths,
)
from .refinement import (
    RefinementGenerator as RefinementGenerator,
    doublings_for as doublings_for,
    refinement_widths as refinement_widths,
)
from .residual_generator import ResidualGenerator as ResidualGenerator
from .residual_unet import ResidualUNet as ResidualUNet
from .samr import SamrGenerator as SamrGenerator, doubling_widths as doubling_widths
from .spade import SpadeGenerator as SpadeGenerator, Stage as Stage
from .unet import UNet as UNet, Upsampling as Upsampling
