"""Many small label maps in two files, for cohorts of slices from noise: a few kilobytes a map.

A folder for each case, as in `data.store`, takes more room for the description of a slice than for the slice, and
every case would name all training subjects again.  A bundle holds what its cases share once.

    cases/bundle-000003.labels   voxels of all maps, one after the other, as one zlib stream
    cases/bundle-000003.json     scheme, lineage, grids, and for each case its name, grid, seed and facts; both hashes

`*.json` is written last and every file at once, so that a reader finds a whole bundle or none; voxels whose hash
differs are refused and never unpacked.
"""

import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final, final

import numpy as np

from glioforge.core import Case, CaseRef, Geometry, GlioforgeError, InputFileError, LabelMap, LabelScheme, Lineage
from glioforge.data.frames import checked_bytes, hash_of, modified
from glioforge.io import read_json, write_atomically, write_json

REMEDY: Final = "give the command that wrote this folder once more: it draws damaged bundles again"
_VERSION = 1
_LEVEL = 9


@final
@dataclass(frozen=True)
class BundleReader:
    """Reads a case of a bundle.

    Args:
        number: Place of the case in its bundle.
    """

    number: int
    format: ClassVar[str] = "bundle"

    def __call__(self, ref: CaseRef, /) -> Case:
        """Read one map; its lineage also names whoever the reference has learned of since, as from a filter.

        Raises:
            InputFileError: A file is missing, damaged or not the one that the reference means.
        """
        if ref.labels is None:
            raise InputFileError("a case of a bundle without a file of labels", "its file", REMEDY, ref.case_id)
        path = ref.labels.with_suffix(".json")
        facts = _known_facts(str(path), modified(path))
        if self.number >= len(facts["cases"]) or _digest(facts, self.number) != ref.digest:
            raise InputFileError("holds another case than the cohort says", f"contents {ref.digest}", REMEDY, path)
        case = _case(facts, _voxels(ref.labels, facts), self.number)
        return replace(case, lineage=ref.lineage.through("", case.lineage))


def write_bundle(path: Path, cases: Sequence[Case]) -> None:
    """Write label maps of one shape, scheme and origin; their brains are where they are labelled.

    Args:
        path: The bundle's `*.json`.
        cases: Bare label maps whose lineages differ in their seeds alone; at least one.

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    maps = [case.require_labels() for case in cases]
    voxels = b"".join(np.ascontiguousarray(labels.voxels).tobytes() for labels in maps)
    packed = zlib.compress(voxels, _LEVEL)
    affines = [labels.geometry.to_json()["affine"] for labels in maps]
    grids = [affine for number, affine in enumerate(affines) if affine not in affines[:number]]
    rows = [
        [c.case_id, c.subject_id, grids.index(a), c.lineage.seed, dict(c.facts), hash_of(m.voxels.tobytes())]
        for c, m, a in zip(cases, maps, affines, strict=True)
    ]
    facts = {
        "version": _VERSION,
        "scheme": maps[0].scheme.to_json(),
        "lineage": replace(cases[0].lineage, seed=None).to_json(),
        "shape": list(maps[0].voxels.shape),
        "affines": grids,
        "cases": rows,
        "labels": hash_of(packed),
    }
    facts = json.loads(json.dumps(facts))
    write_atomically(path.with_suffix(".labels"), packed)
    write_json(path, {**facts, "self": _hash_of_facts(facts)})


def read_bundle(path: Path) -> tuple[CaseRef, ...]:
    """References to all cases of a bundle, in order; its voxels are checked, and not unpacked.

    Args:
        path: The bundle's `*.json`.

    Raises:
        InputFileError: A file is missing or damaged.
    """
    facts = _known_facts(str(path), modified(path))
    labels = path.with_suffix(".labels")
    checked_bytes(labels, facts["labels"])
    lineage = Lineage.from_json(facts["lineage"])
    return tuple(
        CaseRef(
            case_id=case_id,
            subject_id=subject_id,
            images={},
            scheme=facts["scheme"]["name"],
            lineage=replace(lineage, seed=seed),
            digest=_digest(facts, number),
            reader=BundleReader(number),
            labels=labels,
            brain=labels,
            facts=known,
        )
        for number, (case_id, subject_id, _, seed, known, _) in enumerate(facts["cases"])
    )


def _case(facts: dict[str, Any], voxels: np.ndarray, number: int) -> Case:
    """One case of a bundle."""
    case_id, subject_id, grid, seed, known, _ = facts["cases"][number]
    i, j, k = facts["shape"]
    geometry = Geometry((i, j, k), np.array(facts["affines"][grid]))
    labels = LabelMap(voxels[number].copy(), geometry, LabelScheme.from_json(facts["scheme"]))
    lineage = replace(Lineage.from_json(facts["lineage"]), seed=seed)
    return Case(case_id, subject_id, {}, lineage, labels, labels.foreground, facts=known)


def _digest(facts: dict[str, Any], number: int) -> str:
    """Hash of everything about a case, the same in whatever bundle it lies."""
    case_id, subject_id, grid, seed, known, voxels = facts["cases"][number]
    shared = [facts["scheme"], facts["lineage"], facts["shape"], facts["affines"][grid]]
    return hash_of(json.dumps([*shared, case_id, subject_id, seed, known, voxels], sort_keys=True).encode())


def _voxels(path: Path, facts: dict[str, Any]) -> np.ndarray:
    """All maps of a bundle `(n, i, j, k)`; those read last are kept."""
    return _unpacked(str(path), facts["labels"], (len(facts["cases"]), *facts["shape"]), modified(path))


@lru_cache(maxsize=4)
def _unpacked(path: str, expected: str, shape: tuple[int, ...], modified: int) -> np.ndarray:  # noqa: ARG001 - the time is part of the cache's key
    """Maps of a file whose hash is checked before it is unpacked, to no more bytes than they have."""
    unpacking, size = zlib.decompressobj(), math.prod(shape)
    try:
        data = unpacking.decompress(checked_bytes(Path(path), expected), size + 1)
    except zlib.error as error:
        raise InputFileError(f"voxels that cannot be unpacked ({error})", "a bundle", REMEDY, Path(path)) from error
    if len(data) != size:
        raise InputFileError(f"{len(data)} voxels or more", f"{size}", REMEDY, Path(path))
    voxels = np.frombuffer(data, dtype=np.uint8).reshape(shape)
    voxels.setflags(write=False)
    return voxels


@lru_cache(maxsize=16)
def _known_facts(path: str, modified: int) -> dict[str, Any]:  # noqa: ARG001 - the time is part of the cache's key
    """A bundle's `*.json`, checked against its own hash."""
    facts = read_json(Path(path))
    try:
        stated = facts.pop("self")
        whole = facts["version"] == _VERSION and _hash_of_facts(facts) == stated
    except (KeyError, TypeError, AttributeError, GlioforgeError) as error:
        raise InputFileError(f"does not describe a bundle ({error!r})", "a bundle", REMEDY, Path(path)) from error
    if not whole:
        raise InputFileError("does not match its own hash", "an undamaged bundle", REMEDY, Path(path))
    return dict(facts)


def _hash_of_facts(facts: dict[str, Any]) -> str:
    return hash_of(json.dumps(facts, sort_keys=True).encode())
