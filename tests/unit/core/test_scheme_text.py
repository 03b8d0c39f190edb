"""A numbering of one's own is a scheme whose name is the text that lists it."""

import pytest

from glioforge.core.errors import LabelError
from glioforge.core.scheme_text import scheme_from_text
from glioforge.core.schemes import BRATS2017, BRATS2024_PED, COMPLETE, scheme_named


def test_regions_follow_from_the_names():
    """The text of a public scheme has its regions, and comes back by its own name."""
    for known in (BRATS2017, BRATS2024_PED):
        text = ",".join(f"{name}={value}" for name, value in known.labels.items() if value)
        own = scheme_from_text(text)
        assert {r: set(own.region_values(r)) for r in own.regions} == {
            r: set(known.region_values(r)) for r in known.regions
        }
        assert scheme_named(own.name) == scheme_named(text)
        assert set(own.table_to(COMPLETE)[list(own.lesion_values)]) <= {1, 2, 3}


def test_a_cavity_is_no_tumour_and_a_sole_tumour_counts_as_enhancing():
    """As in the public schemes."""
    own = scheme_from_text("tumour=1, resection_cavity=2,brain=3")
    assert (own.region_values("ET"), own.region_values("WT"), own.region_values("RC")) == ((1,), (1,), (2,))
    assert own.tissue == ("brain",)


@pytest.mark.parametrize("text", ["oedema=x", "oedema=1,oedema=2", "fluid=1", "oedema=1,,", "=1", "oedema=-1"])
def test_what_cannot_be_read_is_answered_with_the_names(text):
    """Names are listed."""
    with pytest.raises(LabelError, match=r"expected a name, each once, .*oedema=1; names are necrosis"):
        scheme_from_text(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("oedema=1,enhancing=1", "distinct integers"),
        ("background=1,oedema=2", "background"),
        ("background=0", "without labels"),
        ("oedema=300", "distinct integers 0-255"),
    ],
)
def test_numbers_that_make_no_scheme_are_refused(text, match):
    """One integer for one label, 0 for the background."""
    with pytest.raises(LabelError, match=match):
        scheme_from_text(text)
