"""Shadow models: who trains each, what is refused, and the whole way to scores for an audit."""

import json

import numpy as np
import pytest

from glioforge.core import CohortError, LeakageError
from glioforge.privacy.membership import LIKELIHOOD_RATIO, LOSS
from glioforge.runs.audit import scores_from
from glioforge.runs.shadow import _halves, shadow_scores
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from toy_cohort import toy_cohort

TRAIN, HELD_OUT, CONTROL = (
    toy_cohort(range(n, n + 3), name) for n, name in ((0, "train"), (3, "held"), (6, "control"))
)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A synthesizer fitted to the training subjects."""
    spec = SYNTHESIZERS.parse({"kind": "painted"})
    return train_synthesizer(TRAIN, None, spec, tmp_path_factory.mktemp("released") / "model")


def test_everybody_is_in_half_of_the_models():
    """A random half and then the other one, so that nobody is in all or none of them."""
    subjects = [f"s{n:02}" for n in range(9)]
    halves = _halves(subjects, 16, seed=1)
    inside = np.array([[subject in half for subject in subjects] for half in halves])

    assert (inside.sum(axis=0) == 8).all()
    assert (inside[::2] != inside[1::2]).all()
    assert len({tuple(row) for row in inside.tolist()}) == 16


def test_whom_the_model_has_seen_is_on_the_training_side(released, tmp_path):
    """Nobody held out was seen, nobody who was seen is missing, and models are not too few."""
    with pytest.raises(LeakageError, match="s00"):
        shadow_scores(released, tmp_path / "a", train=CONTROL, held_out=TRAIN, control=HELD_OUT)
    few = TRAIN.of_subjects(["s00", "s01"])
    with pytest.raises(CohortError, match="not among the training cases: s02"):
        shadow_scores(released, tmp_path / "b", train=few, held_out=HELD_OUT, control=CONTROL)
    with pytest.raises(CohortError, match="17 shadow models"):
        shadow_scores(released, tmp_path / "c", train=TRAIN, held_out=HELD_OUT, control=CONTROL, models=17)


@pytest.mark.slow
def test_the_whole_way_and_its_resumption(released, tmp_path):
    """Scores of everybody by both attacks; a stopped run trains what is missing alone and gives the same."""
    people = {"train": TRAIN, "held_out": HELD_OUT, "control": CONTROL}
    path = shadow_scores(released, tmp_path / "shadow", **people)
    scores = scores_from(path)
    once = path.read_bytes()
    path.unlink()
    (tmp_path / "shadow" / "scored" / "shadow-03.json").unlink()
    kept = (tmp_path / "shadow" / "models" / "shadow-05" / "card.json").stat().st_mtime_ns

    assert shadow_scores(released, tmp_path / "shadow", **people).read_bytes() == once
    assert (tmp_path / "shadow" / "models" / "shadow-05" / "card.json").stat().st_mtime_ns == kept
    assert set(scores) == {LOSS, LIKELIHOOD_RATIO}
    assert list(scores[LOSS]) == [f"s{n:02}" for n in range(9)]
    assert np.isfinite(list(scores[LIKELIHOOD_RATIO].values())).all()
    assert all(value < 0 for value in json.loads(path.read_text())[LOSS].values())
