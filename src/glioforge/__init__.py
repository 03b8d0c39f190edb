"""Glioforge: synthetic multi-contrast brain-tumour MRI with labels, and measurements of whether it helps.

Every verb of the command line has its functions among the names below (`docs/reference/api.md`).
A name is imported when it is first used, so that `import glioforge` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute.accelerator import AcceleratorSpec
    from glioforge.compute.parallel import ParallelSpec
    from glioforge.config.load import load_spec
    from glioforge.core.case import Case, CaseRef
    from glioforge.core.cohort import Cohort
    from glioforge.core.errors import GlioforgeError
    from glioforge.core.geometry import Geometry
    from glioforge.core.labels import LabelMap, LabelScheme
    from glioforge.core.lineage import Lineage
    from glioforge.core.modality import Modality
    from glioforge.core.schemes import SCHEMES
    from glioforge.core.split import Split, folds_by_subject, split_by_subject
    from glioforge.core.volume import Volume
    from glioforge.data.doctor.examine import examine
    from glioforge.data.phantom.cohort import write_phantom_cohort
    from glioforge.data.phantom.make import make_phantom
    from glioforge.data.phantom.spec import PhantomSpec
    from glioforge.data.png_slices import write_png_slices
    from glioforge.data.prepare.pipeline import PrepareSpec, prepare
    from glioforge.io.cohort_file import read_cohort, write_cohort
    from glioforge.io.ingest import ingest
    from glioforge.io.ingest_folder import ingest_folder
    from glioforge.io.join import join_cohorts
    from glioforge.lesions.edit_cohort import edit_cohort
    from glioforge.lesions.preview import preview_cohort
    from glioforge.lesions.recipe import RecipeSpec, edit_labels
    from glioforge.metrics.evaluate import evaluate_case
    from glioforge.runs.catalogue import catalogue
    from glioforge.runs.doctor import write_diagnosis
    from glioforge.runs.evaluate import evaluate_folder
    from glioforge.runs.nnunet import export_nnunet, run_nnunet
    from glioforge.runs.segment import complete_folder, segment_folder
    from glioforge.runs.synthesize import make_synthetic
    from glioforge.runs.train import TrainingRunSpec, estimate_training, run_training
    from glioforge.segmentation.base import load_segmenter, train_segmenter
    from glioforge.segmentation.nnunet import NnunetRunSpec
    from glioforge.studies.kinds import load_demo, load_study, run_study, write_report
    from glioforge.studies.spec import AugmentationSpec
    from glioforge.synthesis.base import load_synthesizer, train_synthesizer
    from glioforge.synthesis.compose import export_cohort

_HOMES = {
    "AcceleratorSpec": "compute.accelerator",
    "AugmentationSpec": "studies.spec",
    "Case": "core.case",
    "CaseRef": "core.case",
    "Cohort": "core.cohort",
    "ParallelSpec": "compute.parallel",
    "Geometry": "core.geometry",
    "GlioforgeError": "core.errors",
    "LabelMap": "core.labels",
    "LabelScheme": "core.labels",
    "Lineage": "core.lineage",
    "Modality": "core.modality",
    "NnunetRunSpec": "segmentation.nnunet",
    "PhantomSpec": "data.phantom.spec",
    "PrepareSpec": "data.prepare.pipeline",
    "RecipeSpec": "lesions.recipe",
    "SCHEMES": "core.schemes",
    "Split": "core.split",
    "TerminalProgress": "cli.progress",
    "TrainingRunSpec": "runs.train",
    "Volume": "core.volume",
    "catalogue": "runs.catalogue",
    "complete_folder": "runs.segment",
    "edit_cohort": "lesions.edit_cohort",
    "edit_labels": "lesions.recipe",
    "estimate_training": "runs.train",
    "evaluate_case": "metrics.evaluate",
    "evaluate_folder": "runs.evaluate",
    "examine": "data.doctor.examine",
    "export_cohort": "synthesis.compose",
    "export_nnunet": "runs.nnunet",
    "folds_by_subject": "core.split",
    "ingest": "io.ingest",
    "ingest_folder": "io.ingest_folder",
    "join_cohorts": "io.join",
    "load_demo": "studies.kinds",
    "load_segmenter": "segmentation.base",
    "load_spec": "config.load",
    "load_study": "studies.kinds",
    "load_synthesizer": "synthesis.base",
    "make_phantom": "data.phantom.make",
    "make_synthetic": "runs.synthesize",
    "prepare": "data.prepare.pipeline",
    "preview_cohort": "lesions.preview",
    "read_cohort": "io.cohort_file",
    "run_nnunet": "runs.nnunet",
    "run_study": "studies.kinds",
    "run_training": "runs.train",
    "segment_folder": "runs.segment",
    "split_by_subject": "core.split",
    "train_segmenter": "segmentation.base",
    "train_synthesizer": "synthesis.base",
    "write_cohort": "io.cohort_file",
    "write_diagnosis": "runs.doctor",
    "write_phantom_cohort": "data.phantom.cohort",
    "write_png_slices": "data.png_slices",
    "write_report": "studies.kinds",
}
__all__ = [  # noqa: PLE0604 - the names are the keys of _HOMES, checked by a test
    "AcceleratorSpec",
    *sorted(_HOMES)[1:],
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever lives under the name
    """Import a public name from its home when it is first used."""
    if name not in _HOMES:
        message = f"module 'glioforge' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(f"glioforge.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Public names, for completion."""
    return sorted(_HOMES)
