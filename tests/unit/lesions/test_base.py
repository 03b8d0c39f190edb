"""What all edits do around the change that an edit's file describes."""

import ast
from pathlib import Path

import numpy as np
import pytest

from glioforge.core.errors import EditError, LabelError, SpecError
from glioforge.core.protocols import EditRecord, LesionEdit
from glioforge.core.schemes import BRATS2023
from glioforge.lesions import edits
from glioforge.lesions.base import EDITS, Edit
from toy_brain import toy_brain

BRAIN = toy_brain()
FILES = [path for path in sorted(Path(edits.__file__).parent.glob("*.py")) if path.stem != "__init__"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_edit_knows_few_names(path):
    """At most eight names of the package are enough for an edit."""
    imports = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    names = [name.name for node in imports if (node.module or "").startswith("glioforge") for name in node.names]

    assert len(names) <= 8, names


def test_the_record_holds_what_is_common_and_what_was_drawn():
    """Every lesion edit records part, filling, plane, mass effect, limits and subjects."""
    spec = EDITS.parse({"kind": "translate", "fill": "nearest", "part": "largest"})
    record = Edit(spec).draw(BRAIN, np.random.default_rng(0))

    assert record.kind == "translate"
    assert set(record.values) == {"part", "fill", "plane", "mass_effect", "limits", "subjects", "offset"}
    assert (record.values["fill"], record.values["part"], record.values["subjects"]) == ("nearest", 0, [])
    assert isinstance(Edit(spec), LesionEdit)


def test_a_record_of_a_removed_filling_is_refused():
    """A map is never inpainted from another source than the recorded one."""
    record = Edit.of_kind("remove").draw(BRAIN, np.random.default_rng(0))
    other = EditRecord("remove", {**record.values, "fill": "atlas"})
    with pytest.raises(EditError, match="a lesion filled by 'atlas'; expected one of"):
        Edit.of_kind("remove").apply(BRAIN, other)


def test_an_edit_that_forgets_to_return_does_not_remove_the_lesion(monkeypatch):
    """Nothing returned is a fault of the edit's file, not a healthy brain."""
    edit = Edit.of_kind("translate")
    record = edit.draw(BRAIN, np.random.default_rng(0))
    monkeypatch.setattr(EDITS.part_class("translate"), "changed", lambda self, context: None)

    with pytest.raises(SpecError, match="`changed` of edit 'translate' returned NoneType"):
        edit.apply(BRAIN, record)


def test_a_map_of_the_tumour_alone_is_refused_on_replay_too():
    """As when it is drawn."""
    record = Edit.of_kind("mirror_brain").draw(BRAIN, np.random.default_rng(0))
    with pytest.raises(LabelError, match="scheme 'brats2023'; expected scheme 'complete'"):
        Edit.of_kind("mirror_brain").apply(BRAIN.to(BRATS2023), record)


def test_an_edit_without_effect_gives_the_very_map_back():
    """No offset and an unchanged lesion are no edit; an unchanged lesion elsewhere is one."""
    edit = Edit(EDITS.parse({"kind": "translate", "distance_mm": (0, 0)}))
    record = edit.draw(BRAIN, np.random.default_rng(0))

    assert edit.apply(BRAIN, record) is BRAIN
    assert edit.apply(BRAIN, EditRecord("translate", {**record.values, "offset": [1, 0, 0]})) is not BRAIN
