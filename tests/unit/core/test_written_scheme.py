"""What is written has the label values of the user's own files, as far as these can hold it."""

from dataclasses import replace

import pytest

from glioforge.core.cohort import LabelSource
from glioforge.core.schemes import BRATS2023, BRATS2024, COMPLETE, COMPLETE_CAVITY, TUMOUR, scheme_named
from glioforge.core.written_scheme import described, holds_lesion, scheme_to_write
from strategies import cohort_of


@pytest.mark.parametrize(
    ("files", "written"),
    [
        ("brats2017", "brats2017"),
        ("brats2013", "brats2017"),
        ("brats2023", "brats2023"),
        ("brats2024", "brats2024"),
        ("brats2024_ped", "brats2023"),
        ("decathlon", "decathlon"),
        ("lesion", "brats2023"),
        ("oedema=1,necrotic_core=2,enhancing=7", "oedema=1,necrotic_core=2,enhancing=7"),
    ],
)
def test_the_scheme_of_the_files_is_written_where_it_tells_all_labels_apart(files, written):
    """Else the one of the public schemes that has its value of enhancing tumour."""
    cohort = replace(cohort_of(1), source=LabelSource(files, "stated"))
    assert scheme_to_write(COMPLETE, cohort).name == scheme_to_write(BRATS2023, cohort).name == written


def test_nothing_is_changed_where_files_are_unknown_or_hold_less():
    """No source, and a scheme of one label, keep the maps' own scheme."""
    assert scheme_to_write(BRATS2023, cohort_of(1)) == scheme_to_write(COMPLETE, cohort_of(1)) == BRATS2023
    assert scheme_to_write(COMPLETE_CAVITY, cohort_of(1)) == BRATS2024
    assert scheme_to_write(TUMOUR, replace(cohort_of(1), source=LabelSource("brats2017", ""))) == TUMOUR
    assert not holds_lesion(scheme_named("tumour"), BRATS2023)
    assert described(BRATS2023) == "brats2023 (1 necrotic_core, 2 oedema, 3 enhancing)"
