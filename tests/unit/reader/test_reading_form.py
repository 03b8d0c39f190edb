"""Tests of `reader.form` and of what each kind of study asks: answers, marks and drawings of the wrong size."""

import base64
import json

import numpy as np
import pytest

from glioforge.reader.export import export_study, lesion_of, locked_answers, locked_outlines
from glioforge.reader.lock import lock_study
from glioforge.reader.report import report_study
from toy_reading import served, toy_study


def packed(mask):
    """A drawing as a page sends it."""
    return base64.b64encode(np.packbits(mask).tobytes()).decode()


def opened(tmp_path, **settings):
    """A served study of one kind."""
    toy_study(tmp_path / "study", **settings)
    return served(tmp_path / "study")


def locked(tmp_path):
    """Answers of the study after its lock."""
    lock_study(tmp_path / "study", unfinished=True)
    return locked_answers(tmp_path / "study")


@pytest.mark.parametrize(
    "wrong",
    [
        {"call": ""}, {"call": "left"}, {"confidence": ""}, {"confidence": "0"}, {"confidence": "6"},
        {"confidence": "x"}, {"score": "11"}, {"cue": ["magic"]}, {"comment": "x" * 2001}, {"key": "short"},
        {"key": "=" * 20},
        {"call": ["real", "synthetic"]},
    ],
)  # fmt: skip
def test_incomplete_and_strange_answers_are_refused(tmp_path, wrong):
    """With what is missing; the item stays open."""
    good = {"call": "real", "confidence": "3", "score": "10", "cue": ["noise", "texture"], "comment": "a\r\nb\x00"}
    with opened(tmp_path, score_levels=10) as site:
        reader = site.readers[0]
        form = reader.form()
        refused = reader.answer({**form, **good, **wrong})
        assert refused.status_code == 422
        assert refused.json()["problem"].endswith(".")
        assert reader.answer({**form, **good}).status_code == 200
        body = json.loads(site.store.read(lambda db: db.execute("SELECT body FROM answer").fetchone()[0]))

    assert (body["score"], body["cues"], body["comment"]) == (10, ["texture", "noise"], "a\nb")


def test_a_choice_has_the_side_of_the_real_item_as_its_truth(tmp_path):
    """A reader who always says left is right where the real item was on the left."""
    with opened(tmp_path, kind="choice", real=8) as site:
        reader = site.readers[0]
        while (form := reader.form()) is not None:
            reader.answer(form, call="left", confidence="3")
        sides = site.store.read(lambda db: db.execute("SELECT DISTINCT side FROM assignment").fetchall())
    answers = locked(tmp_path)

    assert {row["side"] for row in sides} == {"left", "right"}
    for answer in answers:
        assert answer.other == "real"
        assert answer.truth == {"left": "right", "right": "left"}[answer.side]
        assert answer.correct == (answer.side == "right")


def test_sides_decide_which_pixels_come_first(tmp_path):
    """The left panel shows the method's stimulus where its side is left, else the other's."""
    with opened(tmp_path, kind="choice", real=8, repeats=0) as site:
        reader = site.readers[0]
        while (form := reader.form()) is not None:
            find = (
                "SELECT assignment.side, stimulus.place, file FROM assignment JOIN stimulus USING (item) WHERE id = ?"
            )
            rows = site.store.read(lambda db, i=form["assignment"], f=find: db.execute(f, (i,)).fetchall())
            stored = {row["place"]: site.study.pixels(row["file"]) for row in rows}
            shown = [reader.client.get(f"/image/{form['assignment']}/{panel}.bin").content for panel in (0, 1)]
            order = (0, 1) if rows[0]["side"] == "left" else (1, 0)
            assert shown == [stored[place] for place in order]
            assert reader.client.get(f"/image/{form['assignment']}/2.bin").status_code == 404
            reader.answer(form, call="right", confidence="1")


