"""Promises of `data.replay`: fresh cases enter at fixed steps, in any process, and a stop changes nothing."""

from dataclasses import dataclass, replace

import pytest

from glioforge.core import Case, CohortError, Lineage, SpecError
from glioforge.data.pairs import MixedPairs, SlicePairs
from glioforge.data.patches import PatchPairs
from glioforge.data.replay import FreshCases, Replay, packed_case
from toy_cohort import toy_case, toy_cohort

POOL = toy_cohort([1, 2])
SETTINGS = {"batch_size": 4, "seed": 3}


@dataclass(frozen=True)
class Toy:
    """Toy case of a number; notes nothing, so that it may be sent to a worker."""

    def __call__(self, number: int) -> Case:
        """Make the case."""
        return toy_case(100 + number)


def fresh(**more):
    """What makes toy cases in this process."""
    return FreshCases(Toy(), Lineage.real("toy", "s99"), workers=0, **more)


def slices():
    """Slices of two cases."""
    return SlicePairs(POOL, POOL.modalities, **SETTINGS)


def patches():
    """Patches of two cases."""
    return PatchPairs(POOL, POOL.modalities, size=(8, 8, 8), **SETTINGS)


def same(one, other):
    """Whether two batches hold the same bytes."""
    return all(bool((one[name] == other[name]).all()) for name in ("images", "labels", "brain"))


@pytest.mark.parametrize("pool", [slices, patches])
def test_a_buffer_gives_the_batches_of_a_cohort_that_holds_its_cases(pool):
    """At each step those of the two latest cases, the first ones of the pool until others have come."""
    reuse = 3 * 4.0 / pool().samples
    replay = Replay(pool(), fresh(reuse=reuse), per_step=4.0)
    seen = set()
    for step in range(int(4 * replay.every) + 1):
        arrived = replay.arrived(step)
        numbers = {n % 2: n for n in range(max(0, arrived - 2), arrived)}
        plain = pool()
        for place, number in numbers.items():
            plain.swap(place, packed_case(Toy(), number), "plain")
        assert same(replay.batch(step), plain.batch(step))
        seen.add(arrived)
    assert seen == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("pool", [slices, patches])
def test_each_sample_is_drawn_as_often_as_the_reuse_says(pool):
    """Draws of all steps over cases that came, within the rounding of the last one."""
    source = pool()
    replay = Replay(source, fresh(reuse=2.0), per_step=4.0)
    steps = int(50 * replay.every)
    drawn, made = 4 * steps, replay.arrived(steps)
    assert drawn / (made * source.samples) == pytest.approx(2.0, rel=0.05)


def test_a_training_that_goes_on_or_back_sees_the_same_batches():
    """The buffer of a step is made again, whatever it held before."""
    first = Replay(slices(), fresh(reuse=0.3), per_step=4.0)
    batches = {step: first.batch(step) for step in range(20)}
    later = Replay(slices(), fresh(reuse=0.3), per_step=4.0)
    for step in (13, 19, 2, 0, 7):
        assert same(later.batch(step), batches[step])


def test_nothing_comes_after_the_last_step_that_draws():
    """Real cases alone are drawn from then on, and nobody waits for others."""
    replay = Replay(slices(), fresh(reuse=0.3), per_step=4.0, until=10)
    assert replay.arrived(10) == replay.arrived(500) == int(9 / replay.every)


def test_mixed_batches_draw_from_the_buffer():
    """Half of a batch is real; the other half changes with the buffer."""
    real = SlicePairs(toy_cohort([5]), POOL.modalities, **SETTINGS)
    mixed = MixedPairs(real, Replay(slices(), fresh(reuse=0.2), per_step=2.0), 0.5, seed=1)
    stored = MixedPairs(real, slices(), 0.5, seed=1)
    one, other = mixed.batch(30), stored.batch(30)

    assert int(one["synthetic"].sum()) == 2
    assert bool((one["images"][:2] == other["images"][:2]).all())
    assert not bool((one["images"][2:] == other["images"][2:]).all())


def test_a_case_of_another_size_is_refused():
    """Slices of a batch have one size."""
    packed = packed_case(Toy(), 1)
    small = replace(packed, images=packed.images[:, :, :8], labels=packed.labels[:, :8], brain=packed.brain[:, :8])
    with pytest.raises(CohortError, match="slices of size"):
        slices().swap(0, small, "small")


@pytest.mark.parametrize("wrong", [{"reuse": 0.0}, {"reuse": 2.0, "workers": -1}])
def test_impossible_settings_are_refused(wrong):
    """With what is possible."""
    with pytest.raises(SpecError, match="reuse above 0"):
        FreshCases(Toy(), Lineage.real("toy", "s99"), **wrong)


@pytest.mark.slow
def test_a_worker_changes_nothing_and_ends():
    """Cases made ahead in another process give the same batches, and closing ends what is under way."""
    beside = Replay(slices(), replace(fresh(reuse=0.3), workers=1), per_step=4.0)
    within = Replay(slices(), fresh(reuse=0.3), per_step=4.0)
    assert all(same(beside.batch(step), within.batch(step)) for step in range(12))
    beside.close()
    assert same(beside.batch(3), within.batch(3))
    beside.close()
