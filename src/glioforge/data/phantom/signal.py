"""Relaxation of tissue and contrast agent at 1.5 T and 3 T, the sequences' signal, and the scanner that plays them.

T1, T2 and T2* in milliseconds, proton density relative to water.

============== ============================================================
tissue          source
============== ============================================================
white, grey     1.5 T, and proton density: Kwan, Evans & Pike 1999, IEEE TMI
                18:1085 (table of the BrainWeb simulator); 3 T: Wansapura et al.
                1999, JMRI 9:531
fluid           T1: Rooney et al. 2007, MRM 57:308, about 4.3 s at every field;
                T2: about 2.1 s, that of nearly pure water in vivo
blood           Stanisz et al. 2005, MRM 54:507
tumour          rounded values inside the wide ranges that were measured:
                Just & Thelen 1988, Radiology 169:779 (1.5 T); Badve et al. 2017,
                AJNR 38:492, and de Blank et al. 2019, Radiology 293:166 (3 T:
                solid high-grade 1.9 s and low-grade 1.4 s, around the tumour 1.3 s)
contrast agent  gadobutrol in plasma: Szomolanyi et al. 2019, Invest Radiol
                54:559 (r1 4.78 at 1.5 T, 4.97 at 3 T, per mmol/l and second)
============== ============================================================

The tumour's values are choices, not measurements of one patient; their order
(oedema < solid tumour < necrosis < fluid in T1 and T2) is what the literature
agrees on.

The signal of a sequence, relative to the full magnetisation of water, with times
in milliseconds:

spin echo           PD (1 - exp(-TR/T1)) exp(-TE/T2)
gradient echo       PD sin(a) (1 - E1) / (1 - cos(a) E1) exp(-TE/T2*),  E1 = exp(-TR/T1)
inversion recovery  PD |1 - 2 exp(-TI/T1) + exp(-TR/T1)| exp(-TE/T2)

Sources: Haacke et al. 1999, "Magnetic Resonance Imaging: Physical Principles
and Sequence Design", chapters 8 and 18 (equations); Hajnal et al. 1992, JCAT
16:841 (FLAIR).  The ranges of TR, TE and TI are those of clinical protocols;
Bakas et al. 2017, Sci Data 4:170117, describes how widely they vary.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from glioforge.core import Modality
from glioforge.data.phantom.spec import PhantomSpec


@final
@dataclass(frozen=True)
class Relaxation:
    """What a sequence sees of a tissue.

    Args:
        t1_ms: Longitudinal relaxation time.
        t2_ms: Transverse relaxation time of a spin echo.
        t2star_ms: Transverse relaxation time of a gradient echo.
        proton_density: Relative to water.
        flow: Whether it is blood that flows out of a slice between excitation and spin echo.
    """

    t1_ms: float
    t2_ms: float
    t2star_ms: float
    proton_density: float
    flow: bool = False

    def shifted(self, log_t1: float, log_t2: float) -> "Relaxation":
        """The same tissue with relaxation times multiplied by the exponentials of two small numbers."""
        t1, t2 = 1 + log_t1, 1 + log_t2
        return Relaxation(self.t1_ms * t1, self.t2_ms * t2, self.t2star_ms * t2, self.proton_density, self.flow)

    def with_contrast_agent(self, concentration_mmol: float, relaxivity: float) -> "Relaxation":
        """The same tissue with contrast agent: 1/T1 rises by relaxivity times concentration.

        Args:
            concentration_mmol: In mmol/l.
            relaxivity: r1 in l / mmol / s.
        """
        t1 = 1000 / (1000 / self.t1_ms + relaxivity * concentration_mmol)
        return Relaxation(t1, self.t2_ms, self.t2star_ms, self.proton_density, self.flow)


TISSUES: Mapping[float, Mapping[str, Relaxation]] = {
    1.5: {
        "white_matter": Relaxation(500.0, 70.0, 61.0, 0.77),
        "grey_matter": Relaxation(833.0, 83.0, 69.0, 0.86),
        "csf": Relaxation(4300.0, 2100.0, 500.0, 1.0),
        "oedema": Relaxation(1050.0, 160.0, 110.0, 0.86),
        "enhancing": Relaxation(1250.0, 130.0, 90.0, 0.87),
        "non_enhancing": Relaxation(1300.0, 180.0, 130.0, 0.88),
        "necrosis": Relaxation(2300.0, 320.0, 200.0, 0.94),
        "vessel": Relaxation(1441.0, 290.0, 60.0, 0.9, flow=True),
    },
    3.0: {
        "white_matter": Relaxation(832.0, 80.0, 48.0, 0.77),
        "grey_matter": Relaxation(1331.0, 110.0, 52.0, 0.86),
        "csf": Relaxation(4300.0, 2100.0, 400.0, 1.0),
        "oedema": Relaxation(1450.0, 170.0, 90.0, 0.86),
        "enhancing": Relaxation(1650.0, 140.0, 70.0, 0.87),
        "non_enhancing": Relaxation(1700.0, 190.0, 100.0, 0.88),
        "necrosis": Relaxation(2500.0, 340.0, 150.0, 0.94),
        "vessel": Relaxation(1932.0, 275.0, 40.0, 0.9, flow=True),
    },
}
"""Relaxation by field strength in tesla and by tissue."""

RELAXIVITY: Mapping[float, float] = {1.5: 4.78, 3.0: 4.97}
"""r1 of gadobutrol in plasma, in l / mmol / s, by field strength in tesla."""


_FLOW_VOID = 0.1


@final
@dataclass(frozen=True)
class SpinEcho:
    """Spin echo, T1- or T2-weighted by its times.

    Args:
        tr_ms: Repetition time.
        te_ms: Echo time.

    Example:
        >>> round(SpinEcho(500.0, 10.0).signal(Relaxation(500, 70, 61, 0.77)), 3)
        0.422
    """

    tr_ms: float
    te_ms: float

    def signal(self, tissue: Relaxation) -> float:
        """Signal of a tissue; flowing blood leaves the slice and is nearly dark."""
        full = tissue.proton_density * (1 - math.exp(-self.tr_ms / tissue.t1_ms))
        return full * math.exp(-self.te_ms / tissue.t2_ms) * (_FLOW_VOID if tissue.flow else 1.0)


@final
@dataclass(frozen=True)
class GradientEcho:
    """Spoiled gradient echo.

    Args:
        tr_ms: Repetition time.
        te_ms: Echo time.
        flip_degrees: Flip angle.

    Example:
        >>> round(GradientEcho(250.0, 3.0, 70.0).signal(Relaxation(832, 80, 48, 0.77)), 3)
        0.236
    """

    tr_ms: float
    te_ms: float
    flip_degrees: float

    def signal(self, tissue: Relaxation) -> float:
        """Signal of a tissue; flowing blood counts as still."""
        angle, decay = math.radians(self.flip_degrees), math.exp(-self.tr_ms / tissue.t1_ms)
        steady = math.sin(angle) * (1 - decay) / (1 - math.cos(angle) * decay)
        return tissue.proton_density * steady * math.exp(-self.te_ms / tissue.t2star_ms)


@final
@dataclass(frozen=True)
class InversionRecovery:
    """Inversion recovery read out by a spin echo, as magnitude.

    Args:
        tr_ms: Repetition time.
        te_ms: Echo time.
        ti_ms: Inversion time.

    Example:
        >>> null = InversionRecovery(9000.0, 120.0, fluid_null_ms(9000.0))
        >>> round(null.signal(TISSUES[1.5]["csf"]), 6)
        0.0
    """

    tr_ms: float
    te_ms: float
    ti_ms: float

    def signal(self, tissue: Relaxation) -> float:
        """Signal of a tissue; flowing blood is nearly dark."""
        recovered = abs(1 - 2 * math.exp(-self.ti_ms / tissue.t1_ms) + math.exp(-self.tr_ms / tissue.t1_ms))
        echo = tissue.proton_density * recovered * math.exp(-self.te_ms / tissue.t2_ms)
        return echo * (_FLOW_VOID if tissue.flow else 1.0)


Sequence = SpinEcho | GradientEcho | InversionRecovery


@final
@dataclass(frozen=True)
class Scanner:
    """One scan's sequences and imperfections.

    Args:
        site: Name of the site.
        field_tesla: Field strength.
        sequences: Sequence of each contrast; T1ce plays T1's.
        gains: Stored units for a signal of 1, by contrast.
        noise: Standard deviation of the noise in each channel, as a share of white matter's signal.
        bias: Standard deviation of the logarithm of the bias field.
    """

    site: str
    field_tesla: float
    sequences: Mapping[Modality, Sequence]
    gains: Mapping[Modality, float]
    noise: Mapping[Modality, float]
    bias: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON, units in the names."""
        sequences = {str(m): {"kind": type(s).__name__, **asdict(s)} for m, s in self.sequences.items()}
        return {
            "site": self.site,
            "field_tesla": self.field_tesla,
            "sequences": sequences,
            "gain_units_per_signal": {str(m): g for m, g in self.gains.items()},
            "noise_share_of_white_matter": {str(m): n for m, n in self.noise.items()},
            "bias_log_sigma": self.bias,
        }


