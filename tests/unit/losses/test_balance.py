"""Promises of the weights that keep losses in balance."""

import pytest
import torch

from glioforge.losses.balance import LossBalance


def of(**values):
    """Losses by name."""
    return {name: torch.tensor(value) for name, value in values.items()}


def stepped(balance, losses, mean=None):
    """One step of one part."""
    balance.begin(mean)
    return balance(losses)


def test_weights_become_target_over_mean_of_the_steps_since_the_last_time():
    """Two adaptations by hand; before the first one losses are as they are."""
    balance = LossBalance({"a": 1.0, "b": 6.0}, every=2)
    first = [stepped(balance, of(a=2.0, b=1.0)), stepped(balance, of(a=6.0, b=5.0))]
    assert [(float(x["a"]), float(x["b"])) for x in first] == [(2, 1), (6, 5)]
    second = stepped(balance, of(a=8.0, b=1.0))
    assert (float(second["a"]), float(second["b"])) == (8 / 4, 6 / 3)
    assert {k: float(v) for k, v in balance.weights().items()} == {"a weight": 0.25, "b weight": 2.0}
    stepped(balance, of(a=0.0, b=3.0))
    third = stepped(balance, of(a=1.0, b=1.0))
    assert (float(third["a"]), float(third["b"])) == (1 / 4, 3)


def test_losses_without_a_target_stay_and_signs_do_not_turn_a_weight():
    """A hinge loss may be negative; its size counts. A loss of 0 gets a finite weight."""
    balance = LossBalance({"hinge": 1.0, "none": 1.0}, every=1)
    stepped(balance, of(hinge=-4.0, none=0.0, other=7.0))
    after = stepped(balance, of(hinge=-4.0, none=0.0, other=7.0))
    assert (float(after["hinge"]), float(after["other"])) == (-1, 7)
    assert torch.isfinite(balance.weights()["none weight"])


def test_gradients_are_weighted_but_weights_have_none():
    """The factor is a constant of the step."""
    balance = LossBalance({"a": 1.0}, every=1)
    stepped(balance, of(a=4.0))
    loss = torch.tensor(3.0, requires_grad=True)
    stepped(balance, {"a": loss})["a"].backward()
    assert float(loss.grad) == 0.25
    assert not list(balance.parameters())


def test_state_goes_on_where_it_was_kept():
    """A copy made from the state in the middle of an interval ends with the same weights."""
    balance, again = (LossBalance({"a": 1.0}, every=3) for _ in range(2))
    for step in range(8):
        if step == 4:
            again.load_state_dict(balance.state_dict())
        values = [stepped(copy, of(a=float(1 + step)))["a"] for copy in ([balance, again] if step >= 4 else [balance])]
        assert len({float(value) for value in values}) == 1
    assert set(balance.state_dict()) == {"factors", "sums", "steps", "count"}


def test_means_are_taken_over_processes_where_there_are_several():
    """The rule asks for the mean once an interval."""
    balance = LossBalance({"a": 1.0}, every=1)
    asked = []

    def mean(values):
        asked.append(values.clone())
        return values * 0 + 5

    stepped(balance, of(a=2.0), mean)
    assert float(stepped(balance, of(a=2.0), mean)["a"]) == pytest.approx(2 / 5)
    assert [float(v) for v in asked] == [2.0]


def test_parts_of_a_step_share_its_weights():
    """A step in two parts counts once, with the mean of its parts."""
    balance = LossBalance({"a": 1.0}, every=1)
    balance.begin()
    assert [float(balance(of(a=value))["a"]) for value in (2.0, 6.0)] == [2.0, 6.0]
    balance.begin()
    assert [float(balance(of(a=value))["a"]) for value in (2.0, 6.0)] == [0.5, 1.5]
