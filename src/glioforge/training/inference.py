"""Outputs of a trained network: device, precision, threads."""

import torch
from torch import nn

from glioforge.compute import AcceleratorSpec, device_of


def inferred(network: nn.Module, inputs: tuple[torch.Tensor, ...], accelerator: AcceleratorSpec) -> torch.Tensor:
    """Output of a network on the CPU, made on the device, in the precision and with the threads asked for.

    The CPU takes one thread unless a number is given.
    """
    device = device_of(accelerator)
    before = torch.get_num_threads()
    torch.set_num_threads(accelerator.threads or 1)
    try:
        with (
            torch.no_grad(),
            torch.autocast(device.type, torch.bfloat16, enabled=accelerator.precision == "bf16-mixed"),
        ):
            made: torch.Tensor = network.to(device).eval()(*(value.to(device) for value in inputs))
            # A network may return a parameter of its own, which `no_grad` leaves as it is.
            return made.detach().float().cpu()
    finally:
        torch.set_num_threads(before)
