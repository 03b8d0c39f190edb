"""Glioforge: synthetic brain-tumour MRI with labels, and honest numbers about it.

The names below are imported when they are first used, so that `import glioforge` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glioforge.compute.accelerator import AcceleratorSpec
    from glioforge.compute.fanout import FanOutSpec
    from glioforge.core.case import Case, CaseRef
    from glioforge.core.cohort import Cohort
    from glioforge.core.geometry import Geometry
    from glioforge.core.labels import LabelMap, LabelScheme
    from glioforge.core.lineage import Lineage
    from glioforge.core.modality import Modality
    from glioforge.core.split import Split, folds_by_subject, split_by_subject
    from glioforge.core.volume import Volume
    from glioforge.data.phantom.cohort import write_phantom_cohort
    from glioforge.data.phantom.make import make_phantom
    from glioforge.data.phantom.spec import PhantomSpec
    from glioforge.data.prepare.pipeline import PrepareSpec, prepare
    from glioforge.io.cohort_file import read_cohort, write_cohort
    from glioforge.io.ingest import ingest
    from glioforge.lesions.recipe import RecipeSpec, edit_labels
    from glioforge.metrics.evaluate import evaluate_case
    from glioforge.segmentation.base import load_segmenter, train_segmenter
    from glioforge.studies.kinds import load_study, run_study
    from glioforge.studies.spec import AugmentationSpec
    from glioforge.studies.synthetic import make_synthetic
    from glioforge.synthesis.base import load_synthesizer, train_synthesizer
    from glioforge.synthesis.compose import export_cohort

_HOMES = {
    "AcceleratorSpec": "compute.accelerator",
    "AugmentationSpec": "studies.spec",
    "Case": "core.case",
    "CaseRef": "core.case",
    "Cohort": "core.cohort",
    "FanOutSpec": "compute.fanout",
    "Geometry": "core.geometry",
    "LabelMap": "core.labels",
    "LabelScheme": "core.labels",
    "Lineage": "core.lineage",
    "Modality": "core.modality",
    "PhantomSpec": "data.phantom.spec",
    "PrepareSpec": "data.prepare.pipeline",
    "RecipeSpec": "lesions.recipe",
    "Split": "core.split",
    "Volume": "core.volume",
    "edit_labels": "lesions.recipe",
    "evaluate_case": "metrics.evaluate",
    "export_cohort": "synthesis.compose",
    "folds_by_subject": "core.split",
    "ingest": "io.ingest",
    "load_segmenter": "segmentation.base",
    "load_study": "studies.kinds",
    "load_synthesizer": "synthesis.base",
    "make_phantom": "data.phantom.make",
    "make_synthetic": "studies.synthetic",
    "prepare": "data.prepare.pipeline",
    "read_cohort": "io.cohort_file",
    "run_study": "studies.kinds",
    "split_by_subject": "core.split",
    "train_segmenter": "segmentation.base",
    "train_synthesizer": "synthesis.base",
    "write_cohort": "io.cohort_file",
    "write_phantom_cohort": "data.phantom.cohort",
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
