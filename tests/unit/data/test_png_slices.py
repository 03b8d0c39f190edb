"""Slices written as PNG give back the very intensities and labels of a prepared case."""

import json

import numpy as np
from typer.testing import CliRunner

from fixtures_layouts import LAYOUTS
from glioforge.cli.main import app
from glioforge.core.cohort import Cohort
from glioforge.data.png_slices import write_png_slices
from glioforge.io.cohort_file import read_cohort
from glioforge.io.png import read_png_image, read_png_labels


def test_slices_of_a_prepared_case_lose_nothing(tmp_path):
    """`prepare --png` writes every contrast and the labels of every slice; reading them gives the stored voxels."""
    write, heads, _, _ = LAYOUTS["brats"]
    write(tmp_path / "scans", dict(list(heads.items())[:1]))
    words = ["prepare", str(tmp_path / "scans"), "--out", str(tmp_path / "out"), "--png", str(tmp_path / "png")]
    result = CliRunner().invoke(app, [*words, "--set", "tissue=null", "--set", "modalities=[t1]"])
    assert result.exit_code == 0, result.output
    case = next(iter(read_cohort(tmp_path / "out"))).load()
    place = tmp_path / "png" / case.case_id
    facts = json.loads((place / "slices.json").read_text())
    depth = case.geometry.shape[2]
    assert len(list(place.glob("*.png"))) == 2 * depth
    assert f"{2 * depth} pictures in" in result.output
    for k in range(depth):
        for modality, volume in case.images.items():
            plane = read_png_image(place / f"{modality}-{k:03d}.png", facts["scales"][str(modality)])
            assert np.array_equal(plane, volume.voxels[..., k])
        assert np.array_equal(read_png_labels(place / f"labels-{k:03d}.png"), case.labels.voxels[..., k])
    assert facts["lineage"] == case.lineage.to_json()
    assert write_png_slices(Cohort("none", (), case.labels.scheme), tmp_path / "nothing") == 0
