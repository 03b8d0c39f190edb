"""Tests of `metrics.evaluate`: numbers that contradict each other stop a study and name the case."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.errors import MetricError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2023
from glioforge.metrics import evaluate
from glioforge.metrics.base import MaskPair
from glioforge.metrics.evaluate import evaluate_case, require_identities

GRID = Geometry.isotropic((8, 8, 8))


def tumour(shift=0, scheme=BRATS2023):
    """Oedema around enhancing tumour around a necrotic core."""
    voxels = np.zeros(GRID.shape, dtype=np.uint8)
    voxels[1 + shift : 7, 1:7, 1:7] = 2
    voxels[2 + shift : 6, 2:6, 2:6] = 3
    voxels[3 : 5 - shift, 3:5, 3:5] = 1
    return LabelMap(voxels, GRID, scheme)


def test_numbers_of_one_pair_of_masks_pass():
    """Also of empty masks, whose numbers follow the policy."""
    names = ("dice", "jaccard", "sensitivity", "precision")
    empty = LabelMap(np.zeros(GRID.shape, dtype=np.uint8), GRID, BRATS2023)
    apart = tumour().with_voxels(np.roll(np.where(tumour().voxels == 1, 3, 0).astype(np.uint8), 3, axis=0))
    for prediction in (tumour(1), tumour(), empty, apart):
        assert len(evaluate_case(prediction, tumour(), metrics=names, where="c1")) == 12


@pytest.mark.parametrize(("metric", "told"), [("dice", "Dice 0.9"), ("jaccard", "Jaccard 0.9")])
def test_overlap_that_does_not_follow_from_the_counts_is_refused(metric, told, monkeypatch):
    """A fault in one metric shows in its relation to the others."""
    wrong = replace(evaluate.METRICS[metric], function=lambda pair: 0.9)
    monkeypatch.setattr(evaluate, "METRICS", {**evaluate.METRICS, metric: wrong})
    with pytest.raises(MetricError, match=rf"^c1: {told}00000 of WT; expected 0\.\d+, from"):
        evaluate_case(tumour(1), tumour(), metrics=("dice", "jaccard", "sensitivity", "precision"), where="c1")


@pytest.mark.parametrize("name", ["true", "predicted"])
def test_masks_that_lost_voxels_of_the_label_map_are_refused(name):
    """TP + FN is the volume of the truth, TP + FP that of the prediction, counted without the box."""
    whole, cut = tumour().voxels > 0, (tumour().voxels > 0) & (np.arange(8) > 1)
    pair = MaskPair(whole, cut, GRID) if name == "true" else MaskPair(cut, whole, GRID)
    with pytest.raises(MetricError, match=f"c1: {name} WT of 180 voxels; expected 216, as the label map holds"):
        require_identities(tumour(), tumour(), {"WT": pair}, (), "c1")


def test_regions_that_do_not_lie_within_each_other_are_refused():
    """A scheme that takes necrosis out of the whole tumour counts it twice elsewhere."""
    regions = {**BRATS2023.regions, "WT": ("oedema", "enhancing")}
    strange = replace(BRATS2023, name="strange", regions=regions)
    with pytest.raises(MetricError, match="c1: 8 voxels of predicted TC outside WT; expected TC within WT"):
        evaluate_case(tumour(scheme=strange), tumour(), where="c1")
