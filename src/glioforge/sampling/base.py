"""Train a sampler on a cohort, or continue its training, keep it in a folder, and draw from it.

Conventions
-----------
input       prepared cases on one grid: complete labels for samplers of label maps, z-scores for samplers of images
output      the folder of a trained model (`training.model_folder`); tensors are `network/...` and `grid/...`
"""

from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from glioforge import training
from glioforge.compute import AcceleratorSpec, described, device_of, precision_for
from glioforge.config import Spec
from glioforge.core import (
    Cohort,
    CohortError,
    Geometry,
    GeometryError,
    InputFileError,
    LabelScheme,
    Lineage,
    Progress,
    Silent,
    not_prepared,
    require_no_leak,
)
from glioforge.io import CARD, settled
from glioforge.sampling.method import SAMPLERS, Knowledge, Sampler, require_made
from glioforge.training import (
    WEIGHTS,
    Budget,
    Card,
    Fitting,
    Outcome,
    expected_hash,
    keep_trained,
    lineage_of,
    read_card,
)

MAX_GRID = 2**12
"""Largest size in bytes of the grid among the tensors: more is refused before it is read."""


_REMEDY = "take the whole folder as train made it, or train again"


@final
class TrainedSampler:
    """An `ImageSampler` or a `LabelSampler`, whichever `makes` says, with what it was trained on.

    Args:
        sampler: Sampler with its weights.
        card: What the model's folder says of it.
        folder: That folder.
        accelerator: Where it runs; the CPU takes one thread unless a number is given.
    """

    def __init__(self, sampler: Sampler, card: Card, folder: Path, accelerator: AcceleratorSpec) -> None:
        self.card, self.folder, self.method = card, folder, sampler
        precision = precision_for(card.precision, accelerator)
        self.accelerator = accelerator.model_copy(update={"precision": precision})

    @property
    def makes(self) -> Literal["labels", "images"]:
        """What it draws."""
        return self.method.makes

    @property
    def scheme(self) -> LabelScheme:
        """Scheme of the training cases' label maps."""
        return self.method.knowledge.scheme

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts of every case that it makes."""
        return self.method.facts()

    @property
    def lineage(self) -> Lineage:
        """Origin of the model itself, for the leakage firewall."""
        return self.card.model_lineage

    @property
    def kept(self) -> dict[str, Any]:
        """Precision and threads that it runs with, for folders that remember them."""
        return {"precision": self.accelerator.precision, "threads": self.accelerator.threads or 1}

    @property
    def conditions(self) -> tuple[Any, ...]:
        """Findings that draws can be asked for; empty for samplers that cannot be asked."""
        return tuple(getattr(self.card.spec, "conditions", ()))

    @property
    def request(self) -> dict[str, str]:
        """Findings that every draw shall show; empty for none."""
        return dict(self.method.asked)

    def asked(self, request: Mapping[str, str]) -> "TrainedSampler":
        """Return the same sampler, every draw of which shows these findings, such as `tumour` present.

        Raises:
            SpecError: The sampler cannot be asked for them.
        """
        sampler = copy(self.method)
        sampler.ask(request)
        return TrainedSampler(sampler, self.card, self.folder, self.accelerator)

    def findings(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return what is asked of the next draw from the same state of the generator, as facts of its case."""
        return self.method.findings(rng)

    def sample(self, count: int, rng: np.random.Generator) -> Iterator[Any]:
        """Yield `count` label maps, or images by contrast, one after the other; none for 0.

        The same state of the generator gives the same bytes; the first draws do not depend on `count`.

        Raises:
            SpecError: The sampler's own file makes something else, or other contrasts.
        """
        for _ in range(count):
            made = self.method.make(rng, self.accelerator)
            require_made(made, self.method)
            yield made


