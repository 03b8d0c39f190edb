"""Make a cohort of mixed cases from a prepared one.

Every case draws from its own random stream, so that the number of workers, the
order and an interruption change nothing.  The lineage of a mixed case names
the subjects of host and donor.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, final

from glioforge.compute import ParallelSpec
from glioforge.config import Spec
from glioforge.core import (
    PREPARATION,
    Case,
    CaseRef,
    Cohort,
    CohortError,
    LabelMap,
    Lineage,
    Modality,
    Progress,
    Silent,
    Volume,
    not_prepared,
    require_labelled,
    stream,
)
from glioforge.data import Derived, derive, derived_or_left_out, require_one_grid, write_case
from glioforge.io import Step, write_cohort
from glioforge.mixing.base import Mixed, Scan, mixing_for


@final
@dataclass(frozen=True)
class Mixer:
    """Makes mixed cases of a prepared cohort, each a function of host, id and seed alone; picklable.

    Args:
        spec: A mixing's settings.
        cohort: Prepared, labelled cases of one grid.
        seed: Seed of all draws.
    """

    spec: Spec
    cohort: Cohort = field(repr=False)
    seed: int

    def mixed(self, ref: CaseRef, case_id: str) -> Case:
        """Mix a host of the cohort with a drawn donor; a case is its own donor where the mixing allows it alone.

        Raises:
            EditError: The draw found nothing valid.
        """
        kind = kind_of(self.spec)
        rng = stream(self.seed, "mix", kind, case_id)
        donors = [other for other in self.cohort if other.subject_id != ref.subject_id] or [ref]
        donor_ref = donors[int(rng.integers(len(donors)))]
        host_case, modalities = ref.load(), self.cohort.modalities
        host, donor = Scan.of(host_case, modalities), Scan.of(donor_ref.load(), modalities)
        mixing = mixing_for(self.spec)
        values = mixing.draw(host, donor, rng)
        mixed = mixing.apply(host, donor, values)
        parents = {ref.case_id: ref.lineage, donor_ref.case_id: donor_ref.lineage}
        record = {"kind": kind, "donor": donor_ref.case_id, **values}
        lineage = Lineage.synthetic(kind, parents, seed=self.seed, edits=[record])
        return _case(case_id, host_case, mixed, modalities, lineage)


@final
@dataclass(frozen=True)
class _Job:
    """Mixes one host so many times; picklable."""

    mixer: Mixer
    out: Path
    count: int

    def __call__(self, ref: CaseRef) -> Derived:
        """References of the mixed cases, and what was left out and why."""
        ids = (f"{ref.case_id}-mix{number:03d}" for number in range(self.count))
        return derived_or_left_out(self.out, ids, partial(self._write, ref))

    def _write(self, ref: CaseRef, case_id: str) -> CaseRef:
        """Mix and store one case."""
        return write_case(self.out, self.mixer.mixed(ref, case_id))


def mix_cohort(  # noqa: PLR0913 - what, how, where and how often, by keyword
    cohort: Cohort,
    spec: Spec,
    out: Path,
    *,
    count: int = 1,
    seed: int = 1,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Mix every case of a prepared cohort with cases of its other subjects, and write the mixed cases.

    Args:
        cohort: Prepared, labelled cases of one grid (training subjects only); empty gives an empty cohort.
        spec: A mixing's settings.
        out: Folder of the new cohort; cases that it already holds are kept.
        count: Mixed cases for each case.
        seed: Seed of all draws.
        parallel: How the work is spread; the bytes do not depend on it.
        progress: Where to show progress, and what is left out.

    Raises:
        CohortError: The cohort has one subject only and the mixing needs two, it was not prepared, or its cases
            differ in grid.
        EditError: No case could be mixed.
        OutputError: The folder holds cases of another cohort, mixing, count or seed, or cannot be written.
    """
    progress = progress or Silent()
    require_mixable(cohort, spec)
    key = {"cohort": cohort.fingerprint, "mixing": spec.model_dump(mode="json"), "seed": seed, "count": count}
    with Step(out, key) as step:
        job = _Job(Mixer(spec, cohort, seed), out, count)
        made = derive(
            job,
            cohort,
            parallel,
            title="mixed cases",
            remedy="change the settings",
            progress=progress,
        )
        mixed = Cohort(f"{cohort.name}-{kind_of(spec)}", made, cohort.scheme, cohort.source)
        write_cohort(mixed, out)
        if not step.done:
            step.finish({"cases": len(mixed), "fingerprint": mixed.fingerprint})
    return mixed


def kind_of(spec: Spec) -> str:
    """Kind of a mixing, for names."""
    return str(getattr(spec, "kind", "mixed"))


def require_mixable(cohort: Cohort, spec: Spec) -> None:
    """Refuse a cohort that is not prepared, or of one subject alone where the mixing needs a donor.

    Raises:
        CohortError: As said.
    """
    if not len(cohort):
        return
    if not cohort.scheme.is_complete:
        raise not_prepared(cohort.scheme.name, cohort.folder, cohort.where)
    require_labelled(cohort, "label these cases or leave them out", cohort.where)
    require_one_grid(cohort)
    if not has_donors(cohort, spec):
        raise CohortError(
            "one subject", "at least two, a host and a donor", "edit its lesion instead (glioforge edit)", cohort.where
        )


def has_donors(cohort: Cohort, spec: Spec) -> bool:
    """Return whether every host of a cohort has a donor: another subject, or itself where the mixing allows it."""
    return len(cohort.subject_ids) > 1 or bool(getattr(spec, "alone", False))


def _case(case_id: str, host: Case, mixed: Mixed, modalities: tuple[Modality, ...], lineage: Lineage) -> Case:
    """The case that mixed arrays make; it counts as the host's subject."""
    geometry = host.geometry
    images = {m: Volume(image, geometry, m) for m, image in zip(modalities, mixed.images, strict=True)}
    labels = LabelMap(mixed.labels, geometry, host.require_labels().scheme)
    facts: dict[str, Any] = {"tumour_ml": round(labels.volume_ml("WT"), 3)}
    # What the host's preparation was says how a mixed case may be used, and brings its label map back to the scan.
    facts.update({key: host.facts[key] for key in ("prepared", PREPARATION) if key in host.facts})
    return Case(case_id, host.subject_id, images, lineage, labels, mixed.brain, host.session, facts)
