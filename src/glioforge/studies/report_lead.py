"""The first sentences of an augmentation report: what was found, and how little so few subjects can show."""

from collections.abc import Mapping, Sequence

from glioforge.io.tables import ResultRow
from glioforge.metrics.intervals import too_few
from glioforge.report.compare import ArmComparison, compare_arms, with_mean_region
from glioforge.report.tables import reading, with_interval
from glioforge.studies.record import Record, of_kind
from glioforge.studies.spec import AugmentationSpec

MEAN = "mean"


def lead(spec: AugmentationSpec, rows: Sequence[ResultRow], records: Sequence[Record]) -> str:
    """Answer in a few sentences, made from the numbers."""
    arms = {arm.name: arm.title for arm in spec.arms if any(row.arm == arm.name for row in rows)}
    overlap = with_mean_region([row for row in rows if row.arm in arms], spec.regions, MEAN)
    subjects = {row.subject_id for row in overlap}
    comparisons = compare_arms(overlap, arms, (MEAN,), seed=spec.seed)
    sentences = [_subjects_text(len(subjects), spec), *(_comparison_text(c, arms) for c in comparisons)]
    sentences += [_plateau_text(records), _missing_text(spec, arms)]
    return " ".join(sentence for sentence in sentences if sentence)


def _subjects_text(count: int, spec: AugmentationSpec) -> str:
    """How many subjects were tested, and whether that is enough."""
    few = too_few(count)
    warning = f" ({few})" if few else ""
    regions = ", ".join(spec.regions)
    return (
        f"{count} test subjects{warning}, {spec.spending.seeds} segmenters an arm and fold; "
        f"the endpoint is Dice, averaged over {regions}."
    )


def _comparison_text(entry: ArmComparison, arms: Mapping[str, str]) -> str:
    """One arm against the baseline."""
    baseline = next(iter(arms.values()))
    difference = with_interval(entry.comparison.difference, "1", signed=True)
    return f"{arms[entry.arm]} against {baseline}: {difference}; {reading(entry)}."


def _plateau_text(records: Sequence[Record]) -> str:
    """Whether the baseline reached its plateau before the arms were compared."""
    pilots = [record.training for record in of_kind(records, "pilot") if record.training is not None]
    short = sum(not training.plateaued for training in pilots)
    if not pilots:
        return "The steps were set beforehand; whether the baseline levels off at them was not asked."
    if not short:
        return "Every baseline reached its plateau."
    return (
        f"The budget stopped {short} of {len(pilots)} baselines short of the plateau: "
        "a lead at so few steps may vanish when all arms are trained on."
    )


def _missing_text(spec: AugmentationSpec, arms: Mapping[str, str]) -> str:
    """Arms without results."""
    missing = [arm.title for arm in spec.arms if arm.name not in arms]
    return f"Not run, because no synthetic case passed the quality check: {', '.join(missing)}." if missing else ""
