"""Audits of four generators of known kind, on phantoms: fresh, 3 % near copies, blended, memorising.

    python experiments/audit_phantoms.py --out audits

Each generator's audit lies in its own folder, with page and summary; a stopped run goes
on.  Sizes are below the planner's, so that limits are wider than the defaults; what is
shown is the verdict, while error rates come from `benchmarks/privacy_gate.py`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from glioforge.compute.parallel import ParallelSpec
from glioforge.core import Case, CaseRef, Cohort, Lineage, Volume, stream
from glioforge.data.phantom.make import make_phantom, phantom_id
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.privacy.planted import disguised
from glioforge.privacy.rules import AuditSpec
from glioforge.runs.audit import audit

PHANTOM: Final = PhantomSpec(shape=(48, 48, 40), orientation="RAS")
SPEC: Final = AuditSpec(
    auc=0.75,
    tpr=0.35,
    nearer=0.65,
    linkage=0.08,
    copies=0.025,
    planted=10,
    fewest_subjects=50,
    fewest_cases=200,
)
KINDS: Final = ("fresh", "copies", "blended", "memorising")
PEOPLE: Final = 50
CASES: Final = 200
_DISGUISES: Final = ("noise", "mirror", "turn", "gamma", "blur", "contrast")


@dataclass(frozen=True)
class Computed:
    """A reader that computes a case: a phantom, or what a generator makes of training phantoms.

    Args:
        kind: `real` or a kind of generator.
        indices: Phantom of the case, and training phantoms behind it.
    """

    kind: str
    indices: tuple[int, ...]

    def __call__(self, ref: CaseRef, /) -> Case:
        """Compute the case."""
        own, *behind = self.indices
        rng = stream(1, self.kind, own)
        if self.kind == "real":
            case = phantom(own)
        elif self.kind == "blended":
            both = [phantom(index) for index in behind]
            case = _with(both[0], np.mean([one.stack(one.modalities) for one in both], axis=0))
        else:
            source = phantom(behind[0])
            kind = "noise" if self.kind == "memorising" else _DISGUISES[own % len(_DISGUISES)]
            case = _with(source, disguised(source.stack(source.modalities), source.brain_mask, kind, rng))
            case = case if self.kind == "memorising" else replace(case, labels=phantom(own).labels)
        return replace(case, case_id=ref.case_id, subject_id=ref.subject_id, lineage=ref.lineage)


@lru_cache(maxsize=200)
def phantom(index: int) -> Case:
    """A phantom by its number."""
    return make_phantom(7, index, PHANTOM).case


def _with(case: Case, images: np.ndarray) -> Case:
    """A case with other images."""
    volumes = {
        m: Volume(image.astype(np.float32), case.geometry, m) for m, image in zip(case.modalities, images, strict=True)
    }
    return replace(case, images=volumes)


def real(indices: Sequence[int], name: str) -> Cohort:
    """Phantoms as a cohort of people."""
    refs = []
    for index in indices:
        subject = phantom_id(7, index)
        refs.append(_ref(subject, subject, Lineage.phantom(subject, 7), Computed("real", (index,))))
    return Cohort(name, tuple(refs), phantom(0).require_labels().scheme)


def generated(kind: str, training: Sequence[int], count: int) -> Cohort:
    """Cases of a generator of a kind, with everybody whom it has seen in their lineage."""
    rng = stream(1, "generator", kind)
    seen = [phantom_id(7, index) for index in training]
    copies = set(rng.choice(count, max(1, round(0.03 * count)), replace=False).tolist())
    refs = []
    for number in range(count):
        one, two = (int(training[n]) for n in rng.integers(len(training), size=2))
        behind = {"fresh": (), "copies": (one,) if number in copies else (), "blended": (one, two)}.get(kind, (one,))
        made = kind if behind else "real"
        parents = {} if kind in {"fresh", "copies"} else {phantom_id(7, behind[0]): Lineage.phantom(seen[0], 7)}
        lineage = Lineage.synthetic(kind, parents, seed=number, generator_subjects=seen)
        name = f"{kind}-{number:04d}"
        refs.append(_ref(name, f"synthetic-{name}", lineage, Computed(made, (10_000 + number, *behind))))
    return Cohort(kind, tuple(refs), phantom(0).require_labels().scheme)


def _ref(case_id: str, subject: str, lineage: Lineage, reader: Computed) -> CaseRef:
    """A reference to a computed case."""
    first = phantom(0)
    images = {m: Path(f"{case_id}-{m}") for m in first.modalities}
    digest = f"{PHANTOM.model_dump_json()} {reader}"
    return CaseRef(case_id, subject, images, first.require_labels().scheme.name, lineage, digest, reader)


def main() -> None:
    """Audit the four generators."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    training, held_out, control = (range(n * PEOPLE, (n + 1) * PEOPLE) for n in range(3))
    people = {"train": training, "held_out": held_out, "control": control}
    cohorts = {name: real(indices, name) for name, indices in people.items()}
    for kind in KINDS:
        made = generated(kind, training, CASES)
        found = audit(made, given.out / kind, spec=SPEC, parallel=ParallelSpec(workers=given.workers), **cohorts)
        print(f"{kind}: {found.sentence}", flush=True)


if __name__ == "__main__":
    main()
