"""The page of an audit: verdict, bounds, ROC curves, planted copies, nearest pairs, and what was registered."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from glioforge.core import CaseRef, Modality
from glioforge.privacy import ATTACKS, FALSE_POSITIVE_RATES, RECIPIENTS
from glioforge.report import (
    CONVENTION,
    Block,
    Bounded,
    Facts,
    Figure,
    Folded,
    Listing,
    Note,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
    best_slice,
    bound_plot,
    counted,
    grey,
    number,
    p_text,
    picture_grid,
    planted_plot,
    roc_plot,
    seen_from,
    window_of,
)
from glioforge.runs.audit_result import Audited

PAIRS: Final = 6
"""Nearest pairs that are shown, or as many as are quarantined."""
MOST_PAIRS: Final = 16
"""Most pairs that are shown; further quarantined ones are named alone."""
SCREENING: Final = (
    "The search for near copies is a screening, not a proof: a copy under a disguise that was not planted may escape "
    "it."
)
SIMULATED: Final = (
    "How often the gate errs was simulated on small fields; see the explanation of audits in the documentation."
)


def audit_page(audited: Audited) -> Report:
    """Return the page.

    Args:
        audited: Outcome of the audit.
    """
    notices = [Note(SCREENING)]
    if audited.judgement.notes:
        failed = audited.judgement.verdict == "FAIL"
        start = "More leaks could have gone unseen: " if failed else "Although nothing can be concluded, "
        text = start + "; ".join(audited.judgement.notes) + "."
        notices.insert(0, Note(text, "warning"))
    sections = (
        Section("What was found, and up to which bound?", _bounds(audited)),
        Section("Can training subjects be recognised?", _curves(audited)),
        Section("Would a copy have been found?", _planted(audited)),
        Section("Nearest pairs", _pairs(audited)),
        Section("Do the controls hold?", _controls(audited)),
        Section("What did the attackers hold?", _attackers(audited)),
        Section("Sizes and registration", _registration(audited)),
    )
    return Report(
        f"Audit of {audited.cohorts[0].name}",
        audited.sentence,
        sections,
        str(audited.plan),
        numbers=audited.to_json(),
        notices=tuple(notices),
    )


def _bounds(audited: Audited) -> tuple[Block, ...]:
    """All findings with bounds and limits."""
    found = audited.judgement.findings
    if not found:
        return (Paragraph("Too few subjects for any attack."),)
    rows = [
        Bounded(d.finding.title, d.finding.estimate, d.finding.bound, d.finding.limit, d.finding.chance) for d in found
    ]
    table = Table(
        ("Attack", "Estimate", "Upper bound", "Limit", "p", "p after Holm", "Outcome", "Decides"),
        tuple(
            (
                d.finding.title,
                number(d.finding.estimate, "1"),
                number(d.finding.bound, "1"),
                f"{d.finding.limit:g}",
                p_text(d.finding.p),
                p_text(d.p_holm),
                d.outcome,
                "yes" if d.decides else "no",
            )
            for d in found
        ),
        "One-sided upper bounds; p of no leak at all. A measure passes where its bound is within the limit.",
    )
    caption = (
        f"Dot: estimate; end of the line: upper bound with an error of {audited.judgement.level:.2%}; dashed: limit; "
        "orange where the bound is beyond it."
    )
    figure = Figure(bound_plot(rows), caption, "Measures with bounds and limits; all values are in the table.")
    return figure, table, *_details(audited)


def _details(audited: Audited) -> tuple[Block, ...]:
    """Counts behind copy rate and linkage."""
    blocks: list[Block] = []
    for d in audited.judgement.findings:
        values = {k.replace("_", " "): _text(v) for k, v in d.finding.detail.items() if isinstance(v, int | float)}
        if values:
            blocks.append(
                Folded(f"Numbers behind: {d.finding.title}", (Paragraph(d.finding.measure + "."), Facts(values)))
            )
    return tuple(blocks)


def _curves(audited: Audited) -> tuple[Block, ...]:
    """ROC curves and rates."""
    curves = {
        d.finding.attack: d.finding.detail["curve"] for d in audited.judgement.findings if "curve" in d.finding.detail
    }
    if not curves:
        return (Paragraph("Too few subjects for ROC curves."),)
    rates = tuple(
        (d.finding.attack, number(d.finding.estimate, "1"), *(f"{rate:.1%}" for rate in d.finding.detail["rates"]))
        for d in audited.judgement.findings
        if "rates" in d.finding.detail
    )
    columns = ("Attack", "AUC", *(f"TPR at {point:.0%} FPR" for point in FALSE_POSITIVE_RATES))
    subjects = min(audited.gathered.evidence.sides.training, audited.gathered.evidence.sides.held_out)
    caption = (
        f"Training against held-out subjects. A rate below 1 in {subjects} cannot be resolved by so many subjects."
    )
    alt = "ROC curves of all attacks on membership and attributes; areas are in the table."
    return Figure(roc_plot(curves), "ROC curves; grey: chance.", alt), Table(columns, rates, caption)


def _planted(audited: Audited) -> tuple[Block, ...]:
    """Planted copies beside different people and synthetic cases."""
    evidence, threshold = audited.gathered.evidence, audited.judgement.threshold
    own = evidence.near_planted[np.arange(len(evidence.sources)), evidence.sources]
    kinds = np.array(evidence.kinds)
    members = evidence.sides.members
    near = {kind: own[kinds == kind].tolist() for kind in threshold.caught}
    made, people = (side[:, members].max(axis=1).tolist() for side in (evidence.near, evidence.near_people))
    rows = tuple((kind, str(len(near[kind])), f"{share:.0%}") for kind, share in threshold.caught.items())
    text = (
        "Copies of training subjects were planted under each disguise and searched for as synthetic cases are. The "
        f"threshold lies between different people and the disguise that is hardest to find; the source is the nearest "
        f"of all people for {threshold.recalled:.0%} of the planted copies."
    )
    figure = planted_plot(near, made, people, threshold.value)
    alt = "Nearness of planted copies, synthetic cases and different people; shares found are in the table."
    table = Table(("Disguise", "Planted", "Found"), rows, "Share of planted copies beyond the threshold.")
    return Paragraph(text), Figure(figure, "Each mark is a case or person.", alt), table


def _pairs(audited: Audited) -> tuple[Block, ...]:
    """The nearest pairs side by side, and those in quarantine."""
    gathered = audited.gathered
    near = gathered.evidence.near[:, gathered.evidence.sides.members]
    best = near.argmax(axis=1)
    order = np.argsort(-near[np.arange(len(near)), best], kind="stable")
    order = order[: max(PAIRS, min(MOST_PAIRS, len(audited.pairs)))]
    rows, names = [], []
    for place, n in enumerate(order.tolist(), 1):
        pair = gathered.made[n], gathered.people[int(best[n])]
        rows.append((str(place), _pictures(pair, gathered.modalities)))
        names.append((str(place), pair[0].case_id, pair[1].case_id, f"{near[n, best[n]]:.2f}"))
    columns = [f"{side} {m.title}" for side in ("synthetic", "training") for m in gathered.modalities]
    caption = f"Synthetic cases and the training subject who is nearest. {CONVENTION}"
    alt = "Axial slices of the nearest pairs, synthetic on the left; cases are named in the table."
    blocks: list[Block] = [
        Figure(picture_grid(rows, columns, cell_inch=1.1), caption, alt),
        Table(("Row", "Synthetic case", "Training case", "Nearness"), tuple(names), "The same pairs by name."),
    ]
    if audited.pairs:
        listing = tuple(
            (
                p.case_id,
                p.reference_id,
                f"{p.nearness:.2f}",
                number(p.agreement, "1"),
                p.decision or "open",
                p.signed_by,
            )
            for p in audited.pairs
        )
        heads = ("Synthetic case", "Training case", "Nearness", "Agreement of detail", "Decision", "Signed by")
        text = f"{counted(len(listing), 'pair')} in quarantine; a person decides on each in quarantine.json."
        blocks.append(Table(heads, listing, text))
    return tuple(blocks)


def _pictures(pair: tuple[CaseRef, CaseRef], modalities: tuple[Modality, ...]) -> list[Picture]:
    """One axial slice of each contrast of both cases, each at its own lesion."""
    shown = []
    for ref in pair:
        case = ref.load()
        index = case.geometry.shape[2] // 2 if case.labels is None else best_slice(case.labels)
        sides, aspect = seen_from(2, case.geometry.spacing)
        brain = case.brain_mask
        for m in modalities:
            voxels = case.images[m].voxels
            pixels = grey(voxels[..., index], brain[..., index], window_of(voxels, brain))
            shown.append(Picture(pixels, sides=sides, aspect=aspect))
    return shown


def _controls(audited: Audited) -> tuple[Block, ...]:
    """Experiments in which nothing can leak."""
    rows = tuple(
        (c.name, number(c.auc, "1"), p_text(c.p), str(c.count), "yes" if holds else "no")
        for c, holds in audited.judgement.controls
    )
    sets = tuple(
        (pair, number(t.auc, "1"), p_text(t.p), f"{t.made} and {t.real}") for pair, t in audited.gathered.sets.items()
    )
    text = (
        "The same attacks on people of whom none is in the release: what they show is bias of the split, and a verdict "
        "on membership holds only where they show none. One error of 5 % is shared by all of them."
    )
    return (
        Paragraph(text),
        Table(("Control", "AUC or share", "p", "Subjects", "Holds"), rows, "0.5 is chance; two-sided p."),
        Table(("Sets", "AUC", "p", "Subjects"), sets, "Whether a linear classifier tells the three sets apart."),
    )


def _attackers(audited: Audited) -> tuple[Block, ...]:
    """What each attacker holds, and what nobody here tried."""
    recipient = RECIPIENTS[audited.spec.recipient]
    rows = tuple((attack.name, attack.knows) for attack in ATTACKS)
    unseen = (
        "Not tried: attackers with other records of a person, several releases of one generator put together, and "
        "attacks that nobody has published yet. A subject with several scans is represented by the first of them."
    )
    table = Table(("Attack", "What its attacker holds"), rows, "Attacks by what their attacker holds.")
    return Paragraph(f"Recipient: {recipient.title}. {recipient.attacker}"), table, Note(unseen)


def _registration(audited: Audited) -> tuple[Block, ...]:
    """Cohorts, sizes, rules and settings."""
    names = ("Synthetic cases", "Training subjects", "Held-out subjects", "Control subjects")
    cohorts = {
        name: f"{cohort.name}: {len(cohort)} cases, fingerprint {cohort.fingerprint[:12]}"
        for name, cohort in zip(names, audited.cohorts, strict=True)
    }
    facts: Mapping[str, str] = {
        **cohorts,
        "Rules": audited.attempt.rules,
        "Registered": audited.attempt.registered,
        "Attempt": f"{audited.attempt.number} of 2",
        "Part of the release": f"{audited.spec.part} of {audited.spec.parts}",
        "Error of each bound": f"{audited.judgement.level:.2%}",
    }
    settings = "\n".join(f"{name}: {value}" for name, value in audited.spec.model_dump(mode="json").items())
    return Paragraph(SIMULATED), Facts(facts), Folded("Settings", (Listing(settings),))


def _text(value: float) -> str:
    """A whole number as it is, others with three decimals."""
    return str(value) if isinstance(value, int) else f"{value:.3f}"
