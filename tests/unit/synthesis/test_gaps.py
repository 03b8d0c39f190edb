"""Promises of training on cohorts in which some cases lack contrasts."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import CohortError
from glioforge.core.rng import stream
from glioforge.core.volume import Modality
from glioforge.losses.perceptual import regional_l1
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
THIRTY = {"steps": 30}


def bare(seed):
    """A case with T1 alone."""
    case = toy_case(seed)
    return replace(case, images={Modality.T1: case.images[Modality.T1]})


def mixed():
    """Two whole cases and two with T1 alone."""
    return cohort_of_cases([toy_case(1), bare(2), toy_case(3), bare(4)])


def method_for(cohort, **changes):
    """An untrained method."""
    spec = SYNTHESIZERS.parse(changes if "kind" in changes else {**SMALL, **changes})
    appearance = Appearance.of((ref.load() for ref in cohort), BOTH, cohort.scheme)
    return SYNTHESIZERS.part_for(spec)(spec, Knowledge(BOTH, cohort.scheme, appearance))


def test_all_contrasts_are_learned_from_a_cohort_with_gaps(tmp_path):
    """Both are made, though two cases lack one."""
    trained = train_synthesizer(mixed(), None, SYNTHESIZERS.parse(SMALL), tmp_path / "m", seed=1, accelerator=PLAIN)
    made = trained.synthesize(toy_labels(5), stream(1))
    assert tuple(made) == BOTH
    assert all(volume.voxels.any() for volume in made.values())


def test_without_leave_gaps_are_not_taken(tmp_path):
    """Only what all cases have is made; a contrast that none has is refused with gaps too."""
    spec = SYNTHESIZERS.parse({**SMALL, "gaps": False})
    trained = train_synthesizer(mixed(), None, spec, tmp_path / "m", seed=1, accelerator=PLAIN)
    assert trained.modalities == (Modality.T1,)
    wanted = spec.model_copy(update={"gaps": True, "modalities": (Modality.T1, Modality.T2)})
    with pytest.raises(CohortError, match=r"contrasts \['t1', 'flair'\] in any case; expected also \['t2'\]"):
        train_synthesizer(mixed(), None, wanted, tmp_path / "n", seed=1, accelerator=PLAIN)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_first_stage_sees_only_cases_with_gaps_under_their_own_means(dims):
    """Then all cases; a case keeps its place, so that its class means are its own."""
    cohort = mixed()
    method = method_for(cohort, gaps_first=1 / 3, dims=dims, size=(8, 8, 8) if dims == 3 else None, budget=THIRTY)
    batches = method.batches(cohort, seed=1)
    early = torch.cat([batches(step)["case"] for step in range(10)])
    late = torch.cat([batches(step)["case"] for step in range(10, 30)])
    assert set(early.tolist()) == {1, 3}
    assert set(late.tolist()) == {0, 1, 2, 3}
    complete = method_for(cohort, gaps_first=1 / 3, gaps_then="complete", budget=THIRTY).batches(cohort, seed=1)
    assert set(torch.cat([complete(step)["case"] for step in range(10, 20)]).tolist()) == {0, 2}
    batch = batches(0)
    assert batch["available"].tolist() == [[True, False]] * 2
    own = torch.stack([torch.from_numpy(method.knowledge.appearance.own(n).means).float() for n in range(4)])
    assert torch.equal(batch["means"], own[batch["case"]])
    assert not batch["images"][:, 1].any()


def cases_of(batches, steps):
    """Cases drawn in some steps."""
    return set(torch.cat([batches(step)["case"] for step in steps]).tolist())


@pytest.mark.parametrize("steps", [30, 300])
def test_stages_of_the_same_number_of_epochs_share_the_steps_as_they_share_the_cases(steps):
    """Whatever the budget: three cases with T1 alone and one with all contrasts take three quarters and one."""
    cohort = cohort_of_cases([bare(1), bare(2), toy_case(3), bare(4)])
    chosen = {"gaps_first": "epochs", "gaps_then": "complete", "budget": {"steps": steps}}
    method = method_for(cohort, **chosen)
    batches, first = method.batches(cohort, seed=1), steps * 3 // 4
    assert cases_of(batches, range(first - 8, first)) <= {0, 1, 3}
    assert cases_of(batches, range(first, first + 6)) == {2}
    assert method.facts["stages"] == (f"{first} steps on 3 cases that lack contrasts, then {steps - first} on 1 case")


def test_a_budget_far_below_the_papers_sees_tumours():
    """Preset `paper` keeps both stages under any budget, and takes complete cases alone where no case has gaps."""
    small = {"kind": "pix2pix", "preset": "paper", "ngf": 2, "levels": 2, "size": (8, 8, 8), "critic_width": 2}
    small |= {"budget": {"steps": 10, "epochs": None}}
    cohort = mixed()
    method = method_for(cohort, **small)
    batches = method.batches(cohort, seed=1)
    assert (cases_of(batches, range(5)) <= {1, 3}, cases_of(batches, range(5, 10)) <= {0, 2}) == (True, True)
    whole = cohort_of_cases([toy_case(1), toy_case(3)])
    assert cases_of(method_for(whole, **small).batches(whole, seed=1), range(10)) == {0, 1}


def test_stages_that_cannot_be_are_refused(tmp_path):
    """Without gaps, with all steps in the first stage, and without a case for the second."""
    with pytest.raises(ValidationError, match=r"gaps_first 0.5 without gaps: set gaps to true"):
        SYNTHESIZERS.parse({**SMALL, "gaps": False, "gaps_first": 0.5})
    with pytest.raises(ValidationError, match="gaps_first"):
        SYNTHESIZERS.parse({**SMALL, "gaps_first": 683_200})
    spec = SYNTHESIZERS.parse({**SMALL, "gaps_first": 0.5, "gaps_then": "complete", "modalities": BOTH})
    flair = {Modality.FLAIR: toy_case(2).images[Modality.FLAIR]}
    cohort = cohort_of_cases([bare(1), replace(toy_case(2), images=flair)])
    with pytest.raises(CohortError, match="no case with all contrasts; expected some, for the second stage"):
        train_synthesizer(cohort, None, spec, tmp_path / "m", seed=1, accelerator=PLAIN)


def test_missing_contrasts_teach_nothing():
    """Made images are 0 there, so that neither critic nor difference sees them."""
    cohort = mixed()
    method = method_for(cohort, gaps_first=0.5)
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
