"""An audit of cohorts: what it registers, refuses, writes, and reads of a person's decisions."""

import json
from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import CohortError, InputFileError, LeakageError, Lineage
from glioforge.privacy.registration import Pair, decided
from glioforge.privacy.rules import AuditSpec
from glioforge.privacy.sets import require_disjoint
from glioforge.runs.audit import AUDIT_PAGE, JSON, REGISTERED, SUMMARY, audit, planned_audit, scores_from
from glioforge.runs.audit_cases import Planted, copy_of
from glioforge.runs.audit_evidence import donors_of
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_images

SPEC = AuditSpec(planted=2)
TRAIN, HELD_OUT, CONTROL = (
    toy_cohort(range(first, first + 6), name) for first, name in ((0, "training"), (10, "held out"), (20, "control"))
)


def made_of(source, seeds, noise=0.0, name="made", behind=None):
    """Synthetic cases with images of toys, behind whom the training subjects stand."""
    cases = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        case = with_images(toy_case(source(seed)), lambda v, r=rng: v + noise * r.normal(size=v.shape), f"syn{seed}")
        parents = {f"s{seed % 6:02}-1": Lineage.real("toy", f"s{seed % 6:02}")}
        subjects = behind or [f"s{n:02}" for n in range(6)]
        lineage = Lineage.synthetic(name, parents, seed=seed, generator_subjects=subjects)
        cases.append(replace(case, subject_id=f"synthetic-{name}-{seed}", lineage=lineage))
    made = cohort_of_cases(cases, name)
    return replace(made, cases=tuple(replace(ref, digest=f"{name} {ref.digest}") for ref in made))


MADE = made_of(lambda seed: 40 + seed, range(12))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """An audit of toys that nobody of the training subjects looks like."""
    state, out = tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("audit") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLIOFORGE_STATE", str(state))
        yield audit(MADE, out, train=TRAIN, held_out=HELD_OUT, control=CONTROL, spec=SPEC), out, state


def test_few_subjects_are_inconclusive_and_everything_is_written(written):
    """The plan says so beforehand; page, summary, numbers, registration and quarantine are there."""
    found, out, _ = written
    values = json.loads((out / JSON).read_text())

    assert found.verdict == values["verdict"] == "INCONCLUSIVE"
    assert "6 training subjects of at least 100" in values["plan"]["text"]
    assert {row["attack"] for row in values["findings"]} >= {
        "copy rate",
        "nearer to training",
        "donor linkage by label maps",
    }
    assert len(values["controls"]) == 8
    for name in (AUDIT_PAGE, SUMMARY):
        text = (out / name).read_text()
        assert "INCONCLUSIVE" in text
        assert ("anony" + "mous") not in text.lower()
    assert "Signatures and withdrawal" in (out / SUMMARY).read_text()
    assert json.loads((out / REGISTERED).read_text())["rules"] == values["rules"]


def test_the_attempt_is_kept_and_the_same_audit_is_no_second_one(written):
    """Repeating the command goes on with its registration; it is not counted again."""
    found, out, state = written
    again = audit(MADE, out, train=TRAIN, held_out=HELD_OUT, control=CONTROL, spec=SPEC)
    book = json.loads((state / "audits.json").read_text())["attempts"]

    assert again.attempt.number == found.attempt.number == 1
    assert again.judgement.verdict == found.judgement.verdict
    assert [(one["number"], one["verdict"]) for one in book] == [(1, "INCONCLUSIVE")]


@pytest.mark.slow
def test_one_re_audit_on_fresh_cases_and_no_third(written, tmp_path):
    """With a smaller error; never on cases that were seen, and parts are declared beforehand."""
    people = {"train": TRAIN, "held_out": HELD_OUT, "control": CONTROL}
    with pytest.raises(CohortError, match="12 synthetic cases that an earlier audit has seen.*fresh seeds"):
        audit(MADE, tmp_path / "same", spec=AuditSpec(planted=3), **people)
    with pytest.raises(CohortError, match="a release in 3 parts, registered in 1 before"):
        audit(made_of(lambda s: 60 + s, range(12, 15)), tmp_path / "parts", spec=AuditSpec(parts=3), **people)
    second = audit(made_of(lambda seed: 60 + seed, range(12, 18)), tmp_path / "second", spec=SPEC, **people)

    assert second.attempt.number == 2
    assert second.judgement.level == pytest.approx(0.01)
    with pytest.raises(CohortError, match="2 audits of this generator before.*the error of a release is spent"):
        audit(made_of(lambda seed: 80 + seed, range(18, 24)), tmp_path / "third", spec=SPEC, **people)
    assert written[0].attempt.number == 1