def fluid_null_ms(tr_ms: float, t1_ms: float = TISSUES[1.5]["csf"].t1_ms) -> float:
    """Inversion time at which fluid of this T1 gives no signal.

    Example:
        >>> round(fluid_null_ms(9000.0))
        2481
    """
    return t1_ms * math.log(2 / (1 + math.exp(-tr_ms / t1_ms)))


def draw_scanner(site_rng: np.random.Generator, case_rng: np.random.Generator, site: str, spec: PhantomSpec) -> Scanner:
    """Draw a site's scanner, then one case's small departures from its protocol.

    Args:
        site_rng: The site's stream, the same for all of its cases.
        case_rng: The case's stream.
        site: Name of the site.
        spec: Field strengths, noise and bias.
    """
    tesla = float(spec.field_strengths[int(site_rng.integers(len(spec.field_strengths)))])
    gradient = tesla == 3.0 and site_rng.random() < 0.5

    def usual(low: float, high: float) -> float:
        return float(site_rng.uniform(low, high) * np.exp(0.015 * np.clip(case_rng.standard_normal(), -2, 2)))

    t1: Sequence = (
        GradientEcho(usual(200, 280), usual(2.5, 4.5), usual(65, 80))
        if gradient
        else SpinEcho(usual(450, 650) * (1.25 if tesla == 3.0 else 1.0), usual(8, 14))
    )
    t2 = SpinEcho(usual(4000, 6000), usual(85, 110))
    tr = usual(8500, 10500)
    flair = InversionRecovery(tr, usual(95, 130), fluid_null_ms(tr) * float(site_rng.uniform(0.985, 1.015)))
    noise = site_rng.uniform(0.012, 0.03) * spec.noise
    contrasts = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)
    return Scanner(
        site,
        tesla,
        {Modality.T1: t1, Modality.T1CE: t1, Modality.T2: t2, Modality.FLAIR: flair},
        {m: usual(800, 3000) for m in contrasts},
        {m: float(noise * f) for m, f in zip(contrasts, (1.0, 1.0, 1.2, 1.4), strict=True)},
        float(site_rng.uniform(0.03, 0.07) * (1.6 if tesla == 3.0 else 1.0) * spec.bias),
    )
