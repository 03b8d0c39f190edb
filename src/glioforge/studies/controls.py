"""Controls of an augmentation study by a list of names: each is an arm of its own, in the mode of the arm under test.

A name is that of a source, of a way of mixing, or of a synthesizer without a network with its usual settings.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from glioforge.mixing import MIXINGS
from glioforge.studies.arms import ArmSpec
from glioforge.studies.sources import MixingSource, Source, SynthesizerSource
from glioforge.synthesis import SYNTHESIZERS


def control_sources(names: Sequence[str], sources: Mapping[str, Source]) -> dict[str, Source]:
    """Return the sources of controls that no source of the study is named after.

    Args:
        names: Names of the controls.
        sources: Sources that the study defines itself.

    Raises:
        ValueError: A name is neither a source, a mixing, nor a synthesizer; for the validator of a spec.
    """
    made: dict[str, Source] = {}
    for name in names:
        if name in sources:
            continue
        if name in MIXINGS.kinds():
            made[name] = MixingSource(mixing=MIXINGS.parse(name))
        elif name in SYNTHESIZERS.kinds():
            made[name] = SynthesizerSource(synthesizer=SYNTHESIZERS.parse(name))
        else:
            msg = f"control {name!r} is not among the sources {sorted(sources)}, the mixings {sorted(MIXINGS.kinds())}"
            raise ValueError(f"{msg} and the synthesizers {sorted(SYNTHESIZERS.kinds())}")
    return made


def control_arms(names: Sequence[str], arms: Sequence[ArmSpec]) -> tuple[ArmSpec, ...]:
    """Return an arm for each control, in the mode of the arm under test: share, amount, schedule, reuse.

    A control that an arm draws from in this mode has its arm already.

    Args:
        names: Names of the controls.
        arms: Arms that the study defines itself, the baseline first.

    Raises:
        ValueError: No arm is under test; for the validator of a spec.

    Example:
        >>> tested = ArmSpec(name="more", title="More", source="generator", synthetic_share=0.5)
        >>> (arm,) = control_arms(["cutmix"], [ArmSpec(name="real", title="Real"), tested])
        >>> arm.name, arm.title, arm.synthetic_share
        ('real+cutmix', 'Real + cutmix', 0.5)
    """
    if not names:
        return ()
    tested = next((arm for arm in arms if arm.source not in {None, "control", *names}), None)
    if tested is None:
        raise ValueError(f"controls {list(names)} without an arm under test, whose share and schedule they take")
    made = []
    for name in names:
        title = f"{arms[0].title} + {name.replace('_', ' ')}"
        arm = tested.model_copy(update={"name": f"{arms[0].name}+{name}", "title": title, "source": name})
        if not any(_mode(arm) == _mode(other) for other in arms):
            made.append(arm)
    return tuple(made)


def _mode(arm: ArmSpec) -> tuple[Any, ...]:
    """What two arms of one source have in common where they are the same."""
    return arm.source, arm.synthetic_share, arm.amount, arm.schedule, arm.reuse, arm.augment, arm.real, arm.segmenter
