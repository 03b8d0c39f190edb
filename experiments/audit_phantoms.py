"""Audits of four generators of known kind, on phantoms: fresh, 1 % near copies, blended, memorising.

    python experiments/audit_phantoms.py --out audits

writes `docs/results/audit_phantoms.json`.  Each generator's audit lies in its own folder,
with page and summary; a stopped run goes on.  There are fewer subjects than the planner asks
for, so that limits that depend on them are wider than the defaults; what is shown is the
verdict, while error rates come from `benchmarks/privacy_gate.py`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import ndimage

from glioforge.compute.parallel import ParallelSpec
from glioforge.core import COMPLETE, Case, CaseRef, Cohort, Lineage, Modality, Volume, stream
from glioforge.data.phantom.make import make_phantom, phantom_id
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.store import find_case, write_case
from glioforge.io.atomic_write import read_json, write_json
from glioforge.privacy.planted import disguised
from glioforge.privacy.rules import AuditSpec
from glioforge.runs.audit import JSON, audit

PHANTOM: Final = PhantomSpec(shape=(48, 48, 40), orientation="RAS")
RESULT: Final = Path(__file__).parents[1] / "docs" / "results" / "audit_phantoms.json"
SPEC: Final = AuditSpec(auc=0.75, tpr=0.35, nearer=0.6, linkage=0.08, planted=20, fewest_subjects=60)
VERDICTS: Final = {"fresh": "PASS", "copies": "FAIL", "blended": "FAIL", "memorising": "FAIL"}
"""Generators, and the right verdict on each."""
MODALITIES: Final = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)
SCHEME: Final = COMPLETE
PEOPLE: Final = 60
CASES: Final = {"fresh": 900, "copies": 900, "blended": 300, "memorising": 300}
"""Synthetic cases; 1 % of copies shows among many alone, the others in every case."""
EACH: Final = 3
"""Cases of a fresh generator that are made of one phantom, each under another deformation, as phantoms take long."""
WARP_VOXELS: Final = 1.5
"""Standard deviation of a deformation along each axis."""
COPIED: Final = 0.01
"""Share of the cases of the copying generator that are copies, of a person each."""
_DISGUISES: Final = ("noise", "mirror", "turn", "gamma", "blur", "contrast")


@dataclass(frozen=True)
class Computed:
    """A reader that computes a case: a phantom, or what a generator makes of training phantoms.

    Args:
        kind: `real` or a kind of generator.
        indices: Number of the case, and phantoms behind it.
        store: Folder in which phantoms are kept.
    """

    kind: str
    indices: tuple[int, ...]
    store: Path

    def __call__(self, ref: CaseRef, /) -> Case:
        """Compute the case."""
        own, *behind = self.indices
        rng = stream(1, self.kind, own)
        if self.kind == "real":
            case = phantom(own, self.store)
        elif self.kind == "fresh":
            case = warped(phantom(behind[0], self.store), rng)
        elif self.kind == "blended":
            both = [phantom(index, self.store) for index in behind]
            case = _with(both[0], np.mean([one.stack(one.modalities) for one in both], axis=0))
        else:
            source = phantom(behind[0], self.store)
            kind = "noise" if self.kind == "memorising" else _DISGUISES[own % len(_DISGUISES)]
            case = _with(source, disguised(source.stack(source.modalities), source.brain_mask, kind, rng))
            case = (
                case if self.kind == "memorising" else replace(case, labels=phantom(stranger(own), self.store).labels)
            )
        return replace(case, case_id=ref.case_id, subject_id=ref.subject_id, lineage=ref.lineage)


@lru_cache(maxsize=200)
def phantom(index: int, store: Path) -> Case:
    """A phantom by its number with all classes in its label map, made once for all audits."""
    found = find_case(store, phantom_id(7, index))
    if found is None:
        made = make_phantom(7, index, PHANTOM)
        found = write_case(store, replace(made.case, labels=made.truth))
    return found.load()


def stranger(number: int) -> int:
    """Phantom of nobody in the three sets, from which `EACH` cases of a fresh generator are made."""
    return 10_000 + number // EACH


def warped(case: Case, rng: np.random.Generator) -> Case:
    """A case under a smooth deformation of a few voxels, images and labels alike."""
    shape = case.geometry.shape
    ways = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), 5) for _ in shape])
    at = np.indices(shape) + ways * (WARP_VOXELS / ways.std())
    images = np.stack([ndimage.map_coordinates(v, at, order=1) for v in case.stack(case.modalities)])
    labels = case.require_labels()
    moved = ndimage.map_coordinates(labels.voxels, at, order=0)
    return replace(_with(case, images), labels=labels.with_voxels(moved), brain=None)


def _with(case: Case, images: np.ndarray) -> Case:
    """A case with other images."""
    volumes = {
        m: Volume(image.astype(np.float32), case.geometry, m) for m, image in zip(case.modalities, images, strict=True)
    }
    return replace(case, images=volumes)


def real(indices: Sequence[int], name: str, store: Path) -> Cohort:
    """Phantoms as a cohort of people."""
    refs = []
    for index in indices:
        subject = phantom_id(7, index)
        refs.append(_ref(subject, subject, Lineage.phantom(subject, 7), Computed("real", (index,), store)))
    return Cohort(name, tuple(refs), SCHEME)


def generated(kind: str, training: Sequence[int], count: int, store: Path) -> Cohort:
    """Cases of a generator of a kind, with everybody whom it has seen in their lineage."""
    rng = stream(1, "generator", kind)
    seen = [phantom_id(7, index) for index in training]
    copied = rng.choice(count, round(COPIED * count), replace=False).tolist()
    sources = dict(zip(copied, rng.permutation(training).tolist(), strict=False)) if kind == "copies" else {}
    refs = []
    for number in range(count):
        one, two = (int(training[n]) for n in rng.integers(len(training), size=2))
        copy = (sources[number],) if number in sources else ()
        behind = {"fresh": (), "copies": copy, "blended": (one, two)}.get(kind, (one,))
        made, behind = (kind, behind) if behind else ("fresh", (stranger(number),))
        donor = phantom_id(7, one)
        parents = {} if kind in {"fresh", "copies"} else {donor: Lineage.phantom(donor, 7)}
        lineage = Lineage.synthetic(kind, parents, seed=number, generator_subjects=seen)
        name = f"{kind}-{number:04d}"
        reader = Computed(made, (number, *behind), store)
        refs.append(_ref(name, f"synthetic-{name}", lineage, reader))
    return Cohort(kind, tuple(refs), SCHEME)


def _ref(case_id: str, subject: str, lineage: Lineage, reader: Computed) -> CaseRef:
    """A reference to a computed case."""
    images = {m: Path(f"{case_id}-{m}") for m in MODALITIES}
    digest = f"{PHANTOM.model_dump_json()} {reader.kind} {reader.indices}"
    return CaseRef(case_id, subject, images, SCHEME.name, lineage, digest, reader)


def row_of(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an audit, from its numbers."""
    findings = values["findings"]
    return {
        "generator": kind,
        "verdict": values["verdict"],
        "reasons": values["reasons"],
        "cases": values["cohorts"]["synthetic"]["cases"],
        "quarantined": len(values["quarantine"]),
        "caught": next(one["detail"]["caught"] for one in findings if one["attack"] == "copy rate"),
        "bounds": {
            f"{one['attack']}, {one['measure']}": [round(one["bound"], 4), one["limit"], one["outcome"]]
            for one in findings
        },
        "plan": values["plan"]["text"],
    }


def main() -> None:
    """Audit the generators one after another, and fail where a verdict is not the right one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    store = given.out.absolute() / "phantoms"
    training, held_out, control = (range(n * PEOPLE, (n + 1) * PEOPLE) for n in range(3))
    people = {"train": training, "held_out": held_out, "control": control}
    cohorts = {name: real(indices, name, store) for name, indices in people.items()}
    rows = []
    for kind in VERDICTS:
        path = given.out / kind / JSON
        if not path.is_file():
            made = generated(kind, training, CASES[kind], store)
            found = audit(made, given.out / kind, spec=SPEC, parallel=ParallelSpec(workers=given.workers), **cohorts)
            print(f"{kind}: {found.sentence}", flush=True)
        rows.append(row_of(kind, read_json(path)))
    write_json(RESULT, {"settings": SPEC.model_dump(mode="json"), "copied": COPIED, "audits": rows})
    if wrong := [row["generator"] for row in rows if row["verdict"] != VERDICTS[row["generator"]]]:
        raise SystemExit(f"not the right verdict: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
