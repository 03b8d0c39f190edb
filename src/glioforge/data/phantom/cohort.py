"""Phantom cohorts as files: the layout of the BraTS challenges, marked as phantoms throughout.

Every file says that it is a phantom: the NIfTI headers in their description,
the sidecars in their first key, the folder in `README.txt` and `dataset.json`.

    <out>/dataset.json, README.txt, name_mapping.csv
    <out>/<id>/<id>_{t1,t1ce,t2,flair,seg}.nii.gz, <id>.json; after surgery also aptw
    <out>-truth/<id>/<id>_tissue.nii.gz, <id>_{t1,t1ce,t2,flair}_noisefree.nii.gz

Plans need the names and contrasts of phantoms before they are made: `promised_phantoms`.
"""

from functools import partial
from pathlib import Path
from typing import Any

from glioforge.compute import ParallelSpec, fan_out
from glioforge.core import (
    BRATS2023,
    BRATS2024,
    Case,
    CaseError,
    CaseRef,
    Cohort,
    CohortError,
    Lineage,
    OutputError,
    Progress,
    Silent,
)
from glioforge.data.phantom.make import Phantom, make_phantom, phantom_id
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.io import VERB, Step, read_json, write_atomically, write_image, write_json, write_labels

__all__ = ["Phantom", "PhantomSpec", "make_phantom", "phantom_id", "write_phantom_cohort"]

_VERSION = 1
_README = """\
PHANTOM - NOT PATIENTS

These images were computed by Glioforge from an average anatomy (MNI152), a
model of tumour growth and the physics of MRI. No patient lay in a scanner for
them. They serve to demonstrate, to test and to teach. They are not evidence
about any disease, and results on them do not carry over to patients.

Label values (seg): 1 necrotic and non-enhancing core, 2 oedema, {enhancing}.
Each <id>.json lists every parameter that was drawn, with units in the names.
"""


_SETTINGS = "dataset.json"
_TABLE = "name_mapping.csv"


