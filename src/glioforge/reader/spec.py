"""Settings of a reading study: what is asked, of how many items, and how the answers will be tested.

Everything here is fixed before the first answer: the hash of the settings opens the audit chain of the study.

Kinds
-----
turing       one item at a time: real or synthetic?  (Visual Turing Test)
choice       a real and a synthetic item side by side: which is the real one?  (two-alternative forced choice)
preference   two methods for one label map side by side: which is the better scan?
accept       one item at a time: good enough to be used, or not?
likert       one item at a time: quality, from 1 to `score_levels`
delineation  the reader draws the tumour, which is compared with the label map
diagnosis    one item at a time: is there a tumour, where, does it enhance?
training     as `turing`, with the truth shown after each answer

Sources: Han et al. 2018, section 3.3 (50 real and 50 synthetic images, one physician, no training stage); Carver et al.
2021 (call, score and comment on 9 real and 10 synthetic images a contrast); Guo et al. 2020, table 1 (preference).
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, final

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.core import Modality

Kind = Literal["turing", "choice", "preference", "accept", "likert", "delineation", "diagnosis", "training"]
Test = Literal["chance", "equivalence", "methods", "contrasts"]

CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "turing": ("real", "synthetic"),
    "choice": ("left", "right"),
    "preference": ("left", "right", "equal"),
    "accept": ("accept", "reject"),
    "likert": (),
    "delineation": (),
    "diagnosis": ("tumour", "no tumour"),
    "training": ("real", "synthetic"),
}
"""Calls that a reader may make, by kind; kinds without a call are judged by their score."""
PAIRED: Final = frozenset({"choice", "preference"})
"""Kinds that show two items side by side."""
CUES: Final = ("texture", "border", "anatomy", "contrast mismatch", "noise", "artefact")
"""Reasons that a reader may tick: what gave an item away."""
ALL: Final = "all"
"""In place of a method's name: the items of all methods together."""

_HAN: Mapping[str, Any] = {
    "after": "han2018",
    "kind": "turing",
    "show": "slice",
    "together": False,
    "real": 50,
    "synthetic": 50,
    "repeats": 0.0,
    "practice": 0,
    "confidence_levels": 0,
    "cues": (),
    "comment": False,
}
_CARVER: Mapping[str, Any] = {
    "after": "carver",
    "kind": "turing",
    "show": "slice",
    "together": False,
    "real": 9,
    "synthetic": 10,
    "per_contrast": True,
    "repeats": 0.0,
    "practice": 0,
    "confidence_levels": 0,
    "score_levels": 10,
    "cues": (),
}
_GUO: Mapping[str, Any] = {
    "after": "guo2020",
    "kind": "preference",
    "show": "slice",
    "together": True,
    "real": 61,
    "synthetic": 61,
    "repeats": 0.0,
    "practice": 0,
    "confidence_levels": 0,
    "cues": (),
    "comment": False,
}


@final
class AnalysisSpec(Spec):
    """The tests that were planned before the first answer."""

    margin: float = Field(0.1, gt=0, lt=0.5)
    """Equivalence margin: "not distinguishable" means that accuracy lies within chance plus or minus this."""
    alpha: float = Field(0.05, gt=0, lt=0.5)
    """Level of each family of tests."""
    primary: str = ALL
    """Method whose items answer the primary question, or `all`."""
    family: tuple[Test, ...] = ("chance", "equivalence")
    """Tests that share the level, corrected by Holm's method: accuracy against chance, equivalence with chance, methods
    against each other, MRI contrasts against each other."""


