"""A draw of training subjects."""

from dataclasses import dataclass
from typing import Final, final

from glioforge.core import CohortError, counted, stream
from glioforge.studies import Fold, SubjectsSpec, drawn
from glioforge.training import Budget


@final
@dataclass(frozen=True)
class Draw:
    """Training subjects of a fold.

    Args:
        name: Folder of tasks that depend on it, below that of the fold; empty for all subjects.
        subjects: The subjects; none for all.
        number: Number of the draw.
    """

    name: str = ""
    subjects: tuple[str, ...] | None = None
    number: int = 0

    @property
    def key(self) -> dict[str, tuple[str, ...]]:
        """What it adds to the key of a task: nothing where nobody is left out."""
        return {} if self.subjects is None else {"subjects": self.subjects}

    def below(self, fold: Fold) -> str:
        """Folder of its tasks."""
        return f"{fold.name}/{self.name}" if self.name else fold.name

    def seed(self, fold: Fold, *names: str | int) -> int:
        """Return the seed of some draws within this one."""
        own: tuple[str | int, ...] = ("draw", self.number) if self.number else ()
        return fold.seed(*names, *own)

    def size(self, fold: Fold) -> int:
        """Number of its subjects."""
        return len(fold.split.train.subject_ids if self.subjects is None else self.subjects)


EVERYONE: Final = Draw()
"""All training subjects."""


def draw_of(fold: Fold, spec: SubjectsSpec, number: int, purpose: str = "draw") -> Draw:
    """Return a draw of a fold's training subjects; in one draw smaller numbers lie within larger ones.

    Args:
        fold: The fold.
        spec: How many subjects.
        number: Number of the draw.
        purpose: What it is drawn for; other purposes have draws of their own.

    Raises:
        CohortError: The fold has fewer training subjects than are asked for.
    """
    everyone = fold.split.train.subject_ids
    if spec.subjects is not None and spec.subjects > len(everyone):
        raise CohortError(
            f"{counted(len(everyone), 'training subject')} in {fold.name}",
            f"at least {spec.subjects}, as an arm, a source or the curve asks for",
            "ask for fewer, or set smaller shares of test and validation subjects",
        )
    if spec.all:
        return EVERYONE
    order = [int(place) for place in stream(fold.seed(purpose, number), "subjects").permutation(len(everyone))]
    name = f"{'made-by' if purpose != 'draw' else 'trained-on'}{spec.suffix}-draw-{number}"
    return Draw(name, drawn(everyone, spec, order), number)


def steps_of(budget: Budget, subjects: int) -> float:
    """Return the steps of a training, for estimates: of epochs as many as some twenty batches a subject take."""
    return float(budget.steps) if budget.epochs is None else budget.epochs * 20.0 * subjects
