"""Promises of the cascade's recipe."""

import pytest
import torch
from torch import nn

from glioforge.losses.dice import dice_and_cross_entropy
from glioforge.segmentation.methods.cascade.anisotropic import ENET, WNET, AnisotropicNet, MultiView
from glioforge.segmentation.methods.cascade.recipe import CascadePlan, CascadeRecipe, draw_stack, nested_masks
from glioforge.segmentation.methods.cascade.regions import Cascade, ClassCascade
from glioforge.training.optimizer import OptimizerSpec
from toy_training import fabric

ORDERS = ((0, 1, 2), (0, 2, 1), (1, 2, 0))


SMALL = ((12, 12, 10), (8, 8, 10), (8, 8, 10))
WIDE = ((16, 16, 20), (16, 16, 18), (12, 12, 16))
"""Stacks that show all of the head below, so that running statistics are soon those of the whole."""


def made(*, sizes=SMALL, orders=ORDERS, steps=9, axial=1 / 3, early=0.3, ema=0.9, rate=1e-2):
    """A tiny cascade and its recipe."""
    torch.manual_seed(1)
    stages = [
        MultiView([AnisotropicNet(1, 2, 4, levels, judged=early > 0) for _ in orders], orders)
        for levels in (WNET, WNET, ENET)
    ]
    cascade = Cascade(stages)
    plan = CascadePlan(
        sizes=sizes,
        optimizer=OptimizerSpec(learning_rate=rate, schedule="poly"),
        loss=dice_and_cross_entropy,
        early=early,
        near=0.5,
        axial=axial,
        steps=steps,
        clip_norm=12.0,
        ema=ema,
    )
    network = ClassCascade(cascade)
    return network, cascade, CascadeRecipe(network, cascade, plan)


def head():
    """One head with an oedema, a core in it and an enhancing part in that, brighter and brighter."""
    labels = torch.zeros(1, 14, 14, 14, dtype=torch.long)
    labels[:, 2:12, 2:12, 2:12] = 2
    labels[:, 3:11, 3:11, 3:11] = 1
    labels[:, 5:9, 5:9, 5:9] = 3
    brightness = torch.tensor([0.0, 2.0, 1.0, 3.0])
    return {"images": brightness[labels][:, None], "labels": labels, "brain": torch.ones_like(labels, dtype=torch.bool)}


def state(network):
    """A copy of the weights."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_axial_networks_come_first_and_the_others_start_from_them():
    """In the first third all views hold the axial weights; then the others move, in turn, and the axial rest."""
    _, cascade, recipe = made()
    for step in range(3):
        assert set(recipe.step(head(), step, fabric())) == {"WT", "TC", "ET"}
    axial, *others = (state(net) for net in cascade.stages[0].networks)
    assert all(torch.equal(axial[name], other[name]) for other in others for name in axial)
    recipe.step(head(), 3, fabric())
    moved = [state(net) for net in cascade.stages[0].networks]
    changed = [any(not torch.equal(axial[name], now[name]) for name in axial) for now in moved]
    assert changed == [False, False, True]


def test_every_parameter_learns_over_the_run():
    """Of all regions and views."""
    network, _, recipe = made(axial=0.0)
    before = state(network)
    reached = set()
    step_of = recipe.optimizers["network"].step

    def step(*arguments, **named):
        reached.update(name for name, p in network.named_parameters() if p.grad is not None)
        return step_of(*arguments, **named)

    recipe.optimizers["network"].step = step
    for number in range(2):
        recipe.step(head(), number, fabric())
    names = {name for name, _ in network.named_parameters()}
    assert {name for name in names if ".networks.0." not in name} == reached
    assert all(not torch.equal(before[name], network.state_dict()[name]) for name in reached if "bias" not in name)


def test_one_case_is_learnt_by_heart():
    """The trained cascade finds all three regions in their boxes."""
    torch.manual_seed(0)
    network, _, recipe = made(sizes=WIDE, orders=ORDERS[:1], steps=60, ema=None, rate=3e-2)
    for step in range(60):
        recipe.step(head(), step, fabric())
    network.eval()
    with torch.no_grad():
        found = network(head()["images"]).argmax(dim=1)
    for ours, true in zip(nested_masks(found), nested_masks(head()["labels"]), strict=True):
        assert 2 * float((ours & true).sum()) / float(ours.sum() + true.sum()) > 0.75


def test_the_average_is_what_is_kept():
    """With and without one."""
    network, _, recipe = made(ema=None)
    assert recipe.inference_network() is network
    assert set(recipe.networks) == {"network"}
    assert set(made()[2].networks) == {"network", "average"}
    assert isinstance(made()[2].inference_network(), nn.Module)


@pytest.mark.parametrize("size", [(6, 6, 12), (40, 3, 19)])
def test_a_stack_lies_about_the_box_and_keeps_image_and_truth_together(size):
    """Beyond the grid it is 0; where the box is smaller it is wholly inside."""
    torch.manual_seed(2)
    mask = torch.zeros(20, 20, 20, dtype=torch.bool)
    mask[10:12, 9:11, 8:10] = True
    image = torch.arange(1.0, 8001.0).view(1, 20, 20, 20)
    for _ in range(20):
        cut, truth = draw_stack(image, image[0].long(), mask, size)
        assert tuple(cut.shape) == (1, *size)
        assert torch.equal(cut[0].long(), truth)
    wide, _ = draw_stack(image, mask.long(), mask, (30, 30, 30))
    assert int((wide > 0).sum()) >= 14**3
    assert draw_stack(image, mask.long(), mask, (14, 14, 14))[1].sum() == mask.sum()


def test_without_a_region_a_stack_comes_from_anywhere():
    """An empty mask stands for the whole grid."""
    image = torch.ones(1, 5, 5, 5)
    cut, _ = draw_stack(image, image[0], torch.zeros(5, 5, 5, dtype=torch.bool), (5, 5, 5))
    assert torch.equal(cut, image)
