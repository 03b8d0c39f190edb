"""Lineage: subjects are a union over everything that had a part."""

from hypothesis import given
from hypothesis import strategies as st

from glioforge.core.lineage import Lineage
from strategies import lineages, names


@given(st.dictionaries(names, lineages(), max_size=4), st.sets(names, max_size=4))
def test_a_synthetic_case_inherits_every_subject(parents, generator_subjects):
    """Subjects are those of all parents and of the generator, sorted, and no others."""
    lineage = Lineage.synthetic("spade", parents, seed=1, generator_subjects=generator_subjects)

    inherited = {s for parent in parents.values() for s in parent.subjects} | generator_subjects
    assert lineage.subjects == tuple(sorted(inherited))
    assert lineage.parents == tuple(sorted(parents))
    assert lineage.is_synthetic


@given(st.dictionaries(names, lineages(), max_size=3), st.dictionaries(names, lineages(), max_size=3))
def test_the_union_reaches_over_generations(first, second):
    """A grandchild carries its grandparents' subjects."""
    child = Lineage.synthetic("spade", first, seed=1)

    grandchild = Lineage.synthetic("spade", {"child": child, **second}, seed=2)

    assert set(child.subjects) <= set(grandchild.subjects)


@given(lineages())
def test_json_round_trip(lineage):
    """JSON keeps a lineage whole."""
    assert Lineage.from_json(lineage.to_json()) == lineage


def test_scans_and_phantoms_have_one_subject():
    """Neither was made from others."""
    assert Lineage.real("folder", "p1").subjects == ("p1",)
    assert Lineage.phantom("f1", 7).subjects == ("f1",)
    assert not Lineage.phantom("f1", 7).is_synthetic
