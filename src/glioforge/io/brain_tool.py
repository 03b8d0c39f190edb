"""Brain masks from a command that the user has installed, such as HD-BET or SynthStrip.

Commands are lists of words and never pass through a shell.  They read and
write in a folder of their own, which is gone afterwards.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from glioforge.core import DependencyError, InputFileError, Mask, Volume
from glioforge.io.nifti import read_mask, write_image

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
            to write, and the stripped head, beside which HD-BET puts its mask.
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
