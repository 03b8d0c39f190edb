"""Where the synthetic cases of an arm come from: a synthesizer, a mixing, a folder, noise, or the real cases again.

A synthesizer may also be trained on a second cohort, such as the T1 of healthy brains.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, final

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.core import Modality
from glioforge.data import PhantomSpec
from glioforge.io import AnyLayout
from glioforge.labelmaps import LabelMapSpec
from glioforge.lesions import RecipeSpec
from glioforge.mixing import AnyMixing
from glioforge.quality import AnyFilter
from glioforge.sampling import AnySampler
from glioforge.segmentation import SegmenterSpec
from glioforge.synthesis import AnySynthesizer
from glioforge.training import Budget


@final
class SubjectsSpec(Spec):
    """How many of the training subjects are used: all, a number, or a share; drawn by the study's seed."""

    subjects: int | None = Field(None, ge=1)
    """Number of subjects; smaller draws of one seed lie within larger ones."""
    share: float | None = Field(None, gt=0, le=1)
    """Share of the subjects, at least one."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.subjects is not None and self.share is not None:
            msg = f"subjects {self.subjects} and share {self.share}: give one of them"
            raise ValueError(msg)
        return self

    @property
    def all(self) -> bool:
        """Whether nobody is left out."""
        return self.subjects is None and self.share in {None, 1.0}

    def count(self, available: int) -> int:
        """Return the number of subjects out of those available; never more than these."""
        if self.subjects is not None:
            return min(self.subjects, available)
        return available if self.share is None else max(1, round(self.share * available))

    @property
    def suffix(self) -> str:
        """What names of arms end with; empty for all subjects."""
        if self.all:
            return ""
        return f"-n{self.subjects}" if self.subjects is not None else f"-{_percent(self.share)}pct"

    @property
    def words(self) -> str:
        """What titles of arms end with; empty for all subjects."""
        if self.all:
            return ""
        if self.subjects is not None:
            return f"{self.subjects} training subject{'s' if self.subjects > 1 else ''}"
        return f"{_percent(self.share)} % of the training subjects"


class TitledSource(Spec):
    """What every source has."""

    title: str = Field("", exclude_if=lambda title: not title)
    """Name on pages; that of the source unless given."""


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


@final
class SynthesizerSource(TitledSource):
    """Cases that a synthesizer makes of label maps of training subjects: edits, images, filters."""

    kind: Literal["synthesizer"] = "synthesizer"
    synthesizer: AnySynthesizer
    """Any registered kind, with its preset and changes to it; one without a network is a control."""
    recipe: RecipeSpec | None = None
    """Lesion edits; that of the study unless given."""
    filters: tuple[AnyFilter, ...] = ()
    """Quality filters that every case must pass."""
    budget: Budget | None = None
    """Length of its training; the study's `generator` budget unless given."""
    train_on: SubjectsSpec | None = None
    """Subjects that it is trained on and whose label maps are edited, drawn from the whole training side apart from
    the draw of the arms; those of the arm unless given."""
    also_train_on: AnyJoined | None = Field(None, exclude_if=lambda cohort: cohort is None)
    """A second cohort that the synthesizer is trained on as well, whose cases may lack contrasts, such as the T1 of
    healthy brains. Nobody of it may be held out, and its label maps are not edited."""
    per_case: int | None = Field(None, ge=1)
    """Cases made from each label map; `synthetic_per_case` of the budget unless given."""
    maps: LabelMapSpec | None = Field(None, exclude_if=lambda maps: maps is None)
    """Label maps drawn from the same subjects, of warped brains with varied and grown lesions, without lesion or with
    distractors. The subjects' own maps are edited unless given."""
    sampler: AnySampler | None = Field(None, exclude_if=lambda sampler: sampler is None)
    """Sampler of whole label maps, trained on the same subjects with the budget of its own settings: images are made
    of as many maps from noise as the subjects would give. Their own maps are edited unless given."""

    @model_validator(mode="after")
    def _maps_from_one_place(self) -> Self:
        given = [name for name in ("recipe", "maps", "sampler") if getattr(self, name) is not None]
        if len(given) > 1:
            msg = f"{' and '.join(given)}: label maps are edited, drawn or made from noise, leave one of them out"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _learns_from_gaps(self) -> Self:
        """Refuse what would leave only the contrasts that both cohorts share."""
        if self.also_train_on is not None and not getattr(self.synthesizer, "gaps", False):
            msg = "also_train_on: cases of a second cohort may lack contrasts, set `gaps: true` of the synthesizer"
            raise ValueError(msg)
        return self


@final
class MixingSource(TitledSource):
    """Real cases of the arm's training subjects, mixed without a network: a control."""

    kind: Literal["mixing"] = "mixing"
    mixing: AnyMixing
    """Any registered way of mixing, with its settings."""
    filters: tuple[AnyFilter, ...] = ()
    """Quality filters that every case must pass."""
    per_case: int | None = Field(None, ge=1)
    """Cases made from each host; `synthetic_per_case` of the budget unless given."""


