"""The page of a classification study: scores, differences, trainings and costs."""

from typing import Final

from glioforge.report import (
    Block,
    Endpoint,
    Folded,
    Paragraph,
    Report,
    Section,
    cost_table,
    findings,
    score_table,
    subject_table,
)
from glioforge.studies.pages import (
    difference_blocks,
    neutral,
    quality_section,
    subject_figure,
    summary,
    table_of,
    trained_of,
    trainings_section,
)
from glioforge.studies.results import Results
from glioforge.studies.setup import made_with, settings_section, subjects_section
from glioforge.studies.sourced import ClassificationSpec

METRICS: Final = {"tumour": "slice_auc", "grade": "grade_auc"}
QUESTIONS_ASKED: Final = {
    "tumour": "Does the slice show tumour? One AUC for each unseen {noun}, over its axial slices with brain; slices "
    "whose tumour takes less than {share:.0%} of the brain are left out.",
    "grade": "Is the tumour of high grade? One AUC over all unseen {noun}s; each is answered by the mean over its "
    "slices with tumour. Intervals come from resamples of {noun}s.",
}


def page(spec: ClassificationSpec, results: Results) -> Report:
    """Return the report.

    Args:
        spec: Settings of the study.
        results: Its rows, records and folders.
    """
    table, metric = table_of(spec, results), METRICS[spec.target]
    found = set(table.arms())
    arms = {arm.name: neutral(spec, arm.title) for arm in spec.arms if arm.name in found}
    baseline = spec.arms[0].name
    endpoint = Endpoint(metric, "", table)
    trained = trained_of(results, arms, "classifier")
    told = findings(endpoint, arms, baseline)
    asked = QUESTIONS_ASKED[spec.target].format(noun=table.noun, share=spec.classifier.least_share)
    blocks: list[Block] = [score_table({"": [endpoint]}, arms, asked)]
    if spec.target == "tumour":
        blocks += [
            subject_figure(table, arms, ("",), metric),
            Folded(f"Every unseen {table.noun}", (subject_table(table, arms, "", metric),)),
        ]
    sections = (
        Section("How well are unseen subjects classified?", tuple(blocks)),
        Section(
            "Which is better?",
            tuple(difference_blocks([endpoint], arms, [baseline], named="Arm"))
            or (Paragraph("No other arm has results."),),
        ),
        trainings_section(trained, tuple(arms.values()), {"score": "AUC of validation subjects"}),
        quality_section(results),
        Section("Time and size", (cost_table(trained),)),
        subjects_section(spec, results),
        settings_section(spec, results),
    )
    verdict = " ".join(told.values()) or "Not answered: no arm with synthetic cases was trained."
    numbers = summary(spec, arms, [baseline], [endpoint], trained)
    return Report(spec.title, verdict, sections, footer=made_with(results), numbers=numbers)
