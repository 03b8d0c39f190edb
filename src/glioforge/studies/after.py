"""The publication that a study follows, and in what it differs from it: settings that decide no number."""

from typing import final

from pydantic import Field

from glioforge.config import Spec


@final
class AfterSpec(Spec):
    """The publication that a study follows, and what it does otherwise."""

    paper: str = Field(pattern=r"^[a-z0-9_]+$")
    """Name of the publication."""
    citation: str
    """Authors, year, place."""
    deviations: tuple[str, ...] = Field(min_length=1)
    """What is done otherwise, a sentence each, with the reason."""
    data: tuple[str, ...] = Field(min_length=1)
    """In what the cases differ from those of the publication, a sentence each."""
    gaps: tuple[str, ...] = ()
    """What of the publication this study leaves out."""
