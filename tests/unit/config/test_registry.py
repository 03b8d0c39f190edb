"""Registries: kinds by file, lazily imported, with presets and suggestions."""

import subprocess
import sys
import textwrap
from typing import ClassVar, Literal

import pytest
from pydantic import Field

from glioforge.config.load import parse_spec
from glioforge.config.registry import Registry, expand_preset
from glioforge.config.spec import Spec
from glioforge.core.errors import SpecError


class SmoothSpec(Spec):
    """A part with presets."""

    kind: Literal["smooth"] = "smooth"
    """Name."""
    smoothing_mm: float = 1.0
    """Width of the kernel."""
    passes: int = 1
    """How often."""

    PRESETS: ClassVar = {"paper": {"smoothing_mm": 3.0, "passes": 2}}


class Smooth:
    """The part of `SmoothSpec`."""


@pytest.fixture
def registry():
    """A registry with one part, registered by hand."""
    registry = Registry("smoother", "glioforge.core")
    registry.register(SmoothSpec)(Smooth)
    return registry


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two parts: one whose file registers it, one whose file does not."""
    folder = tmp_path / "sample_parts"
    (folder / "kinds").mkdir(parents=True)
    (folder / "kinds" / "__init__.py").write_text("")
    (folder / "kinds" / "_inside.py").write_text("")
    (folder / "kinds" / "empty.py").write_text("")
    (folder / "__init__.py").write_text(
        'from glioforge.config.registry import Registry\nPARTS = Registry("part", "sample_parts.kinds")\n'
    )
    (folder / "kinds" / "round.py").write_text(
        textwrap.dedent("""\
            from typing import Literal
            from glioforge.config.spec import Spec
            from sample_parts import PARTS
            class RoundSpec(Spec):
                kind: Literal["round"] = "round"
                size: int = 1
            @PARTS.register(RoundSpec)
            class Round:
                pass
            """)
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.startswith("sample_parts")]:
        del sys.modules[name]


def test_kinds_are_the_files_of_the_package(package):
    """A file makes a kind; its module is imported when asked for, not before."""
    from sample_parts import PARTS

    assert PARTS.kinds() == ("empty", "round")
    assert "sample_parts.kinds.round" not in sys.modules
    assert PARTS.spec_class("round").__name__ == "RoundSpec"
    assert PARTS.part_class("round").__name__ == "Round"


def test_a_part_is_found_by_its_spec(package):
    """The way back from a parsed spec to its part."""
    from sample_parts import PARTS

    spec = PARTS.parse({"kind": "round", "size": 3})

    assert spec.size == 3
    assert PARTS.part_for(spec).__name__ == "Round"


def test_a_file_without_its_part_is_named(package):
    """A new file whose decorator was forgotten says so."""
    from sample_parts import PARTS

    with pytest.raises(SpecError, match="module sample_parts.kinds.empty; expected a part of kind 'empty' registered"):
        PARTS.spec_class("empty")


def test_an_unknown_kind_is_answered_with_the_nearest(registry):
    """A typing error gets the known kinds and a suggestion."""
    with pytest.raises(SpecError, match=r"smoother 'smoth'; expected one of .*smooth.*; did you mean 'smooth'\?"):
        registry.spec_class("smoth")
    with pytest.raises(SpecError, match="smoother 'xyzzy'; expected one of [^;]*$"):
        registry.part_class("xyzzy")


def test_a_missing_package_has_no_kinds():
    """A family without a package is empty."""
    assert Registry("part", "no_such_package_at_all").kinds() == ()


def test_refuses_a_spec_without_kind(registry):
    """A part that no YAML could choose is refused."""
    with pytest.raises(SpecError, match="spec Spec without a default `kind`; expected kind: Literal"):
        registry.register(Spec)


def test_refuses_two_parts_of_one_kind(registry):
    """The message names both classes; the same class again is fine."""
    other = type("Other", (), {})

    registry.register(SmoothSpec)(Smooth)
    with pytest.raises(
        SpecError, match=r"smoother 'smooth' registered twice; expected one of .*\.Smooth and .*\.Other"
    ):
        registry.register(SmoothSpec)(other)


def test_a_name_alone_means_all_defaults(registry):
    """`edit: smooth` is `edit: {kind: smooth}`; a spec stays itself."""
    spec = registry.parse("smooth")

    assert spec == SmoothSpec()
    assert registry.parse(spec) is spec


def test_presets_are_overridden_key_by_key(registry):
    """A preset's values hold where the YAML gives none."""
    spec = registry.parse({"kind": "smooth", "preset": "paper", "passes": 5})

    assert spec == SmoothSpec(smoothing_mm=3.0, passes=5)
    assert expand_preset(SmoothSpec, {"passes": 5}) == {"passes": 5}


