"""Registration: the contrasts of a case to one of them, and a case to a template.

Carver et al. register T1, T2 and FLAIR rigidly to T1ce.  Public tumour data
comes registered, so both steps are off unless a spec names them.  What was
done is recorded, and `restore` brings label maps back through it.

A scanner gives each contrast its own slices.  `ingest` takes such cases only
where a reference contrast is named; labels and brain mask lie on its grid.
Contrasts that lie on it already are left as they are (`AlignedReader`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, final

import numpy as np

from glioforge.config import Spec
from glioforge.core import Affine, Case, CaseError, CaseRef, Geometry, Modality, Volume
from glioforge.data.preparation.brain import background_value
from glioforge.data.preparation.resample import resampled, resampled_labels
from glioforge.io import Scan, assembled, case_digest, digest_of, read_image, read_scans, register, require_digest

Template = Literal["mni152"] | Path
_DIGITS = 9


@final
class RegisterSpec(Spec):
    """What is registered to what."""

    reference: Modality = Modality.T1CE
    """Contrast that stays, on whose grid labels and brain mask lie."""
    contrasts: Literal["rigid", "affine"] | None = "rigid"
    """How the other contrasts are brought onto the reference; none leaves them."""
    template: Template | None = None
    """Image that the reference is brought onto: `mni152` (ICBM 2009a, within nilearn) or a NIfTI file."""
    template_by: Literal["rigid", "affine"] = "affine"
    """How the reference is brought onto the template."""


def register_volumes(
    images: Mapping[Modality, Volume],
    reference: Modality,
    *,
    affine: bool = False,
    known: Mapping[str, Any] | None = None,
) -> tuple[dict[Modality, Volume], dict[Modality, Affine]]:
    """Contrasts of one session, on whatever grids, brought onto the reference's grid.

    Args:
        images: The contrasts.
        reference: The one that stays.
        affine: Allow scaling and shearing.
        known: Transforms found before, by contrast, to be used again.

    Returns:
        The contrasts on one grid, and for each moved one the transform from the reference's world to its own.

    Raises:
        CaseError: The reference is missing.
        DependencyError: SimpleITK is not installed.
    """
    if reference not in images:
        raise CaseError(
            f"contrasts {[str(m) for m in images]}", f"{reference}, the reference", "name another contrast as reference"
        )
    fixed = images[reference]
    result, transforms = {reference: fixed}, {}
    for modality, volume in images.items():
        if modality != reference:
            found = register(fixed, volume, affine=affine) if known is None else np.array(known[str(modality)])
            transforms[modality] = np.round(found, _DIGITS)
            result[modality] = _moved(volume, fixed.geometry, transforms[modality])
    return {m: result[m] for m in images}, transforms


def register_case(
    case: Case, spec: RegisterSpec, known: Mapping[str, Any] | None = None
) -> tuple[Case, dict[str, Any]]:
    """Register a case as the spec says, or as it was done before; returns what was done, as plain values.

    Raises:
        CaseError: The reference is missing.
        InputFileError: The template cannot be read.
        DependencyError: SimpleITK is not installed.
    """
    facts: dict[str, Any] = {}
    if spec.contrasts is not None:
        before = known["contrasts"] if known else None
        images, found = register_volumes(case.images, spec.reference, affine=spec.contrasts == "affine", known=before)
        case = replace(case, images=images)
        facts["contrasts"] = {str(m): t.tolist() for m, t in found.items()}
    if spec.template is not None:
        fixed = read_template(spec.template, spec.reference)
        moving = case.images[spec.reference] if spec.reference in case.images else next(iter(case.images.values()))
        if known:
            transform = np.array(known["template"]["transform"], dtype=np.float64)
        else:
            transform = register(fixed, moving, affine=spec.template_by == "affine", by_moments=True)
        facts["template"] = {"transform": transform.tolist(), "source": case.geometry.to_json()}
        case = on_template(case, fixed.geometry, transform)
    return case, facts


def on_template(case: Case, target: Geometry, transform: Affine) -> Case:
    """A case on another grid, through a transform from the target's world to the case's."""
    brain = None
    if case.brain is not None:
        brain = resampled(case.brain.astype(np.float32), case.geometry, target, transform) >= 0.5
    return replace(
        case,
        images={m: _moved(v, target, transform) for m, v in case.images.items()},
        labels=None if case.labels is None else resampled_labels(case.labels, target, transform),
        brain=brain,
    )


def read_template(template: Template, modality: Modality) -> Volume:
    """The image that cases are brought onto.

    Raises:
        InputFileError: The file cannot be read.
    """
    if isinstance(template, Path):
        return read_image(template, modality)
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=1)
    voxels = np.asarray(image.dataobj, dtype=np.float32)
    i, j, k = voxels.shape
    return Volume(voxels, Geometry((i, j, k), np.asarray(image.affine)), modality)


def _moved(volume: Volume, target: Geometry, transform: Affine) -> Volume:
    """A volume on another grid."""
    background = background_value(volume.voxels)
    return Volume(resampled(volume.voxels, volume.geometry, target, transform, background), target, volume.modality)


@final
@dataclass(frozen=True)
class AlignedReader:
    """Reads a case and registers, rigidly, what does not lie on the reference's grid.

    Args:
        reference: Name of the contrast that stays.
        channels: Which image of its file each contrast is, where a file holds several.
    """

    format: ClassVar[str] = "aligned"

    reference: str
    channels: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, ref: CaseRef, /) -> Case:
        """Read the voxels of a case; its facts tell the transforms, from the reference's world to each contrast's.

        Raises:
            InputFileError: As `NiftiReader`; also where files have changed since they were ingested.
            CaseError: The reference is missing.
            DependencyError: SimpleITK is not installed.
        """
        scans = read_scans(ref, self.channels)
        self._require(ref, scans)
        volumes = {modality: scans[str(modality)].image(modality) for modality in ref.modalities}
        reference = Modality(self.reference)
        fixed = volumes.get(reference)
        others = {m: v for m, v in volumes.items() if fixed is None or not fixed.geometry.matches(v.geometry)}
        if fixed is not None:
            others[reference] = fixed
        moved, transforms = register_volumes(others, reference)
        found = {str(m): t.tolist() for m, t in transforms.items()}
        facts = {**ref.facts, "registered": {"reference": self.reference, "transforms": found}}
        return assembled(ref, scans, {m: moved.get(m, v) for m, v in volumes.items()}, facts)

    def require_unchanged(self, ref: CaseRef) -> None:
        """Compare the files with what was ingested, without registering anything; errors as `NiftiReader`."""
        self._require(ref, read_scans(ref, self.channels))

    def _require(self, ref: CaseRef, scans: Mapping[str, Scan]) -> None:
        require_digest(ref, case_digest({"files": digest_of(scans), "register_to": self.reference}))