@final
class ReaderSpec(Spec):
    """A reading study."""

    after: Literal["", "han2018", "carver", "guo2020"] = Field("", exclude_if=lambda value: not value)
    """Paper whose reading the study follows, by its preset; the page of the papers shows its counts there."""
    title: str = Field("Reading study", min_length=1, max_length=120)
    """Shown to readers; says nothing of methods."""
    kind: Kind = "turing"
    """What is asked; see the kinds of `glioforge.reader.spec`."""
    seed: int = Field(0, ge=0)
    """Seed of the choice of items, of the order of each reader, and of sides."""
    show: Literal["slice", "stack", "volume"] = "slice"
    """One slice, all slices of a plane to scroll through, or a volume in three planes."""
    contrasts: tuple[Modality, ...] | None = Field(None, min_length=1)
    """MRI contrasts shown; all that the cohorts share unless given."""
    together: bool = True
    """Show the contrasts of a case next to each other as one item; otherwise each item shows one contrast."""
    real: int = Field(20, ge=0, le=2000)
    """Number of real items; for pairs, the number of pairs."""
    synthetic: int = Field(20, ge=0, le=2000)
    """Number of synthetic items, divided equally among the methods; pairs take theirs from `real`."""
    per_contrast: bool = False
    """Take these numbers for each MRI contrast rather than over all contrasts."""
    pooled: bool = Field(False, exclude_if=lambda value: not value)
    """Cases have one image each, whose contrast varies and is not stated, as samplers of pooled contrasts make them;
    items show that image alone, and results are not divided by contrast."""
    one_per_subject: bool = True
    """Show at most one item of a subject among the real ones, and one of a subject and method among the synthetic
    ones, for items of one subject are no independent trials."""
    repeats: float = Field(0.1, ge=0, le=0.5)
    """Share of items shown once more later on, for agreement of a reader with himself."""
    practice: int = Field(3, ge=0, le=20)
    """Practice items, made of phantoms and shown first; their answers are kept apart."""
    confidence_levels: Literal[0, 3, 4, 5, 6] = 5
    """Steps of the confidence that goes with each call; 0 asks for none."""
    score_levels: Annotated[int, Field(ge=0, le=10)] = 0
    """Steps of a quality score from 1; 0 asks for none, but for kinds that consist of a score (5 steps)."""
    cues: tuple[str, ...] = CUES
    """Reasons that a reader may tick; none leave the checklist out."""
    comment: bool = True
    """Whether a reader may write a comment."""
    diagnose: bool = False
    """Ask of each item whether there is a tumour, where, and whether it enhances, besides the question of the kind."""
    window: Literal["protocol", "free"] = "protocol"
    """Grey window: fixed for all readers, or theirs to change."""
    analysis: AnalysisSpec = AnalysisSpec()
    """Tests planned."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"han2018": _HAN, "carver": _CARVER, "guo2020": _GUO}

    @model_validator(mode="after")
    def _require_sense(self) -> "ReaderSpec":
        """Refuse settings that contradict each other."""
        if not self.real + self.synthetic:
            raise ValueError("no items: give `real`, `synthetic` or both")
        if self.kind == "delineation" and self.show != "slice":
            raise ValueError(f"`show: {self.show}` with kind delineation, which is drawn on a `slice`")
        if self.diagnose and self.kind in PAIRED:
            raise ValueError(f"`diagnose` with kind {self.kind}, which shows two items at a time")
        if self.pooled and (self.together or self.per_contrast or self.contrasts or self.kind in PAIRED):
            raise ValueError("`pooled` shows single images: set `together: false`, without pairs or named contrasts")
        if len(set(self.cues)) < len(self.cues) or any(not cue.strip() or ";" in cue for cue in self.cues):
            raise ValueError("`cues` that are empty, twice the same, or hold a semicolon")
        return self

    @property
    def calls(self) -> tuple[str, ...]:
        """Calls that a reader may make; none where items are judged by a score or a drawing."""
        return CALLS[self.kind]

    @property
    def paired(self) -> bool:
        """Whether two items are shown side by side."""
        return self.kind in PAIRED

    @property
    def scores(self) -> int:
        """Steps of the quality score; 0 where none is asked for."""
        return self.score_levels or (5 if self.kind == "likert" else 0)

    @property
    def feedback(self) -> bool:
        """Whether readers see the truth after each answer."""
        return self.kind == "training"
