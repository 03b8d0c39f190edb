"""The closing line of verbs that write a cohort."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from glioforge.cli.cohorts import contrasts_from, describe
from glioforge.core.cohort import Cohort
from glioforge.core.errors import SpecError
from glioforge.core.lineage import Lineage
from glioforge.core.volume import Modality
from toy_cohort import toy_cohort

SOURCE = Path(__file__).parents[3] / "src" / "glioforge"


def made_of(cohort: Cohort, count: int) -> Cohort:
    """Synthetic cases of every case, each a subject of its own, as `synthesize` writes them."""
    cases = [
        replace(
            ref,
            case_id=f"{ref.case_id}-syn{number}",
            subject_id=f"synthetic-{ref.case_id}-{number}",
            lineage=Lineage.synthetic("spade", {ref.case_id: ref.lineage}, seed=1),
        )
        for ref in cohort
        for number in range(count)
    ]
    return Cohort("made", tuple(cases), cohort.scheme)


@pytest.mark.parametrize(
    ("subjects", "count", "text"),
    [
        (1, 1, "made: 1 synthetic case made with data of 1 subject; "),
        (2, 3, "made: 6 synthetic cases made with data of 2 subjects; "),
    ],
)
def test_synthetic_cases_count_the_people_behind_them(subjects: int, count: int, text: str) -> None:
    """Not their own ids, of which each case has one."""
    assert describe(made_of(toy_cohort(range(subjects)), count)).startswith(text)


def test_kinds_are_counted_apart() -> None:
    """Also where there is no case at all."""
    real = toy_cohort(range(2))
    both = Cohort("both", (*real, *made_of(real, 1)), real.scheme)

    assert describe(both).startswith(
        "both: 2 real cases of 2 subjects and 2 synthetic cases made with data of 2 subjects"
    )
    assert describe(Cohort("none", (), real.scheme)).startswith("none: no cases; no images; ")


def test_sampled_cases_are_not_called_edited_or_labelled() -> None:
    """A label map without a parent was sampled; slices from noise have no labels."""
    drawn = [
        replace(ref, lineage=Lineage.synthetic("label_vae", {}, seed=1, generator_subjects=["a", "b"]))
        for ref in toy_cohort(range(2))
    ]
    maps = Cohort("maps", tuple(replace(ref, images={}) for ref in drawn), toy_cohort([1]).scheme)
    slices = Cohort("slices", tuple(replace(ref, labels=None) for ref in drawn), maps.scheme)
    labelled = replace(maps, cases=tuple(replace(ref, labels=Path("labels.b2nd")) for ref in maps))

    assert describe(labelled) == "maps: 2 sampled label maps from 2 subjects; labels complete"
    assert describe(slices).startswith("slices: 2 synthetic cases made with data of 2 subjects; ")
    assert describe(slices).endswith("; no labels")


def test_no_line_of_a_verb_counts_without_regard_to_one() -> None:
    """A number before a noun in the plural goes through `core.names.counted`."""
    counts = re.compile(r"\{len\([^{}]*\)\} (?:\w+ )?(?:cases|subjects|masks|pictures|folds|files|models)\b(?! of)")
    lines = [
        f"{path.name}: {found}"
        for path in [*(SOURCE / "cli").glob("*.py"), SOURCE / "runs" / "train.py"]
        for found in counts.findall(path.read_text(encoding="utf-8"))
    ]

    assert lines == []


def test_contrasts_are_read_from_commas_and_repeats() -> None:
    """Either form gives the same contrasts; a wrong name is refused with those that there are."""
    assert contrasts_from(["t1,FLAIR"]) == contrasts_from(["t1", "flair"]) == (Modality.T1, Modality.FLAIR)
    assert contrasts_from(None) is None
    with pytest.raises(SpecError, match="contrast 't3'.* t1, t1ce, t2, flair, aptw"):
        contrasts_from(["t1,t3"])