@pytest.mark.parametrize(
    ("values", "passes", "width"),
    [
        ("blurry", 1, 2.0),
        ({"kind": "blurry", "smoothing_mm": 5.0}, 1, 5.0),
        ({"kind": "blurry", "preset": "paper"}, 2, 3.0),
    ],
)
def test_a_kind_of_earlier_versions_is_read_as_the_settings_that_stand_for_it(values, passes, width):
    """By its name alone, with a setting of its own, and by its preset."""
    former = {"blurry": {"": {"kind": "smooth", "smoothing_mm": 2.0}, "paper": {"kind": "smooth", "preset": "paper"}}}
    registry = Registry("smoother", "glioforge.core", former)
    registry.register(SmoothSpec)(Smooth)

    read = registry.parse(values)

    assert (read.kind, read.passes, read.smoothing_mm) == ("smooth", passes, width)
    assert "blurry" not in registry.kinds()


def test_an_unknown_preset_is_answered_with_the_known():
    """Presets are named."""
    with pytest.raises(SpecError, match=r"preset 'papre'; expected one of \['paper'\]"):
        expand_preset(SmoothSpec, {"preset": "papre"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (3, "chosen: a smoother needs `kind`: one of .*smooth"),
        ({"smoothing_mm": 2}, "chosen: a smoother needs `kind`"),
        ({"kind": "smoth"}, "chosen: smoother 'smoth'; expected .*did you mean 'smooth'"),
        ({"kind": "smooth", "preset": "x"}, r"chosen: preset 'x'; expected one of \['paper'\]"),
        ({"kind": "smooth", "smoothing_cm": 2}, "chosen.smoothing_cm: unknown key, did you mean 'smoothing_mm'"),
        ({"kind": "smooth", "passes": "many"}, "chosen.passes: 'many' should be an integer"),
    ],
)
def test_errors_inside_a_larger_spec_carry_the_path(registry, values, message):
    """Whatever is wrong with a part, the message names the key that holds it."""
    from pydantic import field_validator

    class Outer(Spec):
        chosen: SmoothSpec

        @field_validator("chosen", mode="before")
        @classmethod
        def parse_chosen(cls, value):
            return registry.parse(value)

    with pytest.raises(SpecError, match=message):
        parse_spec({"chosen": values}, Outer)


def test_listing_kinds_imports_no_torch():
    """The command line lists methods without waiting for torch."""
    code = (
        "import sys; from glioforge.config.registry import Registry; "
        "Registry('synthesizer', 'glioforge.synthesis.methods').kinds(); print('torch' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


class BlurSpec(Spec):
    """Settings inside settings."""

    width: float = 1.0
    """Width of the blur."""
    smoother: SmoothSpec = SmoothSpec(smoothing_mm=2.0, passes=4)
    """What smooths."""
    extra: dict[str, int] = Field(default_factory=dict)
    """Anything."""

    PRESETS: ClassVar = {"paper": {"smoother": {"passes": 3}, "extra": {"a": 1}}}


def test_settings_of_settings_are_overridden_key_by_key():
    """One key of a nested spec leaves its other defaults, and those of a preset, as they are."""
    one = BlurSpec.model_validate(expand_preset(BlurSpec, {"smoother": {"passes": 9}}))
    assert one.smoother == SmoothSpec(smoothing_mm=2.0, passes=9)
    preset = expand_preset(BlurSpec, {"preset": "paper", "smoother": {"smoothing_mm": 7}, "extra": {"b": 2}})
    assert preset == {"smoother": {"passes": 3, "smoothing_mm": 7}, "extra": {"a": 1, "b": 2}}


def test_settings_that_name_their_kind_or_preset_replace_the_whole():
    """`kind` starts from that kind's own defaults, not from those of the spec around it."""
    values = expand_preset(BlurSpec, {"smoother": {"kind": "smooth", "passes": 9}})
    assert BlurSpec.model_validate(values).smoother == SmoothSpec(smoothing_mm=1.0, passes=9)
