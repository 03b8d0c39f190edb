"""Values that parts hand each other, and the progress that shows nothing."""

from hypothesis import given, strategies as st

from glioforge.core.protocols import EditRecord, Progress, Silent
from strategies import names

values = st.dictionaries(names.filter(lambda n: n != "kind"), st.integers() | st.lists(st.floats(-1, 1)), max_size=3)
"""Plain JSON values of a record."""


@given(names, values)
def test_edit_record_json_round_trip(kind, drawn):
    """A record in a lineage can be applied again."""
    record = EditRecord(kind, drawn)

    assert EditRecord.from_json(record.to_json()) == record


@given(st.lists(st.integers()))
def test_silent_passes_everything_on(items):
    """Without progress the same items come in the same order."""
    silent = Silent()

    assert list(silent.track(items, "cases", len(items))) == items
    assert silent.say("done") is None
    assert isinstance(silent, Progress)
