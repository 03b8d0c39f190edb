from .appearance import class_indices as class_indices
from .base import train_synthesizer as train_synthesizer
from .compose import Imager as Imager, LabelCase as LabelCase, synthesize_cohort as synthesize_cohort
from .condition import Condition as Condition, position_channels as position_channels
from .conditional import (
    AdversarialMethod as AdversarialMethod,
    ConditionalMethod as ConditionalMethod,
    CriticSpec as CriticSpec,
    SPAN as SPAN,
)
from .conditional_spec import ConditionalSpec as ConditionalSpec
from .export import export_cohort as export_cohort
from .label_generator import EulerPasses as EulerPasses, LabelGenerator as LabelGenerator, OnePass as OnePass
from .method import (
    AnySynthesizer as AnySynthesizer,
    Images as Images,
    Knowledge as Knowledge,
    Method as Method,
    SYNTHESIZERS as SYNTHESIZERS,
    SynthesizerSpec as SynthesizerSpec,
    is_trained as is_trained,
)
from .slices import BrainBox as BrainBox
from .style_spread import (
    FLOOR as FLOOR,
    OrderRule as OrderRule,
    StyleSpread as StyleSpread,
    keeps_order as keeps_order,
    measured_order as measured_order,
    places_of as places_of,
    require_order as require_order,
)
from .styled_batches import Batch as Batch
from .supervised import SupervisedMethod as SupervisedMethod, SupervisedSpec as SupervisedSpec
from .trained import TrainedSynthesizer as TrainedSynthesizer, load_synthesizer as load_synthesizer
