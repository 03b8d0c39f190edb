"""Audit a synthetic release: register the rules, attack, judge, and write the page, the summary and the quarantine.

Files
-----
registered.json   rules, their hash and the attempt, written before any case is compared
audit.json        all numbers, for programs
audit.html        the page
summary.html      one page for whoever decides on the release
quarantine.json   near copies, each with the decision that a person signs
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from glioforge.compute import ParallelSpec
from glioforge.core import Cohort, CohortError, Progress, Silent, preparations_of
from glioforge.io import Step, read_json, state_folder, write_atomically, write_json
from glioforge.metrics import aligned_agreement
from glioforge.privacy import (
    AUDIT_BOOK,
    Attempt,
    AuditPlan,
    AuditSpec,
    Judgement,
    Pair,
    Sizes,
    book_with,
    decided,
    judge,
    next_attempt,
    plan_audit,
    read_book,
    require_disjoint,
    rules_hash,
    told_apart,
)
from glioforge.report import render
from glioforge.runs.audit_evidence import Gathered, gather
from glioforge.runs.audit_page import audit_page
from glioforge.runs.audit_result import Audited
from glioforge.runs.audit_summary import audit_summary

AUDIT_PAGE: Final = "audit.html"
SUMMARY: Final = "summary.html"
JSON: Final = "audit.json"
REGISTERED: Final = "registered.json"
QUARANTINE: Final = "quarantine.json"
_ALIGNED: Final = 24
"""Quarantined pairs that are aligned and compared in detail."""


def audit(  # noqa: PLR0913 - four cohorts, place and settings, by keyword
    synthetic: Cohort,
    out: Path,
    *,
    train: Cohort,
    held_out: Cohort,
    control: Cohort,
    spec: AuditSpec | None = None,
    model: Mapping[str, Mapping[str, float]] | None = None,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Audited:
    """Attack a synthetic release and judge it.

    Args:
        synthetic: Prepared synthetic cases, filtered as they are to be released.
        out: Folder of the result; a stopped audit goes on there, and signed decisions are read from it.
        train: Everybody whom generator, filters and encoders have seen.
        held_out: Prepared cases of subjects of the same sites and years whom nothing has seen.
        control: Further such subjects.
        spec: Settings.
        model: Scores of the model by attack and subject, larger for members, if weights are to be released.
        parallel: How cases are spread over processes; one unless given.
        progress: Where to show progress.

    Returns:
        The verdict with all numbers.

    Raises:
        CohortError: A set is empty or of the wrong kind, cohorts were prepared differently, or the generator was
            audited as often as its error allows.
        LeakageError: A subject is in two sets, or somebody held out stands behind the release.
        InputFileError: A decision in `quarantine.json` is not complete, or the book of audits is damaged.
        OutputError: The folder holds the result of other cohorts or settings.
    """
    spec, progress = spec or AuditSpec(), progress or Silent()
    cohorts = (synthetic, train, held_out, control)
    planned_audit(*cohorts, spec)
    names = ("synthetic", "training", "held_out", "control")
    rules = rules_hash(spec, **{name: cohort.fingerprint for name, cohort in zip(names, cohorts, strict=True)})
    step = Step(out, {"verb": "audit", "rules": rules}, writes=(AUDIT_PAGE, SUMMARY, JSON, REGISTERED, QUARANTINE))
    with step:
        attempt = _registered(synthetic, spec, rules)
        plan = planned_audit(*cohorts, spec, attempt=attempt.number)
        progress.say(str(plan))
        progress.say(f"registered as attempt {attempt.number} with rules {rules[:12]}, before anything is compared")
        write_json(out / REGISTERED, {**asdict(attempt), "spec": spec.model_dump(mode="json"), "plan": str(plan)})
        gathered = gather(cohorts, out, spec, model=model or {}, parallel=parallel, progress=progress)
        found = _judged(gathered, spec, attempt, out, progress)
        audited = Audited(found[0], plan, attempt, spec, gathered, found[1], tuple(cohorts))
        _write(audited, out)
        _note(replace(attempt, verdict=audited.judgement.verdict))
        if not step.done:
            step.finish({"verdict": audited.judgement.verdict, "rules": rules})
    return audited


def planned_audit(
    synthetic: Cohort, train: Cohort, held_out: Cohort, control: Cohort, spec: AuditSpec, attempt: int = 1
) -> AuditPlan:
    """Return what an audit of these cohorts can show, without looking at any case; errors as `audit`.

    Args:
        synthetic: Synthetic cases.
        train: Training subjects.
        held_out: Held-out subjects.
        control: Control subjects.
        spec: Settings.
        attempt: Which audit of the generator this would be.
    """
    cohorts = (synthetic, train, held_out, control)
    require_disjoint(*cohorts)
    _require_alike(cohorts)
    sizes = Sizes(len(train.subject_ids), len(held_out.subject_ids), len(control.subject_ids), len(synthetic))
    return plan_audit(sizes, spec, attempt=attempt)


def generator_of(synthetic: Cohort) -> str:
    """Return a hash of the generator behind a cohort: its weights, or its method and the subjects behind it."""
    parts = {ref.lineage.weights or f"{ref.lineage.source} of {sorted(ref.lineage.subjects)}" for ref in synthetic}
    return rules_hash(AuditSpec(), generator=" ".join(sorted(parts)))


def _require_alike(cohorts: tuple[Cohort, ...]) -> None:
    """Refuse cohorts in different label schemes or prepared differently."""
    schemes = {cohort.scheme.name for cohort in cohorts}
    known = {preparations_of(cohort) for cohort in cohorts} - {()}
    if len(schemes) > 1 or len(known) > 1:
        found = (
            f"labels {', '.join(sorted(schemes))}" if len(schemes) > 1 else "cohorts prepared with different settings"
        )
        raise CohortError(found, "one label scheme and one preparation", "prepare all cohorts with the same settings")


def _registered(synthetic: Cohort, spec: AuditSpec, rules: str) -> Attempt:
    """Note the attempt in the book before anything is compared, and return it with its number."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    cases = tuple(sorted(ref.digest for ref in synthetic))
    mine = Attempt(generator_of(synthetic), rules, cases, spec.recipient, (spec.part, spec.parts), 0, now)
    return _noted(mine, spec)


