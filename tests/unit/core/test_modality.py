"""Contrasts: names, titles, order."""

from hypothesis import given, strategies as st

from glioforge.core.volume import Modality, in_standard_order


def test_titles_are_the_names_of_the_field():
    """Every contrast has the name that a figure prints."""
    assert [m.title for m in Modality] == ["T1", "T1ce", "T2", "FLAIR", "APTw"]


@given(st.sets(st.sampled_from(list(Modality))))
def test_standard_order_does_not_depend_on_the_set(chosen):
    """Sets have no order; channels do."""
    ordered = in_standard_order(chosen)

    assert set(ordered) == chosen
    assert in_standard_order(frozenset(reversed(ordered))) == ordered
