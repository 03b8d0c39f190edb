"""Tests of the progressive GAN of label maps: which slices it learns, how classes are shown, and where draws lie."""

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from fixtures_samplers import PLAIN
from glioforge.core import COMPLETE, CohortError, Geometry, LabelMap, stream
from glioforge.sampling.base import known_of, train_sampler
from glioforge.sampling.method import SAMPLERS, Knowledge
from glioforge.sampling.methods.label_pgan import Atlas
from glioforge.sampling.methods.label_pgan.encoding import GreyValues, OneHot, blurred
from glioforge.sampling.methods.label_pgan.growth import moment_of
from glioforge.sampling.methods.label_pgan.maps import Frame, frame_of, harmonics, lesion_sizes, training_maps
from glioforge.sampling.methods.label_pgan.odds import healed
from toy_cohort import toy_cohort

SMALL = {"kind": "label_pgan", "size": 16, "latent": 4, "base": 8, "largest": 4, "judged": 8}


def spec_of(**settings):
    """Small settings."""
    return SAMPLERS.parse({**SMALL, **settings})


def sampler_of(spec, cohort):
    """An untrained sampler that knows a cohort."""
    torch.manual_seed(0)
    made = SAMPLERS.part_for(spec)(spec, known_of(spec, cohort))
    made.before_training(made.network, cohort)
    return made


def test_presets_of_the_paper():
    """Its sizes, its share of the slices, its ranges; and steps that show 12 million images."""
    paper, reduced, ranges = (spec_of(preset=name, size=256) for name in ("paper", "reduced", "ranges"))
    plain = SAMPLERS.parse({"kind": "label_pgan", "preset": "paper"})
    assert (plain.latent, plain.base, plain.largest, plain.encoding) == (512, 8192, 512, "grey")
    assert (plain.losses.adversary, plain.losses.penalty, plain.losses.drift) == ("wasserstein", 10, 1e-3)
    assert (plain.losses.critic.learning_rate, plain.losses.critic.second_momentum) == (1e-3, 0.99)
    assert moment_of(plain.losses.growth, plain.levels, plain.budget.steps).images == pytest.approx(12e6, abs=10)
    assert (paper.share, reduced.share, ranges.ranges) == (1.0, 0.2, 31)


def test_slices_are_those_with_labels_of_the_share_or_of_the_range():
    """31 ranges of 155 slices have five each; a share is the same each time; nothing left is refused."""
    cohort = toy_cohort([1, 2])
    all_of_them = training_maps(spec_of(least=0.0), cohort, 0)
    assert all((labels > 0).any() for labels in all_of_them.labels)
    part = training_maps(spec_of(least=0.0, share=0.2), cohort, 0)
    assert len(part.labels) == round(0.2 * len(all_of_them.labels))
    assert np.array_equal(part.labels, training_maps(spec_of(least=0.0, share=0.2), cohort, 0).labels)
    within = training_maps(spec_of(ranges=3, range_number=1), cohort, 0)
    assert set(within.slices) == {4, 5, 6, 7}
    with pytest.raises(CohortError, match="no slice with enough labels"):
        training_maps(spec_of(least=0.99), cohort, 0)
    with pytest.raises(ValueError, match="give 0 to 2"):
        spec_of(ranges=3, range_number=3)


@pytest.mark.parametrize("relaxation", ["softmax", "straight_through", "gumbel"])
def test_one_hot_maps_are_shown_as_the_relaxation_says_with_a_gradient(relaxation):
    """Hard maps have one class a pixel on both sides; what is made keeps the gradient of the softmax."""
    encoding = OneHot(torch.ones(3), 8, relaxation, 1.0)
    growth = spec_of().losses.growth
    labels = torch.randint(0, 3, (2, 8, 8), dtype=torch.uint8)
    real = encoding.real(labels, moment_of(growth, 2, 10**6))
    assert torch.equal(real.argmax(dim=1), labels.long())
    made = torch.randn(2, 3, 8, 8, requires_grad=True)
    shown = encoding.shown(made, whole=True)
    assert torch.allclose(shown.sum(dim=1), torch.ones(2, 8, 8))
    hard = torch.allclose(shown.detach(), shown.detach().round(), atol=1e-5)
    assert hard == (relaxation != "softmax")
    shown[:, 0].sum().backward()
    assert float(made.grad.abs().sum()) > 0


