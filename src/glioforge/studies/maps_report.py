"""The section on label maps from noise: distances over snapshots, counts of the z-score filter, pictures."""

from collections.abc import Sequence

from glioforge.report import Block, Figure, Folded, Paragraph, Section, Table
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.steps.maps import CURVE, PICTURE


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
