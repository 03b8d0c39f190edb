from .base import train_synthesizer as train_synthesizer
from .compose import Imager as Imager, LabelCase as LabelCase, synthesize_cohort as synthesize_cohort
from .export import export_cohort as export_cohort
from .method import AnySynthesizer as AnySynthesizer, SYNTHESIZERS as SYNTHESIZERS, is_trained as is_trained
from .trained import TrainedSynthesizer as TrainedSynthesizer, load_synthesizer as load_synthesizer
