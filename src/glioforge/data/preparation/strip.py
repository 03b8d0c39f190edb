"""Skull stripping, by a tool or here, and bias fields evened out: what scans may need that public tumour data does not.

`deepbet` (Fisch et al. 2024, its weights come with its package) and tools that
the user has installed, such as HD-BET or SynthStrip, find brains well; a
morphological method needs nothing and is rough.  The volume is checked: a brain
outside 900 to 2200 ml is not believed, and the morphological method takes over.

Commands of tools are lists of words and never pass through a shell.  They read and
write in a folder of their own, which is gone afterwards.

The scanner's bias field is evened out in the images that are kept.  This is off
unless asked for: a generator should learn the fields that real scans have, and the
tissue classes fit a field of their own.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from scipy import ndimage

from glioforge.config import Spec
from glioforge.core import Case, CaseError, DependencyError, InputFileError, Mask, Modality, Volume, within
from glioforge.data.preparation.brain import largest_part
from glioforge.data.preparation.grid import GridPlan
from glioforge.io import bias_field, read_mask, write_image


@final
class StripSpec(Spec):
    """How the skull is taken off."""

    method: Literal["deepbet", "hd_bet", "synthstrip", "command", "morphology"] = "deepbet"
    """`deepbet` needs its package; `hd_bet`, `synthstrip` and `command` a program on the path."""
    command: tuple[str, ...] = ()
    """Words of your own command, with `{image}` for the head and `{mask}` for the mask that it writes."""
    contrast: Modality = Modality.T1
    """Contrast that is looked at; the first of a case that lacks it."""
    plausible_ml: tuple[float, float] = (900.0, 2200.0)
    """Volumes that are believed."""
    fall_back: bool = True
    """Take the morphological method where the volume is not believed; otherwise the case is refused."""


def strip_case(case: Case, spec: StripSpec) -> tuple[Case, dict[str, Any]]:
    """A case with its brain mask; one that has a mask keeps it.

    Returns:
        The case, and the method that found the brain and its volume.

    Raises:
        CaseError: No method gives a brain of a plausible volume.
        DependencyError: The method's package or program is not installed.
        InputFileError: The program failed.
    """
    if case.brain is not None or not case.images:
        return case, {"method": "given"}
    volume = case.images.get(spec.contrast) or next(iter(case.images.values()))
    tried = {}
    for method in dict.fromkeys((spec.method, *(("morphology",) if spec.fall_back else ()))):
        brain = find_by(method, volume, spec)
        tried[method] = round(float(brain.sum() * volume.geometry.voxel_volume / 1000), 1)
        if spec.plausible_ml[0] <= tried[method] <= spec.plausible_ml[1]:
            return replace(case, brain=brain), {"method": method, "ml": tried}
    raise CaseError(
        f"brains of {', '.join(f'{ml:.0f} ml ({method})' for method, ml in tried.items())}",
        f"{spec.plausible_ml[0]:.0f}-{spec.plausible_ml[1]:.0f} ml",
        "look at the scan, try another strip.method, or give a brain mask with it",
        case.case_id,
    )


def find_by(method: str, volume: Volume, spec: StripSpec) -> Mask:
    """Brain mask by one method; errors as `strip_case`."""
    if method == "morphology":
        return by_morphology(volume, spec.plausible_ml)
    if method == "deepbet":
        return by_deepbet(volume)
    return brain_from_tool(volume, spec.command if method == "command" else COMMANDS[method])


def by_deepbet(volume: Volume) -> Mask:
    """Brain mask by deepbet's network, on the processor.

    Raises:
        DependencyError: The package is not installed.
    """
    try:
        from deepbet.bet import BrainExtraction
    except ImportError as error:
        raise DependencyError(
            "deepbet is not installed",
            remedy="pip install 'glioforge[strip]', or set strip.method to morphology",
        ) from error
    plan = GridPlan(volume.geometry, (0, 0, 0), (1.0, 1.0, 1.0), volume.geometry.shape)
    network = BrainExtraction(no_gpu=True)
    head: Float32[np.ndarray, "x y z"] = np.ascontiguousarray(plan.to_canonical(volume.voxels), dtype=np.float32)
    return plan.from_canonical(np.asarray(network.postprocess(network.run_model(head.copy()) > 0.5), dtype=bool))


def by_morphology(volume: Volume, plausible_ml: tuple[float, float] = (900.0, 2200.0)) -> Mask:
    """Brain mask without any network: threshold, opening, largest part, holes filled, closing.

    The opening widens from 1 to 8 mm until what is left has a plausible
    volume, so that thin bridges to the scalp break and no more.  An image
    without contrast gives an empty mask.
    """
    from skimage.filters import threshold_otsu

    spacing = volume.geometry.spacing
    low, high = np.percentile(volume.voxels, [1, 99.5])
    if not high > low:
        return np.zeros(volume.voxels.shape, dtype=bool)
    bright = volume.voxels > threshold_otsu(np.clip(volume.voxels, low, high))
    depth = ndimage.distance_transform_edt(np.pad(bright, 1), spacing)[1:-1, 1:-1, 1:-1]
    brain = np.zeros_like(bright)
    for radius in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0):
        core = largest_part(~within(depth, radius))
        if not core.any():
            break
        brain = ndimage.binary_fill_holes(_grown(core, radius, spacing) & bright)
        if brain.sum() * volume.geometry.voxel_volume / 1000 <= plausible_ml[1]:
            break
    return _closed(brain, 3.0, spacing)


def _grown(mask: Mask, radius: float, spacing: tuple[float, float, float]) -> Mask:
    """Voxels within a distance in mm of a mask; empty in, empty out."""
    if not mask.any():
        return mask
    return within(ndimage.distance_transform_edt(~mask, spacing), radius)


def _closed(mask: Mask, radius: float, spacing: tuple[float, float, float]) -> Mask:
    """Mask whose dents narrower than twice a radius are filled."""
    pad = int(np.ceil(radius / min(spacing))) + 1
    grown = _grown(np.pad(mask, pad), radius, spacing)
    shrunk = ndimage.distance_transform_edt(grown, spacing) > radius
    inner = tuple(slice(pad, -pad) for _ in range(3))
    return np.asarray(ndimage.binary_fill_holes(shrunk[inner] | mask))


COMMANDS = {
    "hd_bet": ("hd-bet", "-i", "{image}", "-o", "{brain}", "--save_bet_mask", "-device", "cpu", "--disable_tta"),
    "synthstrip": ("mri_synthstrip", "-i", "{image}", "-m", "{mask}"),
}
"""Commands of known tools: HD-BET 2 (Isensee et al. 2019) and SynthStrip (Hoopes et al. 2022)."""

_MASKS = ("mask.nii.gz", "brain_bet.nii.gz", "brain_mask.nii.gz")


def tool_is_there(command: Sequence[str]) -> bool:
    """Whether the command's program is on the path."""
    return bool(command) and shutil.which(command[0]) is not None


