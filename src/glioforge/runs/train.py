"""One training from a YAML: a synthesizer or a segmenter on a prepared cohort."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from glioforge.compute.accelerator import AcceleratorSpec, resolved
from glioforge.config.load import parse_spec, resolved_yaml
from glioforge.config.spec import Spec
from glioforge.core.cohort import Cohort
from glioforge.core.firewall import require_apart
from glioforge.core.preparation import SETTINGS, require_labelled
from glioforge.core.protocols import Progress, Silent
from glioforge.core.split import Split, split_by_subject
from glioforge.data.prepare.fitting import require_one_grid, require_same_contrasts
from glioforge.data.prepare.pipeline import PrepareSpec
from glioforge.io.run_folder import read_json, write_atomically, write_json
from glioforge.segmentation.base import train_segmenter
from glioforge.segmentation.method import AnySegmenter
from glioforge.synthesis.base import train_synthesizer
from glioforge.synthesis.method import AnySynthesizer
from glioforge.training.budget import Budget

if TYPE_CHECKING:
    from glioforge.training.estimate import Estimate

PREPARATION = "preparation.json"
"""File of a model's folder that says how its cases were prepared."""


class TrainingRunSpec(Spec):
    """What to train, on which share of the subjects, for how long."""

    synthesizer: AnySynthesizer | None = None
    """A generator; give this or `segmenter`."""
    segmenter: AnySegmenter | None = None
    """A segmenter; give this or `synthesizer`."""
    budget: Budget | None = None
    """Length, validation and plateau; goes before the model's own. None takes the model's own, as its preset says."""
    seed: int = 1
    """Seed of split and training."""
    test: float = Field(0.2, gt=0, lt=1)
    """Share of subjects kept away from the model, for later testing."""
    validation: float = Field(0.1, gt=0, lt=1)
    """Share of subjects for model selection."""
    accelerator: AcceleratorSpec = AcceleratorSpec()
    """Device, precision and threads."""

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if (self.synthesizer is None) == (self.segmenter is None):
            msg = "give exactly one of `synthesizer` and `segmenter`"
            raise ValueError(msg)
        return self


def run_training(
    spec: TrainingRunSpec, cohort: Cohort, folder: Path, out: Path, *, progress: Progress | None = None
) -> str:
    """Train the model of a spec on a prepared cohort; the same call goes on where it stood.

    Args:
        spec: What to train.
        cohort: Prepared cases.
        folder: The cohort's folder, whose preparation the model remembers.
        out: Folder of the model; also gets `split.json` with the subjects of each side.
        progress: Where to show progress; nowhere unless given.

    Returns:
        One line for the user.

    Raises:
        CohortError: Cases whose scans had no label map, or too few subjects.
        LeakageError: A case of one side was made from a subject of another.
    """
    split = _divided(spec, cohort)
    sides = {side: list(getattr(split, side).subject_ids) for side in ("train", "validation", "test")}
    _fit(spec, split, out, progress or Silent())
    write_json(out / "split.json", sides)
    preparation = folder / "prepare.json"
    if preparation.is_file():
        shutil.copyfile(preparation, out / PREPARATION)
        settings = parse_spec(read_json(preparation)["key"]["spec"], PrepareSpec, where=str(preparation))
        write_atomically(out / SETTINGS, resolved_yaml(settings).encode())
    return f"trained on {len(sides['train'])} subjects, kept {len(sides['test'])} away for testing; model in {out}"


def estimate_training(spec: TrainingRunSpec, cohort: Cohort) -> "Estimate | None":
    """Parameters, memory and time of a training, measured by a few steps in one process; writes nothing.

    Returns:
        The estimate, or none for a model without a network.

    Raises:
        CohortError, LeakageError: As `run_training`.
    """
    from glioforge.training.estimate import estimate

    split = _divided(spec, cohort)
    one = resolved(spec.accelerator).model_copy(update={"devices": 1, "nodes": 1})
    alone = spec.model_copy(update={"accelerator": one})
    return estimate(lambda folder: _fit(alone, split, folder, Silent()))


def _fit(spec: TrainingRunSpec, split: Split, out: Path, progress: Progress) -> None:
    """Train the model of a spec on a split."""
    if spec.synthesizer is not None:
        model = spec.synthesizer if spec.budget is None else spec.synthesizer.model_copy(update={"budget": spec.budget})
        train_synthesizer(
            model, split.train, split.validation, out, seed=spec.seed, accelerator=spec.accelerator, progress=progress
        )
    elif spec.segmenter is not None:
        train_segmenter(
            spec.segmenter,
            split.train,
            split.validation,
            out,
            seed=spec.seed,
            budget=spec.budget,
            accelerator=spec.accelerator,
            progress=progress,
        )


def _divided(spec: TrainingRunSpec, cohort: Cohort) -> Split:
    """Split by subject, once all cases are seen to have labels and to fit, and no side stands behind another."""
    require_labelled(cohort, "label these cases or leave them out", cohort.name)
    _require_fitting(spec, cohort)
    split = split_by_subject(cohort, test=spec.test, validation=spec.validation, seed=spec.seed)
    require_apart({"training": split.train, "validation": split.validation, "test": split.test})
    return split


def _require_fitting(spec: TrainingRunSpec, cohort: Cohort) -> None:
    """Refuse cases whose grids differ, or whose contrasts do where the model does not say which it takes."""
    require_one_grid(cohort)
    model: Any = spec.synthesizer or spec.segmenter
    if model.modalities is None and not getattr(model, "gaps", False):
        gaps = "set synthesizer.gaps=true, or name `modalities`" if spec.synthesizer else "name segmenter.modalities"
        require_same_contrasts(cohort, f"{gaps} that every case has")
