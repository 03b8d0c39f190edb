"""Typed specs, YAML and the registries that tell a spec by its `kind`."""
