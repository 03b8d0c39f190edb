"""The page of a comparison of synthesizers: pictures, likeness, texture, labels, edits, trainings and costs."""

from collections.abc import Mapping, Sequence
from typing import Final

from glioforge.report import (
    MEAN,
    Block,
    Endpoint,
    Folded,
    Paragraph,
    Report,
    ResultTable,
    Section,
    Trained,
    cost_table,
    leading,
    outdone,
    ranking,
    score_table,
    standings,
)
from glioforge.studies.comparing import SynthesizersSpec, titles_of
from glioforge.studies.likeness import COMPARED_DRAWS, JUDGED, truth_name
from glioforge.studies.pages import difference_blocks, subject_figure, summary, table_of, trained_of, trainings_section
from glioforge.studies.pictures import edits_section, methods_section
from glioforge.studies.results import Results
from glioforge.studies.setup import made_with, settings_section, subjects_section

_TEXTURE: Final = {
    "swd": "Distance of patches",
    "through_plane_ratio": "Step between slices",
    "grain_ratio": "Grain",
    "spectrum_distance": "Spectrum, octaves",
}
_BORDERS: Final = {"border_mae": "MAE at borders", "border_sharpness": "Gradient at borders"}
_DRAWS: Final = {"diversity": "Draws differ", "diversity_coarse": "Draws differ, blurred"}
_STREAKS: Final = {"gradient_ratio": "Streaks, FLAIR lesion", "gradient_ratio_scan": "The same in scans"}


def page(spec: SynthesizersSpec, results: Results) -> Report:
    """Return the report, with what its tables show for programs; arguments as `segmenters_report.page`."""
    methods = titles_of(spec.methods)
    table = table_of(spec, results)
    mean, one = table.drawn()
    trained = trained_of(results, methods, "synthesizer")
    likeness = [
        Endpoint(metric, region, mean, f"{title}, {region}")
        for metric, title in (("ssim", "SSIM"), ("mae", "MAE"))
        for region in ("brain", "lesion")
    ]
    looks = Endpoint("swd", "brain", one, _TEXTURE["swd"])
    overlap = table.chosen(row for row in table.rows if row.metric in JUDGED).with_mean(spec.regions)
    found = (
        [Endpoint("dice", region, overlap, f"Dice, {region}") for region in (*spec.regions, MEAN)] if spec.judge else []
    )
    sections = (
        methods_section(spec, results, methods),
        _likeness(spec, methods, likeness, one),
        _texture(spec, methods, one, table),
        *_labels(methods, found),
        edits_section(spec, results, methods),
        trainings_section(trained, tuple(methods.values())),
        Section("Time and size", (cost_table(trained),)),
        subjects_section(spec, results),
        settings_section(spec, results),
    )
    measured = f"SSIM in the brain against the {truth_name(spec)}, mean over contrasts"
    verdict = leading(likeness[0], methods, spec.references, measured)
    numbers = summary(spec, methods, spec.references, [*likeness, looks, *found], trained)
    lead = " ".join(_lead(likeness[0], looks, methods, trained))
    return Report(spec.title, verdict, sections, lead, made_with(results), numbers)


def _lead(likeness: Endpoint, looks: Endpoint, methods: Mapping[str, str], trained: Sequence[Trained]) -> list[str]:
    """Where a method without a network is as good as trained ones, and the order by looks."""
    networks = {t.title for t in trained if t.steps}
    ours = {name: title for name, title in methods.items() if title in networks}
    plain = [name for name, title in methods.items() if title not in networks]
    worse = [outdone(likeness, ours, name, methods[name]) for name in plain]
    order = ", ".join(ranking(looks, methods))
    return [*filter(None, worse), f"Distance of small patches from those of the scan, the less the better: {order}."]


