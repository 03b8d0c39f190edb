"""One picture of a training's progress: label maps, scans and synthetic images of one batch, side by side.

Conventions
-----------
file        `samples/step_000400.png`, 8-bit grey
rows        label map if the batch has one, then for each contrast the scans and below them the made images
columns     samples of the batch
grey        the same for a contrast's scans and made images: the middle 99 % of the scans' brain; black outside
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8

from glioforge.io.png import write_png_labels
from glioforge.training.observation import Observation

FOLDER = "samples"
MOST = 8
"""Samples in a picture at most."""

Planes = Float32[np.ndarray, "b x y"]
Row = UInt8[np.ndarray, "width y"]


def write_sample_grid(folder: Path, step: int, seen: Observation) -> Path:
    """Write the picture of a validation, whole or not at all, and return where.

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    path = folder / FOLDER / f"step_{step:06d}.png"
    write_png_labels(path, sample_grid(seen))
    return path


def sample_grid(seen: Observation) -> UInt8[np.ndarray, "width height"]:
    """The picture as `(x, y)`, y upwards: `io.png` turns it as it turns slices."""
    brain = _planes(seen.batch["brain"][:, None].float())[:, 0] > 0
    real, made = _planes(seen.batch["images"]), _planes(seen.made)
    rows = [_label_row(seen.batch["labels"], len(brain))] if "labels" in seen.batch else []
    for contrast in range(real.shape[1]):
        low, high = _window(real[:, contrast], brain)
        rows += [_row(images[:, contrast], brain, low, high) for images in (real, made)]
    return np.concatenate(rows[::-1], axis=1)


def _planes(images: torch.Tensor) -> Float32[np.ndarray, "b c x y"]:
    """The first samples; of volumes the middle slice."""
    plane = images[..., images.shape[-1] // 2] if images.ndim == 5 else images
    return plane[:MOST].detach().float().cpu().numpy().astype(np.float32)


def _label_row(labels: torch.Tensor, count: int) -> Row:
    """Label maps, spread over all greys; of several planes, and of volumes, the middle one."""
    labels = labels[..., labels.shape[-1] // 2] if labels.ndim == 5 else labels
    planes = labels if labels.ndim == 3 else labels[:, labels.shape[1] // 2]
    values = planes[:count].cpu().numpy().astype(np.float32)
    return _joined(255 * values / max(float(values.max()), 1.0))


def _row(images: Planes, brain: Bool[np.ndarray, "b x y"], low: float, high: float) -> Row:
    return _joined(255 * np.clip((images - low) / (high - low), 0, 1) * brain)


def _joined(planes: Planes) -> Row:
    """Samples side by side."""
    return np.concatenate(list(np.rint(planes).astype(np.uint8)), axis=0)


def _window(real: Planes, brain: Bool[np.ndarray, "b x y"]) -> tuple[float, float]:
    """Darkest and brightest value shown; 0 to 1 where there is no brain."""
    values = real[brain]
    if not len(values):
        return 0.0, 1.0
    low, high = (float(value) for value in np.quantile(values, (0.005, 0.995)))
    return low, max(high, low + 1e-3)
