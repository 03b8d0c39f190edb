"""What `dataset.json` of the Decathlon and of nnU-Net says about contrasts and labels.

Both write names of their own choice, so known synonyms are looked up; a name
that nobody knows is an error for a contrast and an open question for a label.

Source: Medical Segmentation Decathlon (Antonelli et al. 2022); nnU-Net dataset
format, versions 1 and 2 (Isensee et al. 2021).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from glioforge.core import SCHEMES, InputFileError, LabelError, LabelScheme, Modality, scheme_of_labels
from glioforge.io.atomic_write import read_json
from glioforge.io.scan_names import Hint

DATASET_JSON = "dataset.json"

_CONTRASTS: Mapping[str, Modality] = {
    **dict.fromkeys(("t1", "t1w", "t1n", "t1pre"), Modality.T1),
    **dict.fromkeys(("t1ce", "t1c", "t1gd", "t1gdw", "gdt1w", "t1post", "t1cew"), Modality.T1CE),
    **dict.fromkeys(("t2", "t2w"), Modality.T2),
    **dict.fromkeys(("flair", "t2f", "t2flair", "fla"), Modality.FLAIR),
    **dict.fromkeys(("aptw", "apt"), Modality.APTW),
}
_LABELS: Mapping[str, str] = {
    "background": "background",
    **dict.fromkeys(("edema", "oedema", "ed", "snfh", "peritumoraledema", "peritumoraloedema"), "oedema"),
    **dict.fromkeys(("necrosis", "necrotic"), "necrosis"),
    **dict.fromkeys(
        ("nonenhancingtumor", "nonenhancingtumour", "nonenhancing", "net", "nonenhancingcore"), "non_enhancing"
    ),
    **dict.fromkeys(("necroticcore", "ncr", "netc", "ncrnet", "necroticandnonenhancingcore"), "necrotic_core"),
    **dict.fromkeys(("cystic", "cyst", "cc", "cysticcomponent"), "cystic"),
    **dict.fromkeys(
        ("enhancingtumor", "enhancingtumour", "enhancing", "et", "gdenhancingtumor", "gdenhancing"), "enhancing"
    ),
    **dict.fromkeys(("resectioncavity", "rc", "cavity"), "resection_cavity"),
    **dict.fromkeys(("tumor", "tumour", "lesion", "glioma", "gtv"), "tumour"),
    **dict.fromkeys(("whitematter", "wm"), "white_matter"),
    **dict.fromkeys(("greymatter", "graymatter", "gm"), "grey_matter"),
    "csf": "csf",
}
_CORE = ("necrosis", "non_enhancing", "cystic")
_NESTED: Mapping[str, str] = {
    **dict.fromkeys(("wholetumor", "wholetumour", "wt"), "WT"),
    **dict.fromkeys(("tumorcore", "tumourcore", "tc"), "TC"),
    **dict.fromkeys(("enhancingtumor", "enhancingtumour", "et"), "ET"),
}
_REMEDY = "repair dataset.json"


def read_dataset_json(folder: Path) -> dict[str, Any] | None:
    """Contents of a folder's `dataset.json`; none where it is missing or no table of a data set.

    Raises:
        InputFileError: The file is damaged.
    """
    path = folder / DATASET_JSON
    values = read_json(path) if path.is_file() else None
    return values if isinstance(values, dict) and isinstance(values.get("labels"), dict) else None


@final
@dataclass(frozen=True)
class DatasetJson:
    """What the `dataset.json` of a folder says.

    Args:
        values: Its contents.
        path: The file, named in errors.
    """

    values: Mapping[str, Any]
    path: Path

    @classmethod
    def of(cls, folder: Path) -> "DatasetJson | None":
        """Read that of a folder; contents and errors as `read_dataset_json`."""
        values = read_dataset_json(folder)
        return None if values is None else cls(values, folder / DATASET_JSON)

    @property
    def channels(self) -> dict[Modality, int]:
        """Number of each contrast's channel; errors as `channels`."""
        return channels(self.values, self.path)

    @property
    def hint(self) -> Hint:
        """Schemes that its labels or regions fit."""
        return hint_of(self.values)


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


