"""Settings of an export."""

from typing import Literal, final

from pydantic import Field

from glioforge.config import Spec
from glioforge.core import Modality


@final
class ExportSpec(Spec):
    """What is written of a cohort, and how."""

    format: Literal["nifti", "brats", "nnunet", "bids"] = "nifti"
    """Plain NIfTI folders, folders of the BraTS challenges, a raw data set of nnU-Net, or a BIDS data set."""
    grid: Literal["scan", "prepared"] = "scan"
    """Grid of prepared cases: that of the scan that they were prepared from, or the prepared one."""
    scheme: str | None = None
    """Label scheme of the label files; that of the cohorts' own label files unless given."""
    modalities: tuple[Modality, ...] | None = Field(None, min_length=1)
    """Contrasts that are written; all that a case has unless given."""
    leave_out: tuple[str, ...] = ()
    """Subjects of whom nothing is written, neither their own cases nor synthetic ones that they contributed to."""
    keep_ids: bool = False
    """Keep the ids of cases and subjects, which usually come from file names, in place of new numbers."""
