"""The folder of a trained model, the same for every family: a card, files of weights, and records of its cases.

Layout
------
card.json                what the model is (see `Card`); written last, so that a folder without a card is unfinished
weights.safetensors      tensors of inference; a model may have several files, all of which its card lists by hash
split.json               subjects of each side
preparation.json, .yaml  how the training cases were prepared, and the settings for `glioforge prepare --spec`

A family needs a registry of its methods and nothing else from here: `read_card` refuses the folders of other families
by name.  Cards of earlier releases are read through `training.older_cards`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar, final

from glioforge.config import Registry, Spec
from glioforge.core import (
    VALIDATION,
    Cohort,
    Geometry,
    GlioforgeError,
    InputFileError,
    LabelScheme,
    Lineage,
    Modality,
    preparations_of,
)
from glioforge.data import grid_of, write_records
from glioforge.io import (
    CARD,
    MAX_CARD,
    Step,
    kept_of,
    model_named,
    read_json,
    regular_size,
    require_kind,
    versions,
    write_json,
)
from glioforge.training.budget import Fitting, Outcome
from glioforge.training.older_cards import in_this_format

FORMAT: Final = 3
"""Format of the card; rises when a card cannot be read as before."""
WEIGHTS: Final = "weights.safetensors"
"""File of a model's tensors."""

Fitted = TypeVar("Fitted")

_REMEDY: Final = "take the whole folder as `glioforge train` made it, or train again"


@final
@dataclass(frozen=True, eq=False)
class Card:
    """What a trained model is, on whom it was trained, and how.

    Args:
        family: Name of the family: `synthesizer`, `segmenter`, or any other with a registry.
        spec: Complete settings of the method, of a kind in the family's registry.
        modalities: Contrasts, in the order of the network's channels.
        lineage: Everyone whom the weights depend on, for the leakage firewall.
        files: Hash of each file of weights, by its path below the folder, with `/`.
        scheme: Label scheme of the maps that go in or come out; none for a model without labels.
        grid: Common grid of the training cases, where their preparation says so.
        preparations: Hashes of the preparations of the training cases, where known.
        outcome: What the training came to; none for a method without a network.
        precision: Precision of the training, which is also that of inference unless another is asked for.
        facts: What reports say of the training besides the spec.
        training: Seed, cohorts, device and the like: a record for people, which no code depends on.
    """

    family: str
    spec: Spec
    modalities: tuple[Modality, ...]
    lineage: Lineage
    files: Mapping[str, str]
    scheme: LabelScheme | None = None
    grid: Geometry | None = None
    preparations: tuple[str, ...] = ()
    outcome: Outcome | None = None
    precision: str = "32-true"
    facts: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Name of the method within its family."""
        return str(getattr(self.spec, "kind", ""))

    @property
    def weights(self) -> str:
        """One hash of all files of weights: that of the file where there is one alone."""
        return hash_of_files(self.files)

    @property
    def model_lineage(self) -> Lineage:
        """Lineage of the model itself, which names its weights."""
        return replace(self.lineage, kind="synthetic", source=self.kind, weights=self.weights)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON, with format, versions and a hash of all of them."""
        values: dict[str, Any] = {
            "format": FORMAT,
            "family": self.family,
            "kind": self.kind,
            "spec": self.spec.model_dump(mode="json"),
            "modalities": [str(modality) for modality in self.modalities],
            "scheme": None if self.scheme is None else self.scheme.to_json(),
            "grid": None if self.grid is None else self.grid.to_json(),
            "preparations": list(self.preparations),
            "lineage": {
                "subjects": list(self.lineage.subjects),
                "ways": {way: list(subjects) for way, subjects in self.lineage.ways.items()},
            },
            "files": dict(self.files),
            "weights": self.weights,
            "facts": dict(self.facts),
            "training": {
                **self.training,
                "precision": self.precision,
                "outcome": None if self.outcome is None else self.outcome.to_json(),
            },
            "versions": versions(),
        }
        return {**values, "card": hash_of_card(values)}


def hash_of_card(values: Mapping[str, Any]) -> str:
    """Return the hash of a card's values but the entry `card`, in one canonical JSON form."""
    others = {name: value for name, value in values.items() if name != "card"}
    return hashlib.blake2b(json.dumps(others, sort_keys=True).encode(), digest_size=16).hexdigest()


def hash_of_files(files: Mapping[str, str]) -> str:
    """Return one hash for the hashes of several files, in their order; that of a single file as it is.

    Args:
        files: Hash of each file by its name; at least one.
    """
    hashes = list(files.values())
    return hashes[0] if len(hashes) == 1 else hashlib.blake2b(" ".join(hashes).encode(), digest_size=16).hexdigest()


def write_model(folder: Path, card: Card, train: Cohort, validation: Cohort | None) -> Card:
    """Write the records of a model's cases, then its card; its weights must be there already.

    Args:
        folder: The model's folder.
        card: What is known of the model; grid and preparations are taken from the training cases.
        train: Training cases.
        validation: Cases of model selection, if any.

    Returns:
        The complete card.

    Raises:
        InputFileError: The record of the training cases' preparation is damaged.
        OutputError: The folder cannot be written.
    """
    card = replace(card, grid=grid_of(train), preparations=preparations_of(train))
    judged = () if validation is None else validation.subject_ids
    write_records(folder, train, {"train": train.subject_ids, "validation": judged})
    write_json(folder / CARD, card.to_json())
    return card


