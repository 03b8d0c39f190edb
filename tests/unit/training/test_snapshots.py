"""The network whose images are nearest to held-out ones is kept, and no sooner than it may be."""

import numpy as np
import pytest
import torch
from torch import nn

from glioforge.core.errors import InputFileError
from glioforge.io.run_folder import Step
from glioforge.training.snapshots import PatchScore, Snapshots, snapshot_scores
from glioforge.training.standing import Standing
from glioforge.training.state import Checkpoints

REAL = np.random.default_rng(0).standard_normal((12, 1, 32, 32)).astype(np.float32)


class Blurrer(nn.Module):
    """Makes the held-out images, blurred as much as its weight says."""

    def __init__(self, width):
        super().__init__()
        self.width = nn.Parameter(torch.tensor(float(width)))


def made_by(network):
    """The other half's images, the weight's share of them replaced by a box blur."""
    fresh = np.random.default_rng(1).standard_normal(REAL.shape).astype(np.float32)
    share = float(network.width.detach())
    blurred = sum(np.roll(fresh, shift, axis=-1) for shift in range(-2, 3)) / np.float32(5)
    return (1 - share) * fresh + share * blurred


def score(**settings):
    """A score against the held-out images."""
    return PatchScore(REAL, made_by, **settings)


def test_sharper_images_score_higher_and_levels_join_the_history():
    """The mean over levels is the score, with its sign turned."""
    near, far = score(), score()
    assert near(Blurrer(0)) > far(Blurrer(0.8))
    assert near.scalars["swd"] == pytest.approx(np.mean([near.scalars["swd_0"], near.scalars["swd_1"]]))
    assert far(Blurrer(0.8)) == -far.scalars["swd"]


def test_a_network_that_is_not_ready_is_neither_kept_nor_counted(tmp_path):
    """Before the last level has faded in there is no score, no best weights, and no loss of patience."""
    network = Blurrer(0)
    standing = Standing(nn.ModuleDict({"g": network}), {}, Checkpoints(tmp_path))
    guarded = score(ready=lambda net: float(net.width.detach()) > 0.5)
    assert not standing.judge(guarded(network), network, 0.0)
    assert (guarded.scalars, standing.best, standing.stale) == ({}, {}, 0)
    network.width.data.fill_(0.8)
    assert standing.judge(guarded(network), network, 0.0)
    network.width.data.fill_(0.0)
    standing.step = 7
    standing.judge(None, network, 0.0)
    assert (standing.best_step, standing.best["width"].item()) == (0, pytest.approx(0.8))


@pytest.fixture
def trained(tmp_path):
    """A finished training that kept three snapshots, the middle one the sharpest."""
    kept = Snapshots(tmp_path, 3)
    with Step(tmp_path, {}) as step:
        for number, width in ((10, 0.9), (20, 0.0), (30, 0.5)):
            kept.add(number, Blurrer(width))
        step.finish({"snapshots": kept.listed(30)})
    return tmp_path


def test_snapshots_are_scored_and_the_nearest_one_is_loaded(trained):
    """The curve has a point a snapshot."""
    network = Blurrer(0.3)
    curve = snapshot_scores(trained, network, score())
    assert list(curve) == [10, 20, 30]
    assert max(curve, key=curve.get) == 20
    assert network.width.item() == 0


def test_snapshots_of_another_network_are_refused(trained):
    """Names of weights must fit."""
    with pytest.raises(InputFileError, match="do not fit"):
        snapshot_scores(trained, nn.Linear(1, 1), score())