def brain_from_tool(volume: Volume, command: Sequence[str], timeout_s: float = 1800) -> Mask:
    """Brain mask that a command finds.

    Args:
        volume: A head.
        command: Words of the command; `{image}`, `{mask}` and `{brain}` stand for files: the head to read, the mask
            to write, and the stripped head, in whose folder HD-BET writes its mask.
        timeout_s: Longest time it may take.

    Raises:
        DependencyError: The program is not on the path.
        InputFileError: It failed, took too long or left no mask.
    """
    if not tool_is_there(command):
        raise DependencyError(
            f"{command[0] if command else 'no command'} is not on the path",
            remedy="install the tool, or set strip.method to deepbet or morphology",
        )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = {"image": folder / "head.nii.gz", "mask": folder / _MASKS[0], "brain": folder / "brain.nii.gz"}
        write_image(names["image"], volume, "head")
        words = [word.format(**names) for word in command]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)  # noqa: S603 - no shell
        except subprocess.TimeoutExpired as error:
            raise InputFileError(f"{command[0]} took longer than {timeout_s:.0f} s", "a brain mask") from error
        found = [folder / name for name in _MASKS if (folder / name).is_file()]
        if done.returncode or not found:
            raise InputFileError(
                f"{command[0]} ended with {done.returncode} and {len(found)} masks: {done.stderr.strip()[-300:]}",
                "a brain mask",
                "try the command by hand",
            )
        return read_mask(found[0], volume.geometry)


@final
class BiasSpec(Spec):
    """N4 within the brain."""

    shrink: int = Field(4, ge=1)
    """The field is fitted on every n-th voxel along each axis."""
    rounds: tuple[int, ...] = Field((50, 50, 30), min_length=1)
    """Iterations at each resolution of the field, coarse to fine."""


def without_bias(
    images: Mapping[Modality, Volume], brain: Mask, spec: BiasSpec | None = None, where: str = ""
) -> dict[Modality, Volume]:
    """Images divided by their bias field; unchanged outside the brain.

    Args:
        images: Scans as they came, not normalised ones.
        brain: Voxels that the field is fitted on, and that are corrected.
        spec: Defaults unless given.
        where: Case, for the message.

    Raises:
        CaseError: Intensities in the brain are below 0: they were normalised before.
        DependencyError: SimpleITK is not installed.
    """
    spec = spec or BiasSpec()
    result = {}
    for modality, volume in images.items():
        least = float(volume.voxels[brain].min(initial=0.0))
        if least < 0:
            raise CaseError(
                f"{modality} goes down to {least:.4g} in the brain",
                "intensities of a scanner, which are not below 0",
                "set bias to null: a bias field cannot be estimated from normalised intensities",
                where or None,
            )
        field = bias_field(volume, brain & (volume.voxels > 0), shrink=spec.shrink, rounds=spec.rounds)
        voxels = np.where(brain, volume.voxels / field, volume.voxels).astype(np.float32)
        result[modality] = Volume(voxels, volume.geometry, modality)
    return result
