"""One page for whoever decides on a release: fourteen points, as far as an audit knows them."""

from typing import Final

from glioforge.core import counted
from glioforge.privacy import RECIPIENTS
from glioforge.report import Note, Report, Section, Table
from glioforge.runs.audit_page import SCREENING
from glioforge.runs.audit_result import Audited

_HOUSE: Final = "To be filled in by the house that releases; an audit does not know it."


def audit_summary(audited: Audited) -> Report:
    """Return the page.

    Args:
        audited: Outcome of the audit.
    """
    rows = tuple(
        (str(n), name, text)
        for n, (name, text) in enumerate({**_before(audited), **_attacks(audited), **_after(audited)}.items(), 1)
    )
    table = Table(
        ("", "Point", "What the audit knows"), rows, "Points in the order in which a committee asks for them."
    )
    text = (
        "A pass says that no leak was found above the detection limit, by these tests, against this attacker. It is no "
        "proof that none is there, and dropping near copies is itself guided by the data: only training with "
        "differential privacy gives a guarantee."
    )
    return Report(
        f"Summary of the audit of {audited.cohorts[0].name}",
        audited.sentence,
        (Section("Fourteen points", (table, Note(text))),),
    )


def _before(audited: Audited) -> dict[str, str]:
    """Points 1 to 5: what was to be released to whom, from whom, and what the audit could see."""
    recipient = RECIPIENTS[audited.spec.recipient]
    synthetic, training, held_out, control = audited.cohorts
    sources = sorted({ref.lineage.source for ref in synthetic})
    sides = audited.gathered.evidence
    with_donor = int((sides.donors >= 0).sum())
    edited = sum(bool(ref.lineage.edits) for ref in synthetic)
    route = (
        f"{len(synthetic)} cases by {', '.join(sources)}; {with_donor} from the label map of a training subject, "
        f"{edited} of all with edits; {counted(len(synthetic.subjects_behind & set(training.subject_ids)), 'subject')} "
        "behind them."
    )
    caught = audited.judgement.threshold.caught
    weakest = min(caught, key=lambda kind: caught[kind]) if caught else ""
    sensitivity = f"{caught[weakest]:.0%} of copies disguised by {weakest} found, of others at least as many"
    return {
        "Purpose, recipients, attacker": f"{_HOUSE} Audited for {recipient.title}: {recipient.attacker}",
        "Source cohort, consent, licence": f"{counted(len(training.subject_ids), 'training subject')}. {_HOUSE}",
        "How the cases were made": route,
        "Sizes": f"{len(held_out.subject_ids)} held-out, {len(control.subject_ids)} control subjects. {audited.plan}",
        "Planted leaks": f"{sensitivity}." if caught else "None were planted.",
    }


def _attacks(audited: Audited) -> dict[str, str]:
    """Points 6 to 10: what the attacks found."""
    model = _of(audited, "membership with the model")
    if not model:
        required = audited.spec.weights_released
        model = "Weights are to be released, and no attack was handed in." if required else "Weights stay in the house."
    shaken = [control.name for control, holds in audited.judgement.controls if not holds]
    held = f"Controls out of range: {', '.join(shaken)}." if shaken else "All controls hold."
    return {
        "Screening for copies": f"{_of(audited, 'copy rate')} {SCREENING}",
        "Membership": f"{_of(audited, 'nearer')} {_of(audited, 'membership by')} {held}",
        "Attribute disclosure": _of(audited, "attribute disclosure") or "Too few subjects.",
        "Donor linkage": _of(audited, "donor linkage") or "No case was made from a training subject's label map.",
        "Attacks on the model": model,
    }


def _after(audited: Audited) -> dict[str, str]:
    """Points 11 to 14: metadata, filters, what is left, and who signed."""
    filters = sorted({way for ref in audited.cohorts[0] for way in ref.lineage.ways})
    signed = sorted({pair.signed_by for pair in audited.pairs if pair.settled})
    open_ = sum(not pair.settled for pair in audited.pairs)
    return {
        "Metadata": "Not scanned by an audit; an export writes headers anew.",
        "Filters and re-audit": f"{', '.join(filters) or 'No filter is named in the lineage'}; attempt "
        f"{audited.attempt.number} of 2.",
        "What may be left": f"Copies below {audited.plan.detectable_copies:.1%} of the cases may be missed. "
        f"Out of date {audited.spec.expires_months} months after {audited.attempt.registered[:10]}, or when a new "
        "attack is published.",
        "Signatures and withdrawal": f"{counted(len(audited.pairs), 'quarantined pair')}, {open_} open; signed by "
        f"{', '.join(signed) or 'nobody'}. Rules {audited.attempt.rules}. The lineage of each case names the subjects "
        "behind it, so that the cases of a subject who withdraws can be listed and deleted.",
    }


def _of(audited: Audited, attack: str) -> str:
    """Findings of an attack in one line."""
    found = [d for d in audited.judgement.findings if d.finding.attack.startswith(attack)]
    return " ".join(
        f"{d.finding.title[0].upper()}{d.finding.title[1:]} {d.finding.estimate:.3f}, bound {d.finding.bound:.3f}, "
        f"limit {d.finding.limit:g}: {d.outcome}."
        for d in found
    )