def test_grey_values_return_to_their_classes():
    """And what lies between two classes is rounded, to a third one if that is between them."""
    encoding = GreyValues(7, 4)
    labels = torch.arange(7, dtype=torch.uint8).repeat(16)[: 2 * 16].view(2, 4, 4)
    grey = encoding.real(labels, moment_of(spec_of().losses.growth, 1, 10**6))
    assert torch.equal(encoding.classes(grey), labels)
    between = torch.full((1, 1, 4, 4), (grey.min() + grey.max()) / 2)
    assert torch.equal(encoding.classes(between), torch.full((1, 4, 4), 3, dtype=torch.uint8))


@pytest.mark.parametrize(("shape", "size"), [((16, 14, 12), 16), ((16, 14, 12), 8), ((9, 14, 5), 32)])
def test_a_slice_lies_where_it_was_cut(shape, size):
    """Voxels of a padded or reduced slice have the place that they had on the grid."""
    grid = Geometry(shape, np.diag([2.0, 3.0, 4.0, 1.0]))
    frame = Frame(grid, (0, 1), size)
    numbers = np.zeros((1, *shape[:2]), dtype=np.uint8)
    numbers[0, 4:8, 6:10] = 1
    fitted = frame.fitted(numbers, 2)[0]
    made = frame.slice_grid(2, 3)
    centre = np.argwhere(fitted > 0).mean(axis=0)
    world = made.affine @ [*centre, 0, 1]
    assert made.shape == (size, size, 1)
    assert np.allclose(world[:3], [2 * 5.5, 3 * 7.5, 4 * 3], atol=1.6)


@pytest.mark.parametrize("dims", [2, 3])
def test_draws_lie_on_the_grid_and_follow_the_training_slices(dims):
    """Slices at places of training slices, and volumes on the training grid."""
    cohort = toy_cohort([1, 2])
    made = sampler_of(spec_of(dims=dims), cohort)
    drawn = [made.make(stream(seed), PLAIN) for seed in range(6)]
    assert all(isinstance(labels, LabelMap) and labels.scheme == COMPLETE for labels in drawn)
    if dims == 3:
        assert drawn[0].geometry == made.knowledge.geometry
        assert made.facts() == {}
        return
    learned = set(training_maps(made.spec, cohort, 0).slices)
    heights = [int((labels.geometry.affine[2, 3] - made.knowledge.geometry.affine[2, 3]) / 10) for labels in drawn]
    assert set(heights) <= learned
    assert len(set(heights)) > 1
    assert 0 < made.facts()["slices_from"] < made.facts()["slices_to"] < 1


def test_the_atlas_is_the_average_map_of_the_slice_that_a_condition_tells():
    """Mirrored where draws are; every class stays possible; lesions are not sharpened."""
    maps = training_maps(spec_of(), toy_cohort([1, 2]), 0)
    atlas = Atlas(12, 16, torch.tensor([False, True, True, True, False, False, False]))
    atlas.fill(maps, mirror=True)
    number = int(maps.slices[3])
    held = maps.labels[maps.slices == number]
    shares = (np.mean(held == 4, axis=0) + np.mean(held[:, ::-1] == 4, axis=0)) / 2
    assert np.allclose(atlas.shares[number, 4], shares)
    for side in (4, 16):
        logits = atlas(torch.zeros(1, 4), torch.from_numpy(harmonics(np.array([number]), 12)), side)[0]
        assert logits.shape == (7, side, side)
        assert torch.isfinite(logits).all()
    told = 0.99 * atlas.shares[number] + 0.01 / 7
    assert torch.allclose(logits[1], told[1].log())
    assert torch.allclose(logits[4], 1.5 * told[4].log())


def test_modes_vary_the_atlas_and_place_a_lesion_of_the_size_asked_for():
    """Draws differ, have a lesion where one is asked for alone, and the classes keep off the background as in maps."""
    sampler = sampler_of(spec_of(modes=4, latent=11), toy_cohort([1, 2, 3, 4]))
    variation = sampler.network.prior.variation
    slices = torch.from_numpy(training_maps(sampler.spec, toy_cohort([1, 2, 3, 4]), 0).slices)
    places = variation.places[variation.places[:, 0] >= 0]
    noise = torch.randn(len(slices), 11, generator=torch.Generator().manual_seed(1))
    without, with_one = (variation(noise, slices, torch.full_like(slices, size)) for size in (0, int(places[0, 1])))
    assert torch.allclose(without.sum(dim=1), torch.ones(len(slices), 16, 16), atol=1e-4)
    assert without[:, 1:4].sum() == 0
    assert with_one[:, 1:4].sum(dim=1).max() > 0.5
    assert len(np.unique(without.argmax(dim=1).numpy(), axis=0)) > len(slices.unique())


