"""Settings that every study has: data, split, preparation, where the work runs, and the publication that it follows.

The fields that choose a part by `kind` are parsed by the part's registry, so
that an error of spelling names the path of the key and the nearest known name.

The publication, and in what the study differs from it, are settings that decide no number.
"""

from typing import Annotated, Any, Final, Literal, final

from pydantic import Field

from glioforge.compute import AcceleratorSpec, ParallelSpec
from glioforge.config import Spec
from glioforge.core import Modality
from glioforge.data import PhantomSpec, PrepareSpec
from glioforge.io import AnyLayout

_NO_NUMBER: Final[Any] = {"parallel": True, "title": True, "after": True, "accelerator": {"threads"}}
"""Settings that decide no number."""


class PhantomData(Spec):
    """A cohort computed from nothing."""

    kind: Literal["phantom"] = "phantom"
    cases: int = Field(12, ge=3)
    """Subjects to make."""
    seed: int = 7
    """Seed of the phantoms."""
    phantom: PhantomSpec = PhantomSpec()
    """How they are made."""


class FolderData(Spec):
    """Scans in a folder that the command line names with `--data`."""

    kind: Literal["folder"] = "folder"
    layout: AnyLayout | None = None
    """Layout of the folder; detected when none is given."""


class Holdout(Spec):
    """One split by subject."""

    kind: Literal["holdout"] = "holdout"
    test: float = Field(0.25, gt=0, lt=1)
    """Share of subjects for testing."""
    validation: float = Field(0.15, gt=0, lt=1)
    """Share of subjects for model selection."""


class Folds(Spec):
    """Every subject is tested once, in one of several folds."""

    kind: Literal["folds"] = "folds"
    folds: int = Field(4, ge=2)
    """Number of folds; never more than subjects."""
    validation: float = Field(0.25, gt=0, lt=1)
    """Share of a fold's remaining subjects for model selection."""


class First80(Spec):
    """The first subjects in the order of their names are trained on and the last ones tested, as some papers do."""

    kind: Literal["first80"] = "first80"
    first: float = Field(0.8, gt=0, lt=1)
    """Share of subjects for training and validation."""
    validation: float = Field(0.15, gt=0, lt=1)
    """Share of these for model selection."""


class Sites(Spec):
    """Tested sites are trained on by nobody."""

    kind: Literal["sites"] = "sites"
    test: tuple[str, ...] = ()
    """Sites to test on, in one split; each site in a fold of its own unless given."""
    validation: float = Field(0.15, gt=0, lt=1)
    """Share of the other subjects for model selection."""


class Slices(Spec):
    """A hold-out by subject, and beside it the shuffle of slices over subjects, which leaks.

    Each arm of real cases, copies, or label maps as they are is trained once more on slices of everyone, tested on
    other slices of the same people, and marked LEAKY wherever it is shown.
    """

    kind: Literal["slices"] = "slices"
    test: float = Field(0.1, gt=0, lt=1)
    """Share of subjects, and of slices, for testing."""
    validation: float = Field(0.1, gt=0, lt=1)
    """Share of subjects, and of slices, for model selection."""


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


class StudySpec(Spec):
    """What a study works on; a kind of study adds what it asks."""

    name: str = Field(pattern=r"^[a-z0-9_-]+$")
    """Name in tables."""
    title: str
    """Title of the report."""
    seed: int = 1
    """Seed of everything that is drawn."""
    data: Annotated[PhantomData | FolderData, Field(discriminator="kind")] = FolderData()
    """Where the cases come from."""
    where: tuple[str, ...] = ()
    """Conditions on the cases to use, such as `grade=HGG`; all cases without any."""
    modalities: tuple[Modality, ...] | None = None
    """Contrasts to use; none takes those that every case has."""
    split: Annotated[Holdout | Folds | First80 | Sites | Slices, Field(discriminator="kind")] = Holdout()
    """How subjects are divided."""
    prepare: PrepareSpec = PrepareSpec()
    """Preparation of all cases."""
    regions: tuple[str, ...] = ("WT", "TC", "ET")
    """Regions scored."""
    accelerator: AcceleratorSpec = AcceleratorSpec(threads=1)
    """Device, precision and threads of each training; a begun study keeps the precision and threads it began with."""
    parallel: ParallelSpec = ParallelSpec()
    """Trainings and cases side by side."""
    after: AfterSpec | None = Field(None, exclude_if=lambda after: after is None)
    """Publication that the study follows, and in what it differs."""

    @property
    def phantom(self) -> PhantomSpec | None:
        """How the study's phantoms are made; none where it reads scans."""
        return self.data.phantom if isinstance(self.data, PhantomData) else None

    def identity(self) -> dict[str, Any]:
        """What decides the numbers: everything but how the work is spread, over processes and over threads."""
        values = self.model_dump(mode="json", exclude=_NO_NUMBER)
        return {name: value for name, value in values.items() if name != "where" or value}
