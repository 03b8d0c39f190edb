"""Every synthesizer with a network overfits four slices in its preset `sound`, and pix2pix one batch in `paper_2d`."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.metrics import structural_similarity

from glioforge.compute.accelerator import AcceleratorSpec, start
from glioforge.core.rng import stream
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from glioforge.synthesis.conditional_spec import ConditionalSpec
from glioforge.synthesis.method import Knowledge
from toy_cohort import cohort_of_cases, toy_case

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
SLICES = slice(4, 8)
OWN = {
    "samr": {"steps": 300},
    "spade": {"steps": 200},
    "pix2pix": {"steps": 200},
    "pix2pixhd": {"steps": 200, "coarse_share": 0.15},
    "sound": {"steps": 200},
    "augmentation_net": {"steps": 400, "batch_size": 4},
}
"""Steps and whatever else differs between kinds; a kind that is not listed takes 400 steps."""
VARIANTS = [
    *((kind, {}) for kind in SYNTHESIZERS.kinds() if issubclass(SYNTHESIZERS.spec_class(kind), ConditionalSpec)),
    ("augmentation_net", {"independent": True}),
]


@pytest.mark.slow
def test_the_paper_preset_of_pix2pix_overfits_one_batch():
    """Rates, losses, norms and dropout of the preset, narrower: the difference in a slice falls to a twentieth."""
    small = {"kind": "pix2pix", "preset": "paper_2d", "ngf": 32, "levels": 3, "size": (16, 14), "critic_width": 16}
    spec = SYNTHESIZERS.parse({**small, "budget": {"steps": 600}})
    case = clean_case()
    contrasts = tuple(case.images)
    torch.manual_seed(0)
    known = Knowledge(contrasts, case.labels.scheme, Appearance.of([case], contrasts, case.labels.scheme))
    method = SYNTHESIZERS.part_for(spec)(spec, known)
    batch = method.batches(cohort_of_cases([case]), 1)(0)
    method.network.train()
    recipe = method.recipe(method.network, 600)
    losses = [float(recipe.step(batch, step, start(PLAIN))["l1"]) for step in range(600)]
    assert sum(losses[-20:]) < sum(losses[:20]) / 20


def clean_case():
    """A toy subject without noise from voxel to voxel, which no label map could tell."""
    case = toy_case(3)
    images = {
        m: replace(v, voxels=(ndimage.gaussian_filter(v.voxels, 1.0) * case.brain).astype(np.float32))
        for m, v in case.images.items()
    }
    return replace(case, images=images)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "changes"), VARIANTS)
def test_four_slices_are_learned_by_heart(tmp_path, kind, changes):
    """Clean images of one subject come back with a structural similarity above 0.95 inside the brain."""
    case = clean_case()
    own = {"steps": 400, "batch_size": 2, **OWN.get(kind, {}), **changes}
    steps = own.pop("steps")
    budget = {"steps": steps, "validate_every": steps, "checkpoint_every": steps}
    values = {"kind": kind, "grain": 0.0, "jitter": 0.0, "mirror": False, "moved": False, "budget": budget, **own}
    cohort = cohort_of_cases([case])
    trained = train_synthesizer(cohort, None, SYNTHESIZERS.parse(values), tmp_path, seed=1, accelerator=PLAIN)
    made = trained.synthesize(case.labels, stream(1))
    scores = {}
    for modality, volume in case.images.items():
        low, high = np.percentile(volume.voxels[case.brain], [0.5, 99.5])
        pair = [image.voxels[:, :, SLICES] - low for image in (made[modality], volume)]
        similar = structural_similarity(*pair, data_range=high - low, win_size=3, full=True)[1]
        scores[str(modality)] = float(similar[case.brain[:, :, SLICES]].mean())
    assert min(scores.values()) > 0.95, scores