@final
class FolderSource(TitledSource):
    """Cases that any other tool made: images with label maps in a folder."""

    kind: Literal["folder"] = "folder"
    path: Path
    """Folder of scans and label maps in any layout, or a cohort of Glioforge."""
    layout: AnyLayout | None = None
    """Layout of the folder; detected when none is given."""
    subjects: tuple[str, ...] | None = None
    """Subjects of the study behind these cases, through label maps, generator or filters; empty for nobody.  Without
    it everyone on the training side is taken to be, the cases are searched for near-duplicates of other subjects, and
    the answer is exploratory."""
    filters: tuple[AnyFilter, ...] = ()
    """Quality filters that every case must pass."""


@final
class CopiesSource(TitledSource):
    """The real training cases of the arm once more: a control for drawing more, without anything new."""

    kind: Literal["copies"] = "copies"


@final
class NoiseSource(TitledSource):
    """Axial slices that a sampler makes of noise, for classifiers: they have no label maps, but one answer each.

    A sampler with `tumour` among its conditions is asked for slices with tumour and for slices without; of any other
    one is trained on each. Where grades are asked for, one is trained on the subjects of each grade.
    """

    kind: Literal["noise"] = "noise"
    sampler: AnySampler
    """A sampler of axial slices, `dcgan` or `wgan`, trained on the training subjects."""
    budget: Budget | None = None
    """Length of its training; that of the sampler's own settings unless given."""
    per_answer: int = Field(200, ge=1)
    """Slices made for each answer."""
    filters: tuple[AnyFilter, ...] = ()
    """Quality filters that every slice must pass; they cannot be any that read label maps."""

    @model_validator(mode="after")
    def _slices_with_answers(self) -> Self:
        sampler: Any = self.sampler
        conditions = getattr(sampler, "conditions", ())
        if getattr(sampler, "plane", "") != "axial" or getattr(sampler, "pooled", False):
            msg = f"sampler {sampler.kind!r}: classifiers see axial slices of all contrasts, set `plane: axial` of a "
            raise ValueError(f"{msg}`dcgan` or `wgan`, and not `pooled`")
        if sampler.tumour != "any" or (conditions and "tumour" not in conditions):
            msg = f"tumour {sampler.tumour!r}, conditions {list(conditions)}: slices of both answers are made, "
            raise ValueError(f"{msg}leave tumour out, and have `tumour` among the conditions or none of them")
        if getattr(sampler, "select", False):
            raise ValueError("select: validation subjects choose the classifiers, and may not choose the sampler too")
        return self


Source = SynthesizerSource | MixingSource | FolderSource | CopiesSource | NoiseSource


AnySource = Annotated[Source, Field(discriminator="kind")]


def require_models(sources: Mapping[str, Source], segmenter: SegmenterSpec | None) -> None:
    """Refuse filters that ask for a trained model which a study does not train.

    Args:
        sources: Every source of the study by its name.
        segmenter: The study's segmenter, of which one is trained for filters that ask; none where it has none.

    Raises:
        ValueError: Names source, filter and model; for the validator of a spec.
    """
    trained = {"encoder"} if segmenter is None else {"encoder", "segmenter"}
    for name, source in sources.items():
        for spec in () if isinstance(source, CopiesSource) else source.filters:
            lacking = [model for model in spec.models if model not in trained]
            if lacking:
                msg = (
                    f"source {name!r}: filter {spec.model_dump()['kind']!r} asks for a trained {lacking[0]}, which "
                    "this study does not train: leave the filter out, or put the cases through "
                    f"`glioforge filter --model {lacking[0]}=FOLDER` and name their folder as a source of kind folder"
                )
                raise ValueError(msg)


def unverified(source: Source) -> bool:
    """Return whether nobody declared whom the cases of a source were made from.

    Example:
        >>> unverified(FolderSource(path=Path("made"))), unverified(FolderSource(path=Path("made"), subjects=()))
        (True, False)
    """
    return isinstance(source, FolderSource) and source.subjects is None


def stored_alone(source: Source) -> str:
    """Return why a source cannot make cases while a segmenter trains; empty where it can.

    Example:
        >>> stored_alone(CopiesSource())
        'makes no cases'
    """
    if not isinstance(source, SynthesizerSource | MixingSource):
        return "makes no cases"
    if source.filters:
        return "has filters, which see stored cases alone"
    from_noise = isinstance(source, SynthesizerSource) and source.sampler is not None
    return "paints maps from noise, which are stored" if from_noise else ""


def drawn(subjects: Sequence[str], spec: SubjectsSpec, order: Sequence[int]) -> tuple[str, ...]:
    """Return the subjects of a draw, sorted.

    Args:
        subjects: All subjects, in any order.
        spec: How many.
        order: Permutation of their places, from one seed: smaller draws are the begin of larger ones.

    Example:
        >>> drawn(["a", "b", "c"], SubjectsSpec(subjects=2), [2, 0, 1])
        ('a', 'c')
    """
    everyone = sorted(subjects)
    return tuple(sorted(everyone[int(place)] for place in order[: spec.count(len(everyone))]))


def _percent(share: float | None) -> str:
    """A share in percent, without a trailing zero."""
    return f"{100 * (share or 0):g}".replace(".", "_")
