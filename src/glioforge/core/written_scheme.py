"""The label scheme in which masks and synthetic cases are written: that of the files that a cohort comes from.

The same tumour is 4 in one year and 3 in another, so what is written goes back to
the numbering of the user's own files, as far as that can hold it.
"""

from glioforge.core.cohort import Cohort
from glioforge.core.errors import LabelError
from glioforge.core.labels import LabelScheme
from glioforge.core.schemes import BRATS2017, BRATS2023, BRATS2024, tumour_scheme


def holds_lesion(scheme: LabelScheme, own: LabelScheme) -> bool:
    """Return whether a scheme has a label of its own for each lesion label of another, so that none is lost or merged.

    Example:
        >>> holds_lesion(BRATS2017, BRATS2023)
        True
    """
    try:
        table = own.table_to(scheme)
    except LabelError:
        return False
    values = [int(table[value]) for value in own.lesion_values]
    return len(set(values)) == len(values) and 0 not in values


def scheme_to_write(own: LabelScheme, cohort: Cohort) -> LabelScheme:
    """Return the scheme for what is written from a cohort: its files' own, if that has all lesion labels.

    Args:
        own: Scheme of the maps to be written.
        cohort: Cohort that they were made from.

    Returns:
        Scheme of the cohort's label files; where that has other labels than are made, `brats2017` or `brats2023`, by
        its value of enhancing tumour, or `brats2024` with a cavity.  Where the scheme of the files is not known, `own`,
        without normal tissue.
    """
    plain = tumour_scheme(own) if own.is_complete else own
    if cohort.source is None:
        return plain
    files = cohort.file_scheme
    similar = BRATS2017 if files.labels.get("enhancing") == BRATS2017.labels["enhancing"] else BRATS2023
    return next((scheme for scheme in (files, similar, BRATS2024) if holds_lesion(scheme, own)), plain)


def described(scheme: LabelScheme) -> str:
    """Return a scheme's name with its lesion labels, for people.

    Example:
        >>> described(BRATS2017)
        'brats2017 (1 necrotic_core, 2 oedema, 4 enhancing)'
    """
    named = sorted((scheme.labels[name], name) for name in scheme.lesion)
    return f"{scheme.name} ({', '.join(f'{value} {name}' for value, name in named)})"
