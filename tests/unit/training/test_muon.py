"""Promises of `training.optimizer`: what it does to matrices, to the rest, and where it is faster."""

import copy

import pytest
import torch
from torch import nn

from glioforge.training.muon import Muon, orthogonalised
from glioforge.training.optimizer import OptimizerSpec, build_optimizer, set_rate


def stepped(network: nn.Module, optimizer: torch.optim.Optimizer, seed: int = 0) -> None:
    """One step along random gradients."""
    torch.manual_seed(seed)
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()


@pytest.mark.parametrize("shape", [(6, 6), (4, 30), (30, 4), (1, 9)])
def test_singular_values_come_near_1_and_directions_stay(shape):
    """However long and however flat the matrix was, it keeps its singular vectors."""
    torch.manual_seed(1)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = torch.linspace(1, 0.05, len(v)) * 300
    made = orthogonalised(u @ torch.diag(values) @ v)

    inner = u.T @ made @ v.T
    assert torch.diagonal(inner).min() > 0.6
    assert torch.diagonal(inner).max() < 1.25
    assert (inner - torch.diag(torch.diagonal(inner))).abs().max() < 1e-3


def test_nothing_to_follow_moves_nothing():
    """A matrix of zeros stays one, without a division by 0."""
    assert torch.equal(orthogonalised(torch.zeros(3, 5)), torch.zeros(3, 5))


def test_a_step_agrees_with_torch_on_matrices():
    """The optimiser of torch itself, which works in bfloat16 and takes matrices alone, goes the same way."""
    ours, theirs = nn.Linear(12, 7, bias=False), nn.Linear(12, 7, bias=False)
    theirs.load_state_dict(ours.state_dict())
    before = ours.weight.detach().clone()
    mine = Muon(ours.parameters(), lr=0.1, betas=(0.9, 0.99), weight_decay=0.1)
    reference = torch.optim.Muon(theirs.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for step in range(3):
        stepped(ours, mine, step)
        stepped(theirs, reference, step)

    moved, expected = (network.weight.detach() - before for network in (ours, theirs))
    assert float((moved - expected).norm() / expected.norm()) < 0.02


def test_a_kernel_moves_as_the_matrix_of_its_rows():
    """A convolution is a matrix from windows to channels, in two dimensions and in three."""
    kernel, matrix = nn.Conv3d(2, 5, 3, bias=False), nn.Linear(54, 5, bias=False)
    matrix.weight.data = kernel.weight.data.flatten(1).clone()
    for network in (kernel, matrix):
        torch.manual_seed(0)
        network.weight.grad = torch.randn(5, 54).view_as(network.weight)
        Muon(network.parameters(), lr=0.1).step()

    assert torch.allclose(kernel.weight.flatten(1), matrix.weight)


def test_what_is_no_matrix_is_moved_by_adam_at_a_fifth_of_the_rate():
    """Norms and biases do exactly what torch's Adam does, without weight decay."""
    ours = nn.InstanceNorm2d(6, affine=True)
    theirs = copy.deepcopy(ours)
    mine = Muon(ours.parameters(), lr=0.05, betas=(0.9, 0.99), weight_decay=0.5)
    reference = torch.optim.Adam(theirs.parameters(), lr=0.01, betas=(0.9, 0.99))
    for step in range(4):
        stepped(ours, mine, step)
        stepped(theirs, reference, step)

    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-7)


def test_going_on_from_its_state_changes_nothing():
    """A copy that loads weights and state after two steps ends where the original ends."""
    first = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    optimizer = Muon(first.parameters(), lr=0.1)
    for step in range(2):
        stepped(first, optimizer, step)
    second = copy.deepcopy(first)
    resumed = Muon(second.parameters(), lr=0.1)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for network, its in ((first, optimizer), (second, resumed)):
        stepped(network, its, 7)

    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_parameters_without_a_gradient_stay():
    """A frozen part of a network neither moves nor fails."""
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    before = copy.deepcopy(network.state_dict())
    network[0].weight.grad = torch.ones(3, 3)
    Muon(network.parameters(), lr=0.1, weight_decay=0.1).step()

    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["0.weight"]


def test_rare_directions_are_learnt_in_fewer_steps_than_by_adam():
    """A map whose inputs differ a hundredfold in size: the same number of steps leaves less of the error."""
    torch.manual_seed(0)
    scales = torch.logspace(0, -2, 24)
    turn = torch.linalg.qr(torch.randn(24, 24)).Q
    inputs = torch.randn(512, 24) * scales @ turn
    targets = inputs @ torch.randn(24, 16) / inputs.std()

    def error_after(method, rate):
        torch.manual_seed(1)
        network = nn.Linear(24, 16, bias=False)
        spec = OptimizerSpec(method=method, learning_rate=rate, weight_decay=0, second_momentum=0.99, schedule="cosine")
        optimizer = build_optimizer(spec, network.parameters())
        for step in range(60):
            set_rate(optimizer, spec, step, 60)
            loss = (network(inputs) - targets).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float((network.weight.detach().T - torch.linalg.lstsq(inputs, targets).solution).square().mean())

    muon = min(error_after("muon", rate) for rate in (0.1, 0.3, 1.0))
    adam = min(error_after("adam", rate) for rate in (0.03, 0.1, 0.3, 1.0))
    assert muon < 0.5 * adam
