"""Tests of `reader.reading`: each reader has an order of his own, which the seed gives again, and balanced sides."""

from collections import Counter

import pytest

from glioforge.reader.reading import reading_order

SINGLE = {f"item{n:03}": "" for n in range(40)}
PAIRS = {f"item{n:03}": ("a b", "a c", "b c")[n % 3] for n in range(31)}


def test_orders_differ_by_reader_and_come_back_by_the_seed():
    """Nothing but seed and name decides."""
    first = reading_order(3, "dr a", SINGLE, ["practice01"], 0.2)

    assert first == reading_order(3, "dr a", dict(reversed(SINGLE.items())), ["practice01"], 0.2)
    assert first != reading_order(3, "dr b", SINGLE, ["practice01"], 0.2)
    assert first != reading_order(4, "dr a", SINGLE, ["practice01"], 0.2)
    assert first[0].item == "practice01"
    assert {place.item for place in first[1:] if not place.repeat} == set(SINGLE)


@pytest.mark.parametrize("reader", ["a", "b", "c", "d"])
def test_sides_are_balanced_within_one_over_all_and_within_every_pair_of_methods(reader):
    """Left and right, counted over the list."""
    places = reading_order(1, reader, PAIRS)
    sides = Counter(place.side for place in places)
    assert abs(sides["left"] - sides["right"]) <= 1
    for group in set(PAIRS.values()):
        within = Counter(place.side for place in places if PAIRS[place.item] == group)
        assert abs(within["left"] - within["right"]) <= 1


def test_repeats_come_later_and_swap_sides():
    """At least ten other showings lie between an item and its repeat."""
    places = reading_order(2, "a", PAIRS, repeats=0.25)
    again = [(n, place) for n, place in enumerate(places) if place.repeat]

    assert len(again) == 8
    for n, place in again:
        first = next(k for k, other in enumerate(places) if other.item == place.item)
        assert n - first >= 10
        assert {places[first].side, place.side} == {"left", "right"}


def test_positions_are_even_over_readers():
    """No item comes early for everybody: mean places over 300 readers spread as chance has it."""
    places = Counter()
    for reader in range(300):
        for n, place in enumerate(reading_order(1, f"reader {reader}", SINGLE)):
            places[place.item] += n
    means = [total / 300 for total in places.values()]

    assert max(means) - min(means) < 5  # a standard error is .67
    assert abs(sum(means) / len(means) - 19.5) < 1e-9


def test_small_studies_have_orders_too():
    """One item, no item."""
    assert [p.item for p in reading_order(1, "a", {"x": ""}, repeats=0.5)] == ["x"]
    assert reading_order(1, "a", {}) == ()
