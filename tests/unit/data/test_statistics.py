"""Class statistics see real training subjects, each once, and say whose they are."""

import dataclasses

import numpy as np
import pytest

from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.statistics import ClassStatistics, fit_statistics
from glioforge.data.store import write_case

GRID = Geometry.isotropic((4, 4, 4))


def case_of(name, white, *, subject=None, lineage=None):
    """Half white matter of the brightness given, half background, one voxel of tumour at 3."""
    labels = np.zeros((4, 4, 4), dtype=np.uint8)
    labels[:2] = COMPLETE.value("white_matter")
    labels[0, 0, 0] = COMPLETE.value("enhancing")
    voxels = np.where(labels == 4, white, np.where(labels == 3, 3.0, 0.0)).astype(np.float32)
    voxels[1] += np.where(np.indices((4, 4)).sum(axis=0) % 2, 0.5, -0.5).astype(np.float32)
    images = {Modality.T1: Volume(voxels, GRID, Modality.T1)}
    subject = subject or name
    return Case(name, subject, images, lineage or Lineage.real("scan", subject), LabelMap(labels, GRID, COMPLETE))


def fitted(folder, *cases):
    """Statistics of these cases."""
    return fit_statistics(Cohort("train", tuple(write_case(folder, c) for c in cases), COMPLETE))


def test_means_and_spreads_are_those_of_the_subjects(tmp_path):
    """Mean over subjects, spread inside a subject and between subjects are told apart."""
    statistics = fitted(tmp_path, case_of("a", 1.0), case_of("b", 2.0))
    white = statistics.brightness["white_matter"][Modality.T1]
    assert white.mean == pytest.approx(1.5, abs=1e-3)
    assert white.between == pytest.approx(np.sqrt(0.5), abs=1e-3)
    assert white.within == pytest.approx(np.sqrt(0.25 * 16 / 31), abs=1e-3)
    assert statistics.brightness["enhancing"][Modality.T1].mean == pytest.approx(3.0, abs=1e-3)
    assert "csf" not in statistics.brightness
    assert statistics.frequencies["white_matter"] == pytest.approx(31 / 32)
    assert statistics.frequencies["csf"] == 0
    assert statistics.lineage.subjects == ("a", "b")


def test_a_subject_with_two_sessions_counts_once(tmp_path):
    """Two sessions of one subject do not shift the mean over subjects."""
    sessions = (case_of("a1", 1.0, subject="a"), case_of("a2", 1.0, subject="a"))
    statistics = fitted(tmp_path, *sessions, case_of("b", 2.0))
    assert statistics.brightness["white_matter"][Modality.T1].mean == pytest.approx(1.5, abs=1e-3)


def test_one_subject_has_no_spread_between_subjects(tmp_path):
    """The spread between subjects is 0 where there is one, and phantoms are marked as such."""
    statistics = fitted(tmp_path, case_of("a", 1.0, lineage=Lineage.phantom("a", 3)))
    assert statistics.brightness["white_matter"][Modality.T1].between == 0
    assert statistics.lineage.kind == "phantom"


def test_weights_favour_rare_classes_within_limits(tmp_path):
    """Weights fall with frequency, average to 1 over classes seen, and are 0 for classes never seen."""
    statistics = fitted(tmp_path, case_of("a", 1.0))
    weights = statistics.weights(power=1.0)
    assert weights["enhancing"] == pytest.approx(20 * weights["white_matter"])
    assert weights["csf"] == 0
    assert np.mean([w for w in weights.values() if w]) == pytest.approx(1)
    assert len({w for w in statistics.weights(power=0.0).values() if w}) == 1


def test_statistics_survive_json(tmp_path):
    """Writing and reading give equal statistics."""
    statistics = fitted(tmp_path, case_of("a", 1.0), case_of("b", 2.0))
    assert ClassStatistics.from_json(statistics.to_json()) == statistics


def test_wrong_values_are_refused(tmp_path):
    """Values of something else raise instead of giving half an object."""
    values = fitted(tmp_path, case_of("a", 1.0)).to_json()
    with pytest.raises(InputFileError, match="not class statistics"):
        ClassStatistics.from_json({k: v for k, v in values.items() if k != "lineage"})


def test_synthetic_or_no_cases_are_refused(tmp_path):
    """Statistics never depend on synthetic cases."""
    synthetic = Lineage.synthetic("spade", {"a": Lineage.real("scan", "a")}, seed=1)
    with pytest.raises(CohortError, match=r"synthetic cases \['s'\]"):
        fitted(tmp_path, case_of("a", 1.0), dataclasses.replace(case_of("s", 1.0), lineage=synthetic))
    with pytest.raises(CohortError, match="no cases"):
        fit_statistics(Cohort("none", (), COMPLETE))