def hint_of(values: Mapping[str, Any]) -> Hint:
    """Return the schemes whose labels or regions are those of `dataset.json`; none where names are unknown.

    Labels that no data set numbers like that are a scheme of their own, named as in `core.scheme_text`.

    Example:
        >>> hint_of({"labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "ET"}}).schemes
        ('decathlon',)
        >>> hint_of({"labels": {"background": 0, "whole tumor": [1, 2, 3, 4], "TC": [1, 2, 3], "ET": 1}}).schemes
        ('brats2024_ped',)
        >>> hint_of({"labels": {"background": 0, "ED": 3, "ET": 1, "NCR": 2}}).schemes
        ('enhancing=1,necrotic_core=2,oedema=3',)
    """
    labels = values["labels"]
    if any(isinstance(value, list) for value in labels.values()):
        return Hint(_of_regions(labels), "dataset.json names the regions")
    return Hint(_of_labels(_single(labels)), "dataset.json names the labels")


def _of_labels(named: Mapping[str, int] | None) -> tuple[str, ...]:
    """Scheme of these labels, a public one where there is one; none where they are no scheme."""
    fitting = tuple(scheme.name for scheme in SCHEMES.values() if dict(scheme.labels) == named)
    if fitting or named is None:
        return fitting
    try:
        return (scheme_of_labels(named).name,)
    except LabelError:
        return ()


def _single(labels: Mapping[str, Any]) -> dict[str, int] | None:
    """Integer of each label, from `integer: name` or `name: integer`; none where a name is unknown or there twice."""
    pairs = [(name, key) if str(key).isdecimal() else (key, name) for key, name in labels.items()]
    try:
        found = [(_LABELS[_plain(name)], int(value)) for name, value in pairs if _plain(name) != "ignore"]
    except (KeyError, TypeError, ValueError):
        return None
    core = [name for name, _ in found if name in _CORE]
    # Where one label is all of the core that does not enhance, its name may be any part of it.
    coarse = {core[0]: "necrotic_core"} if core and len(core) == 1 and core != ["cystic"] else {}
    named = {coarse.get(name, name): value for name, value in found}
    return named if len(named) == len(found) else None


def _of_regions(labels: Mapping[str, Any]) -> tuple[str, ...]:
    """Schemes whose regions and labels are these sets of integers; else the scheme of their differences."""
    try:
        sets = {
            _plain(n): {int(v) for v in (value if isinstance(value, list) else [value])} for n, value in labels.items()
        }
    except (TypeError, ValueError):
        return ()
    sets.pop("background", None)
    sets.pop("ignore", None)
    if not {"WT", "TC", "ET"} & {_NESTED.get(name) for name in sets}:
        return ()
    tumours = [scheme for scheme in SCHEMES.values() if not scheme.is_complete]
    fitting = tuple(s.name for s in tumours if all(_holds(s, name, own) for name, own in sets.items()))
    return fitting or _of_labels(_differences({_NESTED.get(name, name): own for name, own in sets.items()}))


def _holds(scheme: LabelScheme, name: str, values: set[int]) -> bool:
    """Whether a region or label of a scheme is this set of integers."""
    own = _NESTED.get(name, "")
    if own in scheme.regions:
        return set(scheme.region_values(own)) == values
    return {scheme.labels.get(_LABELS.get(name, ""), -1)} == values


def _differences(sets: Mapping[str, set[int]]) -> dict[str, int] | None:
    """Integer of each label, from three regions that contain each other and differ by one label each."""
    if set(sets) != {"WT", "TC", "ET"}:
        return None
    parts = {
        "oedema": sets["WT"] - sets["TC"],
        "necrotic_core": sets["TC"] - sets["ET"],
        "enhancing": sets["ET"] & sets["TC"] & sets["WT"],
    }
    if not all(len(part) == 1 for part in parts.values()):
        return None
    return {"background": 0, **{name: part.pop() for name, part in parts.items()}}


def is_label_name(name: str) -> bool:
    """Return whether a name is that of a label or region, as in files that hold one of them each.

    Example:
        >>> is_label_name("enhancing"), is_label_name("WT"), is_label_name("t1ce")
        (True, True, False)
    """
    return _plain(name) in {*_LABELS, *_NESTED}


def _plain(name: object) -> str:
    """A name without case, spaces and signs."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())
