"""Cards of models that earlier releases wrote, in the format of today's (see `training.model_folder`).

Three formats came before: that of synthesizers, with the spec in a file of its own, and those of segmenters and of
nnU-Net, which gave a version and a type.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from glioforge.core import BRATS2023, InputFileError, scheme_named
from glioforge.io import CARD, SPEC, Step, hash_of_file, read_json, regular_size

_FORMAT: Final = 3
_RELEASE: Final = "use the release of Glioforge that wrote it, or train again"
_REMEDY: Final = "take the whole folder as train made it, or train again"
_MAX_SPEC: Final = 2**20
_WEIGHTS: Final = "weights.safetensors"
Values = dict[str, Any]


def in_this_format(values: Values, folder: Path) -> Values:
    """Return a card's values as today's format has them; those of today, and of none that is known, as they are.

    Args:
        values: Contents of `card.json`.
        folder: The model's folder.

    Raises:
        InputFileError: An older card is damaged, of a version that was never read since, or its spec was changed.
    """
    convert = _reader(values)
    if convert is None:
        return values
    try:
        return {"format": _FORMAT, "grid": None, "facts": {}, **convert(values, folder)}
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputFileError(
            f"a damaged card ({error!r})", "the card as train wrote it", _REMEDY, folder / CARD
        ) from error


def _reader(values: Mapping[str, Any]) -> Callable[[Values, Path], Values] | None:
    """What reads an older card; none for any other."""
    if values.get("type") == "segmenter":
        return _segmenter
    if values.get("type") == "nnunet":
        return _nnunet
    return _synthesizer if values.get("format") == 2 and "family" not in values else None


def _synthesizer(values: Values, folder: Path) -> Values:
    """Format 2 of synthesizers; the outcome is that of the folder of its training, where that is there."""
    regular_size(folder / SPEC, _MAX_SPEC)
    spec = read_json(folder / SPEC)
    if hashlib.blake2b(json.dumps(spec, sort_keys=True).encode(), digest_size=16).hexdigest() != values["spec"]:
        raise InputFileError("a spec that was changed", "the spec as train wrote it", _REMEDY, folder / SPEC)
    done = folder / "training"
    outcome = Step.facts_of(done)["outcome"] if (done / "done.json").is_file() else None
    return {
        "family": "synthesizer",
        "kind": values["kind"],
        "spec": spec,
        "modalities": values["modalities"],
        "scheme": values["scheme"],
        "preparations": values.get("preparation", []),
        "lineage": {"subjects": values["subjects"], "ways": values.get("ways", {})},
        "files": {_WEIGHTS: values["weights"]},
        "facts": values.get("facts", {}),
        "training": {"precision": values.get("precision", "32-true"), "outcome": outcome, "seed": values.get("seed")},
    }


def _segmenter(values: Values, folder: Path) -> Values:
    """Version 2 of segmenters; one that hides who weighed its classes is refused."""
    if values.get("version", 2) != 2:
        raise InputFileError(f"a card of version {values['version']}", "version 2", _RELEASE, folder / CARD)
    if "lineage_ways" not in values and values.get("synthetic_share") == 1:
        raise InputFileError(
            "a card that does not name the real cases whose voxels weighed the classes",
            "their subjects in its lineage",
            "train it again: nobody knows on whom it may be evaluated",
            folder / CARD,
        )
    views, hashes = values["spec"].get("views", ["axial"]), values["view_weights"]
    names = [_WEIGHTS] if len(views) == 1 else [f"{view}/{_WEIGHTS}" for view in views]
    return {
        "family": "segmenter",
        "kind": values["spec"]["kind"],
        "spec": values["spec"],
        "modalities": values["modalities"],
        "scheme": None,
        "preparations": values.get("preparation", []),
        "lineage": {"subjects": values["lineage_subjects"], "ways": values.get("lineage_ways", {})},
        "files": dict(zip(names, hashes, strict=True)),
        "training": {"precision": values["precision"], "outcome": values["outcome"]},
    }


def _nnunet(values: Values, folder: Path) -> Values:
    """Version 1 of nnU-Net's: one hash over the checkpoints of all folds, which is checked here."""
    spec = values["spec"]
    plans = {
        "plain": "nnUNetPlans",
        **{f"residual_{size}": f"nnUNetResEncUNet{size.upper()}Plans" for size in ("m", "l", "xl")},
    }
    name = f"{spec['trainer']}__{plans[spec['planner']]}__{spec['configuration']}"
    if not name.isidentifier():
        raise ValueError(name)
    place = f"nnUNet_results/Dataset001_glioforge/{name}"
    names = [f"{place}/fold_{int(fold)}/checkpoint_final.pth" for fold in values["folds"]]
    files = {file: hash_of_file(folder / file) for file in names}
    found = hashlib.blake2b(" ".join(files.values()).encode(), digest_size=16).hexdigest()
    if found != values["weights"]:
        raise InputFileError(f"weights with hash {found}", f"hash {values['weights']}", _REMEDY, folder / CARD)
    return {
        "family": "segmenter",
        "kind": "nnunet",
        "spec": {"kind": "nnunet", **spec},
        "modalities": values["modalities"],
        "scheme": scheme_named(str(values.get("scheme", BRATS2023.name))).to_json(),
        "preparations": [],
        "lineage": {"subjects": values["lineage_subjects"], "ways": values.get("lineage_ways", {})},
        "files": files,
        "training": {"precision": "its own", "outcome": None, "folds": values["folds"]},
    }
