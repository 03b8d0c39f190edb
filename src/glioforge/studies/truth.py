"""What a phantom would look like without noise and bias field, on the prepared grid."""

from collections.abc import Mapping
from functools import lru_cache

from glioforge.core import CaseRef, Mask, Modality, Volume, Voxels
from glioforge.data import PhantomSpec, find_brain, make_phantom, normalise, plan_of, resample_mask


def noise_free_images(ref: CaseRef, spec: PhantomSpec) -> Mapping[Modality, Voxels]:
    """Noise-free contrasts of a prepared phantom, z-scored like its scans.

    Args:
        ref: A case that `prepare` made from a phantom.
        spec: Settings of the phantoms.

    Returns:
        One volume a contrast on the prepared grid, 0 outside the brain.
    """
    seed, index = (int(part) for part in ref.subject_id.split("-")[1:])
    images, brain = _made_again(seed, index, spec)
    plan = plan_of(ref)
    prepared_brain = resample_mask(brain, plan)
    return {
        modality: normalise(plan.image(volume.voxels, brain), prepared_brain)[0] for modality, volume in images.items()
    }


@lru_cache(maxsize=8)
def _made_again(seed: int, index: int, spec: PhantomSpec) -> tuple[Mapping[Modality, Volume], Mask]:
    """Noise-free contrasts of a phantom on its own grid, and its brain; kept, as every method asks for them."""
    phantom = make_phantom(seed, index, spec)
    return phantom.noise_free, find_brain(phantom.case)
