"""A folder of prepared or synthetic cases that is quick to read slice by slice.

One folder a case: `images.b2nd` and `masks.b2nd` hold the voxels (`data.frames`:
blosc2, cut to what is not 0, in blocks of a slice's rows), `case.json`
everything else, with the hash of both.  It is several times smaller than plain
arrays and read at nearly their pace.  `case.json` is written last and every file
at once, so a reader finds a whole case or none; a file whose hash differs is
refused and never decoded.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final, final

import numpy as np

from glioforge.core import COMPLETE, Case, CaseRef, Geometry, InputFileError, LabelMap, LabelScheme, Lineage, Modality
from glioforge.data.frames import REMEDY, checked_bytes, decode, encode, hash_of, modified
from glioforge.data.packed import Packed, pack
from glioforge.io import read_json, write_atomically, write_json

IMAGES = "images.b2nd"
MASKS = "masks.b2nd"
CASES: Final = "cases"
"""Folder of the store below a cohort."""
STORED_FACTS = "case.json"
_VERSION = 1


@final
@dataclass(frozen=True)
class StoreReader:
    """Reads a case of the store; all readers are equal."""

    format: ClassVar[str] = "store"

    def __call__(self, ref: CaseRef, /) -> Case:
        """Read the whole case; its lineage also names whoever the reference has learned of since, as from a filter.

        Raises:
            InputFileError: A file is missing, damaged or not the one that the reference means.
        """
        folder = folder_of(ref)
        case = _read_case(folder, _expected_facts(ref, folder))
        return replace(case, lineage=ref.lineage.through("", case.lineage))


def write_case(folder: Path, case: Case, *, scheme: LabelScheme = COMPLETE) -> CaseRef:
    """Write one case into the store at `folder` and return its reference.

    Intensities are kept to half a step of their scale (see `data.packed`).
    Writing over an entry replaces it; two processes that write the same case
    write the same bytes.

    Args:
        folder: The store; made if it is not there.
        case: What to write.
        scheme: Scheme of the cohort, for a case without labels.

    Raises:
        OutputError: The disk is full or the folder cannot be written.
    """
    entry = folder / case.case_id
    packed = pack(case)
    files = {name: data for name, data in ((IMAGES, _images_file(packed)), (MASKS, _masks_file(packed))) if data}
    for name, data in files.items():
        write_atomically(entry / name, data)
    facts = _facts_of(case, packed, scheme if case.labels is None else case.labels.scheme)
    facts["files"] = {name: hash_of(data) for name, data in files.items()}
    write_json(entry / STORED_FACTS, facts)
    return _reference(entry, facts)


def find_case(folder: Path, case_id: str) -> CaseRef | None:
    """Reference of a case that lies whole in the store; none where it was never finished.

    Raises:
        InputFileError: The entry is damaged.
    """
    entry = folder / case_id
    if not (entry / STORED_FACTS).is_file():
        return None
    facts = _read_facts(entry)
    for name, expected in facts["files"].items():
        checked_bytes(entry / name, expected)
    return _reference(entry, facts)


def read_packed(ref: CaseRef) -> Packed:
    """Read a case as integers, without unpacking; a case of another format is packed.

    Raises:
        InputFileError: A file is missing or damaged.
    """
    if not is_stored(ref):
        return pack(ref.load())
    folder = folder_of(ref)
    return _read_packed(folder, _read_facts(folder))


def read_labels(ref: CaseRef) -> LabelMap:
    """Read the label map of a case; of a stored one without reading its images.

    Raises:
        CaseError: The case has no label map.
        InputFileError: A file is missing, damaged or not the one that the reference means.
    """
    if not is_stored(ref) or ref.labels is None:
        return ref.load().require_labels()
    folder = folder_of(ref)
    facts = _expected_facts(ref, folder)
    masks = decode(folder / MASKS, facts["files"][MASKS])[:, facts["masks"].index("labels")]
    geometry, scheme = Geometry.from_json(facts["geometry"]), LabelScheme.from_json(facts["scheme"])
    return LabelMap(np.ascontiguousarray(masks.transpose(1, 2, 0)), geometry, scheme)


def known_entry(ref: CaseRef) -> tuple[str, dict[str, Any]]:
    """Return folder, as text, and description of a stored case; making paths takes as long as unpacking a slice."""
    folder = str(folder_of(ref))
    return folder, _known_facts(folder, modified(f"{folder}/{STORED_FACTS}"))


@lru_cache(maxsize=1024)
def _known_facts(folder: str, modified: int) -> dict[str, Any]:  # noqa: ARG001 - the time is part of the cache's key
    """`case.json`, read again when it has changed."""
    return _read_facts(Path(folder))


def is_stored(ref: CaseRef) -> bool:
    """Return whether a case lies in a store, so that parts of it can be read."""
    return isinstance(ref.reader, StoreReader)


def stored_bytes(ref: CaseRef, bytes_per_voxel: int | None = None) -> int:
    """Return the bytes that a stored case takes in memory; 0 for a case of another format, which is there already.

    Args:
        ref: Any case.
        bytes_per_voxel: Size of a voxel of an image; that of the store's integers unless given.

    Raises:
        InputFileError: The entry is missing or damaged.
    """
    if not is_stored(ref):
        return 0
    facts = known_entry(ref)[1]
    each = np.dtype(np.int16).itemsize if bytes_per_voxel is None else bytes_per_voxel
    return math.prod(facts["geometry"]["shape"]) * (len(facts["modalities"]) * each + 2)


def folder_of(ref: CaseRef) -> Path:
    """Folder of a stored case."""
    files = [*ref.images.values(), *(path for path in (ref.labels, ref.brain) if path is not None)]
    return files[0].parent


def _expected_facts(ref: CaseRef, folder: Path) -> dict[str, Any]:
    """`case.json` of a stored case, refused where it describes other contents than the reference."""
    facts = _read_facts(folder)
    if facts["digest"] != ref.digest:
        raise InputFileError(
            f"holds contents {facts['digest']}",
            f"{ref.digest}, as the cohort says",
            "prepare the cohort again, or restore the folder",
            folder / STORED_FACTS,
        )
    return facts


def _facts_of(case: Case, packed: Packed, scheme: LabelScheme) -> dict[str, Any]:
    """All that `case.json` holds but the hashes of the files."""
    masks = [n for n, array in (("labels", packed.labels), ("brain", packed.brain)) if array is not None]
    values: dict[str, Any] = {
        "version": _VERSION,
        "case_id": case.case_id,
        "subject_id": case.subject_id,
        "session": case.session,
        "geometry": case.geometry.to_json(),
        "scheme": scheme.to_json(),
        "modalities": [str(m) for m in packed.modalities],
        "scales": list(packed.scales),
        "masks": masks,
        "lineage": case.lineage.to_json(),
        "facts": dict(case.facts),
    }
    facts: dict[str, Any] = json.loads(json.dumps(values))
    voxels = packed.content_hash
    return facts | {"digest": _digest(facts, voxels), "voxels": voxels}


def _digest(facts: Mapping[str, Any], voxels: str) -> str:
    """Hash of everything about a case but the way its voxels are compressed."""
    described = {k: v for k, v in facts.items() if k not in ("digest", "voxels", "files")}
    return hash_of(json.dumps([described, voxels], sort_keys=True).encode())


def _reference(entry: Path, facts: Mapping[str, Any]) -> CaseRef:
    """Reference to the case that `facts` describe."""
    return CaseRef(
        case_id=facts["case_id"],
        subject_id=facts["subject_id"],
        images={Modality(m): entry / IMAGES for m in facts["modalities"]},
        scheme=facts["scheme"]["name"],
        lineage=Lineage.from_json(facts["lineage"]),
        digest=facts["digest"],
        reader=StoreReader(),
        labels=entry / MASKS if "labels" in facts["masks"] else None,
        brain=entry / MASKS if "brain" in facts["masks"] else None,
        session=facts["session"],
        facts=facts["facts"],
    )


def _read_case(folder: Path, facts: Mapping[str, Any]) -> Case:
    """The case that `facts` describe, with its voxels."""
    packed = _read_packed(folder, facts)
    geometry = Geometry.from_json(facts["geometry"])
    return Case(
        case_id=facts["case_id"],
        subject_id=facts["subject_id"],
        images=packed.volumes(geometry),
        lineage=Lineage.from_json(facts["lineage"]),
        labels=packed.label_map(geometry, LabelScheme.from_json(facts["scheme"])),
        brain=packed.brain_mask(),
        session=facts["session"],
        facts=facts["facts"],
    )


def _read_facts(folder: Path) -> dict[str, Any]:
    """`case.json`, checked against its own digest."""
    path = folder / STORED_FACTS
    facts = read_json(path)
    try:
        intact = facts["version"] == _VERSION and facts["digest"] == _digest(facts, facts["voxels"])
        intact = intact and isinstance(facts["files"], dict)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputFileError(f"does not describe a case ({error!r})", "an entry of a store", REMEDY, path) from error
    if not intact:
        raise InputFileError("does not match its own hash", "an undamaged entry of a store", REMEDY, path)
    return dict(facts)


def _read_packed(folder: Path, facts: Mapping[str, Any]) -> Packed:
    """Voxels of an entry; its files are checked before they are decoded."""
    i, j, k = facts["geometry"]["shape"]
    files = facts["files"]
    images = decode(folder / IMAGES, files[IMAGES]) if IMAGES in files else np.zeros((k, 0, i, j), dtype=np.int16)
    return assembled(facts, images, decode(folder / MASKS, files[MASKS]) if MASKS in files else None)


def assembled(facts: Mapping[str, Any], images: np.ndarray, masks: np.ndarray | None) -> Packed:
    """Return a case, or a part of one, from the arrays of its files."""
    planes = {} if masks is None else {m: np.ascontiguousarray(masks[:, n]) for n, m in enumerate(facts["masks"])}
    brain = planes["brain"].view(bool) if "brain" in planes else None
    modalities = tuple(Modality(m) for m in facts["modalities"])
    return Packed(modalities, images, tuple(facts["scales"]), planes.get("labels"), brain)


def _images_file(packed: Packed) -> bytes | None:
    """Contents of `images.b2nd`; none without images."""
    return encode(packed.images) if packed.modalities else None


def _masks_file(packed: Packed) -> bytes | None:
    """Contents of `masks.b2nd`: labels and brain mask as channels; none without both."""
    planes = [a.view(np.uint8) for a in (packed.labels, packed.brain) if a is not None]
    return encode(np.stack(planes, axis=1)) if planes else None
