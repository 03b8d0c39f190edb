"""A cohort of mixed cases: lineage, the firewall, resuming, and bad input."""

import shutil

import numpy as np
import pytest

from glioforge.core.errors import CohortError, LeakageError, OutputError
from glioforge.core.firewall import require_no_leak
from glioforge.io.cohort_file import read_cohort
from glioforge.mixing.base import MIXINGS
from glioforge.mixing.cohort import mix_cohort
from toy_cohort import toy_cohort

TRAIN = toy_cohort([1, 2, 3])
CUTMIX = MIXINGS.parse("cutmix")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two mixed cases of each of three subjects."""
    out = tmp_path_factory.mktemp("mixed")
    return mix_cohort(TRAIN, CUTMIX, out, count=2, seed=5), out


def test_each_case_names_host_and_donor(made):
    """Both subjects stand behind a case, and the record names the donor."""
    cohort, out = made

    assert len(cohort) == 6
    assert read_cohort(out).fingerprint == cohort.fingerprint
    for ref in cohort:
        assert ref.lineage.is_synthetic
        assert len(ref.lineage.subjects) == 2
        assert ref.subject_id in ref.lineage.subjects
        assert ref.lineage.edits[0]["kind"] == "cutmix"
        assert ref.lineage.edits[0]["donor"] in ref.lineage.parents


def test_the_firewall_sees_donors(made):
    """A donor may not be judged on."""
    for ref in made[0]:
        (donor,) = set(ref.lineage.subjects) - {ref.subject_id}
        with pytest.raises(LeakageError):
            require_no_leak({"mixed": made[0]}, toy_cohort([int(donor[1:])], "test"))
    require_no_leak({"mixed": made[0]}, toy_cohort([9], "test"))


def test_the_same_command_makes_what_is_missing_with_the_same_voxels(made):
    """Whatever was lost is made again, byte for byte."""
    cohort, out = made
    lost = cohort.cases[3]
    before = lost.load().stack(cohort.modalities)
    shutil.rmtree(out / lost.case_id)
    again = mix_cohort(TRAIN, CUTMIX, out, count=2, seed=5)

    np.testing.assert_array_equal(again.cases[3].load().stack(cohort.modalities), before)
    assert again.fingerprint == cohort.fingerprint


def test_another_seed_is_refused_in_the_same_folder(made):
    """Nothing is mixed up with what is there."""
    with pytest.raises(OutputError):
        mix_cohort(TRAIN, CUTMIX, made[1], count=2, seed=6)


def test_one_subject_has_no_donor(tmp_path):
    """The error says what to do instead, and nothing is written."""
    with pytest.raises(CohortError, match="one subject"):
        mix_cohort(toy_cohort([1]), CUTMIX, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_cases_give_an_empty_cohort(tmp_path):
    """Empty in, empty out."""
    assert len(mix_cohort(toy_cohort([]), CUTMIX, tmp_path / "out")) == 0


@pytest.mark.parametrize("kind", ["class_contrast", "tumour_paste"])
def test_one_subject_is_its_own_donor_where_the_mixing_allows_it(kind, tmp_path):
    """Nobody else stands behind such a case."""
    spec = MIXINGS.parse({"kind": kind, **({"inside_share": 0.3} if kind == "tumour_paste" else {})})
    (ref,) = mix_cohort(toy_cohort([1]), spec, tmp_path / "out")
    assert ref.lineage.subjects == (ref.subject_id,)
