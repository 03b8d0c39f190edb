"""VGG-19 as a measure of likeness (Simonyan & Zisserman 2015, arXiv:1409.1556, table 1, column E).

Written from the paper: 3 x 3 convolutions in groups of 2, 2, 4, 4 and 4 with 64 to 512 channels, ReLU after each,
the largest of 2 x 2 between groups.  Features are what comes out of conv1_2 to conv5_2, as Chen & Koltun (2017,
arXiv:1707.09405) take them.  Weights come from a file on the user's disk; nothing is ever downloaded.

Conventions
-----------
image       `(batch, 1, x, y)` in z-scores; -3 becomes black and 5 white, linearly and without clipping, the
            same in red, green and blue; then ImageNet's mean and deviation
names       of weights as in torchvision: `features.N.weight`, `features.N.bias`
"""

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import nn

from glioforge.core import InputFileError
from glioforge.io import read_regular_file

BLACK, WHITE = -3.0, 5.0
"""Z-scores that become 0 and 1."""
MAX_BYTES = 2**30
"""Largest file of weights that is read; VGG-19 with its classifier has about 550 MiB."""

_GROUPS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_REMEDY = "give VGG-19 in torchvision's naming, or leave the file out to use features trained in the project"


@final
class Vgg19(nn.Module):
    """The convolutions of VGG-19 up to conv5_2, frozen; random until weights are loaded."""

    dims = 2
    """Axes of an image."""
    layers = ("conv1_2", "conv2_2", "conv3_2", "conv4_2", "conv5_2")
    """Names of the features."""

    def __init__(self) -> None:
        super().__init__()
        layers, self._taken = _layers()
        self.features = nn.Sequential(*layers)
        self.mean: torch.Tensor
        self.deviation: torch.Tensor
        for name, values in zip(("mean", "deviation"), _IMAGENET, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Float[torch.Tensor, "b 1 x y"]) -> list[torch.Tensor]:
        """Features of each layer after its ReLU; a grid of one voxel is not shrunk further."""
        x = ((image - BLACK) / (WHITE - BLACK) - self.mean) / self.deviation
        found = []
        for number, layer in enumerate(self.features):
            if isinstance(layer, nn.MaxPool2d) and min(x.shape[2:]) < 2:
                continue
            x = layer(x)
            if number in self._taken:
                found.append(x)
        return found


def read_vgg19(path: Path) -> tuple[Vgg19, str]:
    """VGG-19 with the weights of a local file, and its name `vgg19:<SHA-256 of the file>`.

    Args:
        path: A safetensors file, or a state dictionary that `torch.save` wrote; further entries are not looked at.

    Raises:
        InputFileError: The file cannot be read, holds more than tensors, or is not VGG-19.
    """
    data = read_regular_file(path, MAX_BYTES)
    tensors = _tensors(data, path)
    network = Vgg19()
    state = network.state_dict()
    _require_vgg19(tensors, state, path)
    network.load_state_dict({name: tensors[name].float() for name in state})
    return network, f"vgg19:{hashlib.sha256(data).hexdigest()}"


def _layers() -> tuple[list[nn.Module], frozenset[int]]:
    """Layers in torchvision's order up to conv5_2's ReLU, and the places whose output counts."""
    layers: list[nn.Module] = []
    taken = []
    channels = 3
    for count, width in _GROUPS:
        for number in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
            if number == 1:
                taken.append(len(layers) - 1)
        layers.append(nn.MaxPool2d(2))
    return layers[: taken[-1] + 1], frozenset(taken)


def _tensors(data: bytes, path: Path) -> Mapping[str, torch.Tensor]:
    """Tensors of a safetensors file or of a state dictionary; no code of the file is run."""
    try:
        if data[8:9] == b"{":
            return dict(load_safetensors(data))
        loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputFileError(
            f"neither safetensors nor a state dictionary of tensors ({reason})", "weights of VGG-19", _REMEDY, path
        ) from error
    if not isinstance(loaded, Mapping):
        raise InputFileError(f"a {type(loaded).__name__}", "a state dictionary of tensors", _REMEDY, path)
    return loaded


def _require_vgg19(tensors: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Refuse weights whose names, shapes or values are not VGG-19's."""
    missing = [name for name in state if not isinstance(tensors.get(name), torch.Tensor)]
    if missing:
        raise InputFileError(
            f"no {', '.join(missing[:3])} ({len(missing)} of {len(state)} tensors missing)",
            "features.N.weight and features.N.bias of every convolution",
            _REMEDY,
            path,
        )
    for name, value in state.items():
        if tensors[name].shape != value.shape:
            raise InputFileError(
                f"{name} of shape {tuple(tensors[name].shape)}", f"shape {tuple(value.shape)}", _REMEDY, path
            )
        if not bool(torch.isfinite(tensors[name].float()).all()):
            raise InputFileError(f"{name} with NaN or infinity", "finite weights", _REMEDY, path)