def test_lesions_are_filled_with_tissue():
    """Background never fills a lesion."""
    labels = np.array([[[0, 1, 1, 4, 4, 4]]], dtype=np.uint8)
    lesion = np.isin(np.arange(7), (1, 2, 3))
    assert healed(labels, lesion).tolist() == [[[0, 4, 4, 4, 4, 4]]]


def test_the_varied_preset_is_the_sound_one_with_modes():
    """Nothing else differs, and 64 x 64 pixels are the most it takes."""
    varied, sound = (SAMPLERS.parse({"kind": "label_pgan", "preset": name}) for name in ("varied", "sound"))
    assert varied.model_copy(update={"modes": 0, "latent": sound.latent, "smooth": True}) == sound
    with pytest.raises(ValidationError, match="64 at most"):
        SAMPLERS.parse({"kind": "label_pgan", "preset": "varied", "size": 128})


@pytest.mark.parametrize("settings", [{"atlas": False}, {"lesion": False}, {"latent": 4}, {"size": 128}, {"dims": 3}])
def test_modes_need_an_atlas_lesions_noise_and_small_slices(settings):
    """Each is refused with the setting to change."""
    with pytest.raises(ValidationError, match="modes"):
        spec_of(**{"modes": 4, "latent": 11, **settings})


def test_single_pixels_are_blurred_away_and_borders_stay():
    """A pixel against all its neighbours takes their class; a straight border is where it was."""
    maps = torch.zeros(1, 2, 8, 8)
    maps[:, 0, :4], maps[:, 1, 4:] = 1, 1
    maps[0, :, 1, 3] = torch.tensor([0.3, 0.7])
    classes = blurred(maps).argmax(dim=1)[0]
    assert bool((classes[:4] == 0).all())
    assert bool((classes[4:] == 1).all())
    assert blurred(torch.rand(1, 3, 4, 4, 4)).shape == (1, 3, 4, 4, 4)


def test_lesions_have_sizes_by_their_share_of_the_picture():
    """None, the smallest, and the largest."""
    lesion = np.zeros((3, 32, 32), dtype=bool)
    lesion[1, 0, 0] = True
    lesion[2, :10] = True
    assert lesion_sizes(lesion).tolist() == [0, 1, 7]
    assert lesion_sizes(lesion[:0]).tolist() == []


def test_the_curve_tells_every_snapshot_and_the_one_that_is_kept(tmp_path):
    """Distances from the first level on; weights are chosen among those of the whole last level."""
    fast = {"stable": 8, "fade": 8, "batch_sizes": (8,)}
    spec = spec_of(losses={"growth": fast}, budget={"steps": 8, "validate_every": 2, "checkpoint_every": 8})
    trained = train_sampler(toy_cohort([1, 2]), toy_cohort([9], "validation"), spec, tmp_path / "m", accelerator=PLAIN)
    told = json.loads((tmp_path / "m" / "training" / "distance.json").read_text())
    assert [row["step"] for row in told["snapshots"]] == [2, 4, 6, 8]
    assert [row["side"] for row in told["snapshots"]] == [8, 16, 16, 16]
    assert told["grown"] == 4
    chosen = min((row for row in told["snapshots"] if row["step"] > 4), key=lambda row: row["distance"])
    assert told["best_step"] == trained.card.outcome.best_step == chosen["step"]
    assert (tmp_path / "m" / "training" / "distance.png").stat().st_size > 1000


def test_a_frame_of_a_volume_is_cut_back_to_the_grid():
    """Padding is taken off on every side."""
    knowledge = Knowledge((), COMPLETE, Geometry.isotropic((6, 8, 4), 2.0))
    frame = frame_of(spec_of(dims=3, size=8), knowledge.geometry)
    numbers = np.arange(6 * 8 * 4, dtype=np.uint8).reshape(1, 6, 8, 4) % 7
    cube = torch.from_numpy(frame.fitted(numbers, 7).astype(np.float32))[None]
    assert torch.equal(frame.cropped(cube)[0], torch.from_numpy(numbers.astype(np.float32)))
