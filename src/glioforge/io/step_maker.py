"""Which command made a folder, and what it made, by the key that its step keeps."""

from collections.abc import Mapping
from typing import Any, NamedTuple, final

from glioforge.io.folder_kind import MASKS, NNUNET, STUDY, SYNTHESIZER

VERB = "verb"
"""Key of a step that says which command it belongs to."""


@final
class Made(NamedTuple):
    """What a command makes."""

    what: str
    verb: str


_BY_VERB = {
    "doctor": "a diagnosis of scans",
    "evaluate": "an evaluation of masks",
    "export": "an exported data set",
    "ingest": "a cohort",
    "join": "a joined cohort",
    "nnunet --export": "a raw data set of nnU-Net",
    "phantom": "phantoms",
    "prepare --png": "slices as pictures",
}
_BY_FIELDS = (
    ({"spec", "train", "validation"}, Made(SYNTHESIZER, "train")),
    ({"budget", "seed", "settings"}, Made("a training", "train")),
    ({"format", "modalities", "size"}, Made("a prepared cohort", "prepare")),
    ({"recipe", "count"}, Made("edited label maps", "edit")),
    ({"synthesizer", "name"}, Made("synthetic cases", "synthesize")),
    ({"cohort", "spec", "splits"}, Made(NNUNET, "nnunet")),
    ({"cohort", "weights"}, Made(MASKS, "segment")),
    ({"study", "scans"}, Made(STUDY, "study")),
    ({"task", "inputs", "needs"}, Made("a task of a study", "study")),
)
"""Fields that only the keys of one command have together."""


def made_by(key: Mapping[str, Any]) -> Made | None:
    """Return what a step with this key makes and the command that it belongs to; None for an unknown key.

    Args:
        key: A step's key, new or as a folder keeps it.

    Example:
        >>> made_by({"verb": "ingest"})
        Made(what='a cohort', verb='ingest')
    """
    verb = str(key.get(VERB, ""))
    if verb:
        return Made(_BY_VERB.get(verb, "results"), verb)
    return next((made for fields, made in _BY_FIELDS if fields <= key.keys()), None)
