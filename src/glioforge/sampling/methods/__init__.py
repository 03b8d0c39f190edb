"""Samplers by kind: one file or folder each."""
