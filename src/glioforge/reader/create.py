"""Create a study: choose items, encode what they show, audit it for pixel shortcuts, and write the folder."""

import base64
import json
import secrets
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from glioforge.core import Case, Cohort, CohortError, Modality, OutputError, Progress, Silent, in_standard_order
from glioforge.io import output_error, write_atomically, write_json
from glioforge.reader.demo_cases import practice_items
from glioforge.reader.folder import STIMULI, STUDY, Study, settings_digest
from glioforge.reader.items import REAL, Item, Stimulus, choose_items
from glioforge.reader.shortcuts import (
    Shortcut,
    features_of,
    find_shortcuts,
    listed_shortcuts,
    require_no_shortcut,
)
from glioforge.reader.spec import ReaderSpec
from glioforge.reader.stimulus import Frame, as_pictures, common_frame, encode, lesion_in, packed, slice_in, survey
from glioforge.reader.store import NAME, connect, create_store, note, record

SMALLEST: Final = 6
"""Voxels of tumour from which on an item shows one."""


@final
@dataclass(frozen=True, eq=False)
class Encoded:
    """An item with what it shows and its truth.

    Args:
        item: The item.
        pixels: Of each stimulus, as they are stored.
        facts: Truth beyond real and synthetic: `tumour`, `enhancing`, and `lesion` where readers mark or draw it.
    """

    item: Item
    pixels: tuple[np.ndarray, ...]
    facts: Mapping[str, Any]


def create_study(
    out: Path,
    spec: ReaderSpec,
    cohorts: Mapping[str, Cohort],
    *,
    allow_shortcuts: bool = False,
    progress: Progress | None = None,
) -> Study:
    """Create a study in a new folder; it is there whole or not at all.

    Args:
        out: Folder of the study.
        spec: Settings.
        cohorts: Cases by source: `real`, and the name of each method.
        allow_shortcuts: Go on where a pixel shortcut separates real from synthetic, and mark the study.
        progress: Where to show progress.

    Raises:
        CohortError: There are not enough cases, the cohorts share no contrast or have different voxels, or a pixel
            shortcut gives the answer away.
        OutputError: The folder holds something, or cannot be written.
    """
    progress = progress or Silent()
    if out.exists() and any(out.iterdir()):
        raise OutputError("a folder that is not empty", "a new folder", "choose another --out", out)
    _require_sources(spec, cohorts)
    contrasts = _contrasts(spec, cohorts)
    refs = [(source, ref) for source, cohort in cohorts.items() for ref in cohort]
    known = [survey(ref, source) for source, ref in progress.track(refs, "measuring cases", len(refs))]
    pool = {source: [one for one in known if one.source == source] for source in cohorts}
    frame = common_frame(known)
    if spec.show == "volume" and frame.plane != "axial":
        raise CohortError(f"{frame.plane} slices one voxel thick", "volumes", "set show=slice")
    items = choose_items(spec, pool, contrasts)
    encoded = list(progress.track(_encoded(spec, items, frame), "encoding items", len(items)))
    shortcuts = find_shortcuts(_features(encoded, real=True), _features(encoded, real=False))
    if not allow_shortcuts:
        require_no_shortcut(shortcuts, spec.title)
    practice, said = practice_items(spec, contrasts, frame)
    if said:
        progress.say(said)
    flags = _flags(spec, cohorts, items, shortcuts)
    counts = {source: sum(source in {one.method, one.other} for one in items) for source in cohorts}
    study = Study(out, spec, frame, contrasts, flags, tuple(one.to_json() for one in shortcuts), counts)
    _write(study, encoded, list(_encoded(spec, practice, frame)))
    return study


