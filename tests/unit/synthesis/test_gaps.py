"""Promises of training on cohorts in which some cases lack contrasts."""

from dataclasses import replace

import pytest
import torch

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import CohortError
from glioforge.core.modality import Modality
from glioforge.core.rng import stream
from glioforge.losses.regional import regional_l1
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from glioforge.synthesis.grain import measure_grain
from glioforge.synthesis.method import Knowledge
from toy_cohort import cohort_of_cases, toy_case, toy_labels

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
BOTH = (Modality.T1, Modality.FLAIR)
SMALL = {
    "kind": "spade",
    "ngf": 2,
    "hidden": 4,
    "critic_width": 2,
    "critic_layers": 2,
    "batch_size": 2,
    "gaps": True,
    "budget": {"steps": 3, "validate_every": 2, "checkpoint_every": 2},
}


def bare(seed):
    """A case with T1 alone."""
    case = toy_case(seed)
    return replace(case, images={Modality.T1: case.images[Modality.T1]})


def mixed():
    """Two whole cases and two with T1 alone."""
    return cohort_of_cases([toy_case(1), bare(2), toy_case(3), bare(4)])


def method_for(cohort, **changes):
    """An untrained method."""
    spec = SYNTHESIZERS.parse({**SMALL, **changes})
    appearance = Appearance.of((ref.load() for ref in cohort), BOTH, cohort.scheme)
    return SYNTHESIZERS.part_for(spec)(spec, Knowledge(BOTH, cohort.scheme, appearance))


def test_all_contrasts_are_learned_from_a_cohort_with_gaps(tmp_path):
    """Both are made, though two cases lack one."""
    trained = train_synthesizer(SYNTHESIZERS.parse(SMALL), mixed(), None, tmp_path / "m", seed=1, accelerator=PLAIN)
    made = trained.synthesize(toy_labels(5), stream(1))
    assert tuple(made) == BOTH
    assert all(volume.voxels.any() for volume in made.values())


def test_without_leave_gaps_are_not_taken(tmp_path):
    """Only what all cases have is made; a contrast that none has is refused with gaps too."""
    spec = SYNTHESIZERS.parse({**SMALL, "gaps": False})
    trained = train_synthesizer(spec, mixed(), None, tmp_path / "m", seed=1, accelerator=PLAIN)
    assert trained.modalities == (Modality.T1,)
    wanted = spec.model_copy(update={"gaps": True, "modalities": (Modality.T1, Modality.T2)})
    with pytest.raises(CohortError, match=r"contrasts \['t1', 'flair'\] in any case; expected also \['t2'\]"):
        train_synthesizer(wanted, mixed(), None, tmp_path / "n", seed=1, accelerator=PLAIN)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_first_stage_sees_only_cases_with_gaps_under_their_own_means(dims):
    """Then all cases; a case keeps its place, so that its class means are its own."""
    cohort = mixed()
    method = method_for(cohort, gaps_first=10, dims=dims, size=(8, 8, 8) if dims == 3 else None)
    batches = method.batches(cohort, seed=1)
    early = torch.cat([batches(step)["case"] for step in range(10)])
    late = torch.cat([batches(step)["case"] for step in range(10, 30)])
    assert set(early.tolist()) == {1, 3}
    assert set(late.tolist()) == {0, 1, 2, 3}
    complete = method_for(cohort, gaps_first=10, gaps_then="complete").batches(cohort, seed=1)
    assert set(torch.cat([complete(step)["case"] for step in range(10, 20)]).tolist()) == {0, 2}
    batch = batches(0)
    assert batch["available"].tolist() == [[True, False]] * 2
    own = torch.stack([torch.from_numpy(method.knowledge.appearance.own(n).means).float() for n in range(4)])
    assert torch.equal(batch["means"], own[batch["case"]])
    assert not batch["images"][:, 1].any()


def test_missing_contrasts_teach_nothing():
    """Made images are 0 there, so that neither critic nor difference sees them."""
    cohort = mixed()
    method = method_for(cohort, gaps_first=1)
    batch = method.batches(cohort, seed=1)(0)
    made = method.generate(method.network, batch)
    assert made[:, 0].any()
    assert not made[:, 1].any()


def test_the_difference_is_a_mean_over_the_contrasts_that_there_are():
    """As if the missing channel were not there."""
    fake, real = torch.zeros(2, 2, 3), torch.tensor([[[2.0] * 3, [4.0] * 3], [[1.0] * 3, [9.0] * 3]])
    inside = torch.ones(2, 3, dtype=torch.bool)
    available = torch.tensor([[True, True], [True, False]])
    assert float(regional_l1(fake, real, inside, available=available)) == pytest.approx(7 / 3)
    assert float(regional_l1(fake, real, inside, available=available.fill_(value=False))) == 0


def test_grain_of_a_missing_contrast_is_that_of_the_others():
    """Its zeros don't count as smooth scans."""

    def batches(step):
        generator = torch.Generator().manual_seed(step)
        images = 0.5 * torch.randn((2, 2, 24, 24), generator=generator)
        images[1, 1] = 0
        return {
            "images": images,
            "labels": torch.full((2, 1, 24, 24), 4),
            "brain": torch.ones(2, 24, 24, dtype=torch.bool),
            "case": torch.tensor([0, 1]),
            "available": torch.tensor([[True, True], [True, False]]),
        }

    grain = measure_grain(batches, lambda batch: 0 * batch["images"], cases=2, steps=6)
    assert float((grain - 0.5).abs().max()) < 0.05
    assert float(grain[1, 1]) == pytest.approx(float(grain[0, 1]))
