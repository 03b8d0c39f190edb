"""The pictures of study pages: which rows and columns they have, in which planes, on which slices."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.report.page import Figure, Folded
from glioforge.report.slices import shared_slice
from glioforge.studies import gallery
from glioforge.studies.gallery import (
    as_volumes,
    edit_series,
    edited_case,
    in_planes,
    label_legend,
    spread_over,
    unseen_subject,
    windows_of,
)
from glioforge.studies.method_gallery import every_method
from toy_cohort import toy_case, toy_cohort

CASE = toy_case(1)
LABELS = CASE.require_labels()
CONTRASTS = tuple(CASE.images)


@pytest.fixture
def grids(monkeypatch):
    """The rows and columns of every grid that is drawn."""
    caught, drawn = [], gallery.picture_grid

    def draw(rows, columns, **_):
        caught.append((rows, tuple(columns)))
        return drawn(rows[:1], columns, cell_inch=0.2)

    monkeypatch.setattr(gallery, "picture_grid", draw)
    return caught


def names(grid):
    """Names of a grid's rows."""
    return [name for name, _ in grid[0]]


def test_few_rows_share_a_figure_and_many_have_one_a_plane(grids):
    """The axial one of several is open."""
    picture = gallery.case_pictures(LABELS, {}, 6)

    (one,) = in_planes(lambda axis: [(f"row {axis}", picture)], ["labels"], "Few.", "Few")
    axial, others = in_planes(lambda axis: [(f"row {axis}", picture)] * 4, ["labels"], "Many.", "Many")

    assert names(grids[0]) == ["axial\nrow 2", "coronal\nrow 1", "sagittal\nrow 0"]
    assert isinstance(one, Figure)
    assert axial.caption.startswith("Axial. Many.")
    assert isinstance(others, Folded)
    assert [figure.alt for figure in others.blocks] == ["Many, coronal", "Many, sagittal"]


def test_unseen_subjects_are_shown_beside_what_was_made(grids):
    """A scan of phantoms is called a phantom; a contrast that the scan lacks is blank."""
    made = {"generator": CASE.images, "class means": CASE.images}
    scan = replace(CASE, images={CONTRASTS[0]: CASE.images[CONTRASTS[0]]})
    (figure,) = unseen_subject(scan, made, "phantom")
    rows, columns = grids[0]

    assert names(grids[0])[:3] == ["axial\nphantom", "axial\ngenerator", "axial\nclass means"]
    assert columns == ("labels", *(m.title for m in CONTRASTS))
    assert [picture.is_blank for picture in rows[0][1]] == [False, False, True]
    assert "real" not in figure.caption


def test_before_and_after_are_on_the_same_slices(grids):
    """Those that show both lesions; the caption names the edits."""
    voxels = np.roll(LABELS.voxels, 1, axis=2)
    lineage = Lineage.synthetic("toy", {CASE.case_id: CASE.lineage}, seed=1, edits=({"kind": "translate"},))
    after = replace(CASE, labels=LABELS.with_voxels(voxels), lineage=lineage)
    (figure,) = edited_case(CASE, {"after": after})
    rows, _ = grids[0]
    index = shared_slice(LABELS, after.labels)

    volume = f"{LABELS.volume_ml('WT'):.0f} ml"
    assert names(grids[0])[:2] == [f"axial\nbefore\n{volume}", f"axial\nafter\n{volume}"]
    shown = [gallery.case_pictures(labels, {}, index)[0].pixels for labels in (LABELS, after.labels)]
    assert all(np.array_equal(row[1][0].pixels, pixels) for row, pixels in zip(rows[:2], shown, strict=True))
    assert "edits: translate" in figure.caption

    several = edited_case(CASE, {"one": after, "two": CASE}, {"two": "refused: duplicate"})
    assert [name.split("\n", 1)[1].replace(f"\n{volume}", "") for name in names(grids[1])[:3]] == [
        "before",
        "one",
        "two\nrefused: duplicate",
    ]
    assert "made of its label map as it is" in edited_case(CASE, {"one": CASE})[0].caption
    assert "the synthetic cases of one, two made of its edited label map (edits: one translate; two none)" in (
        several[0].caption
    )


