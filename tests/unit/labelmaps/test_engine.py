"""Drawn label maps: each by its number, whole, balanced, and named after all that had a part."""

import copy
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from glioforge.core import BRATS2017, COMPLETE, COMPLETE_DISTRACTORS, Case, Cohort, CohortError, Lineage, OutputError
from glioforge.labelmaps.cohort import draw_label_maps, preview_maps
from glioforge.labelmaps.engine import LabelEngine
from glioforge.labelmaps.hosts import warped_host
from glioforge.labelmaps.lesion import growing
from glioforge.labelmaps.sources import LabelSources
from glioforge.labelmaps.spec import LabelMapSpec, Plan
from toy_brain import structured_brain, toy_brain
from toy_cohort import cohort_of_cases

SPEC = LabelMapSpec.model_validate(
    {"hosts": {"count": 2}, "reuse": 5, "lesions": {"growths": 1}, "lesion_free": 0.25, "distractors": {"share": 0.8}}
)


def bare(name, labels):
    """A case of labels alone."""
    return Case(name, name, {}, Lineage.real("scan", name), labels, labels.voxels > 0)


def train():
    """Two subjects with lesions."""
    maps = (toy_brain(radii=(18.0, 12.0, 6.0)), toy_brain(centre=(0.68, 0.4, 0.6), radii=(14.0, 9.0, 5.0)))
    return cohort_of_cases([bare(f"own-{n}", labels) for n, labels in enumerate(maps)])


def sources():
    """Two subjects, a healthy brain and a tumour map of other people."""
    masks = [bare("mask", toy_brain(centre=(0.3, 0.4, 0.6)).to(BRATS2017))]
    return LabelSources(train(), cohort_of_cases([bare("healthy", structured_brain())]), cohort_of_cases(masks))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """An engine with all kinds of sources."""
    return LabelEngine(sources(), SPEC, cache=tmp_path_factory.mktemp("cache"), seed=3)


@pytest.fixture(scope="module")
def drawn(engine):
    """The maps of a round."""
    return [engine.draw(number) for number in range(SPEC.round_size)]


def test_a_map_depends_on_its_number_alone(engine, drawn, tmp_path):
    """Another order, another process and an empty cache give the same map."""
    again = copy.deepcopy(engine).draw(5)
    fresh = LabelEngine(sources(), SPEC, cache=tmp_path, seed=3).draw(5)
    for other in (again, fresh):
        np.testing.assert_array_equal(other.labels.voxels, drawn[5].labels.voxels)
        assert other.facts == drawn[5].facts
        assert other.lineage == drawn[5].lineage
    other_seed = LabelEngine(sources(), SPEC, cache=tmp_path, seed=4).draw(5)
    assert not np.array_equal(other_seed.labels.voxels, drawn[5].labels.voxels)


def test_workers_share_the_numbers(engine, drawn):
    """Every second map from the first number on."""
    numbers = [m.number for m, _ in zip(engine.maps(first=1, step=2), range(3), strict=False)]
    assert numbers == [1, 3, 5]
    assert next(engine.maps(first=2)).facts == drawn[2].facts


def test_hosts_and_lesions_are_used_evenly(drawn):
    """No host is in more maps than the settings say, and no lesion of the bank either."""
    hosts = Counter(m.facts["host_number"] for m in drawn)
    donors = Counter(m.facts["donor"] for m in drawn if m.facts["donor"])
    assert set(hosts.values()) == {SPEC.reuse}
    assert max(donors.values()) <= SPEC.reuse


@pytest.mark.parametrize("bank", [0, 1, 30])
def test_a_round_keeps_its_shares(bank):
    """Shares are met, a small bank is not overused, and each growth of a host comes in turn."""
    spec = LabelMapSpec()
    plan = Plan.of(spec, bank, 1, 0)
    counts = np.bincount(plan.bank[plan.bank >= 0], minlength=max(bank, 1))
    assert counts.max() <= spec.reuse
    assert plan.lesion_free.mean() == pytest.approx(spec.lesion_free, abs=0.04)
    assert np.mean([d is not None for d in plan.distractors]) == pytest.approx(spec.distractors.share, abs=0.04)
    grown = ~plan.lesion_free & (plan.bank < 0)
    uses = Counter(zip(plan.hosts[grown].tolist(), plan.growth[grown].tolist(), strict=True))
    assert max(uses.values()) <= spec.reuse
    assert {plan.slot(n).source for n in range(50)} <= {"none", "bank", "grown"}


def test_maps_are_whole(drawn):
    """A lesion lies in the brain, in its parts and within the bounds; a lesion-free map has none."""
    kinds = {m.facts["lesion"] for m in drawn}
    assert kinds == {"none", "bank", "grown"}
    for m in drawn:
        assert m.labels.lesion.any() == (m.facts["lesion"] != "none")
        assert m.labels.foreground.sum() > 1000
        assert m.labels.volume_ml("WT") <= SPEC.lesions.volume_ml[1]


def layered(brain):
    """The brain under one voxel of fluid, where there is no lesion."""
    outer = brain.foreground & ~ndimage.binary_erosion(brain.foreground) & ~brain.lesion
    return brain.with_voxels(np.where(outer, COMPLETE.value("csf"), brain.voxels))


