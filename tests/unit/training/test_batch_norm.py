"""Promises of batch norm over processes; that several give what one gives is a promise of `test_parallel`."""

import copy

import pytest
import torch
from torch import distributed, nn

from glioforge.training.parallel import synchronise_batch_norms


@pytest.fixture
def alone(tmp_path):
    """A group of one process."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize(("affine", "momentum"), [(True, 0.1), (False, None)])
def test_one_process_gets_what_torch_gives(alone, affine, momentum):
    """Output, gradients, running statistics and evaluation of two and three dimensions."""
    for plain, shape in ((nn.BatchNorm2d, (3, 4, 5, 6)), (nn.BatchNorm3d, (2, 4, 3, 2, 5))):
        torch.manual_seed(0)
        theirs = plain(4, affine=affine, momentum=momentum)
        if affine:
            nn.init.normal_(theirs.weight)
        mine = copy.deepcopy(theirs)
        synchronise_batch_norms(mine, 1)
        for _ in range(3):
            x = torch.randn(shape) * 3 + 1
            inputs = [x.clone().requires_grad_() for _ in range(2)]
            outputs = [norm(value) for norm, value in zip((mine, theirs), inputs, strict=True)]
            torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)
            for output in outputs:
                output.pow(3).sum().backward()
            torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-3, atol=1e-3)
        assert mine.state_dict().keys() == theirs.state_dict().keys()
        for name, value in theirs.state_dict().items():
            torch.testing.assert_close(mine.state_dict()[name], value, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(mine.eval()(x), theirs.eval()(x), rtol=1e-4, atol=1e-5)


def test_half_precision_comes_back_as_it_went_in_and_statistics_need_not_be_kept(alone):
    """Autocast hands over bfloat16; without running statistics there is nothing to note."""
    norm = nn.BatchNorm2d(2, track_running_stats=False)
    synchronise_batch_norms(norm, 1)
    made = norm(torch.randn(4, 2, 3, 3).bfloat16())
    assert made.dtype == torch.bfloat16
    assert abs(float(made.detach().float().mean())) < 0.01
