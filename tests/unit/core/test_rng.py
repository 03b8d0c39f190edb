"""Named streams: the same name gives the same draws whatever happened before."""

import numpy as np
from hypothesis import given, strategies as st

from glioforge.core.rng import stream, stream_seed
from strategies import names, seeds

stream_names = st.lists(names | st.integers(), min_size=1, max_size=3)
"""Names of a stream."""


@given(seeds, st.lists(stream_names, min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_draws_do_not_depend_on_the_order_of_work(seed, tasks, shuffle):
    """Cases drawn in any order, by any worker, get the same numbers."""
    expected = {tuple(task): stream(seed, *task).random(3).tolist() for task in tasks}

    turned = list(tasks)
    shuffle.shuffle(turned)

    assert {tuple(task): stream(seed, *task).random(3).tolist() for task in turned} == expected


@given(seeds, stream_names, stream_names)
def test_other_names_are_other_streams(seed, first, second):
    """Two names share no seed."""
    assert (stream_seed(seed, *first) == stream_seed(seed, *second)) == (first == second)


def test_names_are_told_apart_by_type_and_by_border():
    """1 is not "1", and ("ab", "c") is not ("a", "bc")."""
    assert stream_seed(0, 1) != stream_seed(0, "1")
    assert stream_seed(0, "ab", "c") != stream_seed(0, "a", "bc")
    assert stream_seed(0) != stream_seed(1)


@given(seeds, stream_names)
def test_seeds_fit_torch_and_numpy(seed, task):
    """A seed is a non-negative 63-bit integer."""
    assert 0 <= stream_seed(seed, *task) < 2**63


def test_draws_are_the_same_in_every_version():
    """A stored draw: a change here changes every result ever published."""
    assert stream_seed(7, "lesions", "case-1") == 3316108622553742031
    np.testing.assert_array_equal(stream(7, "lesions", "case-1").integers(0, 1000, 4), [171, 831, 291, 561])
