"""A label scheme is taken where names and values leave one, and asked otherwise."""

import pytest

from glioforge.core.errors import LabelError
from glioforge.core.schemes import BRATS2013, BRATS2017, BRATS2023, BRATS2024, BRATS2024_PED, COMPLETE, DECATHLON
from glioforge.io.scheme_detection import detect_scheme, require_known_values


def counts(*cases: tuple[int, ...]) -> dict[str, dict[int, int]]:
    """Cases with ten voxels of each value."""
    return {f"c{n}": dict.fromkeys(values, 10) for n, values in enumerate(cases)}


@pytest.mark.parametrize(
    ("cases", "named", "scheme"),
    [
        (((0, 1, 2, 4),), None, BRATS2017),
        (((0, 1, 2, 4), (0, 2)), None, BRATS2017),
        (((0, 1, 2),), None, BRATS2017),
        ((), None, BRATS2017),
        (((0, 1, 2, 3, 4), (0, 2, 3)), None, BRATS2013),
        (((0, 3, 4),), None, BRATS2013),
        (((0, 1, 2, 3),), "brats2013", BRATS2013),
        (((0, 1, 2, 4),), "brats2013", BRATS2013),
        (((0, 1, 2, 3),), "brats2023", BRATS2023),
        (((0, 2),), "brats2023", BRATS2023),
        (((0, 1, 2, 3, 4), (0, 2, 4)), "brats2023", BRATS2024),
        (((0, 1, 2, 4), (0, 3)), "brats2024_ped", BRATS2024_PED),
        ((), "brats2024_ped", BRATS2024_PED),
        (((0, 1, 2, 3),), "decathlon", DECATHLON),
        (((0, 1, 9),), "decathlon", DECATHLON),
    ],
)
def test_names_and_values_tell_the_scheme(cases, named, scheme):
    """Each rule of the module gives its scheme."""
    assert detect_scheme(counts(*cases), [named] * max(len(cases), 1)) == scheme


@pytest.mark.parametrize(
    ("cases", "named"),
    [
        (((0, 1, 2, 3),), [None]),
        (((0, 3), (0, 4)), [None, None]),
        (((0, 1, 2, 3),), ["brats2023", None]),
        (((0, 1, 2, 3),), ["brats2024_ped"]),
        (((0, 4),), ["brats2023"]),
        (((0, 5),), [None]),
        (((0, -1),), [None]),
        (((0, 1, 2, 3, 4, 5, 6),), [None]),
    ],
)
def test_what_names_and_values_leave_open_is_asked(cases, named):
    """Open questions are errors that list cases and choices."""
    with pytest.raises(LabelError, match=r"do not tell the label scheme \(for example c0 .*state it in the layout"):
        detect_scheme(counts(*cases), named)


def test_sidecars_state_the_scheme():
    """A scheme that every sidecar states is taken; a mixture is refused."""
    assert detect_scheme(counts((0, 6), (0,)), [None, None], ["complete", "complete"]) == COMPLETE
    for stated in (["complete", None], ["complete", "brats2017"]):
        with pytest.raises(LabelError, match="sidecars that state"):
            detect_scheme(counts((0, 6), (0,)), [None, None], stated)


def test_unknown_values_are_listed_by_case():
    """Every case with a strange value is named with its voxels; sound ones are not."""
    first, second = require_known_values({"a": {0: 5, 3: 2, 7: 1}, "b": {0: 1, 4: 1}, "c": {-1: 3}}, BRATS2017)
    assert str(first).startswith("a: label values 3 (2 voxels), 7 (1 voxels); expected values of scheme 'brats2017'")
    assert second.where == "c"
    assert require_known_values({}, BRATS2017) == []
