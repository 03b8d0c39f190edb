"""The page of an anonymisation study: verdicts of the audits, how often donors are recognised, and utility."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from glioforge.core import CaseRef
from glioforge.report import (
    CONVENTION,
    Block,
    Endpoint,
    Figure,
    Folded,
    Listing,
    Note,
    Paragraph,
    Picture,
    Report,
    ResultTable,
    Section,
    Table,
    best_slice,
    cost_table,
    grey,
    picture_grid,
    score_table,
    seen_from,
    window_of,
)
from glioforge.studies.pages import (
    difference_blocks,
    neutral,
    noun_of,
    quality_section,
    subject_figure,
    summary,
    table_of,
    trained_of,
    trainings_section,
)
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.setup import made_with, settings_section, subjects_section
from glioforge.studies.sourced import REAL, AnonymisationSpec
from glioforge.studies.steps.synthesize import MADE

_MEASURES: Final = ("copy rate", "nearer to training", "membership by distance", "membership by density")
_DISTANCE: Final = "patches/sliced_wasserstein/0"
_CLAIM: Final = (
    "Shin et al. 2018 name anonymisation as a use of synthetic images and do not test it. A pass says that no leak "
    "was found above the limits by these attacks; it is no proof that none is there."
)


def page(spec: AnonymisationSpec, results: Results) -> Report:
    """Return the report, with what its tables show for programs.

    Args:
        spec: Settings.
        results: Results and folders of the study.
    """
    routes = {name: title for name, title in spec.routes.items() if _audits(results, name)}
    arms = {REAL: neutral(spec, "Real"), **spec.routes} if spec.segmenter else {}
    overlap = table_of(spec, results)
    found = [Endpoint("dice", region, overlap, f"Dice, {region}") for region in spec.regions] if arms else []
    arms = {name: title for name, title in arms.items() if name in overlap.arms()}
    trained = trained_of(results, {**spec.routes, REAL: arms.get(REAL, "")}, "generator", "sampler", "segmenter")
    sections = (
        _verdicts(spec, results, routes),
        _donors(spec, results, routes),
        _utility(spec, results, routes, (overlap, found, arms)),
        _pictures(results, routes),
        quality_section(results),
        trainings_section(trained, tuple({one.title: None for one in trained})),
        Section("Time and size", (cost_table(trained),)),
        subjects_section(spec, results),
        settings_section(spec, results),
    )
    numbers = summary(spec, arms, [REAL] if REAL in arms else [], found, trained)
    numbers["audits"] = {name: [record.details for record in _audits(results, name)] for name in routes}
    return Report(spec.title, _sentence(results, routes), sections, _CLAIM, made_with(results), numbers)


def _audits(results: Results, route: str) -> list[Record]:
    """Audits of a route, one a fold."""
    return [record for record in results.of("audit") if record.arm == route]


def _sentence(results: Results, routes: Mapping[str, str]) -> str:
    """Verdicts by route, and how often donors are recognised."""
    if not routes:
        return "Not answered: no route could be audited."
    clauses = []
    for name, title in routes.items():
        verdicts = ", ".join(dict.fromkeys(record.details["verdict"] for record in _audits(results, name)))
        linked = _mean(results, name, "donor linkage by label maps", "estimate")
        share = "" if linked is None else f", {linked:.0%} of its cases lead back to their donors"
        clauses.append(f"{title}: {verdicts}{share}")
    return "; ".join(clauses) + "."


def _mean(results: Results, route: str, attack: str, field: str) -> float | None:
    """A number of an attack on a route, averaged over folds; none where it was not made."""
    rows = [row for record in _audits(results, route) for row in record.details["findings"] if row["attack"] == attack]
    values = [row[field] if field in row else row["detail"].get(field) for row in rows]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _number(value: float | None, digits: int = 2) -> str:
    """A number for a cell."""
    return "–" if value is None else f"{value:.{digits}f}"


def _verdicts(spec: AnonymisationSpec, results: Results, routes: Mapping[str, str]) -> Section:
    """The verdict on each route with the bounds of the attacks, and why."""
    rows = []
    for name, title in routes.items():
        verdicts = ", ".join(record.details["verdict"] for record in _audits(results, name))
        cells = [
            f"{_number(_mean(results, name, attack, 'estimate'))} ({_number(_mean(results, name, attack, 'bound'))})"
            for attack in _MEASURES
        ]
        quarantined = sum(record.details["quarantined"] for record in _audits(results, name))
        rows.append((title, verdicts, *cells, str(quarantined)))
    limits = spec.audit.limits
    caption = (
        "Estimate and upper bound, mean over folds. Limits of the bounds: "
        f"{limits.copies:g}, {limits.nearer:g}, {limits.auc:g} and {limits.auc:g}."
    )
    heads = ("Route", "Verdict", *(attack[0].upper() + attack[1:] for attack in _MEASURES), "In quarantine")
    blocks: list[Block] = [Table(heads, tuple(rows), caption)]
    plans = dict.fromkeys(record.details["plan"] for name in routes for record in _audits(results, name))
    blocks += [Paragraph(plan) for plan in list(plans)[:1]]
    for name, title in routes.items():
        for record in _audits(results, name):
            if record.details["notes"]:
                text = f"{title}: nothing can be concluded, and still {'; '.join(record.details['notes'])}."
                blocks.append(Note(text, "warning"))
    reasons = "\n".join(
        f"{title}: {reason}"
        for name, title in routes.items()
        for record in _audits(results, name)
        for reason in record.details["reasons"]
    )
    blocks += [Folded("Reasons", (Listing(reasons),))] if reasons else []
    return Section("Which routes pass an audit?", tuple(blocks))


def _donors(spec: AnonymisationSpec, results: Results, routes: Mapping[str, str]) -> Section:
    """How often the subject behind a map is the nearest of all training subjects, and how alike draws are."""
    rows = []
    for name, title in routes.items():
        cells = []
        for by in ("images and label maps", "label maps"):
            attack = f"donor linkage by {by}"
            estimate, bound = (_mean(results, name, attack, field) for field in ("estimate", "bound"))
            cells.append(f"{_number(estimate)} ({_number(bound)})")
        nearer = _mean(results, name, "donor linkage by label maps", "median_of_subjects_nearer_than_the_donor")
        fewest = _mean(results, name, "donor linkage by label maps", "fewest_subjects_nearer_than_the_donor")
        apart = [record.details["draws_apart"] for record in _audits(results, name)]
        known = [value for value in apart if value is not None]
        draws = _number(float(np.mean(known)) if known else None)
        rows.append((title, *cells, _number(nearer, 0), _number(fewest, 0), draws))
    noun = noun_of(spec)
    caption = (
        f"Share of cases whose donor is the nearest of all training {noun}s, with its upper bound (limit "
        f"{spec.audit.linkage:g}); how many training {noun}s are nearer than the donor; and how far draws of one map "
        "are from each other: 0 if they are alike, 1 if they differ as those of different donors do. A dash: no case "
        "has a donor, or each map was drawn once."
    )
    heads = ("Route", "By images and maps", "By label maps", "Nearer, median", "Nearer, fewest", "Draws apart")
    return Section("Does a case lead back to its donor?", (Table(heads, tuple(rows), caption),))


def _utility(
    spec: AnonymisationSpec,
    results: Results,
    routes: Mapping[str, str],
    scores: tuple[ResultTable, list[Endpoint], dict[str, str]],
) -> Section:
    """Distance from unseen scans with its floor, and a segmenter that is trained on the release alone."""
    overlap, found, arms = scores
    gaps = {name: [r for r in results.of("gap") if r.arm == name] for name in routes}
    rows = []
    for name, title in routes.items():
        numbers = [row for r in gaps[name] for row in r.details["numbers"] if row["name"] == _DISTANCE]
        if numbers:
            value, floor = (float(np.mean([row[field] for row in numbers])) for field in ("value", "floor"))
            rows.append((title, f"{value:.3f}", f"{floor:.3f}"))
    blocks: list[Block] = []
    if rows:
        caption = (
            f"Sliced Wasserstein distance of patches from unseen {noun_of(spec)}s; the floor is between two halves of "
            "these."
        )
        blocks.append(Table(("Route", "Distance", "Floor"), tuple(rows), caption))
    if arms:
        caption = "Dice of a segmenter that is trained on the release alone, or on the scans, mean with 95 % interval."
        blocks += [
            score_table({"": found}, arms, caption, named="Trained on"),
            subject_figure(overlap, arms, spec.regions, "dice"),
            *difference_blocks(found, arms, [REAL], named="Trained on"),
        ]
    text = f"Too few unseen {noun_of(spec)}s for distances, and no segmenter was asked for."
    return Section("At what utility?", tuple(blocks) or (Paragraph(text),))


def _pictures(results: Results, routes: Mapping[str, str]) -> Section:
    """A training scan, and the first cases of every route that were made of its map, in one contrast."""
    rows: list[tuple[str, list[Picture]]] = []
    names: list[tuple[str, str, str]] = []
    prepared = results.study.prepared
    for name, title in routes.items():
        shown: dict[str, Any] = _audits(results, name)[0].details["shown"]
        made = results.cohort("cases", MADE, arm=name)
        donor = [prepared[shown["donor"]]] if shown["donor"] else []
        cases = [made[case] for case in shown["cases"]]
        pictures = [_picture(ref) for ref in (*donor, *cases)]
        rows.append((title, pictures if donor else [Picture.blank(pictures[0]), *pictures]))
        names.append((title, shown["donor"] or "–", ", ".join(shown["cases"])))
    if not rows:
        return Section("Pictures", (Paragraph("No case was made."),))
    columns = ["donor", *(f"draw {n}" for n in range(1, max(len(pictures) for _, pictures in rows)))]
    caption = f"The scan of a donor, where there is one, and cases that were made of its label map. {CONVENTION}"
    alt = "Axial slices of a donor's scan and of synthetic cases by route; cases are named in the table."
    table = Table(("Route", "Donor", "Cases"), tuple(names), "The same cases by name.")
    return Section("Pictures", (Figure(picture_grid(rows, columns), caption, alt), table))


def _picture(ref: CaseRef) -> Picture:
    """Axial slice of the first contrast at the largest tumour."""
    case = ref.load()
    index = case.geometry.shape[2] // 2 if case.labels is None else best_slice(case.labels)
    sides, aspect = seen_from(2, case.geometry.spacing)
    voxels, brain = next(iter(case.images.values())).voxels, case.brain_mask
    return Picture(grey(voxels[..., index], brain[..., index], window_of(voxels, brain)), sides=sides, aspect=aspect)
