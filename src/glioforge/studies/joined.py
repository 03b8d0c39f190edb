"""A second cohort that a synthesizer is also trained on, such as the T1 of healthy brains."""

from pathlib import Path
from typing import Annotated, Literal, final

from pydantic import Field

from glioforge.config import Spec
from glioforge.core import Modality
from glioforge.data import PhantomSpec
from glioforge.io import AnyLayout


@final
class JoinedFolder(Spec):
    """Scans of further people in a folder."""

    kind: Literal["folder"] = "folder"
    path: Path
    """Folder of scans in any layout, or an ingested cohort; they are prepared with the study's settings."""
    layout: AnyLayout | None = None
    """Layout of the folder; detected when none is given."""
    healthy: bool = False
    """Take the brains of scans without a label map as healthy; else such scans are refused."""
    modalities: tuple[Modality, ...] | None = Field(None, min_length=1)
    """Contrasts to use; those of the study that each case has unless given."""


@final
class JoinedPhantoms(Spec):
    """Further phantoms, computed with a seed of their own."""

    kind: Literal["phantom"] = "phantom"
    cases: int = Field(ge=1)
    """Subjects to make."""
    seed: int = Field(ge=0)
    """Seed of the phantoms; another one than the study's phantoms have, else they are the same subjects."""
    phantom: PhantomSpec = PhantomSpec(healthy=True)
    """How they are made; without tumours unless given."""
    modalities: tuple[Modality, ...] | None = Field(None, min_length=1)
    """Contrasts to use; those of the study unless given."""


Joined = JoinedFolder | JoinedPhantoms
AnyJoined = Annotated[Joined, Field(discriminator="kind")]
