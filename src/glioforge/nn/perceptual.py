"""Networks whose features measure likeness: VGG-19, and a small encoder that learns to predict labels.

VGG-19 (Simonyan & Zisserman 2015, arXiv:1409.1556, table 1, column E) is written from the paper: 3 x 3 convolutions
in groups of 2, 2, 4, 4 and 4 with 64 to 512 channels, ReLU after each, the largest of 2 x 2 between groups.  Features
are what comes out of conv1_2 to conv5_2, as Chen & Koltun (2017, arXiv:1707.09405) take them.  Weights come from a
file on the user's disk; nothing is ever downloaded.

The encoder learns to predict labels from one contrast, for a perceptual loss without VGG-19.  It has the outline of
VGG-19's first layers: five levels of two 3 x 3 convolutions, features taken after each level's second.  There is no
norm, so that features depend on brightness.  While it learns, each level's features give logits by a convolution of
kernel 1, summed from coarse to fine (Long et al. 2015, arXiv:1411.4038).

Conventions
-----------
image       `(batch, 1, x, y)` in z-scores; for VGG-19 -3 becomes black and 5 white, linearly and without clipping, the
            same in red, green and blue; then ImageNet's mean and deviation
names       of VGG-19's weights as in torchvision: `features.N.weight`, `features.N.bias`
"""

import hashlib
import io
import pickle
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import nn
from torch.nn import functional

from glioforge.core import InputFileError
from glioforge.io import read_regular_file
from glioforge.nn.blocks import Dims, convolution, fit_grid, he, pad_to_multiple

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
        x = ((image - BLACK) / (WHITE - BLACK) - self.mean) / self.deviation  # (b, 3, x, y)
        found = []  # (b, 64, x, y), (b, 128, x/2, y/2), (b, 256, x/4, y/4), (b, 512, x/8, y/8), (b, 512, x/16, y/16)
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


_SLOPE = 0.2


@final
class LabelEncoder(nn.Module):
    """Features of one contrast at five sizes.

    Args:
        widths: Channels of each level, finest first.
        dims: 2 or 3.
    """

    def __init__(self, widths: Sequence[int], *, dims: Dims) -> None:
        super().__init__()
        self.dims: int = dims
        self.layers = tuple(f"level{number}" for number in range(1, len(widths) + 1))
        self.levels = nn.ModuleList(_level(a, b, dims) for a, b in pairwise([1, *widths]))
        self.multiple = 2 ** (len(widths) - 1)

    def forward(self, image: Float[torch.Tensor, "b 1 *grid"]) -> list[torch.Tensor]:
        """Features by level, finest first, of z-scores on a grid padded to a multiple of the levels' halvings."""
        shrink = functional.avg_pool2d if self.dims == 2 else functional.avg_pool3d
        x = pad_to_multiple(image, self.multiple)
        found = []
        for number, level in enumerate(self.levels):
            x = level(shrink(x, 2) if number else x)  # (b, widths[number], grid / 2**number)
            found.append(x)
        return found


@final
class LabelReader(nn.Module):
    """The encoder with the head that it learns by.

    Args:
        classes: Number of labels, background included.
        widths: As in `LabelEncoder`.
        dims: 2 or 3.

    Example:
        >>> tuple(LabelReader(7, (4, 4, 8), dims=2)(torch.zeros(2, 1, 9, 10)).shape)
        (2, 7, 9, 10)
    """

    def __init__(self, classes: int, widths: Sequence[int], *, dims: Dims) -> None:
        super().__init__()
        self.encoder = LabelEncoder(widths, dims=dims)
        self.heads = nn.ModuleList(convolution(width, classes, 1, dims=dims) for width in widths)
        he(self)

    def forward(self, image: Float[torch.Tensor, "b 1 *grid"]) -> Float[torch.Tensor, "b classes *grid"]:
        """Logits of each label."""
        features = self.encoder(image)
        logits = self.heads[-1](features[-1])  # (b, classes, coarsest grid), doubled level by level
        for head, level in zip(reversed(self.heads[:-1]), reversed(features[:-1]), strict=True):
            logits = functional.interpolate(logits, scale_factor=2, mode="nearest") + head(level)
        return fit_grid(logits, image.shape[2:])


def _level(inputs: int, outputs: int, dims: Dims) -> nn.Sequential:
    """Two convolutions of one size."""
    return nn.Sequential(
        convolution(inputs, outputs, dims=dims),
        nn.LeakyReLU(_SLOPE),
        convolution(outputs, outputs, dims=dims),
        nn.LeakyReLU(_SLOPE),
    )
