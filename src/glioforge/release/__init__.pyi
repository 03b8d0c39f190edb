from .base import (
    CaseName as CaseName,
    DataSet as DataSet,
    Format as Format,
    Leaving as Leaving,
    Names as Names,
    Target as Target,
    refuse as refuse,
    with_entities as with_entities,
)
from .export import ID_KEY as ID_KEY, export_cohorts as export_cohorts, private_folder as private_folder
from .label_values import numbering as numbering
from .plan import ExportSpec as ExportSpec
from .record import readme as readme