def _note(attempt: Attempt) -> None:
    """Keep the verdict of an attempt."""
    _noted(attempt, None)


def _noted(attempt: Attempt, spec: AuditSpec | None) -> Attempt:
    """Write an attempt into the book under its lock."""
    path = state_folder() / AUDIT_BOOK
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        known = read_book(path)
        attempt = attempt if spec is None else next_attempt(known, attempt, spec)
        write_json(path, book_with(known, attempt))
    return attempt


def _judged(
    gathered: Gathered, spec: AuditSpec, attempt: Attempt, out: Path, progress: Progress
) -> tuple[Judgement, tuple[Pair, ...]]:
    """Judge, and judge again with the decisions that a person has signed."""
    apart = told_apart(gathered.sets)
    judgement = judge(gathered.evidence, spec, attempt=attempt.number, lacking=apart)
    pairs = []
    shown = progress.track(judgement.quarantine, "aligning near copies", len(judgement.quarantine))
    for n, (case, person, near) in enumerate(shown):
        made, reference = gathered.made[case], gathered.people[person]
        detail = aligned_agreement(made.load(), reference.load()) if n < _ALIGNED else float("nan")
        ids = (made.case_id, made.digest), (reference.case_id, reference.digest)
        pairs.append(Pair.of(*ids, attempt.rules, (round(near, 3), round(detail, 3))))
    path = out / QUARANTINE
    settled = decided(pairs, read_json(path) if path.is_file() else [])
    if any(pair.settled for pair in settled):
        places = {ref.case_id: n for n, ref in enumerate(gathered.made)}
        cases = frozenset(places[pair.case_id] for pair in settled if pair.settled)
        judgement = judge(gathered.evidence, spec, attempt=attempt.number, lacking=apart, settled=cases)
    return judgement, settled


def _write(audited: Audited, out: Path) -> None:
    """Write everything but the registration."""
    write_json(out / QUARANTINE, [pair.to_json() for pair in audited.pairs])
    write_json(out / JSON, audited.to_json())
    write_atomically(out / AUDIT_PAGE, render(audit_page(audited)).encode())
    write_atomically(out / SUMMARY, render(audit_summary(audited)).encode())


def scores_from(path: Path) -> dict[str, dict[str, Any]]:
    """Return scores of a model from a JSON file `{attack: {subject: score}}`.

    Raises:
        InputFileError: The file is not JSON.
        CohortError: It holds something else.
    """
    values = read_json(path)
    if not isinstance(values, dict) or not all(isinstance(scores, dict) for scores in values.values()):
        raise CohortError(
            "a file without scores by attack and subject", '{"likelihood ratio": {"subject": 1.2}}', where=path
        )
    return {str(kind): {str(s): float(v) for s, v in scores.items()} for kind, scores in values.items()}
