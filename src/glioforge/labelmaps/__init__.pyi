from .cohort import CACHE as CACHE, draw_label_maps as draw_label_maps, preview_maps as preview_maps
from .engine import LabelEngine as LabelEngine
from .sources import LabelSources as LabelSources
from .spec import LabelMapSpec as LabelMapSpec