def _write(study: Study, encoded: Sequence[Encoded], practice: Sequence[Encoded]) -> None:
    """Write everything next to the place, and rename it there."""
    partial = study.folder.with_name(f".{study.folder.name}.{secrets.token_hex(4)}.partial")
    try:
        (partial / STIMULI).mkdir(parents=True)
        create_store(partial / NAME)
        write_json(partial / STUDY, study.to_json())
        with _connected(partial / NAME) as db:
            settings = settings_digest(study.to_json())
            note(db, "settings", settings)
            for one in (*practice, *encoded):
                _insert(db, one, partial, study.spec, practice=one in practice)
            record(db, "create", {"settings": settings, "items": len(encoded), "practice": len(practice)})
        study.folder.mkdir(parents=True, exist_ok=True)
        study.folder.rmdir()
        partial.rename(study.folder)
    except OSError as error:
        raise output_error(error, study.folder) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _insert(db: Any, one: Encoded, folder: Path, spec: ReaderSpec, *, practice: bool) -> None:  # noqa: ANN401 - sqlite3
    """Write one item with its stimuli under random names."""
    item = one.item
    truth = _truth(spec, item, one.facts)
    row = (item.key, item.subject, item.method, item.other, item.contrast, truth, int(practice), json.dumps(one.facts))
    db.execute("INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    for place, pixels in enumerate(one.pixels):
        file = f"{secrets.token_hex(16)}.bin"
        write_atomically(folder / STIMULI / file, packed(pixels))
        db.execute("INSERT INTO stimulus VALUES (?, ?, ?)", (item.key, place, file))


def _truth(spec: ReaderSpec, item: Item, facts: Mapping[str, Any]) -> str:
    """What is true of an item; of pairs it depends on the sides, and is empty here."""
    if spec.paired:
        return ""
    if spec.kind in {"diagnosis", "delineation"}:
        return "tumour" if facts["tumour"] else "no tumour"
    return "real" if item.method == REAL else "synthetic"


def _encoded(spec: ReaderSpec, items: Sequence[Item], frame: Frame) -> Iterator[Encoded]:
    """Encode items; a case that the next item shows as well is loaded once."""
    kept: tuple[str, Case] | None = None
    for item in items:
        pixels: list[np.ndarray] = []
        facts: dict[str, Any] = {}
        for stimulus in item.stimuli:
            ref = stimulus.case.ref
            if kept is None or kept[0] != f"{stimulus.case.source} {ref.case_id}":
                kept = (f"{stimulus.case.source} {ref.case_id}", ref.load())
            voxels = encode(kept[1], stimulus.case, stimulus.contrasts, frame, stimulus.index)
            pixels.append(voxels if spec.show == "volume" else as_pictures(voxels))
            facts = facts or _facts(spec, kept[1], stimulus, frame)
        yield Encoded(item, tuple(pixels), facts)


def _facts(spec: ReaderSpec, case: Case, stimulus: Stimulus, frame: Frame) -> dict[str, Any]:
    """Truth of the tumour in what is shown; unknown, and so absent, where the case has no labels."""
    if case.labels is None:
        return {"tumour": None, "enhancing": None}
    masks = [lesion_in(case, stimulus.case, frame), lesion_in(case, stimulus.case, frame, "enhancing")]
    if stimulus.index is not None:
        place = slice_in(stimulus.case, frame, stimulus.index)
        masks = [mask[..., place : place + 1] for mask in masks]
    lesion, enhancing = (mask if spec.show == "volume" else as_pictures(mask.astype(np.uint8)) for mask in masks)
    facts: dict[str, Any] = {"tumour": bool(lesion.sum() >= SMALLEST), "enhancing": bool(enhancing.sum() >= SMALLEST)}
    if spec.kind in {"diagnosis", "delineation"} or spec.diagnose:
        bits = zlib.compress(np.packbits(lesion.astype(bool)).tobytes(), 9)
        facts["lesion"] = {"shape": list(lesion.shape), "bits": base64.b64encode(bits).decode()}
    return facts


def _features(encoded: Sequence[Encoded], *, real: bool) -> list[dict[str, float]]:
    """Features of the stimuli of one truth."""
    rows = []
    for one in encoded:
        for source, pixels in zip((one.item.method, one.item.other), one.pixels, strict=False):
            if (source == REAL) == real:
                rows.append(features_of(pixels))
    return rows


def _require_sources(spec: ReaderSpec, cohorts: Mapping[str, Cohort]) -> None:
    """Refuse cohorts that the kind of study cannot do with."""
    methods = [name for name in cohorts if name != REAL]
    needs_real = spec.kind == "choice" or (spec.real > 0 and spec.kind != "preference")
    if needs_real and REAL not in cohorts:
        raise CohortError("no real cases", "a cohort of them", "give --real, or set real=0")
    needs_made = spec.kind == "choice" or (spec.synthetic > 0 and spec.kind != "preference")
    if needs_made and not methods:
        raise CohortError("no synthetic cases", "a cohort of them", "give --synthetic, or set synthetic=0")
    if spec.kind == "preference" and len(cohorts) < 2:
        raise CohortError(f"{len(cohorts)} sources", "at least two to compare", "give --synthetic NAME=FOLDER twice")
    if spec.analysis.primary not in {"all", *methods}:
        raise CohortError(
            f"analysis.primary {spec.analysis.primary!r}", f"`all` or one of {', '.join(methods)}", "name a method"
        )


def _contrasts(spec: ReaderSpec, cohorts: Mapping[str, Cohort]) -> tuple[Modality, ...]:
    """MRI contrasts shown; of a pool all that occur."""
    if spec.pooled:
        return _pool(cohorts)
    shared = [m for m in Modality if all(m in cohort.modalities for cohort in cohorts.values())]
    missing = [m.title for m in spec.contrasts or () if m not in shared]
    if missing or not shared:
        titles = ", ".join(m.title for m in shared) or "none"
        remedy = "for slices of pooled contrasts, each a single image, set pooled=true" if not shared else ""
        raise CohortError(f"cohorts that share {titles}", f"also {', '.join(missing) or 'one contrast'}", remedy)
    return spec.contrasts or tuple(shared)


def _pool(cohorts: Mapping[str, Cohort]) -> tuple[Modality, ...]:
    """MRI contrasts of cases with one image each."""
    several = [ref.case_id for cohort in cohorts.values() for ref in cohort if len(ref.images) != 1]
    if several:
        raise CohortError(
            f"{len(several)} cases with more than one contrast, such as {several[0]}",
            "pooled cases of one contrast each",
            "leave out pooled=true: then items show the contrasts that all cases share",
        )
    found = {modality for cohort in cohorts.values() for ref in cohort for modality in ref.images}
    return in_standard_order(found)


def _flags(
    spec: ReaderSpec, cohorts: Mapping[str, Cohort], items: Sequence[Item], shortcuts: Sequence[Shortcut]
) -> dict[str, str]:
    """Warnings that every table of the study carries."""
    shown = {s.case.ref.subject_id for one in items for s in one.stimuli if s.case.source == REAL}
    behind: set[str] = set()
    for source, cohort in cohorts.items():
        behind |= cohort.subjects_behind if source != REAL else set()
    seen = len(shown & behind)
    flags = {}
    if seen:
        flags["SEEN"] = f"{seen} of {len(shown)} real subjects had a part in making synthetic cases"
    if REAL in cohorts and any(ref.lineage.kind == "phantom" for ref in cohorts[REAL]):
        flags["PHANTOM"] = "the cases shown as real are computed phantoms"
    found = listed_shortcuts(shortcuts)
    if found:
        flags["SHORTCUT"] = f"a pixel shortcut separates real from synthetic items: {found}"
    if not spec.one_per_subject:
        flags["CLUSTERED"] = "several items show one subject, so items are no independent trials"
    return flags


class _connected:  # noqa: N801 - a context manager that reads as a verb
    """A connection within one transaction, closed at the end."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)

    def __enter__(self) -> Any:  # noqa: ANN401 - sqlite3
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("ROLLBACK" if kind else "COMMIT")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()
