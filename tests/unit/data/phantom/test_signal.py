"""Signals: the equations' limits, the published order of tissues, contrast agent, and scanners."""

import math
from dataclasses import replace

import pytest

from glioforge.core.rng import stream
from glioforge.core.volume import Modality
from glioforge.data.phantom.signal import (
    RELAXIVITY,
    TISSUES,
    GradientEcho,
    InversionRecovery,
    Relaxation,
    SpinEcho,
    draw_scanner,
    fluid_null_ms,
)
from glioforge.data.phantom.spec import PhantomSpec

WATER = Relaxation(1000, 100, 50, 1.0)


def scanners(count=12):
    """Scanners of several sites, both fields and both kinds of T1."""
    return [draw_scanner(stream(1, "s", n), stream(1, "c", n), f"site-{n}", PhantomSpec()) for n in range(count)]


def test_spin_echo_limits():
    """Long TR and short TE give the proton density; TE = T2 gives a share of 1/e."""
    assert SpinEcho(1e6, 1e-6).signal(WATER) == pytest.approx(1.0)
    assert SpinEcho(1e6, 100).signal(WATER) == pytest.approx(math.exp(-1))
    assert SpinEcho(1000, 1e-6).signal(WATER) == pytest.approx(1 - math.exp(-1))


def test_gradient_echo_at_ninety_degrees_is_saturation_recovery():
    """At 90 degrees only saturation is left, with T2* instead of T2."""
    expected = (1 - math.exp(-0.25)) * math.exp(-5 / 50)
    assert GradientEcho(250, 5, 90).signal(WATER) == pytest.approx(expected)


def test_inversion_recovery_nulls():
    """At TI = T1 ln 2 a tissue that recovers fully gives nothing."""
    assert InversionRecovery(1e6, 10, 1000 * math.log(2)).signal(WATER) == pytest.approx(0, abs=1e-9)
    assert fluid_null_ms(1e9, 1000) == pytest.approx(1000 * math.log(2))


def test_flowing_blood_is_dark_on_spin_echo_only():
    """Blood that flows away leaves spin echoes dark, gradient echoes as they are."""
    blood = replace(WATER, flow=True)
    for sequence in (SpinEcho(500, 10), InversionRecovery(9000, 100, 2400)):
        assert sequence.signal(blood) == pytest.approx(0.1 * sequence.signal(WATER))
    assert GradientEcho(250, 5, 70).signal(blood) == GradientEcho(250, 5, 70).signal(WATER)


def test_contrast_agent_shortens_t1_by_its_relaxivity():
    """0.5 mmol/l at r1 = 4 adds 2 per second to 1/T1, and nothing to the rest."""
    bright = WATER.with_contrast_agent(0.5, 4.0)
    assert bright.t1_ms == pytest.approx(1000 / 3)
    assert (bright.t2_ms, bright.proton_density) == (WATER.t2_ms, WATER.proton_density)
    assert WATER.with_contrast_agent(0.0, 4.0) == WATER


@pytest.mark.parametrize("scanner", scanners(), ids=lambda s: s.site)
def test_published_order_of_tissues(scanner):
    """On every scanner: T1 white > grey > fluid; T2 the reverse; FLAIR dark fluid, bright oedema."""
    tissues = TISSUES[scanner.field_tesla]

    def signals(modality):
        return {name: scanner.sequences[modality].signal(tissue) for name, tissue in tissues.items()}

    t1, t2, flair = (signals(m) for m in (Modality.T1, Modality.T2, Modality.FLAIR))
    assert t1["white_matter"] > t1["grey_matter"] > t1["oedema"] > t1["necrosis"] > t1["csf"]
    assert t2["csf"] > t2["necrosis"] > t2["oedema"] > t2["grey_matter"] > t2["white_matter"]
    assert flair["oedema"] > flair["grey_matter"] > flair["white_matter"] > 5 * flair["csf"]


@pytest.mark.parametrize("scanner", scanners(), ids=lambda s: s.site)
def test_enhancing_tumour_outshines_the_brain(scanner):
    """With little contrast agent the rim is brighter than white matter on T1ce, and darker before."""
    tissues, sequence = TISSUES[scanner.field_tesla], scanner.sequences[Modality.T1CE]
    rim = tissues["enhancing"]
    agent = rim.with_contrast_agent(0.25, RELAXIVITY[scanner.field_tesla])
    assert sequence.signal(rim) < sequence.signal(tissues["white_matter"]) < sequence.signal(agent)


def test_a_site_keeps_its_scanner():
    """Two cases of a site share field and kind of sequence, and differ a little in times."""
    first, second = (draw_scanner(stream(1, "s"), stream(1, "c", n), "site-0", PhantomSpec()) for n in (0, 1))
    assert first.field_tesla == second.field_tesla
    assert type(first.sequences[Modality.T1]) is type(second.sequences[Modality.T1])
    t2 = [s.sequences[Modality.T2] for s in (first, second)]
    assert t2[0].te_ms == pytest.approx(t2[1].te_ms, rel=0.07)
    assert t2[0] != t2[1]


def test_sites_differ_and_know_both_fields():
    """Sites have both field strengths, both kinds of T1, and gains of their own."""
    made = scanners()
    assert {s.field_tesla for s in made} == {1.5, 3.0}
    assert {type(s.sequences[Modality.T1]) for s in made} == {SpinEcho, GradientEcho}
    assert len({s.gains[Modality.T1] for s in made}) == len(made)


def test_scanner_as_json_names_its_units():
    """The sidecar's names carry the units."""
    values = scanners(1)[0].to_json()
    assert values["sequences"]["flair"].keys() == {"kind", "tr_ms", "te_ms", "ti_ms"}
    assert {"field_tesla", "gain_units_per_signal", "noise_share_of_white_matter"} <= values.keys()
