"""The split of a fold, as pages read it."""

from glioforge.core.split import Split
from glioforge.studies.fold import Study
from glioforge.studies.folder import StudyFolder


def load_fold(folder: StudyFolder, index: int) -> Split:
    """Split of a fold, from the names written down and the prepared cohort."""
    return Study(None, folder.root, folder.root).fold(index).split
