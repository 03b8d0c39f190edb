"""The folder of prepared cases is a cache: its key names everything, and two processes may share it."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.geometry import Geometry
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Silent
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation import pipeline
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.data.store import write_case

SPEC = PrepareSpec(grid={"multiple": 1}, tissue=None)
CHANGES = [
    {"modalities": ["t1"]},
    {"brain": {"fill_holes": False}},
    {"brain": {"use_given": False}},
    {"brain": {"largest_part": False}},
    {"registration": {}},
    {"registration": {"reference": "t1"}},
    {"registration": {"template": "mni152"}},
    {"strip": {}},
    {"strip": {"method": "morphology"}},
    {"bias": {}},
    {"bias": {"shrink": 2}},
    {"grid": {"spacing_mm": 2.0}},
    {"grid": {"margin": 3}},
    {"grid": {"multiple": 4}},
    {"grid": {"centre": "grid"}},
    {"grid": {"size": [8, 8, 8], "span": ["all", "all", "all"]}},
    {"grid": {"size": [8, 8, 8], "span": [[0, 4], "all", "all"]}},
    {"grid": {"keep_lesions_mm3": None}},
    {"intensity": None},
    {"intensity": {"clip": 4}},
    {"intensity": {"kind": "percentile"}},
    {"intensity": {"kind": "percentile", "high": 99}},
    {"tissue": None},
    {"tissue": {"smoothness": 0}},
    {"tissue": {"kind": "atlas"}},
    {"tissue": {"kind": "hmrf"}},
    {"tissue": {"kind": "bands"}},
]


def scans(folder, count=2):
    """Two small scans."""
    grid = Geometry.isotropic((8, 8, 8), 20.0)
    refs = []
    for n in range(count):
        voxels = np.zeros((8, 8, 8), dtype=np.float32)
        voxels[1:7, 1:7, 1:7] = np.random.default_rng(n).random((6, 6, 6)) + 1
        case = Case(f"c{n}", f"s{n}", {Modality.T1: Volume(voxels, grid, Modality.T1)}, Lineage.real("scan", f"s{n}"))
        refs.append(write_case(folder, case))
    return Cohort("scans", tuple(refs), COMPLETE)


def key_of(ref, spec, tmp_path):
    """Key of one prepared case."""
    return pipeline._Job(ref, spec, (Modality.T1,), (8, 8, 8), tmp_path).key


def test_every_setting_is_part_of_the_key(tmp_path):
    """No two of many settings share a key, nor do other contents, another grid or another version."""
    first, second = scans(tmp_path)
    specs = [PrepareSpec(), *(PrepareSpec.model_validate(change) for change in CHANGES)]
    keys = [key_of(first, spec, tmp_path) for spec in specs]
    assert len(set(keys)) == len(specs)
    assert key_of(second, PrepareSpec(), tmp_path) not in keys


def test_another_version_of_preparation_is_another_key(tmp_path, monkeypatch):
    """Folders of an older Glioforge are not mixed with new ones."""
    (ref,) = scans(tmp_path, 1)
    before = key_of(ref, SPEC, tmp_path)
    monkeypatch.setattr(pipeline, "FORMAT", pipeline.FORMAT + 1)
    assert key_of(ref, SPEC, tmp_path) != before


def _prepare(folder):
    prepare(scans(Path(folder) / "scans"), SPEC, Path(folder) / "shared")


def test_two_processes_may_prepare_into_one_folder(tmp_path):
    """One waits for the other; the result is that of one alone."""
    alone = prepare(scans(tmp_path / "scans"), SPEC, tmp_path / "alone")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_prepare, args=(str(tmp_path),)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert prepare(scans(tmp_path / "scans"), SPEC, tmp_path / "shared").fingerprint == alone.fingerprint


@pytest.mark.parametrize("name", ["images.b2nd", "masks.b2nd", "case.json"])
def test_a_corrupt_entry_is_noticed_told_and_made_again(name, tmp_path):
    """The next call rebuilds the damaged case and no other, and says so."""
    source = scans(tmp_path / "scans")
    before = prepare(source, SPEC, tmp_path / "out")
    path = tmp_path / "out" / "cases" / "c0" / name
    kept = (tmp_path / "out" / "cases" / "c1" / name).stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[:-3] + b"???")
    said = []
    progress = type("Lines", (Silent,), {"say": lambda self, text: said.append(text)})
    after = prepare(source, SPEC, tmp_path / "out", progress=progress())
    assert after.fingerprint == before.fingerprint
    assert any(line.startswith("c0: damaged, made again") for line in said)
    assert (tmp_path / "out" / "cases" / "c1" / name).stat().st_mtime_ns == kept
    after["c0"].load()
