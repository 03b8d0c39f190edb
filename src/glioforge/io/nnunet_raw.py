"""Write a cohort as a raw data set of nnU-Net version 2, so that its authors' own tool can train on it.

    <folder>/dataset.json
    <folder>/imagesTr/<case id>_0000.nii.gz, ...    one file a contrast
    <folder>/labelsTr/<case id>.nii.gz

nnU-Net wants labels 0, 1, 2, ... without a gap, so maps go into a scheme that has
them so.  With regions, WT, TC and ET are learnt as overlapping targets, as in
nnU-Net's entries to BraTS; each region writes the one label that no smaller region
has.

Source: nnU-Net dataset format, version 2 (Isensee et al. 2021).
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from glioforge.core import Case, Cohort, CohortError, LabelError, LabelScheme, Modality, Progress, Silent, tumour_scheme
from glioforge.io.atomic_write import write_atomically
from glioforge.io.dataset_json import DATASET_JSON
from glioforge.io.nifti import write_image, write_labels

ENDING = ".nii.gz"


def write_nnunet_raw(
    cohort: Cohort,
    folder: Path,
    *,
    regions: bool = True,
    scheme: LabelScheme | None = None,
    modalities: Sequence[Modality] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write labelled cases as a training set; a case whose label file is there is not written again.

    Args:
        cohort: Labelled cases, each on its own grid; at least one.
        folder: The data set's own folder, `Dataset<three digits>_<name>` if nnU-Net is to find it.
        regions: Learn the scheme's regions; else its labels.
        scheme: Scheme of the files; that of the challenge of 2024 where the cases have a cavity, else of 2023, unless
            given.
        modalities: Contrasts in the order of the channels; those that every case has unless given.
        progress: Where progress is shown.

    Returns:
        The `dataset.json`, written last.

    Raises:
        CohortError: There is no case, or no contrast that all have.
        CaseError: A case has no labels or lacks a contrast.
        LabelError: The scheme has gaps, or its regions do not tell its labels apart.
        OutputError: The folder cannot be written.
    """
    channels = tuple(modalities or cohort.modalities)
    if not len(cohort) or not channels:
        raise CohortError(
            f"{len(cohort)} cases with contrasts {[str(m) for m in channels]} in common",
            "at least one case and one contrast",
            where=cohort.where,
        )
    scheme = scheme or tumour_scheme(cohort.scheme)
    values = dataset_values(channels, scheme, len(cohort), regions=regions)
    for ref in (progress or Silent()).track(cohort, "exporting for nnU-Net", len(cohort)):
        path = folder / "labelsTr" / f"{ref.case_id}{ENDING}"
        if not path.exists():
            case = ref.load()
            labels = case.require_labels().to(scheme)
            write_channels(case, channels, folder / "imagesTr")
            write_labels(path, labels, scheme.name)
    # Not sorted: nnU-Net takes the order of the regions from the file.
    write_atomically(folder / DATASET_JSON, (json.dumps(values, indent=1) + "\n").encode())
    return folder / DATASET_JSON


def write_channels(
    case: Case, channels: Iterable[Modality], folder: Path, *, description: str | None = None
) -> list[Path]:
    """Write the contrasts of a case as nnU-Net numbers them.

    Args:
        case: The case.
        channels: Contrasts in the order of the channels.
        folder: Folder of the images.
        description: Free text of the headers; the contrast's name unless given.

    Raises:
        CaseError: A contrast is missing.
    """
    channels = tuple(channels)
    case.stack(channels)
    paths = [folder / f"{case.case_id}_{number:04d}{ENDING}" for number in range(len(channels))]
    for path, modality in zip(paths, channels, strict=True):
        write_image(path, case.images[modality], str(modality) if description is None else description)
    return paths


def dataset_values(channels: Sequence[Modality], scheme: LabelScheme, cases: int, *, regions: bool) -> dict[str, Any]:
    """Contents of `dataset.json`.

    Raises:
        LabelError: The scheme has gaps, or its regions do not tell its labels apart.

    Example:
        >>> from glioforge.core.schemes import BRATS2023
        >>> values = dataset_values([Modality.T1], BRATS2023, 3, regions=True)
        >>> values["labels"], values["regions_class_order"]
        ({'background': 0, 'WT': [1, 2, 3], 'TC': [1, 3], 'ET': [3]}, [2, 1, 3])
    """
    labels = dict(sorted(scheme.labels.items(), key=lambda pair: pair[1]))
    if list(labels.values()) != list(range(len(labels))):
        raise LabelError(
            f"labels {sorted(labels.values())}",
            f"0 to {len(labels) - 1} without a gap, as nnU-Net wants them",
            "export in another scheme, such as brats2023",
            f"scheme {scheme.name}",
        )
    values: dict[str, Any] = {
        "channel_names": {str(number): modality.title for number, modality in enumerate(channels)},
        "labels": labels,
        "numTraining": cases,
        "file_ending": ENDING,
    }
    if regions:
        sets = {name: sorted(scheme.region_values(name)) for name in scheme.regions}
        values["labels"] = {"background": 0, **sets}
        values["regions_class_order"] = _class_order(sets, scheme)
    return values


def _class_order(sets: dict[str, list[int]], scheme: LabelScheme) -> list[int]:
    """Label that each region writes: the one that no later region has."""
    order = []
    for place, values in enumerate(sets.values()):
        later = {value for other in list(sets.values())[place + 1 :] for value in other}
        order.append(sorted(set(values) - later))
    if sorted(own[0] for own in order if len(own) == 1) != list(range(1, len(scheme.labels))):
        raise LabelError(
            f"regions {sets}",
            "regions of which each adds one label to the smaller ones",
            "export labels in place of regions, or in another scheme, such as brats2023",
            f"scheme {scheme.name}",
        )
    return [own[0] for own in order]
