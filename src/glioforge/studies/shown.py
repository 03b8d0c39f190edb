"""Pictures that a study makes besides its cases: one brain with edited lesions, and lesions in a healthy brain.

The rows of Shin et al. 2018, Figure 3: a scan, an image of its label map, images of edited label maps, and images of a
healthy brain of another cohort with a lesion put in.  Nothing is trained on them and no conclusion rests on them.
"""

from typing import Annotated, Self, final

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.lesions import RecipeSpec
from glioforge.studies.arms import NAME
from glioforge.studies.sources import AnyJoined

Name = Annotated[str, Field(pattern=NAME)]


@final
class ShownSpec(Spec):
    """Edited label maps, and which sources paint them."""

    sources: tuple[Name, ...] = Field(min_length=1)
    """Sources whose synthesizers paint the label maps; arms name each of them."""
    edits: tuple[RecipeSpec, ...] = ()
    """Edits of the label map of one unseen subject, a row each."""
    hosts: AnyJoined | None = None
    """Another cohort of healthy brains, scans or label maps alone, of which the first is taken; nobody of it may be
    held out. No lesion is put into a healthy brain unless given."""
    inserts: tuple[RecipeSpec, ...] = ()
    """What is done to the label map of the healthy brain, a row each, such as an `insert` of a training subject's
    lesion and then a `scale`. All draw from one stream, so that those with one beginning begin alike."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        """Refuse two recipes of one name, which would name the same case."""
        for key, recipes in (("edits", self.edits), ("inserts", self.inserts)):
            names = [recipe.name for recipe in recipes]
            if len(set(names)) != len(names):
                msg = f"shown.{key} {names}: give every recipe a name of its own"
                raise ValueError(msg)
        return self

    def require_sources(self, trained: tuple[str, ...]) -> None:
        """Refuse sources without a synthesizer that an arm names.

        Args:
            trained: Names of the sources whose synthesizers the study trains.

        Raises:
            ValueError: For the validator of a spec, which names the key.
        """
        unknown = sorted(set(self.sources) - set(trained))
        if unknown:
            msg = f"shown.sources {unknown}, expected synthesizers that arms name, some of {sorted(trained)}"
            raise ValueError(msg)
