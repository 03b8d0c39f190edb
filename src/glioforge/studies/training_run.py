"""One training from a YAML: a synthesizer or a segmenter on a prepared cohort."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from glioforge.compute.accelerator import AcceleratorSpec, resolved
from glioforge.compute.fanout import FanOutSpec
from glioforge.config.load import parse_spec, resolved_yaml
from glioforge.config.spec import Spec
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, InputFileError, SpecError
from glioforge.core.firewall import require_apart
from glioforge.core.labels import LabelScheme
from glioforge.core.preparation import SETTINGS, require_labelled
from glioforge.core.protocols import Progress, Silent
from glioforge.core.schemes import COMPLETE, COMPLETE_CAVITY
from glioforge.core.split import Split, split_by_subject
from glioforge.data.prepare.fitting import require_one_grid, require_same_contrasts, same_size, size_text
from glioforge.data.prepare.grid import GridPlan
from glioforge.data.prepare.pipeline import PrepareSpec, prepare
from glioforge.data.prepare.restore import plan_of
from glioforge.io.run_accelerator import remembered
from glioforge.io.run_folder import read_json, write_atomically, write_json
from glioforge.segmentation.base import load_segmenter, train_segmenter
from glioforge.segmentation.evaluate import segment_cohort
from glioforge.segmentation.nnunet import is_nnunet, load_nnunet
from glioforge.segmentation.nnunet_masks import segment_with_nnunet
from glioforge.studies.base import AnySegmenter, AnySynthesizer
from glioforge.synthesis.base import train_synthesizer
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


def segment_folder(  # noqa: PLR0913 - source, place and how it is done, by keyword
    run: Path,
    cohort: Cohort,
    out: Path,
    *,
    fanout: FanOutSpec | None = None,
    progress: Progress | None = None,
    probabilities: bool = False,
    scheme: LabelScheme | None = None,
    accelerator: AcceleratorSpec | None = None,
) -> list[Path]:
    """Prepare scans as the model's training cases were, label them, and write masks on the scans' own grids.

    Args:
        run: Folder of the model.
        cohort: Scans, or prepared cases.
        out: Folder of the masks.
        fanout: How preparation is distributed over processes; one unless given.
        progress: Where to show progress; nowhere unless given.
        probabilities: Also write the probability of each class.
        scheme: Label scheme of the masks; that of the cohort's label files unless given.
        accelerator: Device, precision and threads; those that `out` began with, else the model's own precision on
            this machine, where none are given.  An nnU-Net takes the device alone.

    Raises:
        LabelError: The scheme asked for does not name a label of the model.
        InputFileError: The model's folder does not say how its cases were prepared; an nnU-Net needs not say so.
        CohortError: The cohort was prepared otherwise than the model's training cases.
        SpecError: An nnU-Net is asked for probabilities, or for a precision or threads.
    """
    by_nnunet = is_nnunet(run)
    if by_nnunet and probabilities:
        raise SpecError("probabilities of an nnU-Net", "masks alone", "leave --probabilities out", run)
    asked = accelerator or AcceleratorSpec()
    if by_nnunet and (asked.precision != "auto" or asked.threads is not None):
        raise SpecError(
            "precision or threads for an nnU-Net", "its own choice", "leave --precision and --threads out", run
        )
    as_it_is = by_nnunet and not (run / PREPARATION).is_file()
    prepared = cohort if as_it_is else prepared_for(run, cohort, out, fanout=fanout, progress=progress)
    if by_nnunet:
        segmenter = load_nnunet(run, asked.device)
        return segment_with_nnunet(segmenter, prepared, out, scheme=scheme, progress=progress)
    trained = load_segmenter(run, remembered(asked, out))
    return segment_cohort(trained, prepared, out, probabilities=probabilities, scheme=scheme, progress=progress)


def prepared_for(
    run: Path,
    cohort: Cohort,
    out: Path,
    *,
    fanout: FanOutSpec | None = None,
    progress: Progress | None = None,
    all_contrasts: bool = False,
) -> Cohort:
    """Cases prepared as a model's training cases were, in `prepared/` within `out`; prepared ones as they are.

    Args:
        run: Folder of the model.
        cohort: Scans, or prepared cases.
        out: Folder of the results.
        fanout: How preparation is distributed over processes; one unless given.
        progress: Where to show progress; nowhere unless given.
        all_contrasts: Keep all contrasts that the cases share, also where the model's cases had fewer.

    Raises:
        InputFileError: The model's folder does not say how its cases were prepared.
        CohortError: The cases' voxel size is another than that of the model's training cases.
        CaseError, OutputError: As `prepare`.
    """
    if all(ref.scheme in {COMPLETE.name, COMPLETE_CAVITY.name} or "prepared" in ref.facts for ref in cohort):
        return cohort
    if not (run / PREPARATION).is_file():
        raise InputFileError("no record of the preparation", PREPARATION, "prepare the scans first", run)
    spec = parse_spec(read_json(run / PREPARATION)["key"]["spec"], PrepareSpec, where=str(run / PREPARATION))
    if all_contrasts:
        spec = spec.model_copy(update={"modalities": None})
    prepared = prepare(cohort, spec, out / "prepared", fanout=fanout, progress=progress)
    _require_known_voxels(run, prepared)
    return prepared


def _require_known_voxels(run: Path, prepared: Cohort) -> None:
    """Refuse cases that kept a voxel size of their own from which the model has not learned."""
    records = read_json(run / PREPARATION).get("cases", {}).values()
    known = {GridPlan.from_json(record["grid"]).target.spacing for record in records}
    if not known:
        return
    sizes = {ref.case_id: plan_of(ref).target.spacing for ref in prepared}
    strange = [name for name, size in sizes.items() if not any(same_size(size, k) for k in known)]
    if strange:
        more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
        raise CohortError(
            f"cases of {size_text(sizes[strange[0]])}: {', '.join(strange[:5])}{more}",
            f"the voxel size of the model's training cases, {' or '.join(sorted(map(size_text, known)))}",
            "train the model on cases prepared with grid.spacing_mm, which resamples whatever comes later",
            prepared.name,
        )
