"""Registries and folders: a file a kind, a kind a file, its source named, its row in the documentation."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from glioforge.config.registry import Registry

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "glioforge"
CITATION = re.compile(r"\(?\b(?:19|20)\d\d\b|arXiv:|doi|own\b|Glioforge", re.IGNORECASE)


def registries():
    """Registries that modules define at their top level, found by reading the source."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            value = getattr(node, "value", None)
            if isinstance(value, ast.Call) and ast.unparse(value.func).split("[")[0] == "Registry":
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
                yield module, target.id


REGISTRIES = [
    pytest.param(getattr(importlib.import_module(module), name), id=f"{module}.{name}") for module, name in registries()
]


def test_families_are_registries():
    """Synthesizers, edits, segmenters, filters and layouts are chosen by name."""
    families = {parameter.values[0].family for parameter in REGISTRIES}

    assert {"synthesizer", "edit", "segmenter", "layout"} <= families
    assert all(isinstance(parameter.values[0], Registry) for parameter in REGISTRIES)


@pytest.mark.parametrize("registry", REGISTRIES)
def test_each_file_registers_the_kind_it_is_named_after(registry):
    """Looking for a kind, a reader finds its file, or its folder where it has private parts, and back."""
    folder = Path(importlib.import_module(registry.package).__path__[0])
    folders = {path.parent.name for path in folder.glob("*/__init__.py")}
    files = folders | {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}

    assert files
    assert set(registry.kinds()) == files
    for kind in files:
        assert registry.part_class(kind).__module__ == f"{registry.package}.{kind}"
        assert registry.spec_class(kind).model_fields["kind"].default == kind


@pytest.mark.parametrize("registry", REGISTRIES)
def test_each_file_names_its_source(registry):
    """A paper with its year, or that it is Glioforge's own."""
    for kind in registry.kinds():
        module = importlib.import_module(f"{registry.package}.{kind}")

        assert CITATION.search(module.__doc__ or ""), f"{module.__name__} names no source"


@pytest.mark.parametrize("registry", REGISTRIES)
def test_each_field_of_a_spec_is_described(registry):
    """The text below a field is the reference of a YAML's key."""
    for kind in registry.kinds():
        fields = registry.spec_class(kind).model_fields

        assert not [name for name, field in fields.items() if not field.description and name != "kind"], kind


@pytest.mark.parametrize("registry", REGISTRIES)
def test_defaults_and_presets_are_valid(registry):
    """Every kind can be had by its name alone where nothing is required, and every preset with it."""
    for kind in registry.kinds():
        spec = registry.spec_class(kind)
        if any(field.is_required() for field in spec.model_fields.values()):
            continue
        assert registry.parse(kind).kind == kind
        for preset in spec.PRESETS:
            assert registry.parse({"kind": kind, "preset": preset}).kind == kind
