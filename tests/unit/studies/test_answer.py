"""Subgroups, methods paragraph and the answer at a glance say what the records hold."""

from dataclasses import replace

import numpy as np

from glioforge.core.rng import stream
from glioforge.core.volume import Modality, Volume
from glioforge.report.scores import Scores
from glioforge.studies.subgroups import noise_of, side_of, subgroup_table
from toy_cohort import cohort_of_cases, toy_case


def test_subgroups_divide_subjects_by_what_is_known():
    """Grade where it is known, size and noise at the median; each with its count and difference."""
    cases = [replace(toy_case(n), facts={"grade": "HGG" if n < 3 else "LGG"}) for n in range(5)]
    subjects = tuple(case.subject_id for case in cases)
    refs = [replace(ref, facts=case.facts) for ref, case in zip(cohort_of_cases(cases), cases, strict=True)]
    differences = Scores(subjects, (0,), np.array([[0.1], [0.1], [0.1], [-0.2], [-0.2]]))

    table = subgroup_table(differences, refs, "subject", seed=1)
    rows = {row[:2]: row[2:] for row in table.rows}

    assert rows["grade", "HGG"][0] == "3"
    assert rows["grade", "HGG"][1].startswith("+0.100")
    assert rows["grade", "LGG"] == ("2", "−0.200", "0", "2 subjects: too few to conclude")
    assert {row[0] for row in table.rows} <= {"grade", "place", "tumour size", "image noise"}
    assert sum(int(row[2]) for row in table.rows if row[0] == "image noise") == 5


def test_a_fact_that_all_share_divides_nobody():
    """One group is no subgroup."""
    cases = [toy_case(n) for n in range(3)]
    differences = Scores(tuple(case.subject_id for case in cases), (0,), np.zeros((3, 1)))

    assert "grade" not in {
        row[0] for row in subgroup_table(differences, cohort_of_cases(cases).cases, "s", seed=1).rows
    }


def test_noise_and_side_are_those_of_the_image():
    """White noise is measured in units of the spread; the toy lesion lies on the right."""
    case = toy_case(1)
    assert side_of(case) == "right"
    labels = case.require_labels()
    brain = np.ones(labels.voxels.shape, dtype=bool)
    rng = stream(1, "noise")
    smooth = np.linspace(-10, 10, brain.shape[0], dtype=np.float32)[:, None, None] * np.ones(brain.shape, np.float32)
    noisy = smooth + rng.normal(0, 1, brain.shape).astype(np.float32)
    images = {Modality.T1: Volume(noisy.astype(np.float32), labels.geometry, Modality.T1)}
    found = noise_of(replace(case, images=images, brain=brain))

    assert abs(found * noisy.std() - 1) < 0.1
