from .export import export_cohorts as export_cohorts, private_folder as private_folder
from .plan import ExportSpec as ExportSpec