def write_phantom_cohort(  # noqa: PLR0913 - the settings of a whole cohort, by name
    out: Path,
    *,
    cases: int,
    spec: PhantomSpec | None = None,
    truth: bool = False,
    seed: int,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a cohort of phantoms in BraTS layout, going on where an earlier run stopped.

    The bytes of a case depend on seed, number and spec alone.  A case whose
    files are all there is not made again; a larger `cases` adds to the folder.

    Args:
        out: Folder, made if it is not there.
        cases: Number of subjects, at least 1.
        spec: What phantoms to make; the defaults unless given.
        truth: Also write all seven classes and the images without noise to the sibling folder `<out>-truth`.
        seed: Seed of the cohort, 0 or above.
        parallel: One process unless given.
        progress: Where to show progress; nowhere unless given.

    Returns:
        Folders of the cases, in order.

    Raises:
        CohortError: `cases` is below 1, or the seed below 0.
        OutputError: The folder was made with other settings, or cannot be written.
    """
    spec, progress = spec or PhantomSpec(), progress or Silent()
    for folder, settings in require_phantoms_fit(out, cases=cases, spec=spec, truth=truth, seed=seed).items():
        if not (folder / _SETTINGS).exists():
            write_atomically(folder / "README.txt", _readme(spec).encode())
            write_json(folder / _SETTINGS, settings)
    write = partial(_write_case, out=out, seed=seed, spec=spec, truth=truth)
    rows = list(fan_out(write, range(cases), parallel, title="phantoms", progress=progress))
    _write_table(out, rows)
    return [out / case_id for case_id, _ in rows]


def require_phantoms_fit(
    out: Path, *, cases: int, spec: PhantomSpec, truth: bool = False, seed: int
) -> dict[Path, dict[str, Any]]:
    """Return the folders that `write_phantom_cohort` would write, each with its settings; nothing is written.

    Raises:
        CohortError: There is no case, or the seed is negative.
        OutputError: A folder was made with other settings or by another command.
    """
    if cases < 1 or seed < 0:
        raise CohortError(f"{cases} cases of seed {seed}", "at least one case, and a seed of 0 or above")
    key = {"phantom": True, "maker": "glioforge phantom", "version": _VERSION, "seed": seed}
    settings: dict[str, Any] = {**key, "spec": spec.model_dump(mode="json")}
    folders = [out, *([_truth_folder(out)] if truth else [])]
    for folder in folders:
        _require_same(folder, settings)
    return dict.fromkeys(folders, settings)


def count_phantoms(out: Path) -> int:
    """Return how many cases the table of a folder of phantoms lists; 0 without a table."""
    path = out / _TABLE
    return max(len(path.read_text(encoding="utf-8").splitlines()) - 1, 0) if path.is_file() else 0


def _require_same(folder: Path, settings: dict[str, Any]) -> None:
    """Refuse a folder that was made with other settings, or by another command."""
    path = folder / _SETTINGS
    if not path.exists():
        Step(folder, {VERB: "phantom"})  # a folder that another command made is refused
        return
    found = read_json(path)
    differing = sorted(name for name in settings if not isinstance(found, dict) or found.get(name) != settings[name])
    if differing:
        raise OutputError(
            f"a folder whose {', '.join(differing)} differ from the settings now asked for",
            "an empty folder, or one that was made with the same settings",
            "choose another --out, or delete this folder",
            folder,
        )


def _write_case(index: int, *, out: Path, seed: int, spec: PhantomSpec, truth: bool) -> tuple[str, str]:
    """Make and write one case unless it is there; its id and grade."""
    case_id = phantom_id(seed, index)
    sidecar = out / case_id / f"{case_id}.json"
    names = [out / case_id / f"{case_id}_{part}.nii.gz" for part in (*spec.modalities, "seg")]
    if truth:
        names += [_truth_folder(out) / case_id / name for name in _truth_names(case_id, spec)]
    if sidecar.exists() and all(name.exists() for name in names):
        return case_id, str(read_json(sidecar).get("tumour", {}).get("grade", ""))
    phantom = make_phantom(seed, index, spec)
    description = f"PHANTOM glioforge seed {seed} case {index}"
    for modality, image in phantom.case.images.items():
        write_image(out / case_id / f"{case_id}_{modality}.nii.gz", image, description)
    write_labels(out / case_id / f"{case_id}_seg.nii.gz", phantom.case.require_labels(), description)
    if truth:
        _write_truth(_truth_folder(out) / case_id, phantom, description)
    write_json(sidecar, dict(phantom.parameters))
    return case_id, str(phantom.case.facts.get("grade", ""))


def _truth_folder(out: Path) -> Path:
    """Sibling folder of what no scanner shows."""
    return out.with_name(f"{out.name}-truth")


def _readme(spec: PhantomSpec) -> str:
    """What a folder of phantoms says of itself."""
    return _README.format(enhancing="3 enhancing, 4 resection cavity" if spec.post_operative else "4 enhancing")


def _truth_names(case_id: str, spec: PhantomSpec) -> list[str]:
    """Files of a case in the truth folder."""
    return [f"{case_id}_tissue.nii.gz", *(f"{case_id}_{m}_noisefree.nii.gz" for m in spec.modalities)]


def _write_truth(folder: Path, phantom: Phantom, description: str) -> None:
    """Write the seven classes and the images without noise and bias field."""
    case_id = phantom.case.case_id
    write_labels(folder / f"{case_id}_tissue.nii.gz", phantom.truth, description)
    for modality, image in phantom.noise_free.items():
        write_image(folder / f"{case_id}_{modality}_noisefree.nii.gz", image, description)


def _write_table(out: Path, rows: list[tuple[str, str]]) -> None:
    """Write BraTS' table of grades, from which the layout reads them; of more cases than before only."""
    path = out / _TABLE
    lines = ["Grade,phantom_subject_ID", *(f"{grade},{case_id}" for case_id, grade in rows)]
    if not path.exists() or len(path.read_text(encoding="utf-8").splitlines()) <= len(lines):
        write_atomically(path, ("\n".join(lines) + "\n").encode())


def promised_phantoms(seed: int, cases: int, spec: PhantomSpec | None = None) -> Cohort:
    """Return the cohort that `write_phantom_cohort` will make, without files.

    Args:
        seed: Seed of the cohort.
        cases: Number of subjects; 0 gives an empty cohort.
        spec: What phantoms; the defaults unless given.

    Example:
        >>> promised_phantoms(7, 2).subject_ids
        ('phantom-007-0000', 'phantom-007-0001')
    """
    names = [phantom_id(seed, index) for index in range(cases)]
    spec = spec or PhantomSpec()
    images, scheme = {m: Path(str(m)) for m in spec.modalities}, BRATS2024 if spec.post_operative else BRATS2023
    refs = (CaseRef(n, n, images, scheme.name, Lineage.phantom(n, seed), "", _unmade, Path("seg")) for n in names)
    return Cohort("phantoms", tuple(refs), scheme)


def _unmade(ref: CaseRef) -> Case:
    """Refuse to read a phantom that is not made yet."""
    raise CaseError("a phantom that is not made yet", "one that is", where=ref.case_id)
