"""How weights start."""

import torch
from torch import nn
from torch.nn.utils import parametrize

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)


@torch.no_grad()
def xavier(network: nn.Module, gain: float = 0.02) -> None:
    """Xavier normal weights of this gain and zero biases (Glorot & Bengio 2010; SPADE takes 0.02).

    A spectrally normalised layer starts from the same draw; its norm divides the gain out.
    """
    for layer in network.modules():
        if not isinstance(layer, _CONVOLUTIONS):
            continue
        if parametrize.is_parametrized(layer, "weight"):
            drawn = nn.init.xavier_normal_(torch.empty_like(layer.weight), gain)
            layer.parametrizations.weight.original.copy_(drawn)  # type: ignore[union-attr, operator]
        else:
            nn.init.xavier_normal_(layer.weight, gain)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def he(network: nn.Module) -> None:
    """He normal weights for ReLU and zero biases (He et al. 2015, arXiv:1502.01852)."""
    for layer in network.modules():
        if isinstance(layer, _CONVOLUTIONS):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@torch.no_grad()
def gaussian(network: nn.Module, deviation: float = 0.02) -> None:
    """Normal weights of mean 0 and zero biases; norms keep scale 1 (Isola et al. 2017, arXiv:1611.07004, 6.2)."""
    for layer in network.modules():
        if isinstance(layer, _CONVOLUTIONS):
            nn.init.normal_(layer.weight, 0.0, deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
