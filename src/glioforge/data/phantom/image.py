"""Images of a composed brain: magnetisations mixed by tissue fraction, then bias and noise.

A voxel's signal is the sum of its tissues' signals by their fractions.  Within
a tissue, relaxation varies smoothly from place to place (`texture`), by the
first-order change of the sequence's signal with T1 and T2.  The bias field
multiplies; the noise is Rician (Gudbjartsson & Patz 1995, MRM 34:910).
Stored intensities are whole numbers, at least 1 in the brain and 0 outside.
"""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float32

from glioforge.core import Modality
from glioforge.data import Lattice, smooth_field
from glioforge.data.phantom.anatomy import Anatomy, Flat
from glioforge.data.phantom.regions import Composition
from glioforge.data.phantom.signal import RELAXIVITY, TISSUES, Relaxation, Scanner, Sequence

_BLOOD_MMOL = 1.2
_STEP = 0.01
_LARGEST = 32767
_NORMAL = ("white_matter", "grey_matter")


@final
@dataclass(frozen=True, eq=False)
class Texture:
    """Variation within tissues at the voxels of a brain: small changes of the logarithms of T1 and T2.

    Args:
        normal: Of white and grey matter, `(2, n)`.
        lesion: Of the tumour, `(2, n)`.
    """

    normal: Float32[np.ndarray, "2 n"]
    lesion: Float32[np.ndarray, "2 n"]


def draw_texture(rng: np.random.Generator, lattice: Lattice, anatomy: Anatomy) -> Texture:
    """The atlas's myelin, and random variation over lobes and gyri, stronger in the tumour.

    Of normal tissue 2 % each over 18 mm and 5 mm; of tumour 5 % over 5 mm.
    """
    broad, fine = (
        np.stack([lattice.sample(smooth_field(rng, lattice, mm), anatomy.points) for _ in range(2)])
        for mm in (18.0, 5.0)
    )
    myelin = np.array([[-0.35], [-0.12]], dtype=np.float32) * anatomy.myelin
    return Texture(np.float32(0.02) * (broad + fine) + myelin, np.float32(0.05) * fine)


def vessel_fraction(rng: np.random.Generator, lattice: Lattice, anatomy: Anatomy) -> Flat:
    """Share of vessels: thin winding lines along sulci and brain surface, and few in the tissue.

    The lines are where two random fields vanish together.

    Args:
        rng: Draws from it.
        lattice: Where the fields are drawn.
        anatomy: Subject, `(n,)` voxels.
    """
    first, second = (lattice.sample(smooth_field(rng, lattice, 7.0), anatomy.points) for _ in range(2))
    line = np.exp(-(first**2 + second**2) / np.float32(2 * 0.2**2))
    near_fluid = np.clip(4 * anatomy.fluid * anatomy.grey, 0, 1) + np.float32(0.25) * anatomy.fluid
    share: Flat = line * np.clip(np.float32(0.06) + near_fluid, 0, 1) * np.float32(0.5)
    return share


def noise_free_images(
    scanner: Scanner, composition: Composition, texture: Texture, uptake_mmol: float
) -> dict[Modality, Flat]:
    """Every contrast at the voxels of the brain, in stored units, without noise and bias.

    Args:
        scanner: Sequences and gains.
        composition: Fractions of tissues and vessels.
        texture: Variation within tissues.
        uptake_mmol: Greatest concentration of contrast agent in enhancing tumour, mmol/l.
    """
    tissues, relaxivity = TISSUES[scanner.field_tesla], RELAXIVITY[scanner.field_tesla]
    images = {}
    for modality, sequence in scanner.sequences.items():
        total = np.zeros(texture.normal.shape[1], dtype=np.float32)
        for name, fraction in composition.fractions.items():
            signal = _signal(sequence, tissues[name], _variation(name, texture))
            if modality is Modality.T1CE and name == "enhancing":
                bright = sequence.signal(tissues[name].with_contrast_agent(uptake_mmol, relaxivity))
                signal = signal + composition.uptake * (np.float32(bright) - signal)
            if modality is Modality.T1CE and name == "vessel":
                slow = replace(tissues[name], flow=False).with_contrast_agent(_BLOOD_MMOL, relaxivity)
                signal = np.full_like(total, sequence.signal(slow))
            total += fraction * signal
        images[modality] = total * np.float32(scanner.gains[modality])
    return images


def measured_image(rng: np.random.Generator, image: Flat, anatomy: Anatomy, noise: float, bias: float) -> Flat:
    """What the scanner stores: bias field, Rician noise, whole numbers from 1 to 32767.

    Args:
        rng: Draws from it.
        image: Without noise and bias, `(n,)`.
        anatomy: Subject, `(n,)` voxels.
        noise: Standard deviation of the noise in each channel, as a share of white matter's signal.
        bias: Standard deviation of the logarithm of the bias field.
    """
    white = anatomy.white > 0.9
    sigma = np.float32(noise * float(image[white].mean() if white.any() else image.mean()))
    biased = image * np.exp(np.float32(bias) * _bias_shape(rng, anatomy))
    real = biased + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    imaginary = sigma * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.rint(np.sqrt(real * real + imaginary * imaginary)), 1, _LARGEST)


def _bias_shape(rng: np.random.Generator, anatomy: Anatomy) -> Flat:
    """Random polynomial of degree 2 in space, mean 0 and standard deviation 1 over the brain."""
    x, y, z = anatomy.points / np.float32(90)
    terms = (x, y, z, x * x, y * y, z * z, x * y, y * z, x * z)
    shape: Flat = np.zeros_like(x)
    for weight, term in zip(rng.standard_normal(len(terms)), terms, strict=True):
        shape += np.float32(weight) * term
    shape -= shape.mean()
    return shape / np.maximum(shape.std(), np.float32(1e-6))


def _variation(tissue: str, texture: Texture) -> Float32[np.ndarray, "2 n"] | None:
    """Change of the logarithms of T1 and T2 in a tissue; none in fluid and blood."""
    if tissue in ("csf", "vessel"):
        return None
    return texture.normal if tissue in _NORMAL else texture.lesion


def _signal(sequence: Sequence, tissue: Relaxation, variation: Float32[np.ndarray, "2 n"] | None) -> Flat | np.float32:
    """Signal of a tissue whose relaxation varies, to first order in the variation."""
    plain = sequence.signal(tissue)
    if variation is None:
        return np.float32(plain)
    by_t1 = (sequence.signal(tissue.shifted(_STEP, 0)) - plain) / _STEP
    by_t2 = (sequence.signal(tissue.shifted(0, _STEP)) - plain) / _STEP
    varied: Flat = np.float32(plain) + np.float32(by_t1) * variation[0] + np.float32(by_t2) * variation[1]
    return np.maximum(varied, np.float32(0))