def train_sampler(  # noqa: PLR0913 - cohort, place and run settings, by keyword
    train: Cohort,
    validation: Cohort | None,
    spec: Spec,
    out: Path,
    *,
    budget: Budget | None = None,
    seed: int = 1,
    accelerator: AcceleratorSpec | None = None,
    progress: Progress | None = None,
) -> TrainedSampler:
    """Train a sampler, or go on with its training, or load it when it is done.

    Args:
        train: Prepared cases on one grid.
        validation: Cases of other subjects, if any; those samplers that can be scored keep the weights that score best.
        spec: Sampler and settings, of a kind in `SAMPLERS`.
        out: The model's own folder.
        budget: Length, validation and plateau; the spec's own unless given.
        seed: Root of all draws.
        accelerator: Devices, precision, threads; none takes those that the folder began with, else this machine's.
        progress: Where progress is shown.

    Raises:
        CohortError: The cohort is empty, or lacks a contrast or tissue labels that the sampler learns from.
        LeakageError: A validation subject contributed to a training case.
        OutputError: The folder was made with other settings.
        TrainingError: The training diverged.
    """
    progress = progress or Silent()
    spec = spec if budget is None else spec.model_copy(update={"budget": budget})
    knowledge = known_of(spec, train)
    if validation is not None and len(validation):
        require_no_leak({"training cases": train}, validation)
    settings = settled(accelerator or AcceleratorSpec(), out)
    fitting = Fitting(train, validation, out / "training", seed, settings, progress)

    def fit() -> tuple[Sampler, Outcome]:
        progress.say(described(settings))
        sampler = SAMPLERS.part_for(spec)(spec, knowledge)
        return sampler, sampler.fit(fitting)

    def card(fitted: tuple[Sampler, Outcome]) -> Card:
        sampler, outcome = fitted
        return Card(
            family=SAMPLERS.family,
            spec=spec,
            modalities=knowledge.modalities,
            lineage=lineage_of(spec, train, None if outcome.best_score is None else validation),
            files=_write_tensors(out, sampler),
            scheme=knowledge.scheme,
            outcome=outcome,
            precision=settings.precision,
            training={"seed": seed, "train": train.fingerprint, "device": device_of(settings).type},
        )

    keep_trained(out, spec, fitting, fit, card)
    return load_sampler(out, accelerator)


def load_sampler(folder: Path, accelerator: AcceleratorSpec | None = None) -> TrainedSampler:
    """Load a trained sampler.

    Args:
        folder: Made by `train_sampler`.
        accelerator: Where it shall run; in the precision of its training unless it names another.

    Raises:
        InputFileError: The folder is unfinished, or a file is damaged, changed or hostile.
    """
    card = read_card(folder, SAMPLERS)
    path = folder / WEIGHTS
    grid = training.read_some(path, "grid/", MAX_GRID)
    made: list[Sampler] = []

    def build() -> Any:  # noqa: ANN401 - a network; torch is not loaded with this module
        made.append(SAMPLERS.part_for(card.spec)(card.spec, _knowledge(card, grid, path)))
        return made[-1].network

    network = training.built_to_fit(build, path, "network/").eval()
    training.read_weights(path, network, expected_hash(card, WEIGHTS, folder), "network/")
    return TrainedSampler(made[-1], card, folder, accelerator or AcceleratorSpec())


def known_of(spec: Any, train: Cohort) -> Knowledge:  # noqa: ANN401 - any sampler's spec
    """Return what is known of a training cohort, once it is seen to fit a sampler.

    Raises:
        CohortError: As `train_sampler`.
    """
    if not len(train):
        raise CohortError("no training cases", "at least one", "check the split", train.where)
    geometry = train.cases[0].load().geometry
    if SAMPLERS.part_for(spec).makes == "labels":
        if not train.scheme.is_complete:
            raise not_prepared(train.scheme.name, train.folder, train.where)
        return Knowledge((), train.scheme, geometry)
    modalities = train.modalities if spec.modalities is None else tuple(spec.modalities)
    missing = [str(m) for m in modalities if m not in train.modalities]
    if missing or not modalities:
        raise CohortError(
            f"contrasts {[str(m) for m in train.modalities]} in every case",
            f"also {missing}" if missing else "some",
            "leave incomplete cases out, or ask for fewer contrasts",
            train.where,
        )
    return Knowledge(modalities, train.scheme, geometry)


def _write_tensors(folder: Path, sampler: Sampler) -> dict[str, str]:
    """Write network and grid; return the file's hash by its name."""
    import torch

    geometry = sampler.knowledge.geometry
    tensors = {
        "grid/shape": torch.tensor(geometry.shape),
        "grid/affine": torch.from_numpy(np.array(geometry.affine, dtype=np.float64)),
        **{f"network/{name}": value for name, value in sampler.network.state_dict().items()},
    }
    return {WEIGHTS: training.write_weights(folder / WEIGHTS, tensors)}


def _knowledge(card: Card, grid: Mapping[str, Any], path: Path) -> Knowledge:
    """What card and tensors say of the training cohort."""
    try:
        shape, affine = np.asarray(grid["grid/shape"]), np.asarray(grid["grid/affine"])
        if card.scheme is None or shape.shape != (3,):
            msg = "no label scheme, or no grid of three axes"
            raise ValueError(msg)  # noqa: TRY301 - one message for all that does not fit
        i, j, k = (int(size) for size in shape)
        return Knowledge(card.modalities, card.scheme, Geometry((i, j, k), affine))
    except (KeyError, ValueError, GeometryError) as error:
        raise InputFileError(
            f"a card that does not fit its weights ({error!r})",
            "the card as train wrote it",
            _REMEDY,
            path.with_name(CARD),
        ) from error
