"""The folder of a trained synthesizer: spec, weights, and a card that says what it was trained on.

Conventions
-----------
spec.json             the method's spec, with `kind`
weights.safetensors   `network/...` of the network, `appearance/...` of the class statistics
card.json             subjects, scheme, contrasts, metrics, hash of the weights, facts of the training
done.json             written last; a folder without it is not read
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glioforge.config.spec import Spec
from glioforge.core.errors import GlioforgeError, InputFileError, SpecError
from glioforge.core.labels import LabelScheme
from glioforge.core.modality import Modality
from glioforge.io.folder_kind import SYNTHESIZER, require_kind
from glioforge.io.regular_file import regular_size
from glioforge.io.run_folder import read_json, write_json
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.method import SYNTHESIZERS, Knowledge, Method

FORMAT = 2
OTHER_FORMAT = "use the release of Glioforge that wrote it, or train again"
MAX_CARD, MAX_SPEC, MAX_APPEARANCE = 2**25, 2**20, 2**28
"""Largest sizes in bytes of a card, a spec, and the class statistics: more is refused before it is read."""
SPEC, WEIGHTS, CARD, DONE = "spec.json", "weights.safetensors", "card.json", "done.json"

_REMEDY = "take the whole folder as train made it, or train again"


def write_model(folder: Path, method: Method, card: Mapping[str, Any]) -> dict[str, Any]:
    """Write spec, weights and card; return the card with format and the weights' hash.

    Raises:
        OutputError: The folder cannot be written.
    """
    import torch

    from glioforge.training.weights import write_weights

    arrays = method.knowledge.appearance.to_arrays()
    tensors = {f"appearance/{name}": torch.from_numpy(array.copy()) for name, array in arrays.items()}
    if method.network is not None:
        tensors |= {f"network/{name}": value for name, value in method.network.state_dict().items()}
    digest = write_weights(folder / WEIGHTS, tensors)
    settings = method.spec.model_dump(mode="json")
    write_json(folder / SPEC, settings)
    whole = {
        "format": FORMAT,
        "kind": method.spec.kind,
        "spec": _hash_of(settings),
        "weights": digest,
        "scheme": method.knowledge.scheme.to_json(),
        "modalities": [str(m) for m in method.knowledge.modalities],
        "facts": dict(method.facts),
        **card,
    }
    write_json(folder / CARD, whole)
    return whole


def read_model(folder: Path) -> tuple[Method, dict[str, Any]]:
    """Read a trained method and its card.

    Raises:
        InputFileError: The folder holds something else, is unfinished, a file is damaged or changed, or they don't
            belong together.
    """
    require_kind(folder, SYNTHESIZER)
    if not (folder / DONE).is_file():
        raise InputFileError("no finished synthesizer", f"a folder with {DONE}", "finish the training first", folder)
    from glioforge.training.weights import read_some

    card = _read_card(folder / CARD)
    spec = _read_spec(folder / SPEC, card)
    knowledge = _knowledge(card, read_some(folder / WEIGHTS, "appearance/", MAX_APPEARANCE), folder)
    method = _method(spec, knowledge, folder / WEIGHTS)
    tensors = _read_tensors(folder / WEIGHTS, str(card["weights"]))
    _fill(method, tensors, folder / WEIGHTS)
    return method, card


def _knowledge(card: Mapping[str, Any], tensors: Mapping[str, Any], folder: Path) -> Knowledge:
    """What the card and the class statistics say of the training cohort."""
    try:
        return Knowledge(
            tuple(Modality(m) for m in card["modalities"]),
            LabelScheme.from_json(card["scheme"]),
            _appearance(tensors, len(card["scheme"]["labels"]), len(card["modalities"])),
        )
    except (KeyError, ValueError, TypeError, AttributeError, GlioforgeError) as error:
        raise InputFileError(
            f"a card that does not fit its weights ({error!r})", "the card as train wrote it", _REMEDY, folder / CARD
        ) from error


def _method(spec: Spec, knowledge: Knowledge, path: Path) -> Method:
    """The method with fresh weights, once its network is seen to fit the file's tensors."""
    from torch import nn

    from glioforge.training.weights import built_to_fit

    made: list[Method] = []

    def build() -> nn.Module:
        made.append(SYNTHESIZERS.part_for(spec)(spec, knowledge))
        return made[-1].network or nn.Module()

    built_to_fit(build, path, "network/")
    return made[-1]


def _small_json(path: Path, limit: int) -> Any:  # noqa: ANN401 - any plain JSON values
    """Read a JSON file of at most `limit` bytes."""
    regular_size(path, limit)
    return read_json(path)


def _read_card(path: Path) -> dict[str, Any]:
    """The card, with the entries that reading needs."""
    card = _small_json(path, MAX_CARD)
    needed = {"format", "kind", "spec", "weights", "scheme", "modalities", "subjects"}
    if isinstance(card, dict) and card.get("format", FORMAT) != FORMAT:
        raise InputFileError(f"a card of format {card['format']}", f"format {FORMAT}", OTHER_FORMAT, path)
    if not isinstance(card, dict) or not needed <= card.keys():
        raise InputFileError("not a synthesizer's card", f"format {FORMAT} with {sorted(needed)}", _REMEDY, path)
    return card


def _read_spec(path: Path, card: Mapping[str, Any]) -> Spec:
    """The method's spec, whose hash must be the card's."""
    settings = _small_json(path, MAX_SPEC)
    if _hash_of(settings) != card["spec"]:
        raise InputFileError("a spec that was changed", "the spec as train wrote it", _REMEDY, path)
    try:
        return SYNTHESIZERS.spec_class(str(card["kind"])).model_validate(settings)
    except (SpecError, ValueError) as error:
        raise InputFileError(
            f"not a synthesizer's spec ({error})", "the spec as train wrote it", _REMEDY, path
        ) from error


def _hash_of(values: object) -> str:
    """Hash of plain values in one canonical JSON form."""
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).hexdigest()


def _read_tensors(path: Path, expected: str) -> dict[str, Any]:
    """Tensors of the weights' file, whose hash must be the card's."""
    from glioforge.io.regular_file import read_regular_file
    from glioforge.training.weights import MAX_WEIGHTS, decode, digest

    data = read_regular_file(path, MAX_WEIGHTS)
    if digest(data) != expected:
        raise InputFileError(f"weights with hash {digest(data)}", f"hash {expected}, as on the card", _REMEDY, path)
    return decode(data, path)


def _appearance(tensors: Mapping[str, Any], classes: int, contrasts: int) -> Appearance:
    """Class statistics, checked for shape and finite values."""
    arrays = {name: np.asarray(tensors[f"appearance/{name}"]) for name in ("means", "deviations", "present")}
    for name, array in arrays.items():
        if array.ndim != 3 or array.shape[1:] != (classes, contrasts) or not len(array) or not np.isfinite(array).all():
            msg = f"appearance/{name} of shape {array.shape}"
            raise ValueError(msg)
    return Appearance.from_arrays(arrays)


def _fill(method: Method, tensors: Mapping[str, Any], path: Path) -> None:
    """Load the network's weights, if there is a network."""
    from glioforge.training.weights import require_fit

    state = {name.removeprefix("network/"): value for name, value in tensors.items() if name.startswith("network/")}
    if method.network is not None:
        require_fit(state, method.network, path)
        method.network.load_state_dict(state)
        method.network.eval()
