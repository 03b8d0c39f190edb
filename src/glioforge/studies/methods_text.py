"""A methods paragraph ready to paste: what was done, with versions, seeds, deviations and tuning counts."""

from glioforge.report import Paragraph, Section, counted
from glioforge.studies.base import Folds
from glioforge.studies.lock import Standing
from glioforge.studies.pages import noun_of
from glioforge.studies.results import Results
from glioforge.studies.spec import AugmentationSpec


def methods_section(spec: AugmentationSpec, results: Results) -> Section:
    """Return the paragraph and the list of deviations.

    Args:
        spec: Settings.
        results: Records, splits and folders.
    """
    deviations = deviations_of(results)
    told = f"Deviations: {'; '.join(deviations)}." if deviations else "Deviations from the settings: none."
    return Section("Methods, ready to paste", (Paragraph(methods_text(spec, results)), Paragraph(told)))


def methods_text(spec: AugmentationSpec, results: Results) -> str:
    """Return what was done as running text."""
    source, noun, budget = results.study.source, noun_of(spec), spec.spending
    split = results.split(0)
    sides = ", ".join(
        f"{len(cohort.subject_ids)} for {side}"
        for side, cohort in (("training", split.train), ("validation", split.validation), ("testing", split.test))
    )
    divided = (
        f"in {counted(len(results.folds), 'fold')}, in the first of them {sides}"
        if isinstance(spec.split, Folds)
        else f"once: {sides}"
    )
    packages = results.facts()["packages"]
    versions = ", ".join(f"{name} {packages[name]}" for name in ("torch", "numpy", "scipy") if packages.get(name))
    steps = sorted({r.training.steps for r in results.of("segmenter") if r.training is not None})
    length = f"{steps[0]}" if len(steps) == 1 else f"{steps[0]} to {steps[-1]}" if steps else "no"
    segmenters = [*spec.segmenters.values(), *(() if spec.segmenter is None else (spec.segmenter,))]
    kinds = ", ".join(sorted({str(getattr(segmenter, "kind", "")) for segmenter in segmenters}))
    standing = Standing.read(results.root)
    contrasts = ", ".join(m.title for m in results.study.prepared.modalities)
    sentences = (
        f"{len(source)} cases of {counted(len(source.subject_ids), noun)} ({contrasts}) were used.",
        f"They were divided by {noun} {divided}.",
        (
            f"Segmenters ({kinds}) were trained on {counted(len(spec.every_arm), 'arm')} with "
            f"{counted(budget.seeds, 'seed')} of the segmenter and {counted(budget.generator_seeds, 'seed')} of the "
            f"generator for {length} optimiser steps."
        ),
        f"Settings were tuned in {counted(len(spec.tuning), 'trial')} for every arm, on validation {noun}s alone.",
        f"Synthetic cases were made from training {noun}s only, {budget.synthetic_per_case} for each case.",
        _screener_text(results, noun),
        f"Test {noun}s were scored in three dimensions on the grids of their scans.",
        (
            f"The primary endpoint was Dice averaged over {', '.join(spec.regions)}, paired by {noun}, with 95 % "
            f"intervals over {noun}s and trainings."
        ),
        _plan_text(spec),
        f"No test {noun} contributed to any training input (leakage firewall).",
        "" if standing is None else _standing_text(standing),
        f"All draws follow from seed {spec.seed}.",
        (
            f"Glioforge {packages['glioforge']}, {versions}, Python {results.facts()['python']}, precision "
            f"{spec.accelerator.precision}."
        ),
    )
    return " ".join(filter(None, sentences))


def _screener_text(results: Results, noun: str) -> str:
    """Whom the segmenter that filters asked was trained on; empty where none was trained."""
    if not any(record.training for record in results.of("screener")):
        return ""
    return (
        f"Filters asked a segmenter that was trained on some of the training {noun}s alone, and took their limits from "
        "the others."
    )


def deviations_of(results: Results) -> list[str]:
    """Return what went otherwise than the settings say: arms left out, filters that could not be fitted, damage."""
    left_out = [f"{record.task} was not run, {record.left_out}" for record in results.records if record.left_out]
    return list(dict.fromkeys([*left_out, *(note for record in results.records for note in record.notes)]))


def _plan_text(spec: AugmentationSpec) -> str:
    """What was fixed of the analysis, in a sentence or two."""
    if spec.plan is None:
        return "The primary contrast was that of the first arm under test; neither margins nor power were planned."
    plan = spec.plan
    primary = (
        f"The primary contrast was that of arm {plan.primary or 'first under test'}; others were corrected by Holm"
    )
    margins = f"; the margin of equivalence was {plan.margin:g}" if plan.margin is not None else ""
    power = f"; power was planned from a standard deviation of {plan.sd:g} ({plan.source})" if plan.sd else ""
    return f"{primary}{margins}{power}."


def _standing_text(standing: Standing) -> str:
    """Pre-registration in a sentence."""
    if standing.kind == "exempt":
        return "The test set consisted of phantoms, which the test lock exempts."
    if standing.kind == "pre-registered":
        return f"Settings were fixed on {standing.registered[:10]}, before anything was scored on the test set."
    return (
        f"The analysis is exploratory: {counted(len(standing.earlier), 'earlier study')} had scored test cases before "
        f"the settings were fixed on {standing.registered[:10]}."
    ).replace("studys", "studies")
