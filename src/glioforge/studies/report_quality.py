"""How alike generated images are to scans, and which synthetic cases the filters refused."""

from collections.abc import Sequence

from glioforge.core.modality import Modality, in_standard_order
from glioforge.core.verdict import VerdictRow, funnel
from glioforge.io.tables import ResultRow
from glioforge.metrics.intervals import bootstrap_mean
from glioforge.report import plots
from glioforge.report.compare import scores_of
from glioforge.report.page import Block, Figure, Folded, Note, Paragraph, Section, Table
from glioforge.report.tables import verdict_table, with_interval
from glioforge.studies.record import Record, of_kind
from glioforge.studies.scoring import DRAWS
from glioforge.studies.spec import AugmentationSpec

_SHOWN = ("ssim", "mae")
_IMAGES = ("generator", "class mean", "generator, one draw")


def fidelity_section(spec: AugmentationSpec, rows: Sequence[ResultRow]) -> Section:
    """SSIM and mean absolute error inside the brain, generator beside per-class means."""
    chosen = [row for row in rows if row.metric in _SHOWN and row.region.startswith("brain/")]
    references = sorted({row.note for row in chosen})
    blocks: list[Block] = [
        Paragraph(
            "The generator made images from the label maps of test subjects, which it never saw: the mean of "
            f"{DRAWS} draws of style and noise, and one draw by itself. Each is compared inside the brain, beside the "
            "image in which every class has its mean over the training subjects. A generator worth its training lies "
            "clearly above that image. SSIM is computed on intensities raised by the reference's least value inside "
            "the brain, whose range there is the data range; the mean absolute error (MAE) is in standard deviations "
            "of the brain."
        )
    ]
    blocks += [_likeness_table(spec, [row for row in chosen if row.note == note], note) for note in references]
    blocks += _streaks(spec, rows)
    return Section("How alike are the images?", tuple(blocks))


def _streaks(spec: AugmentationSpec, rows: Sequence[ResultRow]) -> list[Block]:
    """Gradient across slices over within them in the FLAIR lesion, of one draw and of the scans; none without FLAIR."""
    region, arm = f"lesion/{Modality.FLAIR}", "generator, one draw"
    found = [scores_of(rows, arm, region, metric) for metric in ("gradient_ratio", "gradient_ratio_scan")]
    if not all(len(scores.subjects) for scores in found):
        return []
    made, scans = (with_interval(bootstrap_mean(scores.values, seed=spec.seed), "1") for scores in found)
    return [
        Paragraph(
            "Streaks: in the FLAIR lesion, the mean absolute difference of neighbours across slices over that within "
            f"slices is {made} in one draw and {scans} in the scans of the same subjects."
        )
    ]


def _likeness_table(spec: AugmentationSpec, rows: Sequence[ResultRow], note: str) -> Table:
    """One row a contrast and one for their mean."""
    shown = in_standard_order({Modality(row.region.removeprefix("brain/")) for row in rows})
    contrasts = [f"brain/{modality}" for modality in shown]
    titles = {f"brain/{modality}": modality.title for modality in shown}
    pooled = [ResultRow(**{**row.__dict__, "region": "brain/mean"}) for row in rows]
    cells = []
    for region in (*contrasts, "brain/mean"):
        line = [titles.get(region, "mean")]
        for metric in _SHOWN:
            for arm in _IMAGES:
                scores = scores_of([*rows, *pooled], arm, region, metric)
                line.append(with_interval(bootstrap_mean(scores.values, seed=spec.seed), "1"))
        cells.append(tuple(line))
    columns = ("Contrast", *(f"{metric.upper()}, {arm}" for metric in _SHOWN for arm in _IMAGES))
    what = {"against real": "the scan, noise and all", "against noise-free": "the phantom without noise and bias field"}
    caption = f"Mean over test subjects with 95 % interval, against {what.get(note, note)}."
    return Table(columns, tuple(cells), caption, frozenset({len(cells) - 1}))


def quality_section(records: Sequence[Record]) -> Section:
    """Funnel and reasons, for each source of synthetic cases."""
    blocks: list[Block] = []
    for source in ("generator", "control"):
        mine = [record for record in of_kind(records, "synthetic") if record.arm == source]
        verdicts = [VerdictRow.from_json(row) for record in mine for row in record.details["verdicts"]]
        made, kept = (sum(record.details[key] for record in mine) for key in ("made", "kept"))
        judged = "" if verdicts else ", as they are: filters belong to the generator's chain"
        blocks.append(Paragraph(f"Cases of the {source}: {made} made, {kept} kept for training{judged}."))
        if verdicts:
            png = plots.funnel(funnel(verdicts))
            blocks.append(
                Figure(png, f"Cases of the {source} left after each filter.", f"Funnel of the {source}'s cases")
            )
        if any(not row.keep for row in verdicts):
            blocks.append(Folded(f"Refused cases of the {source}", (verdict_table(verdicts),)))
    unfitted = sorted({text for record in of_kind(records, "synthetic") for text in record.notes})
    blocks += [Note(f"A filter was left out: {text}.", "warning") for text in unfitted]
    return Section("Quality check of synthetic cases", tuple(blocks))