@pytest.mark.slow
def test_copies_are_quarantined_and_a_signed_decision_is_read(tmp_path, monkeypatch):
    """A copy of a training subject's images is the nearest pair; the decision holds for these files alone."""
    monkeypatch.setenv("GLIOFORGE_STATE", str(tmp_path / "state"))
    people = {"train": TRAIN, "held_out": HELD_OUT, "control": CONTROL}
    leaky = made_of(lambda seed: seed % 6, range(12), noise=0.05, name="leaky")
    found = audit(leaky, tmp_path / "out", spec=SPEC, **people)
    near = found.gathered.evidence.near[:, :6]

    assert (near.argmax(axis=1) == np.arange(12) % 6).all()
    assert next(d for d in found.judgement.findings if d.finding.attack == "copy rate").finding.estimate >= 0


@pytest.mark.parametrize("kind", ["lesion", "labels"])
def test_a_copy_lies_on_the_grid_of_its_host(kind):
    """Heads of one shape have other origins; the copied lesion, or map, is that of the source."""
    source, host = TRAIN.cases[0], CONTROL.cases[0].load()
    moved = host.geometry.affine.copy()
    moved[:3, 3] += 5
    apart = replace(host.geometry, affine=moved)
    volumes = {m: replace(volume, geometry=apart) for m, volume in host.images.items()}
    labels = replace(host.require_labels(), geometry=apart)
    ref = cohort_of_cases([replace(host, images=volumes, labels=labels)]).cases[0]
    made = copy_of(Planted(kind, source, ref, 1), source.load().modalities)
    theirs = source.load().require_labels()

    assert made.geometry == apart
    copied = made.require_labels()
    if kind == "labels":
        assert (copied.voxels == theirs.voxels[::-1]).all()
    else:
        assert np.count_nonzero(copied.lesion) == pytest.approx(np.count_nonzero(theirs.lesion), rel=0.3)


def test_the_host_of_a_drawn_map_is_its_donor():
    """Its parent is the drawn map; of host and lesion's donor the nearer one counts, and of neither nobody."""
    edits = [{"kind": "label maps", "host": "s02-1", "donor": "s04-1"}, {"kind": "label maps", "host": None}]
    lineages = [Lineage.synthetic("painted", {"drawn": TRAIN.lineage}, seed=1, edits=(edit,)) for edit in edits]
    cases = [replace(ref, lineage=lineage) for ref, lineage in zip(MADE, lineages, strict=False)]
    near = np.zeros((2, 6))
    near[0, 4] = 1

    assert donors_of(replace(MADE, cases=tuple(cases)), TRAIN.cases, near).tolist() == [4, -1]


def test_decisions_are_complete_or_refused():
    """Neither without a name nor with another word; those on other files count for nothing."""
    pair = Pair.of(("syn1", "digest"), ("s01-1", "other"), "rules", (5.0, 0.9))
    signed = {
        "key": pair.key,
        "decision": "accept",
        "reason": "other sulci",
        "signed_by": "A. Reader",
        "signed_on": "2026",
    }

    assert decided([pair], [signed])[0].settled
    assert not decided([pair], [{**signed, "key": "another"}])[0].settled
    assert not decided([pair], [])[0].settled
    with pytest.raises(InputFileError, match="decision 'accept' on 'syn1', signed by ''"):
        decided([pair], [{**signed, "signed_by": ""}])
    with pytest.raises(InputFileError, match="decision 'maybe'"):
        decided([pair], [{**signed, "decision": "maybe"}])


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ((MADE, TRAIN, TRAIN, CONTROL), "s00"),
        ((MADE, TRAIN, HELD_OUT, HELD_OUT), "s10"),
        ((made_of(lambda s: 40 + s, range(2), behind=["s10"]), TRAIN, HELD_OUT, CONTROL), "s10"),
        ((made_of(lambda s: 40 + s, range(2), behind=["x1"]), TRAIN, HELD_OUT, CONTROL), "'?x1'?.*whole cohort"),
    ],
)
def test_overlapping_sets_are_refused(sets, message):
    """Also a filter's or encoder's subjects, who are behind the release by its lineage."""
    with pytest.raises(LeakageError, match=message):
        require_disjoint(*sets)


def test_sets_of_the_wrong_kind_are_refused():
    """Real cases are no release, and synthetic ones nobody's control; nothing is guessed of empty sets."""
    with pytest.raises(CohortError, match="cases of the other kind among the synthetic ones"):
        planned_audit(TRAIN, TRAIN, HELD_OUT, CONTROL, SPEC)
    with pytest.raises(CohortError, match="cases of the other kind among the control ones"):
        planned_audit(MADE, TRAIN, HELD_OUT, MADE, SPEC)
    with pytest.raises(CohortError, match="no control case"):
        planned_audit(MADE, TRAIN, HELD_OUT, replace(CONTROL, cases=()), SPEC)


def test_scores_of_a_model_are_read_by_subject(tmp_path):
    """A file of another form is refused; a subject without a score as well."""
    path = tmp_path / "scores.json"
    path.write_text('{"loss": {"s00": 1}}')

    assert scores_from(path) == {"loss": {"s00": 1.0}}
    path.write_text("[1]")
    with pytest.raises(CohortError, match="without scores by attack and subject"):
        scores_from(path)
