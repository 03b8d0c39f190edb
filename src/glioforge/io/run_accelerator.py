"""Precision and threads that a run folder began with: they stay the same on any machine, so that a run is one thing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glioforge.compute import AcceleratorSpec, resolved
from glioforge.core import InputFileError
from glioforge.io.run_folder import STARTED, Step


def remembered(asked: AcceleratorSpec, folder: Path) -> AcceleratorSpec:
    """The accelerator asked for, with what a begun folder remembers in place of `auto` and none.

    Args:
        asked: What spec or command line say; what is explicit there stays.
        folder: A run folder, perhaps new.

    Raises:
        InputFileError: The folder's marker is damaged.
    """
    kept = Step.kept_in(folder)
    known = {name: kept[name] for name in ("precision", "threads") if name in kept}
    given = {"precision"} if asked.precision != "auto" else set()
    given |= {"threads"} if asked.threads is not None else set()
    try:
        return AcceleratorSpec.model_validate({**asked.model_dump(), **{n: known[n] for n in known.keys() - given}})
    except ValueError as error:
        raise InputFileError(
            f"a marker that remembers {known}",
            "precision and threads",
            "delete the folder and run again",
            folder / STARTED,
        ) from error


def settled(asked: AcceleratorSpec, folder: Path) -> AcceleratorSpec:
    """`remembered`, with what is still open made out for this machine (`compute.accelerator.resolved`)."""
    return resolved(remembered(asked, folder))


def kept_of(accelerator: AcceleratorSpec) -> Mapping[str, Any]:
    """What a step is given to keep of a settled accelerator."""
    return {"precision": accelerator.precision, "threads": accelerator.threads}