def lineage_of(spec: Any, train: Cohort, selecting: Cohort | None) -> Lineage:  # noqa: ANN401 - a spec with a kind
    """Return everyone whom weights depend on.

    Args:
        spec: Settings of the method.
        train: Training cases.
        selecting: Validation cases whose score chose the weights, if any did.
    """
    lineage = Lineage.union(spec.kind, [train.lineage])
    return lineage if selecting is None else lineage.through(VALIDATION, selecting.lineage)


def keep_trained(
    folder: Path, spec: Spec, fitting: Fitting, fit: Callable[[], Fitted], card: Callable[[Fitted], Card]
) -> None:
    """Train a model and write its folder, unless that is done; of several processes the first one writes.

    Args:
        folder: The model's own folder.
        spec: Complete settings of the method.
        fitting: Cases, seed and accelerator, on which the weights depend too.
        fit: Trains, in every process.
        card: Writes the weights of what `fit` returns into the folder, and describes the model.

    Raises:
        OutputError: The folder was made with other settings, is in use, or cannot be written.
    """
    key = {
        "spec": spec.model_dump(mode="json"),
        "train": fitting.train.fingerprint,
        "validation": None if fitting.validation is None else fitting.validation.fingerprint,
        "seed": fitting.seed,
        "precision": fitting.accelerator.precision,
    }
    step = Step(folder, key, kept=kept_of(fitting.accelerator))
    if step.done:
        return
    from glioforge.training.parallel import leads, meet

    if leads(fitting.accelerator):
        with step:
            if not step.done:
                written = write_model(folder, card(fit()), fitting.train, fitting.validation)
                step.finish({"weights": written.weights})
    else:
        fit()
    meet()


def read_card(folder: Path, registry: Registry[Any]) -> Card:
    """Read the card of a model of one family; its weights are read, and their hashes checked, by that family.

    Args:
        folder: The model's folder; one that an earlier release wrote is read as well.
        registry: The family's methods, by which its name is known and the spec is read.

    Raises:
        InputFileError: The folder holds something else or is unfinished; the card is damaged, hostile, of another
            format, or of a method that the family does not have.
    """
    require_kind(folder, model_named(registry.family))
    path = folder / CARD
    if not path.is_file():
        raise InputFileError(
            f"no finished {registry.family}", f"a folder with {CARD}", "repeat the training to finish it", folder
        )
    regular_size(path, MAX_CARD)
    values = read_json(path)
    if not isinstance(values, dict):
        raise InputFileError(f"a card that is a {type(values).__name__}", "a mapping", _REMEDY, path)
    # The hash is no lock against whoever wants to forge a card, but settings and lineage do not change by accident.
    if values.get("format") == FORMAT and values.get("card") != hash_of_card(values):
        raise InputFileError("a card that was changed", "the card as train wrote it", _REMEDY, path)
    values = in_this_format(values, folder)
    if values.get("format") != FORMAT:
        remedy = "use the release of Glioforge that wrote it, or train again"
        raise InputFileError(f"a card of format {values.get('format')}", f"format {FORMAT}", remedy, path)
    try:
        return _from_json(values, registry)
    except (KeyError, ValueError, TypeError, AttributeError, GlioforgeError) as error:
        raise InputFileError(f"a damaged card ({error!r})", "the card as train wrote it", _REMEDY, path) from error


def expected_hash(card: Card, name: str, folder: Path) -> str:
    """Return the hash that a file of weights must have.

    Raises:
        InputFileError: The card does not list the file.
    """
    if name not in card.files:
        raise InputFileError(f"a damaged card without {name}", "all files of weights", _REMEDY, folder / CARD)
    return card.files[name]


def _from_json(values: Mapping[str, Any], registry: Registry[Any]) -> Card:
    """Card of plain values; whatever is wrong with them raises."""
    if values["family"] != registry.family:
        msg = f"family {values['family']!r}"
        raise ValueError(msg)
    lineage, training = values["lineage"], dict(values["training"])
    ways = {str(way): tuple(map(str, subjects)) for way, subjects in lineage["ways"].items()}
    outcome = training.pop("outcome")
    files = {_below(name): str(digest) for name, digest in values["files"].items()}
    if not files or isinstance(values["modalities"], str):
        msg = "no file of weights" if not files else "modalities that are no list"
        raise ValueError(msg)
    return Card(
        family=registry.family,
        spec=registry.spec_class(str(values["kind"])).model_validate(values["spec"]),
        modalities=tuple(Modality(name) for name in values["modalities"]),
        lineage=Lineage("synthetic", str(values["kind"]), tuple(map(str, lineage["subjects"])), ways=ways),
        files=files,
        scheme=None if values["scheme"] is None else LabelScheme.from_json(values["scheme"]),
        grid=None if values["grid"] is None else Geometry.from_json(values["grid"]),
        preparations=tuple(str(name) for name in values["preparations"]),
        outcome=None if outcome is None else Outcome.from_json(outcome),
        precision=str(training.pop("precision")),
        facts={str(name): str(value) for name, value in values["facts"].items()},
        training=training,
    )


def _below(name: str) -> str:
    """Name of a file within the folder; one that leads out of it is refused."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        msg = f"file {name!r} outside the folder"
        raise ValueError(msg)
    return name
