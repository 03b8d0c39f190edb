"""Every class that segmenters tell apart, on the page of an augmentation study: tissue, weighted Dice, and the leak."""

from collections.abc import Mapping

from glioforge.metrics import CLASSES
from glioforge.report import Block, Endpoint, ResultTable, Section, Table, Trained, score_table
from glioforge.statistics import subject_means
from glioforge.studies.leaky import MARK
from glioforge.studies.spec import LEAKY, AugmentationSpec


def classes_section(
    spec: AugmentationSpec, table: ResultTable, arms: Mapping[str, str], trained: list[Trained]
) -> tuple[Section, ...]:
    """Return the section, or nothing for a study that scores regions alone.

    Args:
        spec: Settings.
        table: Results.
        arms: Title of each arm that has results, by its name.
        trained: Trainings of the arms.
    """
    if not spec.classes:
        return ()
    names = [row.region for row in table.rows if row.grid == "prepared" and row.metric == "dice" and row.arm in arms]
    labels = [name for name in dict.fromkeys(names) if name not in spec.regions]
    whole = [
        Endpoint("weighted_class_dice", CLASSES, table, "Weighted"),
        Endpoint("class_dice", CLASSES, table, "Mean"),
    ]
    caption = (
        "Dice over all classes of each segmenter, background among them: weighted by the inverse share of each class "
        "in the real training voxels, and the plain mean. On the prepared grid."
    )
    tissue = (
        "Dice of each class on the prepared grid. The truth of tissue is itself an estimate, so that tissue tells how "
        "well a segmenter repeats that estimate."
    )
    columns = [Endpoint("dice", name, table, name.replace("_", " "), interval=False) for name in labels]
    blocks: list[Block] = [
        score_table({"": whole}, arms, caption),
        score_table({"": columns}, arms, tissue),
        *_leak(table, arms),
        _improvements(arms, trained),
    ]
    return (Section("Every class, tissue included", tuple(blocks)),)


def _leak(table: ResultTable, arms: Mapping[str, str]) -> list[Block]:
    """How much better arms look where slices were shuffled over subjects; nothing without such arms."""
    rows = []
    for name, title in arms.items():
        twin = f"{name}{LEAKY}"
        if twin in arms:
            sound, leaky = (_mean(table, arm) for arm in (name, twin))
            rows.append((title, f"{sound:.3f}", f"{leaky:.3f}", f"{leaky - sound:+.3f}".replace("-", "−")))
    caption = (
        f"The leak: weighted Dice over all classes with the sound split, where slices were shuffled over subjects "
        f"({MARK}), and the gap between them, which is no improvement. Sound arms are scored on whole unseen scans, "
        f"{MARK} ones on their test slices."
    )
    return [Table(("Arm", "Sound", MARK, "Gap"), tuple(rows), caption)] if rows else []


def _mean(table: ResultTable, arm: str) -> float:
    """Mean over subjects of the weighted Dice of an arm."""
    return float(subject_means(table.scores(arm, CLASSES, "weighted_class_dice").values).mean())


def _improvements(arms: Mapping[str, str], trained: list[Trained]) -> Table:
    """How often the validation score rose in each training; few rises are a sign of a gap between domains."""
    rows = []
    for title in arms.values():
        mine = [training for training in trained if training.title == title]
        counts = [rises([row.get("score") for row in training.history]) for training in mine]
        if counts:
            rows.append((title, ", ".join(map(str, counts)), str(max(len(training.history) for training in mine))))
    caption = (
        "Improvements of the validation score, by training. Foroozandeh & Eklund 2020 count 1, 5 and 4 of 150 for "
        "synthetic images alone, and take so few for a gap between synthetic and real images."
    )
    return Table(("Arm", "Improvements", "Validations"), tuple(rows), caption)


def rises(scores: list[float | None]) -> int:
    """Return how often a score exceeded all before it, the first one included.

    Example:
        >>> rises([0.1, 0.3, 0.2, None, 0.4])
        3
    """
    count, best = 0, float("-inf")
    for score in scores:
        if score is not None and score > best:
            count, best = count + 1, score
    return count
