"""Contact sheets: the same slices before and after, with heads and a legend."""

import numpy as np
import pytest
from PIL import Image

from glioforge.config.load import parse_spec
from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import EditError, GeometryError
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.data.store import write_case
from glioforge.lesions import preview
from glioforge.lesions.edited_cohort import edit_cohort
from glioforge.lesions.preview import contact_sheet, preview_cohort
from glioforge.lesions.recipe import RecipeSpec
from toy_brain import toy_brain


@pytest.fixture
def written(monkeypatch):
    """Texts that are drawn."""
    from PIL.ImageDraw import ImageDraw

    texts, draw = [], ImageDraw.text
    monkeypatch.setattr(
        ImageDraw, "text", lambda self, at, text, **how: (texts.append(text), draw(self, at, text, **how))
    )
    return texts


def test_heads_name_case_edit_and_volumes(tmp_path, written):
    """A head says which case, by which recipe and edits, and how the tumour's volume changed."""
    labels = toy_brain(radii=(14.0, 9.0, 5.0))
    ref = write_case(tmp_path / "in", Case("case", "s", {}, Lineage.real("toy", "s"), labels, labels.voxels > 0))
    cohort = Cohort("toy", (ref,), COMPLETE)
    recipe = parse_spec({"name": "grow", "steps": [{"edit": {"kind": "scale", "volume_factor": (2, 2)}}]}, RecipeSpec)
    preview_cohort(cohort, edit_cohort(cohort, recipe, tmp_path / "out"), tmp_path / "sheet.png")
    volume = labels.volume_ml("WT")

    assert written[0] == f"case-edit000    grow: scale    tumour {volume:.1f} \u2192 {2 * volume:.1f} ml"
    assert [text.split()[0] for text in written[1:9]] == ["axial"] * 6 + ["coronal"] * 2
    assert [text.rsplit(" ", 1)[0] for text in written[1:9:2]] == [text.rsplit(" ", 1)[0] for text in written[2:10:2]]
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"


def test_the_legend_names_the_labels_that_occur_in_their_colours(tmp_path, written):
    """A healthy brain has no tumour in its legend."""
    healthy, sick = toy_brain(centre=None), toy_brain()
    contact_sheet([("healthy", healthy, healthy)], tmp_path / "healthy.png")
    assert written[-3:] == ["white matter", "grey matter", "csf"]

    contact_sheet([("removed", sick, healthy)], tmp_path / "removed.png", slices=1)
    assert written[-6:] == ["necrotic core", "oedema", "enhancing", "white matter", "grey matter", "csf"]
    with Image.open(tmp_path / "removed.png") as sheet:
        legend = np.asarray(sheet)[-30:].reshape(-1, 3).tolist()
    assert all(list(COMPLETE.colours[name]) in legend for name in ("necrotic_core", "enhancing", "csf"))


@pytest.mark.parametrize(("orientation", "spacing"), [((1, 1, 1), (4.0, 4.0, 4.0)), ((-1, 1, -1), (3.0, 3.0, 9.0))])
def test_slices_are_seen_as_radiologists_do(orientation, spacing):
    """A lesion on the patient's right, in front, lies in the upper left quarter of an axial slice."""
    labels = toy_brain(spacing, (0.66, 0.7, 0.62), orientation=orientation)
    axial, *_ = preview._pairs(labels, labels, "", 1)
    pixels = np.asarray(axial.before)
    rows, columns = np.nonzero((pixels == COMPLETE.colours["necrotic_core"]).all(axis=-1))

    assert rows.mean() < pixels.shape[0] / 2
    assert columns.mean() < pixels.shape[1] / 2
    assert pixels.shape[0] / pixels.shape[1] == pytest.approx(168 / 144, rel=0.1)
    assert np.array_equal(pixels, np.asarray(axial.after))


def test_a_map_without_brain_is_drawn(tmp_path):
    """An empty map gives black tiles, not an error."""
    empty = toy_brain().with_voxels(np.zeros_like(toy_brain().voxels))
    contact_sheet([("empty", empty, empty)], tmp_path / "empty.png")

    with Image.open(tmp_path / "empty.png") as sheet:
        assert sheet.width >= 640


def test_a_contact_sheet_wants_rows_of_one_grid(tmp_path):
    """No row, or two grids, are refused."""
    with pytest.raises(EditError, match="a contact sheet of nothing"):
        contact_sheet([], tmp_path / "no.png")
    with pytest.raises(GeometryError, match="two grids lies on grid"):
        contact_sheet([("two grids", toy_brain(), toy_brain((6.0, 6.0, 6.0)))], tmp_path / "no.png")
