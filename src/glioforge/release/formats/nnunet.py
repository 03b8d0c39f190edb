"""Raw data set of nnU-Net version 2: one file per contrast, consecutive label values, and what these were before.

    Dataset001_glioforge/dataset.json, label_values.json, splits_final.json
    Dataset001_glioforge/imagesTr/<case>_0000.nii.gz, ...     <case>.json of phantoms and synthetic cases: lineage
    Dataset001_glioforge/labelsTr/<case>.nii.gz

Every case is a training case: all have labels and the same contrasts.  nnU-Net would
divide cases at random, so folds are written that divide by subject and validate on
no synthetic case, where there are enough subjects.

Source: nnU-Net dataset format, version 2 (Isensee et al. 2021).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from glioforge.core import CaseRef, Cohort, CohortError, LabelError, LabelScheme, LeakageError, in_standard_order
from glioforge.io import DATASET_JSON, ENDING, dataset_values, write_channels, write_json, write_labels
from glioforge.release import DataSet, Format, Leaving, Target, numbering, refuse
from glioforge.release.formats.nifti import write_about, write_sidecar_of
from glioforge.segmentation import DATASET, SPLITS_FILE, Fold, nnunet_folds

VALUES = "label_values.json"
_FOLDS = 5
_FOLDER = re.compile(r"Dataset\d{3}_\w+")


@final
class NnunetFormat(Format):
    """A training set of nnU-Net."""

    consecutive = True

    def place(self, out: Path) -> Path:
        """Return the folder itself where it is named as nnU-Net wants it, else one within it."""
        return out if _FOLDER.fullmatch(out.name) else out / DATASET

    def require(self, refs: Sequence[CaseRef]) -> None:
        """Refuse cases without labels or images, and contrasts that only some cases have."""
        remedy = "leave their subjects out: --leave-out (leave_out)"
        labelled = "a label map for every case, as nnU-Net wants"
        refuse([ref for ref in refs if ref.labels is None], "cases without a label map", labelled, remedy)
        bare = "synthesize images for label maps first (glioforge synthesize), or choose another format"
        refuse([ref for ref in refs if not ref.images], "cases without an image", "images of every case", bare)
        known = in_standard_order({modality for ref in refs for modality in ref.images})
        common = [str(m) for m in known if all(m in ref.images for ref in refs)]
        named = " ".join(f"--modalities {name}" for name in common)
        refuse(
            [ref for ref in refs if set(ref.images) != set(known)],
            f"cases without some of {', '.join(known)}",
            "the same contrasts in every case, as nnU-Net wants",
            f"write those that all have: {named} (modalities)" if common else remedy,
        )

    def write_case(self, leaving: Leaving, target: Target) -> list[Path]:
        """Write the channels, the labels and the sidecar."""
        images = target.folder / "imagesTr"
        written = write_channels(leaving.case, target.modalities, images, description=leaving.description)
        path = target.folder / "labelsTr" / f"{leaving.name.case_id}{ENDING}"
        write_labels(path, leaving.case.require_labels(), leaving.description)
        return [*written, path, *write_sidecar_of(leaving, images)]

    def write_dataset(self, data: DataSet, target: Target) -> None:
        """Write `dataset.json`, the map back to the source's values, the description and a README.

        Raises:
            LabelError: There is no scheme.
        """
        if target.scheme is None:
            raise LabelError("no label map", "labelled cases")
        values: dict[str, Any] = dataset_values(target.modalities, target.scheme, len(data.refs), regions=False)
        values["name"] = target.folder.name.partition("_")[2]
        values["description"] = data.record.get("notice", "")
        write_json(target.folder / DATASET_JSON, values, in_order=True)
        write_json(target.folder / VALUES, values_back(data, target), in_order=True)
        folds = _folds(data, target.scheme)
        if folds:
            write_json(target.folder / SPLITS_FILE, folds)
        how = numbering(target.scheme, data.values, data.source)
        write_about(data, target.folder, f"A raw data set of nnU-Net version 2. Labels are {how}.")


def values_back(data: DataSet, target: Target) -> dict[str, Any]:
    """Return each label with its value here and in the source's scheme, plain JSON values."""
    labels = {} if target.scheme is None else target.scheme.labels
    return {
        "source_scheme": data.source,
        "labels": {name: {"nnunet": own, "source": data.values[own]} for name, own in labels.items()},
    }


def _folds(data: DataSet, scheme: LabelScheme) -> list[Fold]:
    """Folds as nnU-Net makes them, but by subject; none where there are too few subjects."""
    names = data.names.cases
    refs = (replace(ref, case_id=names[ref.case_id].case_id, scheme=scheme.name) for ref in data.refs)
    try:
        return nnunet_folds(Cohort("export", tuple(refs), scheme), _FOLDS, seed=1)
    except (CohortError, LeakageError):
        return []


FORMAT = NnunetFormat()
