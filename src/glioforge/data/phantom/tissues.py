"""Relaxation of brain and tumour tissue at 1.5 T and 3 T, and of contrast agent.

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
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


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
