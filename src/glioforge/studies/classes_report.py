"""Sections of an augmentation study: every class, label maps from noise, further grids, metrics and means of arms."""

from collections.abc import Iterator, Mapping, Sequence

from glioforge.metrics import CLASSES
from glioforge.report import (
    MEAN,
    Block,
    Endpoint,
    Figure,
    Folded,
    Paragraph,
    ResultTable,
    Section,
    Table,
    Trained,
    score_table,
)
from glioforge.statistics import subject_means
from glioforge.studies.further import DICE, grid_tables, known_arms
from glioforge.studies.leaky import MARK
from glioforge.studies.pages import difference_blocks, every_row, neutral
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.spec import LEAKY, AugmentationSpec
from glioforge.studies.steps.maps import CURVE, PICTURE


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


def maps_section(results: Results) -> tuple[Section, ...]:
    """Return the section; none where no source drew label maps from noise."""
    records = results.of("maps")
    if not records:
        return ()
    text = (
        "Norms of pixel-wise z-scores of the maps that the sources drew (Foroozandeh & Eklund 2020, section 3.4), and "
        "of maps of validation subjects, whom neither filter nor sampler was fitted to. The published limit of 500 is "
        "scaled to the size of these maps; the calibrated one refuses 5 % of left-out training maps. Nothing was "
        "refused in this study: the filter only counts."
    )
    blocks: list[Block] = [Paragraph(text), _counts(records)]
    for record in records:
        blocks += _pictures(results, record)
    return (Section("Are label maps from noise like real ones?", tuple(blocks)),)


def _title(record: Record) -> str:
    """Source of the maps, with the draw of its subjects where it did not have all.

    Example:
        >>> _title(Record("fold-0/trained-on-20pct-draw-0/maps/masks", "maps", arm="masks"))
        'masks, trained on 20pct draw 0'
    """
    draw = record.task.split("/")[1]
    return record.arm if draw == "maps" else f"{record.arm}, {draw.replace('-', ' ')}"


def _counts(records: Sequence[Record]) -> Table:
    """A row a source and filter."""
    rows = []
    for record in records:
        for name, row in record.details["filters"].items():
            cells = (f"{row['refused']} of {row['drawn']}", f"{row['real_refused']} of {row['real_drawn']}")
            norms = (f"{row['norm']:.0f}", f"{row['real_norm']:.0f}", f"{row['limit']:.0f}")
            rows.append((_title(record), name, *cells, *norms))
    columns = ("Source", "Filter", "Refused", "Refused, real", "Median norm", "Median norm, real", "Limit")
    return Table(columns, tuple(rows), "Maps beyond the limit of the z-score filter.")


def _pictures(results: Results, record: Record) -> list[Block]:
    """Maps of a source, and the curve of its training with its numbers."""
    folder, title = results.root / record.task, _title(record)
    caption = f"{title}: axial slices of maps from noise as drawn, by the calibrated filter, and of training subjects."
    blocks: list[Block] = [Figure((folder / PICTURE).read_bytes(), caption, f"Label maps of {title}")]
    curve = record.details["curve"]
    if curve:
        caption = (
            f"{title}: sliced Wasserstein distance of its maps to those of its training subjects; the "
            f"weights of step {curve['best_step']} were kept."
        )
        numbers = tuple((str(row["step"]), str(row["side"]), f"{row['distance']:.3g}") for row in curve["snapshots"])
        table = Table(("Step", "Voxels along a side", "Distance"), numbers, "Lower is nearer.")
        blocks += [Figure((folder / CURVE).read_bytes(), caption, f"Distance of {title} over steps")]
        blocks += [Folded(f"Distances of {title}", (table,))]
    return blocks


def further_blocks(
    spec: AugmentationSpec, results: Results, overlap: ResultTable, arms: Mapping[str, str]
) -> Iterator[Block]:
    """Yield the tables that a study asks for in `also`; none without.

    Args:
        spec: Settings.
        results: Rows, those of further grids included.
        overlap: Scores of the arms and of the means of arms on the scan's grid, with their mean over regions.
        arms: Title of each arm that has results, by its name.
    """
    tables = grid_tables(spec, every_row(spec, results))
    if tables:
        shown = {"scan": overlap, **{name: one.with_mean(spec.regions) for name, one in tables.items()}}
        groups = {
            region: [Endpoint(DICE, region, one, heading=f"Dice, {name}") for name, one in shown.items()]
            for region in spec.regions
        }
        caption = (
            "Dice of the same masks on the scan's grid, from which the conclusions are drawn, and on further grids, "
            "whose voxels are larger or which cover less of the scan; mean over subjects with its 95 % interval."
        )
        yield score_table(groups, arms, caption)
    if spec.also.metrics:
        groups = {region: [Endpoint(m, region, overlap) for m in spec.also.metrics] for region in spec.regions}
        yield score_table(groups, arms, "Further metrics on the scan's grid, mean over subjects with 95 % interval.")
    yield from _means(spec, overlap, arms)


def _means(spec: AugmentationSpec, overlap: ResultTable, arms: Mapping[str, str]) -> Iterator[Block]:
    """Means of arms with their single arms, and their differences from the baseline."""
    means = {name: neutral(spec, title) for name, title in known_arms(spec.also, arms).items()}
    if not means:
        return
    titles: dict[str, str] = {}
    for name, title in means.items():
        titles |= {name: title, **{arm: arms[arm] for arm in spec.also.means[name].arms}}
    endpoints = [Endpoint(DICE, region, overlap) for region in (*spec.regions, MEAN)]
    groups = {endpoint.region: [endpoint] for endpoint in endpoints}
    caption = (
        "Each subject's Dice is averaged over the arms of a mean before any statistic; single arms stand below it."
    )
    yield score_table(groups, titles, caption)
    first = spec.baseline.name
    yield from difference_blocks(endpoints, {first: arms[first], **means}, (first,), named="Mean of arms")
