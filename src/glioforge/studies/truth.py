"""What a phantom would look like without noise and bias field, on the prepared grid."""

from collections.abc import Mapping

from glioforge.core.case import CaseRef
from glioforge.core.modality import Modality
from glioforge.core.volume import Voxels
from glioforge.data.phantom.make import make_phantom
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.prepare.brain import find_brain
from glioforge.data.prepare.intensity import normalise
from glioforge.data.prepare.resample_labels import resample_mask
from glioforge.data.prepare.restore import plan_of


def noise_free_images(ref: CaseRef, spec: PhantomSpec) -> Mapping[Modality, Voxels]:
    """Noise-free contrasts of a prepared phantom, z-scored like its scans.

    Args:
        ref: A case that `prepare` made from a phantom.
        spec: Settings of the phantoms.

    Returns:
        One volume a contrast on the prepared grid, 0 outside the brain.
    """
    seed, index = (int(part) for part in ref.subject_id.split("-")[1:])
    phantom = make_phantom(seed, index, spec)
    plan = plan_of(ref)
    brain = find_brain(phantom.case)
    prepared_brain = resample_mask(brain, plan)
    return {
        modality: normalise(plan.image(volume.voxels, brain), prepared_brain)[0]
        for modality, volume in phantom.noise_free.items()
    }
