"""Lineage: subjects are a union over everything that had a part."""

from hypothesis import given, strategies as st

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


def test_what_is_known_of_a_subject_goes_before_a_further_way():
    """Training cases that also set a filter's limit stay training cases; who comes in anew has the way named."""
    case = Lineage.real("scan", "a").through("landmarks", ["a", "b"]).through("filter", ["b", "c"])

    assert case.subjects == ("a", "b", "c")
    assert case.ways == {"filter": ("c",), "landmarks": ("b",)}
    assert case.apart == {"b", "c"}


def test_ways_reach_through_a_model_to_its_children():
    """A child of a generator names how the generator saw somebody."""
    validation = Lineage.real("scan", "v").through("landmarks", ["m"])
    generator = Lineage.union("spade", [Lineage.real("scan", "t")]).through("validation", validation)
    child = Lineage.synthetic("spade", {"p-0": Lineage.real("scan", "p")}, seed=1).through("generator", generator)

    assert child.subjects == ("m", "p", "t", "v")
    assert child.ways == {
        "generator": ("t",),
        "generator: validation": ("v",),
        "generator: validation: landmarks": ("m",),
    }
    assert child.parents == ("p-0",)


@given(st.lists(lineages(), max_size=4))
def test_a_union_has_everyone_and_each_subject_in_one_way(found):
    """Also where one case's landmarks come from the subject of another case."""
    shaped = [lineage.through("landmarks", other.subjects) for lineage, other in zip(found, found[::-1], strict=True)]
    union = Lineage.union("model", shaped)

    assert set(union.subjects) == {subject for lineage in found for subject in lineage.subjects}
    named = [subject for subjects in union.ways.values() for subject in subjects]
    assert len(named) == len(set(named))
    assert not union.apart & {s for lineage in shaped for s in set(lineage.subjects) - lineage.apart}
    assert Lineage.from_json(union.to_json()) == union


def test_a_lineage_without_ways_is_written_as_before():
    """Folders of older releases stay readable, and their fingerprints stay the same."""
    assert "ways" not in Lineage.real("scan", "a").to_json()
    assert Lineage.real("scan", "a").through("landmarks", ["b"]).to_json()["ways"] == {"landmarks": ["b"]}


def test_scans_and_phantoms_have_one_subject():
    """Neither was made from others."""
    assert Lineage.real("folder", "p1").subjects == ("p1",)
    assert Lineage.phantom("f1", 7).subjects == ("f1",)
    assert not Lineage.phantom("f1", 7).is_synthetic