def bare_of_fluid(labels):
    """Outermost voxels of a brain that are neither fluid nor lesion."""
    outer = labels.foreground & ~ndimage.binary_erosion(labels.foreground) & ~labels.lesion
    return int((outer & (labels.voxels != COMPLETE.value("csf"))).sum())


def test_a_layer_around_the_brain_is_not_torn_by_the_warp():
    """One voxel of fluid stays closed; inside, the warp moves tissue."""
    brain = layered(toy_brain(radii=(0.0, 0.0, 0.0)))
    host = warped_host(brain, SPEC.hosts, 4).labels

    assert bare_of_fluid(host) == 0
    assert (host.voxels != brain.voxels).mean() > 0.02


def test_a_layer_around_the_brain_is_not_torn_by_the_mass_effect(tmp_path):
    """Neither is it where a lesion pushes tissue against it."""
    own = [bare(f"own-{n}", layered(case.load().labels)) for n, case in enumerate(train())]
    push = {"mass_effect": {"strength": 1.0, "reach_mm": 30}, "growths": 1}
    spec = SPEC.model_copy(
        update={
            "lesions": SPEC.lesions.model_validate(push),
            "lesion_free": 0.0,
            "distractors": SPEC.distractors.model_validate({"share": 0}),
        }
    )
    engine = LabelEngine(LabelSources(cohort_of_cases(own)), spec, cache=tmp_path, seed=3)

    assert [bare_of_fluid(engine.draw(number).labels) for number in range(6)] == [0] * 6


def test_distractors_are_no_lesion(drawn):
    """What looks like tumour is normal tissue in the target, and a painter that knows it sees it."""
    shown = set()
    for m in drawn:
        target = m.target(COMPLETE)
        np.testing.assert_array_equal(target.lesion, m.labels.lesion)
        assert m.painted(COMPLETE_DISTRACTORS.__eq__, COMPLETE) is m.labels
        assert m.painted(COMPLETE.__eq__, COMPLETE).scheme == COMPLETE
        shown |= {name for name in ("ventricle_cap", "vessel_spot") if m.labels.region(name).any()}
    assert shown == {"ventricle_cap", "vessel_spot"}


def test_the_switch_leaves_outside_maps_out(engine, drawn, tmp_path):
    """With it, others have a part in maps; without it, the training subjects alone."""
    assert {s for m in drawn for s in m.lineage.subjects} == {"own-0", "own-1", "healthy", "mask"}
    closed = LabelEngine(sources(), SPEC.model_copy(update={"outside": False}), cache=tmp_path, seed=3)
    assert set(closed.draw(0).lineage.subjects) == {"own-0", "own-1"}
    assert closed.key != engine.key


def test_the_next_round_has_other_hosts(engine, drawn):
    """After a round everything is drawn anew."""
    later = engine.draw(SPEC.round_size)
    assert later.facts["host_number"] >= SPEC.hosts.count
    assert all(not np.array_equal(later.labels.voxels, m.labels.voxels) for m in drawn)


def test_a_damaged_cache_is_drawn_again(engine, drawn):
    """Half a file costs time and nothing else."""
    number = next(m.number for m in drawn if m.facts["lesion"] == "grown")
    for path in engine._cache.folder.rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(copy.deepcopy(engine).draw(number).labels.voxels, drawn[number].labels.voxels)


def test_a_cohort_goes_on_and_grows(engine, drawn, tmp_path):
    """Maps that are there are kept, more are added, other settings are refused, and a sheet shows them."""
    first = draw_label_maps(engine, tmp_path / "maps", count=2)
    more = draw_label_maps(engine, tmp_path / "maps", count=4)
    assert [ref.case_id for ref in more] == [f"drawn-{n:06d}" for n in range(4)]
    assert more.cases[:2] == first.cases
    np.testing.assert_array_equal(more.cases[3].load().labels.voxels, drawn[3].labels.voxels)
    other = LabelEngine(sources(), SPEC, cache=tmp_path / "cache", seed=9)
    with pytest.raises(OutputError, match="seed"):
        draw_label_maps(other, tmp_path / "maps", count=2)
    with pytest.raises(CohortError, match="at least one"):
        draw_label_maps(engine, tmp_path / "none", count=0)
    preview_maps(more, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_sources_must_be_prepared():
    """No training cases and maps of the tumour alone are refused."""
    with pytest.raises(CohortError, match="no labelled training cases"):
        LabelSources(train().select([]))
    refs = tuple(replace(ref, scheme=BRATS2017.name) for ref in train())
    with pytest.raises(CohortError, match="prepare"):
        LabelSources(Cohort("raw", refs, BRATS2017))


def test_a_growing_tumour_is_one_tumour(engine):
    """Volumes are met, each stage holds most of the one before, and without mass effect nothing else changes."""
    host, growth = engine.host(0, 0), engine._growth(0, 0, 0)
    stages = growing(host, growth, (0.0, 8.0, 20.0))
    assert [m.volume_ml("WT") for m in stages] == pytest.approx([0.0, 8.0, 20.0], rel=0.1)
    small, large = (m.lesion for m in stages[1:])
    assert (small & large).sum() > 0.9 * small.sum()
    np.testing.assert_array_equal(stages[2].voxels[~large], host.labels.voxels[~large])
