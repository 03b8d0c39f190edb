"""Tests of bundles: what is written is read, a few kilobytes a map, and damage is refused."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import COMPLETE, Case, Cohort, Geometry, InputFileError, LabelMap, Lineage
from glioforge.data.bundle import read_bundle, write_bundle
from glioforge.io.cohort_file import read_cohort, write_cohort

SUBJECTS = [f"BraTS18-subject-{n:04d}" for n in range(210)]


def slices(count, size=256):
    """Discs of several classes with borders as rough as those of tissue, as slices at three heights."""
    rng = np.random.default_rng(1)
    x, y = np.indices((size, size)) - size / 2
    for number in range(count):
        waves = sum(rng.normal() / k * np.cos(k * np.arctan2(x, y) * 3 + rng.uniform(0, 6)) for k in range(1, 12))
        radius = np.hypot(x, y) / size * 2 + 0.05 * waves + 0.03 * np.sin(x / 3) * np.sin(y / 4)
        voxels = np.select([radius < 0.1, radius < 0.2, radius < 0.3, radius < 0.6, radius < 0.75], [1, 3, 2, 4, 5], 0)
        affine = np.diag([1.0, 1.0, 2.0, 1.0])
        affine[2, 3] = number % 3
        labels = LabelMap(voxels.astype(np.uint8)[..., None], Geometry((size, size, 1), affine), COMPLETE)
        lineage = Lineage.synthetic("label_pgan", {}, seed=number, generator_subjects=SUBJECTS, weights="w" * 32)
        name = f"sample-{number:06d}"
        yield Case(name, f"synthetic-{name}", {}, lineage, labels, labels.foreground, facts={"tumour_ml": 1.5 * number})


def test_what_is_written_is_read_with_its_own_seed_grid_and_facts(tmp_path):
    """Through a cohort file that lists bundles and no cases; a filter's subjects join the lineage."""
    path = tmp_path / "cases" / "bundle-000000.json"
    cases = list(slices(5, 32))
    write_bundle(path, cases)
    cohort = Cohort("sampled", read_bundle(path), COMPLETE)
    write_cohort(cohort, tmp_path, [path])
    again = read_cohort(tmp_path)
    assert again.fingerprint == cohort.fingerprint
    for case, ref in zip(cases, again, strict=True):
        held = ref.load()
        assert np.array_equal(held.require_labels().voxels, case.require_labels().voxels)
        assert held.geometry == case.geometry
        assert (held.lineage, dict(held.facts), held.subject_id) == (case.lineage, case.facts, case.subject_id)
        assert np.array_equal(held.brain, case.brain)
    filtered = replace(again.cases[2], lineage=again.cases[2].lineage.through("filter", ["other"]))
    assert "other" in filtered.load().lineage.subjects
    write_cohort(Cohort("kept", (filtered,), COMPLETE), tmp_path / "kept")
    (kept,) = read_cohort(tmp_path / "kept")
    assert np.array_equal(kept.load().require_labels().voxels, cases[2].require_labels().voxels)


def test_a_map_of_256_pixels_takes_less_than_four_kilobytes(tmp_path):
    """With 210 training subjects behind it, cohort file and all, by what files take on a disk of 4 KiB blocks."""
    path = tmp_path / "cases" / "bundle-000000.json"
    write_bundle(path, list(slices(40)))
    write_cohort(Cohort("sampled", read_bundle(path), COMPLETE), tmp_path, [path])
    sizes = [file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()]
    assert sum(-(-size // 4096) * 4096 for size in sizes) / 40 < 4096


def test_a_case_has_the_same_digest_in_a_larger_bundle(tmp_path):
    """So that a cohort that grows keeps its cases."""
    cases = list(slices(4, 16))
    write_bundle(tmp_path / "a.json", cases[:2])
    write_bundle(tmp_path / "b.json", cases)
    small, large = (read_bundle(tmp_path / name) for name in ("a.json", "b.json"))
    assert [ref.digest for ref in small] == [ref.digest for ref in large[:2]]


@pytest.mark.parametrize("name", ["a.json", "a.labels"])
@pytest.mark.parametrize("harm", [b"", b"{}"])
def test_damage_is_refused(tmp_path, name, harm):
    """A file that is empty or of another content is one typed error, in reading the bundle and a case of it."""
    write_bundle(tmp_path / "a.json", list(slices(2, 16)))
    refs = read_bundle(tmp_path / "a.json")
    (tmp_path / name).write_bytes(harm)
    with pytest.raises(InputFileError):
        read_bundle(tmp_path / "a.json")
    with pytest.raises(InputFileError):
        refs[1].load()


def test_a_reference_to_another_case_is_refused(tmp_path):
    """The bundle was written again with other maps."""
    write_bundle(tmp_path / "a.json", list(slices(2, 16)))
    refs = read_bundle(tmp_path / "a.json")
    write_bundle(tmp_path / "a.json", list(slices(3, 16))[1:])
    with pytest.raises(InputFileError, match="another case"):
        refs[1].load()