def _likeness(
    spec: SynthesizersSpec, methods: Mapping[str, str], endpoints: Sequence[Endpoint], one: ResultTable
) -> Section:
    """How near the images are to the truth: tables, figure, differences."""
    truth = truth_name(spec)
    drawn = "one draw" if spec.draws == 1 else f"the mean of {spec.draws} draws"
    caption = (
        f"Mean over contrasts and unseen subjects with 95 % interval, of {drawn} against the {truth}. SSIM is computed "
        "on intensities raised to start at 0; the mean absolute error (MAE) is in standard deviations of the brain. A "
        "method that does not make every contrast has a dash."
    )
    single = [Endpoint(e.metric, e.region, one, e.heading) for e in endpoints]
    mean = endpoints[0].results
    one_text = f"As above for one draw, which has grain and a style of its own; against the {truth}."
    blocks: list[Block] = [
        score_table({"": endpoints}, methods, caption, named="Method"),
        subject_figure(mean, methods, ("brain", "lesion"), "ssim"),
    ]
    if spec.draws > 1:
        single_table = score_table({"": single}, methods, one_text, named="Method")
        blocks.append(Folded("One draw instead of the mean of draws", (single_table,)))
    every = []
    for place in ("brain", "lesion"):
        columns = [
            Endpoint(metric, f"{place}/{contrast}", mean, f"{metric.upper()}, {contrast.title}", interval=False)
            for metric in ("ssim", "psnr", "mae")
            for contrast in mean.contrasts()
        ]
        text = f"In the {place}, mean over unseen subjects; PSNR in dB; every subject is in results.csv."
        every.append(score_table({"": columns}, methods, text, named="Method"))
    blocks += [Folded("Every contrast", tuple(every)), *_standing(endpoints[0], methods, spec.references)]
    return Section("How near to the truth", (*blocks, *difference_blocks(endpoints, methods, spec.references)))


def _texture(spec: SynthesizersSpec, methods: Mapping[str, str], one: ResultTable, table: ResultTable) -> Section:
    """Numbers that likeness does not see."""
    draws = table.chosen(row for row in table.rows if row.metric in _DRAWS).over_contrasts()
    columns = [Endpoint(metric, "brain", one, title) for metric, title in _TEXTURE.items()]
    looks = columns[:1]
    columns += [Endpoint(metric, "brain", draws, title) for metric, title in _DRAWS.items()]
    caption = (
        "In the brain, mean over contrasts and unseen subjects with 95 % interval. Distance of patches: sliced "
        "Wasserstein distance between the patches of 7 x 7 voxels of one draw and those of the scan, in the two finest "
        "levels of a Laplacian pyramid, ideal at 0. Step between slices: mean absolute "
        "difference of neighbouring slices along the axis that the method cuts, one draw over the scan; grain: "
        "standard deviation of the finest band, one draw over the scan; both are ideal at 1, less is smoother. "
        "Spectrum: mean size in octaves of the ratio of strengths in bands of all scales, ideal at 0. Draws differ: "
        f"mean absolute difference between {COMPARED_DRAWS} or fewer draws of a map, with grain, and blurred so that "
        "grain is gone; 0 is a method that always makes the same image."
    )
    if "flair" in one.contrasts():
        columns += [Endpoint(metric, "lesion/flair", one, title) for metric, title in _STREAKS.items()]
        caption += (
            " Streaks: mean absolute difference of neighbours across slices over that within slices, in the FLAIR "
            "lesion; ideal is what scans of the same grid have."
        )
    if any(row.metric in _BORDERS for row in one.rows):
        columns += [Endpoint(metric, "lesion", one, f"{title}, lesion") for metric, title in _BORDERS.items()]
        caption += (
            " At borders: over the voxels next to a border of the lesion, one on each side, mean absolute error of one "
            "draw against the scan, and mean absolute gradient of one draw over the scan's; the latter is ideal at 1, "
            "more is harder, less is blurred."
        )
    blocks = (
        score_table({"": columns}, methods, caption, named="Method"),
        *_standing(looks[0], methods, spec.references),
    )
    return Section("Texture and variety", (*blocks, *difference_blocks(looks, methods, spec.references)))


def _standing(endpoint: Endpoint, methods: Mapping[str, str], references: Sequence[str]) -> tuple[Block, ...]:
    """What the references show in one endpoint, above the differences; nothing without a reference."""
    told = standings(endpoint, methods, references)
    return (Paragraph(f"{endpoint.title}: {told}"),) if told else ()


def _labels(methods: Mapping[str, str], found: Sequence[Endpoint]) -> tuple[Section, ...]:
    """Whether a segmenter trained on scans finds the labels again; left out without one."""
    if not found:
        return ()
    caption = (
        "Dice between the labels that images were made from and what the segmenter finds in one draw of them, mean "
        "over unseen subjects with 95 % interval. The first row is the same segmenter on the scans of these subjects: "
        "far below it, an image does not show its labels; above it, it shows them more plainly than a scan does."
    )
    scans = [arm for arm in found[0].results.arms() if arm not in methods]
    arms = {**dict.fromkeys(scans, "Scans"), **methods}
    figure = subject_figure(found[0].results, arms, [endpoint.region for endpoint in found], "dice")
    text = Paragraph("A segmenter was trained on the training subjects' scans, and then left as it is.")
    table = score_table({"": found}, arms, caption, named="Images")
    return (Section("Are the labels in the images?", (text, table, figure)),)
