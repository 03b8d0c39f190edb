"""What `dataset.json` of the Decathlon and of nnU-Net says about contrasts and labels.

Both write names of their own choice, so known synonyms are looked up; a name
that nobody knows is an error for a contrast and an open question for a label.

Source: Medical Segmentation Decathlon (Antonelli et al. 2022); nnU-Net dataset
format, versions 1 and 2 (Isensee et al. 2021).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glioforge.core.errors import InputFileError
from glioforge.core.modality import Modality
from glioforge.core.schemes import SCHEMES
from glioforge.io.atomic_write import read_json

NAME = "dataset.json"

_CONTRASTS: Mapping[str, Modality] = {
    **dict.fromkeys(("t1", "t1w", "t1n", "t1pre"), Modality.T1),
    **dict.fromkeys(("t1ce", "t1c", "t1gd", "t1gdw", "gdt1w", "t1post", "t1cew"), Modality.T1CE),
    **dict.fromkeys(("t2", "t2w"), Modality.T2),
    **dict.fromkeys(("flair", "t2f", "t2flair", "fla"), Modality.FLAIR),
    **dict.fromkeys(("aptw", "apt"), Modality.APTW),
}
_LABELS: Mapping[str, str] = {
    "background": "background",
    **dict.fromkeys(("edema", "oedema", "ed", "snfh", "peritumoraledema"), "oedema"),
    **dict.fromkeys(
        ("nonenhancingtumor", "nonenhancing", "necrosis", "necroticcore", "ncr", "netc", "ncrnet", "necrotic"),
        "necrotic_core",
    ),
    **dict.fromkeys(("enhancingtumor", "enhancingtumour", "enhancing", "et", "gdenhancingtumor"), "enhancing"),
    **dict.fromkeys(("resectioncavity", "rc", "cavity"), "resection_cavity"),
}
_NESTED = {"wholetumor": "WT", "wt": "WT", "tumorcore": "TC", "tc": "TC", "enhancingtumor": "ET", "et": "ET"}
_REMEDY = "repair dataset.json"


def read_dataset_json(folder: Path) -> dict[str, Any] | None:
    """Contents of a folder's `dataset.json`; none where it is missing or no table of a data set.

    Raises:
        InputFileError: The file is damaged.
    """
    path = folder / NAME
    values = read_json(path) if path.is_file() else None
    return values if isinstance(values, dict) and isinstance(values.get("labels"), dict) else None


def channels(values: Mapping[str, Any], path: Path) -> dict[Modality, int]:
    """Number of each contrast's channel.

    Args:
        values: Contents of `dataset.json`.
        path: Named in errors.

    Raises:
        InputFileError: A contrast is unknown or there twice.

    Example:
        >>> channels({"modality": {"0": "FLAIR", "1": "t1gd"}}, Path())
        {<Modality.FLAIR: 'flair'>: 0, <Modality.T1CE: 't1ce'>: 1}
    """
    found: dict[Modality, int] = {}
    named = values.get("channel_names") or values.get("modality") or {}
    for number, name in named.items() if isinstance(named, dict) else ():
        modality = _CONTRASTS.get(_plain(name))
        if modality is None or modality in found or not str(number).isdecimal():
            raise InputFileError(
                f"channel {number} = {name!r}", f"a contrast, each once: {', '.join(_CONTRASTS)}", _REMEDY, path
            )
        found[modality] = int(number)
    return found


def scheme_of(values: Mapping[str, Any]) -> str | None:
    """Name of the only scheme that has these labels; none where no scheme or several do.

    Example:
        >>> scheme_of({"labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "ET"}})
        'decathlon'
        >>> scheme_of({"labels": {"background": 0, "whole tumor": [1, 2, 3], "TC": [2, 3], "ET": [3]}})
        'decathlon'
    """
    named = _nested(values["labels"]) or _single(values["labels"])
    fitting = [scheme.name for scheme in SCHEMES.values() if dict(scheme.labels) == named]
    return fitting[0] if len(fitting) == 1 else None


def _single(labels: Mapping[str, Any]) -> dict[str, int] | None:
    """Integer of each label, from `integer: name` or `name: integer`."""
    pairs = [(name, key) if str(key).isdecimal() else (key, name) for key, name in labels.items()]
    try:
        return {_LABELS[_plain(name)]: int(value) for name, value in pairs}
    except (KeyError, TypeError, ValueError):
        return None


def _nested(labels: Mapping[str, Any]) -> dict[str, int] | None:
    """Integer of each label, from regions that contain each other."""
    sets = {_NESTED.get(_plain(name)): set(value) for name, value in labels.items() if isinstance(value, list)}
    if set(sets) != {"WT", "TC", "ET"}:
        return None
    parts = {
        "oedema": sets["WT"] - sets["TC"],
        "necrotic_core": sets["TC"] - sets["ET"],
        "enhancing": sets["ET"] & sets["TC"] & sets["WT"],
    }
    if not all(len(part) == 1 for part in parts.values()):
        return None
    return {"background": 0, **{name: int(part.pop()) for name, part in parts.items()}}


def _plain(name: object) -> str:
    """A name without case, spaces and signs."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())
