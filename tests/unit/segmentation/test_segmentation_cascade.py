"""Promises of the cascade as a method; its networks and its training are tested with `nn` and `training`."""

from contextlib import nullcontext

import pytest
import torch
from pydantic import ValidationError

from glioforge.core.errors import SpecError
from glioforge.core.volume import Modality
from glioforge.segmentation.method import Task
from glioforge.segmentation.methods.cascade import CascadeSegmenter, CascadeSpec
from glioforge.segmentation.methods.cascade.anisotropic import ENET, WNET, receptive_field
from glioforge.segmentation.methods.cascade.regions import Cascade, ClassCascade
from glioforge.segmentation.target import target_named
from glioforge.segmentation.trained import inference_of
from toy_cohort import toy_cohort

WNET_SIZE = 214_472
"""Parameters by the layer table of `tests/unit/nn/test_anisotropic.py`, four contrasts, width 32."""
MODALITIES = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)


def test_paper_networks_have_the_parameters_and_fields_of_the_paper():
    """Nine networks of 32 channels; counted from the layer table, ENet has a halving and two enlargements less."""
    network = CascadeSegmenter(CascadeSpec(**CascadeSpec.PRESETS["paper"])).build(MODALITIES, target_named("nested"))
    sizes = [[sum(p.numel() for p in net.parameters()) for net in stage.networks] for stage in network.stages]
    halving = 9 * 32 * 32 + 3 * 32
    enlarging = 9 * 4 * 4 + 3 * 4 + 9 * 8 * 8 + 3 * 8
    assert sizes == [[WNET_SIZE] * 3, [WNET_SIZE] * 3, [WNET_SIZE - halving - enlarging] * 3]
    assert (receptive_field(WNET)[0], receptive_field(ENET)[0]) == (217, 113)


def test_the_paper_preset_trains_as_the_paper_says():
    """20,000 steps axial, then 5,000 for each of the other views; a stack without the region still teaches."""
    spec = CascadeSpec(**CascadeSpec.PRESETS["paper"])
    network = CascadeSegmenter(spec).build(MODALITIES, target_named("nested"))
    recipe = CascadeSegmenter(spec).recipe(
        network, Task(MODALITIES, target_named("nested"), toy_cohort([1]), spec.budget.steps)
    )
    logits = torch.zeros(1, 2, 3, requires_grad=True)
    recipe._plan.loss(logits, torch.zeros(1, 3, dtype=torch.long)).backward()

    assert spec.budget.steps == 30_000
    assert recipe._plan.axial * recipe._plan.steps == 20_000
    assert len(network.stages[0].networks[0].judge) == 0
    assert (logits.grad[:, 1] > 0).all()


def test_regions_and_classes_are_both_to_be_had():
    """Three channels or four; anything else is refused with what is known."""
    method = CascadeSegmenter(CascadeSpec(width=2, cuts=("axial",)))
    assert isinstance(method.build(MODALITIES, target_named("nested")), Cascade)
    classes = method.build(MODALITIES, target_named("regions4"))
    assert isinstance(classes, ClassCascade)
    assert classes.eval()(torch.zeros(1, 4, 5, 6, 7)).shape == (1, 4, 5, 6, 7)
    with pytest.raises(SpecError, match="target 'complete' for a cascade.*nested or regions4"):
        method.build(MODALITIES, target_named("complete"))


def test_prediction_takes_the_whole_head_whatever_the_patches():
    """Boxes of whole tumours want whole heads."""
    assert inference_of(CascadeSpec(size=(64, 64, 64)), 3, nullcontext).window is None
    assert inference_of(CascadeSpec(size=(64, 64, 64), windows=True), 3, nullcontext).window == (64, 64, 64)


def test_settings_that_contradict_the_cascade_are_refused():
    """Views beside its own, and stacks without a middle."""
    with pytest.raises(ValidationError, match="averages views at each level"):
        CascadeSpec(views=("axial", "coronal"))
    with pytest.raises(ValidationError, match="more than 8 slices"):
        CascadeSpec(stacks=((8, 8, 8), (8, 8, 9), (8, 8, 9)))
