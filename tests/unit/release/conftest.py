"""Exports of toy cohorts write many small files, whose way to the disk is tested with `io.atomic_write`."""

import os

import pytest


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Leave it to the system when files reach the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
