"""One training from a YAML: a synthesizer, a sampler or a segmenter on a prepared cohort."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from glioforge.compute import AcceleratorSpec, device_of, resolved
from glioforge.config import Spec, parse_spec
from glioforge.core import (
    Cohort,
    CohortError,
    Progress,
    Silent,
    SpecError,
    Split,
    counted,
    listed,
    require_apart,
    require_labelled,
    split_by_names,
    split_by_subject,
)
from glioforge.data import require_one_grid, require_same_contrasts, write_records
from glioforge.io import read_json, require_free
from glioforge.sampling import SAMPLERS, AnySampler, train_sampler
from glioforge.segmentation import AnySegmenter, NetworkEngine, engine_of, train_segmenter
from glioforge.synthesis import AnySynthesizer, train_synthesizer
from glioforge.training import Budget

if TYPE_CHECKING:
    from glioforge.training import Estimate


FAMILIES = ("synthesizer", "sampler", "segmenter")
"""Settings that hold a model, of which a YAML gives one."""
_SCANS = frozenset({"nifti", "aligned"})
"""Formats of cases whose files are the scans themselves."""

Side = Literal["train", "validation", "test"]


class _Sides(Spec):
    """Subjects of each side, from a file or a setting."""

    sides: Mapping[Side, tuple[str, ...]]


class TrainingRunSpec(Spec):
    """What to train, on which share of the subjects, for how long."""

    synthesizer: AnySynthesizer | None = None
    """Images from label maps; give this, `sampler` or `segmenter`."""
    sampler: AnySampler | None = None
    """Label maps or images from noise; give this, `synthesizer` or `segmenter`."""
    segmenter: AnySegmenter | None = None
    """A segmenter; give this, `synthesizer` or `sampler`."""
    budget: Budget | None = None
    """Length, validation and plateau; goes before the model's own. None takes the model's own, as its preset says."""
    seed: int = 1
    """Seed of split and training."""
    test: float = Field(0.2, ge=0, lt=1)
    """Share of subjects kept away from the model, for later testing; 0 keeps none."""
    validation: float = Field(0.1, ge=0, lt=1)
    """Share of subjects for model selection; 0 trains without, and keeps the last weights."""
    subjects: Mapping[Side, tuple[str, ...]] | Path | None = None
    """Subjects named for `train`, `validation` and `test`, or a JSON file with them, such as the `split.json` of
    another training; replaces the shares. Without `train`, all subjects that no side names are trained on; with it,
    they are left out."""
    accelerator: AcceleratorSpec = AcceleratorSpec()
    """Device, precision and threads."""

    @property
    def family(self) -> str:
        """Name of the setting that holds the model."""
        return next(name for name in FAMILIES if getattr(self, name) is not None)

    @property
    def model(self) -> Any:  # noqa: ANN401 - settings of any method
        """Settings of the model."""
        return getattr(self, self.family)

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if sum(getattr(self, name) is not None for name in FAMILIES) != 1:
            msg = "give exactly one of `synthesizer`, `sampler` and `segmenter`"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _sides_fit(self) -> Self:
        if self.subjects is None and self.test + self.validation >= 1:
            msg = f"test {self.test:g} and validation {self.validation:g} leave no subject to train on"
            raise ValueError(msg)
        return self


def run_training(cohort: Cohort, spec: TrainingRunSpec, out: Path, *, progress: Progress | None = None) -> str:
    """Train the model of a spec on a prepared cohort; the same call goes on where it stood.

    Args:
        cohort: Prepared cases.
        spec: What to train.
        out: Folder of the model; also gets `split.json` with the subjects of each side, and the record of the
            preparation that the cohort's folder holds.
        progress: Where to show progress; nowhere unless given.

    Returns:
        One line for the user.

    Raises:
        CohortError: Cases whose scans had no label map, too few subjects, or unknown ones named.
        SpecError: The budget has patience and no subject validates.
        LeakageError: A case of one side was made from a subject of another.
        OutputError: The folder holds something else.
    """
    require_free(out, "train")
    split = divide(spec, cohort)
    sides = {side: list(getattr(split, side).subject_ids) for side in ("train", "validation", "test")}
    _fit(spec, split, out, progress or Silent())
    write_records(out, split.train, sides)
    return f"{_counted(sides)}; model in {out}"


def estimate_training(cohort: Cohort, spec: TrainingRunSpec) -> "Estimate | None":
    """Parameters, memory and time of a training, measured by a few steps in one process; writes nothing.

    Returns:
        The estimate, or none for a model without a network.

    Raises:
        CohortError, LeakageError: As `run_training`.
        SpecError: The method is a program of others, such as nnU-Net.
    """
    from glioforge.training import estimate

    if spec.segmenter is not None and not isinstance(engine_of(spec.segmenter), NetworkEngine):
        raise SpecError(
            "an estimate of a program of others", "a network that this project trains", "leave --estimate out"
        )
    split = divide(spec, cohort)
    one = resolved(spec.accelerator).model_copy(update={"devices": 1, "nodes": 1})
    alone = spec.model_copy(update={"accelerator": one})
    return estimate(lambda folder: _fit(alone, split, folder, Silent()))


def _fit(spec: TrainingRunSpec, split: Split, out: Path, progress: Progress) -> None:
    """Train the model of a spec on a split."""
    trainers: dict[str, Callable[..., Any]] = {
        "synthesizer": train_synthesizer,
        "sampler": train_sampler,
        "segmenter": train_segmenter,
    }
    trainers[spec.family](
        split.train,
        split.validation,
        spec.model,
        out,
        budget=spec.budget,
        seed=spec.seed,
        accelerator=spec.accelerator,
        progress=progress,
    )


def require_trainable(spec: TrainingRunSpec, cohort: Cohort, out: Path) -> None:
    """Refuse what `run_training` would refuse at its start; nothing is trained or written.

    Raises:
        CohortError, SpecError, LeakageError, OutputError: As `run_training`.
        DependencyError: The device asked for, or a program that the method needs, is not there.
    """
    require_free(out, "train")
    divide(spec, cohort)
    spec.require_available()
    device_of(spec.accelerator)


def with_own_budget(spec: TrainingRunSpec) -> TrainingRunSpec:
    """Return a spec whose one budget is the model's; it trains the same."""
    if spec.budget is None:
        return spec
    model = spec.model.model_copy(update={"budget": spec.budget})
    return spec.model_copy(update={spec.family: model, "budget": None})