def test_every_method_has_its_error_and_its_images(grids):
    """The error of a perfect method is black; a contrast that it does not make is blank."""
    part = replace(CASE, images={CONTRASTS[0]: CASE.images[CONTRASTS[0]]})
    marks = {"whole": "SSIM 1.00"}
    shown, _, differences = every_method(
        CASE, CASE.images, {"whole": CASE, "part": part}, ("phantom", "noise-free image"), marks
    )
    rows, columns = grids[0]

    assert names(grids[0]) == ["phantom", "noise-free image", "whole\nSSIM 1.00", "part"]
    assert columns[0] == "labels; error"
    assert set(np.unique(rows[2][1][0].pixels).tolist()) <= {0, 25}
    assert [picture.is_blank for picture in rows[3][1]] == [False, False, True]
    assert "SSIM is that of the row" in shown.caption
    assert "image minus noise-free image" in differences.caption


def test_differences_of_a_method_are_signed(grids):
    """Grey is none, white too bright; the number is the mean absolute difference; many methods are folded."""
    brighter = {m: replace(v, voxels=v.voxels + np.float32(2)) for m, v in CASE.images.items()}
    made = {"same": CASE, "brighter": replace(CASE, images=brighter)}
    every_method(CASE, CASE.images, made, ("scan", "scan"))
    rows, columns = grids[-1]
    same, bright = (pictures[0] for _, pictures in rows[:2])

    assert columns == tuple(m.title for m in CONTRASTS)
    assert set(np.unique(same.pixels).tolist()) <= {0, 140}
    assert set(np.unique(bright.pixels).tolist()) <= {0, 255}
    assert (same.text, bright.text) == ("0.00", "2.00")
    many = every_method(CASE, CASE.images, {str(n): CASE for n in range(4)}, ("scan", "scan"))
    assert (type(many[-1]), many[-1].summary) == (Folded, "Differences by contrast")


def test_maps_from_noise_stand_beside_their_images(grids):
    """With the volume of the lesion and the norm, where it is known."""
    (figure,) = gallery.painted_maps({"map 1": CASE}, windows_of(CASE), "SPADE", {"map 1": "norm 12, kept"})
    (name, pictures), *_ = grids[0][0]

    assert name.startswith("axial\nmap 1\n")
    assert name.endswith(" ml\nnorm 12, kept")
    assert len(pictures) == 1 + len(CONTRASTS)
    assert "calibrated z-score filter" in figure.caption


def test_a_series_shows_each_map_before_and_after(grids):
    """Draws have no map before them."""
    edit_series(CASE, [("as it is", CASE), ("healthy, new", CASE)], "Method", before=LABELS)
    edit_series(CASE, [("draw 1", CASE)], "Method")

    assert grids[0][1][:2] == ("before", "labels")
    assert "healthy,\nnew" in names(grids[0])[1]
    assert len(grids[0][0][0][1]) == len(grids[0][1])
    assert grids[-1][1][0] == "labels"


def test_windows_volumes_legend_and_choice():
    """Grey windows lie inside the brain, arrays lie on the case's grid, cases are spread evenly."""
    arrays = {m: v.voxels for m, v in CASE.images.items()}
    cohort = toy_cohort(range(7))

    assert set(windows_of(CASE)) == set(CASE.images)
    assert all(low < high for low, high in windows_of(CASE).values())
    assert {v.geometry for v in as_volumes(arrays, CASE).values()} == {LABELS.geometry}
    assert label_legend(COMPLETE).alt == "Legend of label colours"
    assert [ref.case_id for ref in spread_over(cohort, 3)] == [cohort.cases[n].case_id for n in (0, 3, 6)]
    assert len(spread_over(cohort, 30)) == 7