def test_a_preference_names_the_method_that_was_preferred(tmp_path):
    """Whatever its side; equal ones name none."""
    from toy_reading import made_by

    sources = {name: made_by(name, range(20, 28), noise) for name, noise in (("spade", 0.1), ("pix2pix", 0.6))}
    toy_study(tmp_path / "study", sources, kind="preference", real=8, repeats=0)
    with served(tmp_path / "study") as site:
        reader = site.readers[0]
        for call in ["left"] * 6 + ["equal"] * 2:
            assert reader.answer(reader.form(), call=call, confidence="1").status_code == 200
    answers = locked(tmp_path)

    assert {(answer.method, answer.other, answer.truth) for answer in answers} == {("pix2pix", "spade", "")}
    assert [answer.preferred for answer in answers[:6]] == [
        a.method if a.side == "left" else a.other for a in answers[:6]
    ]
    assert {answer.preferred for answer in answers[6:]} == {None}


def test_a_diagnosis_asks_for_place_and_enhancement(tmp_path):
    """A mark is a hit where the label map has tumour; outside the image it is refused."""
    with opened(tmp_path, kind="diagnosis", real=4, synthetic=0, repeats=0) as site:
        reader = site.readers[0]
        form = reader.form()
        rows = site.study.shape[2]
        for wrong in (
            {},
            {"enhancing": "yes"},
            {"enhancing": "yes", "where": f"0,{rows},0"},
            {"enhancing": "yes", "where": "1,2"},
        ):
            assert reader.answer(form, call="tumour", confidence="3", **wrong).status_code == 422
        while (form := reader.form()) is not None:
            query = "SELECT item.facts FROM assignment JOIN item ON item.key = assignment.item WHERE assignment.id = ?"
            facts = json.loads(
                site.store.read(lambda db, i=form["assignment"], q=query: db.execute(q, (i,)).fetchone()[0])
            )
            if not facts["tumour"]:
                assert reader.answer(form, call="no tumour", confidence="3").status_code == 200
                continue
            where = ",".join(map(str, np.argwhere(lesion_of(facts))[0]))
            assert reader.answer(form, call="tumour", confidence="3", enhancing="yes", where=where).status_code == 200
    answers = locked(tmp_path)

    assert {answer.truth for answer in answers} == {"tumour", "no tumour"}
    assert all(answer.correct for answer in answers)
    assert [a.details["hit"] for a in answers if a.call == "tumour"] == [True, True]
    assert all("hit" not in a.details for a in answers if a.call != "tumour")