def divide(spec: TrainingRunSpec, cohort: Cohort) -> Split:
    """Split by subject, once all cases are seen to have labels and to fit, and no side contributed to another.

    Args:
        spec: What to train.
        cohort: Prepared cases.

    Raises:
        CohortError, SpecError, LeakageError: As `run_training`, which divides alike.
    """
    require_labelled(cohort, "label these cases or leave them out", cohort.where)
    _require_fitting(spec, cohort)
    split = _split(spec, cohort)
    _require_sides(spec, split)
    require_apart({"training": split.train, "validation": split.validation, "test": split.test})
    return split


def preparation_note(cohort: Cohort, spec: TrainingRunSpec) -> str:
    """Return a line for the user where cases were never prepared; else an empty text.

    Args:
        cohort: What a model is trained on.
        spec: What to train; a method that takes scans as they are needs no note.
    """
    if _takes_scans(spec):
        return ""
    scans = [ref.case_id for ref in cohort if getattr(ref.reader, "format", "") in _SCANS]
    if not scans:
        return ""
    return (
        f"{cohort.where}: not prepared: {listed(scans, 3)}; grids and intensities stay as the files have them; "
        f"to prepare: glioforge prepare {shlex.quote(cohort.where)} --out prepared"
    )


def _takes_scans(spec: TrainingRunSpec) -> bool:
    """Whether the model resamples and normalises by itself."""
    return spec.segmenter is not None and engine_of(spec.segmenter).takes_scans


def _split(spec: TrainingRunSpec, cohort: Cohort) -> Split:
    """Split by the subjects named, else by shares."""
    if spec.subjects is None:
        return split_by_subject(cohort, test=spec.test, validation=spec.validation, seed=spec.seed)
    where = str(spec.subjects) if isinstance(spec.subjects, Path) else "subjects"
    named = read_json(spec.subjects) if isinstance(spec.subjects, Path) else dict(spec.subjects)
    sides = parse_spec({"sides": named}, _Sides, where=where).sides
    if "train" not in sides:
        taken = {subject for names in sides.values() for subject in names}
        sides = {**sides, "train": tuple(s for s in cohort.subject_ids if s not in taken)}
    return split_by_names(cohort, {str(side): names for side, names in sides.items()})


def _require_sides(spec: TrainingRunSpec, split: Split) -> None:
    """Refuse a training without subjects, or one that waits for a score that no subject gives."""
    if not len(split.train):
        raise CohortError("no subject to train on", "at least one", "name fewer for other sides", split.train.where)
    budget = spec.budget or spec.model.budget
    if not len(split.validation) and budget.patience is not None:
        raise SpecError(
            f"budget.patience {budget.patience} without validation subjects",
            "subjects whose score levels off",
            "set budget.patience=null to train for all steps, or keep validation subjects",
        )


def _counted(sides: Mapping[str, Sequence[str]]) -> str:
    """Subjects of each side in words."""
    count = {side: len(names) for side, names in sides.items()}
    used = f"trained on {counted(count['train'], 'subject')}"
    return f"{used}, {count['validation']} for validation, {count['test']} kept away for testing"


def _require_fitting(spec: TrainingRunSpec, cohort: Cohort) -> None:
    """Refuse cases whose grids differ, or whose contrasts do where the model does not say which it takes."""
    if not _takes_scans(spec):
        require_one_grid(cohort)
    sees_images = spec.sampler is None or SAMPLERS.part_for(spec.sampler).makes == "images"
    if sees_images and spec.model.modalities is None and not getattr(spec.model, "gaps", False):
        named = f"name {spec.family}.modalities"
        gaps = "set synthesizer.gaps=true, or name `modalities`" if spec.synthesizer else named
        require_same_contrasts(cohort, f"{gaps} that every case has")
