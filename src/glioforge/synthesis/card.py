"""Weights and class statistics of a trained synthesizer, in the folder of its model.

`training.model_folder` has the card; here is what is a synthesizer's own.

Conventions
-----------
weights.safetensors   `network/...` of the network, `appearance/...` of the class statistics
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glioforge.core import InputFileError
from glioforge.io import CARD
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.method import SYNTHESIZERS, Knowledge, Method
from glioforge.training import WEIGHTS, Card, expected_hash, read_card

MAX_APPEARANCE = 2**28
"""Largest size in bytes of the class statistics: more is refused before it is read."""

_REMEDY = "take the whole folder as train made it, or train again"


def write_tensors(folder: Path, method: Method) -> dict[str, str]:
    """Write network and class statistics; return the file's hash by its name.

    Raises:
        OutputError: The folder cannot be written.
    """
    import torch

    from glioforge.training import write_weights

    arrays = method.knowledge.appearance.to_arrays()
    tensors = {f"appearance/{name}": torch.from_numpy(array.copy()) for name, array in arrays.items()}
    if method.network is not None:
        tensors |= {f"network/{name}": value for name, value in method.network.state_dict().items()}
    return {WEIGHTS: write_weights(folder / WEIGHTS, tensors)}


def read_model(folder: Path) -> tuple[Method, Card]:
    """Read a trained method and its card.

    Raises:
        InputFileError: The folder holds something else, is unfinished, a file is damaged or changed, or they don't
            belong together.
    """
    from glioforge.training import read_some

    card = read_card(folder, SYNTHESIZERS)
    knowledge = _knowledge(card, read_some(folder / WEIGHTS, "appearance/", MAX_APPEARANCE), folder)
    method = _method(card, knowledge, folder / WEIGHTS)
    _fill(method, _read_tensors(folder / WEIGHTS, expected_hash(card, WEIGHTS, folder)), folder / WEIGHTS)
    return method, card


def _knowledge(card: Card, tensors: Mapping[str, Any], folder: Path) -> Knowledge:
    """What the card and the class statistics say of the training cohort."""
    try:
        if card.scheme is None:
            msg = "no label scheme"
            raise ValueError(msg)  # noqa: TRY301 - one message for all that does not fit
        appearance = _appearance(tensors, len(card.scheme.labels), len(card.modalities))
        return Knowledge(card.modalities, card.scheme, appearance)
    except (KeyError, ValueError) as error:
        raise InputFileError(
            f"a card that does not fit its weights ({error!r})", "the card as train wrote it", _REMEDY, folder / CARD
        ) from error


def _method(card: Card, knowledge: Knowledge, path: Path) -> Method:
    """The method with fresh weights, once its network is seen to fit the file's tensors."""
    from torch import nn

    from glioforge.training import built_to_fit

    made: list[Method] = []

    def build() -> nn.Module:
        made.append(SYNTHESIZERS.part_for(card.spec)(card.spec, knowledge))
        return made[-1].network or nn.Module()

    built_to_fit(build, path, "network/")
    return made[-1]


def _read_tensors(path: Path, expected: str) -> dict[str, Any]:
    """Tensors of the weights' file, whose hash must be the card's."""
    from glioforge.io import read_regular_file
    from glioforge.training import MAX_WEIGHTS, decode, digest

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
    from glioforge.training import require_fit

    state = {name.removeprefix("network/"): value for name, value in tensors.items() if name.startswith("network/")}
    if method.network is not None:
        require_fit(state, method.network, path)
        method.network.load_state_dict(state)
        method.network.eval()