def test_a_drawing_has_the_size_of_the_image_and_is_scored_after_the_lock(tmp_path):
    """Other sizes, stray bits, damage and emptiness are refused; Dice is that of the masks."""
    with opened(tmp_path, kind="delineation", real=2, synthetic=0, repeats=0, contrasts=("flair",)) as site:
        reader = site.readers[0]
        rows, columns = site.study.shape[2:]
        size = {"rows": str(rows), "columns": str(columns)}
        mask = np.zeros((rows, columns), bool)
        form = reader.form()
        for wrong in (
            {**size, "drawing": packed(np.ones((rows, columns + 8), bool))},
            {**size, "drawing": packed(mask)},
            {**size, "drawing": "###"},
            {**size, "drawing": ""},
            {"rows": "1", "columns": "1", "drawing": packed(mask)},
        ):
            assert reader.answer(form, **wrong).status_code == 422
        assert reader.answer(form, **size, drawing="A" * 2**18).status_code == 413
        query = "SELECT item.facts FROM assignment JOIN item ON item.key = assignment.item WHERE assignment.id = ?"
        facts = json.loads(site.store.read(lambda db: db.execute(query, (form["assignment"],)).fetchone()[0]))
        truth = lesion_of(facts)[0]
        half = truth & (np.cumsum(truth).reshape(truth.shape) <= truth.sum() // 2)
        assert reader.answer(form, **size, drawing=packed(half)).status_code == 200
        assert reader.answer(reader.form(), nothing="yes").status_code == 200
    drawn, nothing = locked(tmp_path)

    assert drawn.score == pytest.approx(2 * half.sum() / (half.sum() + truth.sum()), abs=1e-6)
    assert nothing.score == 0.0
    assert "drawing" not in drawn.details


def test_outlines_of_two_readers_are_compared_on_the_page(tmp_path):
    """Dice of their masks in each image, and its mean in the report."""
    toy_study(tmp_path / "study", kind="delineation", real=2, synthetic=0, repeats=0, contrasts=("flair",))
    masks = {"Dr A": slice(0, 4), "Dr B": slice(2, 4)}
    with served(tmp_path / "study", tuple(masks)) as site:
        rows, columns = site.study.shape[2:]
        for reader in site.readers:
            mask = np.zeros((rows, columns), bool)
            mask[masks[reader.name]] = True
            for _ in range(2):
                said = {"rows": str(rows), "columns": str(columns), "drawing": packed(mask)}
                assert reader.answer(reader.form(), **said).status_code == 200
    locked(tmp_path)
    outlines = locked_outlines(tmp_path / "study")
    report_study(tmp_path / "study", tmp_path / "report")
    (pair,) = json.loads((tmp_path / "report" / "report.json").read_text())["outlines"]

    assert [sorted(found) for found in outlines.values()] == [["Dr A", "Dr B"]] * 2
    assert (pair["who"], pair["overlap"]["count"]) == ("Dr A and Dr B", 2)
    assert pair["overlap"]["estimate"] == pytest.approx(2 * 2 / (4 + 2))
    assert "Outlines of two readers" in (tmp_path / "report" / "report.html").read_text()


def test_training_shows_the_truth_after_the_answer_and_only_there(tmp_path):
    """Not before it; other kinds never."""
    with opened(tmp_path, kind="training") as site:
        reader = site.readers[0]
        form = reader.form()
        place = f"/feedback/{form['assignment']}"
        assert reader.client.get(place).status_code == 404
        assert reader.answer(form, call="real", confidence="3").json() == {"next": place}
        page = reader.client.get(place).text
        assert reader.client.get(f"/image/{form['assignment']}/0.bin").status_code == 200

    assert "Truth" in page
    assert ("Right" in page) != ("Not right" in page)


@pytest.mark.parametrize("show", ["stack", "volume"])
def test_stacks_and_volumes_are_sent_whole(tmp_path, show):
    """All slices as bytes; each contrast of a volume as NIfTI."""
    with opened(tmp_path, show=show) as site:
        reader = site.readers[0]
        assignment = reader.form()["assignment"]
        names = ("0.bin", "0/0.nii", "0/1.nii", "0/2.nii")
        replies = [reader.client.get(f"/image/{assignment}/{name}") for name in names]
    codes = [reply.status_code for reply in replies]

    if show == "stack":
        assert codes == [200, 404, 404, 404]
        assert len(replies[0].content) == np.prod(site.study.shape)
    else:
        assert codes == [404, 200, 200, 404]
        assert replies[1].content[:352] == replies[2].content[:352]


def test_an_export_holds_the_key_and_the_chain_and_is_refused_before_the_lock(tmp_path):
    """Answers, items, audit, settings."""
    from glioforge.core.errors import CohortError, OutputError

    with opened(tmp_path) as site:
        with pytest.raises(CohortError, match="no answer"):
            lock_study(tmp_path / "study")
        site.readers[0].answer(site.readers[0].form(), call="real", confidence="3")
    with pytest.raises(OutputError, match="still open.*reader lock"):
        export_study(tmp_path / "study", tmp_path / "out")
    with pytest.raises(CohortError, match=r"Dr A \(9 left\)"):
        lock_study(tmp_path / "study")
    assert not (tmp_path / "out").exists()
    head = lock_study(tmp_path / "study", unfinished=True)

    assert lock_study(tmp_path / "study") == head
    assert len(export_study(tmp_path / "study", tmp_path / "out")) == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "answers.csv",
        "items.csv",
        "audit.csv",
        "study.json",
    }
    assert (tmp_path / "out" / "items.csv").read_text().count("\n") == 9
    assert head in (tmp_path / "out" / "audit.csv").read_text()
    with pytest.raises(OutputError, match="folder of its own"):
        export_study(tmp_path / "study", tmp_path / "study")
