from .base import DataSet as DataSet, Format as Format, Leaving as Leaving, Target as Target, refuse as refuse
from .export import export_cohorts as export_cohorts, private_folder as private_folder
from .label_values import numbering as numbering
from .names import CaseName as CaseName, Names as Names, with_entities as with_entities
from .plan import ExportSpec as ExportSpec
from .record import readme as readme
