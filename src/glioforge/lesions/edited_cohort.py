"""Make a cohort of edited label maps from a prepared one.

The new cases hold labels and no images; a synthesizer makes these.  Their
lineage names every subject who gave a lesion.  Every case draws from its own
random stream, so that the number of workers, the order and an interruption
change nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import final

from glioforge.compute import ParallelSpec
from glioforge.core import Case, CaseRef, Cohort, EditRecord, Lineage, Progress, Silent, not_prepared, stream
from glioforge.data import Derived, derive, derived_or_left_out, read_labels, write_case
from glioforge.io import Step, write_cohort
from glioforge.lesions.bank import LesionBank
from glioforge.lesions.patch import names_tissue
from glioforge.lesions.recipe import RecipeSpec, edit_labels, kinds_of

METHOD = "lesion edits"
"""Source of a label map that was edited and not yet imaged."""


def subjects_of(records: Iterable[EditRecord]) -> tuple[str, ...]:
    """Subjects that edits brought in as donors, sorted; none for no records."""
    return tuple(sorted({str(s) for record in records for s in record.values.get("subjects", ())}))


def donors_of(records: Iterable[EditRecord]) -> tuple[str, ...]:
    """Ids of the donor cases, sorted."""
    named = {record.values["donor"] for record in records if record.values.get("donor") is not None}
    return tuple(sorted(str(n) for n in named))


def edited_lineage(parents: Mapping[str, Lineage], records: Iterable[EditRecord], *, seed: int) -> Lineage:
    """Lineage of an edited label map.

    Args:
        parents: Lineage of the case that was edited, by its id.
        records: Edits that were applied, in order.
        seed: Seed of the draw.
    """
    edits = tuple(records)
    made = Lineage.synthetic(METHOD, parents, seed=seed, edits=[e.to_json() for e in edits])
    lineage = made.through("lesion donor of an edit", subjects_of(edits))
    return replace(lineage, parents=tuple(sorted({*lineage.parents, *donors_of(edits)})))


_TAKE_DONORS = frozenset({"insert", "transplant"})


@final
@dataclass(frozen=True)
class Editor:
    """Makes edited label maps, each a function of case, id and seed alone; picklable.

    Args:
        recipe: What to do.
        seed: Seed of all draws.
        bank: Lesions of training subjects, for recipes that insert some.
    """

    recipe: RecipeSpec
    seed: int
    bank: LesionBank = field(repr=False)

    @classmethod
    def of(cls, cohort: Cohort, recipe: RecipeSpec, seed: int) -> "Editor":
        """Take lesions from a cohort, where the recipe inserts any."""
        return cls(recipe, seed, _bank(cohort, recipe))

    def edited(self, ref: CaseRef, case_id: str) -> Case:
        """Draw and apply the recipe to the label map of a case; the new case has no images.

        Raises:
            EditError: No attempt found a valid edit.
        """
        rng = stream(self.seed, "edit", case_id)
        donors = self.bank.without({ref.subject_id, *ref.lineage.subjects})
        labels, records = edit_labels(read_labels(ref), self.recipe, rng, donors)
        lineage = edited_lineage({ref.case_id: ref.lineage}, records, seed=self.seed)
        facts = {"recipe": self.recipe.name, "tumour_ml": round(labels.volume_ml("WT"), 3)}
        return Case(case_id, ref.subject_id, {}, lineage, labels, labels.foreground, ref.session, facts)


@final
@dataclass(frozen=True)
class _Job:
    """Edits one case so many times; picklable."""

    editor: Editor
    out: Path
    count: int

    def __call__(self, ref: CaseRef) -> Derived:
        """References of the edited cases, and what was left out and why."""
        ids = (f"{ref.case_id}-edit{number:03d}" for number in range(self.count))
        return derived_or_left_out(self.out, ids, partial(self._write, ref))

    def _write(self, ref: CaseRef, case_id: str) -> CaseRef:
        """Store one edited map."""
        return write_case(self.out, self.editor.edited(ref, case_id))


def edit_cohort(  # noqa: PLR0913 - what, how, where and how often, by keyword
    cohort: Cohort,
    recipe: RecipeSpec,
    out: Path,
    *,
    count: int = 1,
    donors: Cohort | None = None,
    seed: int = 1,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Edit every case of a prepared cohort and write the edited maps.

    Lesions that the recipe inserts come from the other subjects of the same cohort, or from those of `donors`.

    Args:
        cohort: Prepared cases (training subjects only); empty gives an empty cohort.
        recipe: What to do.
        out: Folder of the new cohort; cases that it already holds are kept.
        count: Edited maps for each case.
        donors: Prepared cases whose lesions are inserted; those of `cohort` unless given.
        seed: Seed of all draws.
        parallel: How the work is spread.
        progress: Where to show progress, and what is left out.

    Raises:
        CohortError: The label maps of the cohort or of the donors name no normal tissue.
        EditError: No map could be edited.
        LabelError: A map is not complete.
        OutputError: The folder holds edits of another cohort, recipe, count or seed, or cannot be written.
    """
    progress = progress or Silent()
    with edits_step(cohort, recipe, out, count=count, donors=donors, seed=seed) as step:
        editor = Editor.of(cohort if donors is None else donors, recipe, seed)
        edited = _edited(cohort, _Job(editor, out, count), parallel, progress)
        write_cohort(edited, out)
        if not step.done:
            step.finish({"cases": len(edited), "fingerprint": edited.fingerprint})
    return edited


def edits_step(
    cohort: Cohort, recipe: RecipeSpec, out: Path, *, count: int = 1, donors: Cohort | None = None, seed: int = 1
) -> Step:
    """Return the step of `edit_cohort`, which takes the same arguments; nothing is read or written.

    Raises:
        CohortError: The label maps of the cohort or of the donors name no normal tissue.
        OutputError: The folder holds edits of another cohort, recipe, count or seed.
    """
    key = {"cohort": cohort.fingerprint, "recipe": recipe.model_dump(mode="json"), "seed": seed, "count": count}
    if donors is not None:
        key["donors"] = donors.fingerprint
    for given in (cohort, *([] if donors is None else [donors])):
        if len(given) and not names_tissue(given.scheme):
            raise not_prepared(given.scheme.name, given.folder, given.where)
    return Step(out, key)


def _bank(cohort: Cohort, recipe: RecipeSpec) -> LesionBank:
    """Lesions of the cohort, where the recipe takes any."""
    return LesionBank.of(cohort) if kinds_of(recipe) & _TAKE_DONORS else LesionBank(())


def _edited(cohort: Cohort, job: _Job, parallel: ParallelSpec | None, progress: Progress) -> Cohort:
    """Edited cases in the order of the cohort; what is left out is said."""
    made = derive(job, cohort, parallel, title="edited cases", remedy="widen the recipe", progress=progress)
    return Cohort(f"{cohort.name}-{job.editor.recipe.name}", made, cohort.scheme, cohort.source)
