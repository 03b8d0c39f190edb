"""The report of a comparison of synthesizers: what each makes, how near that is to the truth, and what it took."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from glioforge.core.modality import Modality
from glioforge.io.atomic_write import write_atomically
from glioforge.io.cohort_file import read_cohort
from glioforge.io.run_folder import write_json
from glioforge.io.tables import ResultRow
from glioforge.metrics.intervals import too_few
from glioforge.report.compare import scores_of, with_mean_region
from glioforge.report.html import render
from glioforge.report.method_figures import method_plot
from glioforge.report.page import Block, Figure, Folded, Note, Paragraph, Report, Section
from glioforge.studies.comparing import SynthesizersSpec, titles_of
from glioforge.studies.folder import StudyFolder
from glioforge.studies.likeness import COMPARED_DRAWS, JUDGED, MEAN_OF_DRAWS, ONE_DRAW, truth_name
from glioforge.studies.method_tables import (
    Endpoint,
    contrasts_of,
    cost_table,
    counted,
    curves_figure,
    method_table,
    over_contrasts,
    reference_blocks,
    summary,
    verdict_text,
)
from glioforge.studies.record import Record, of_kind
from glioforge.studies.report_setup import made_with, settings_section, subjects_section
from glioforge.studies.sample_pictures import legend
from glioforge.studies.synthesizer_pictures import draws_figure, method_grids, series_figure
from glioforge.studies.synthesizer_stages import REAL

MEAN = "mean"


def write_page(
    spec: SynthesizersSpec, folder: StudyFolder, rows: Sequence[ResultRow], records: Sequence[Record]
) -> Path:
    """Write the report, and `comparison.json` with what its tables show; arguments as `augmentation_report`."""
    methods = titles_of(spec.methods)
    scored = _Numbers(spec, rows)
    costs = cost_table(methods, of_kind(records, "synthesizer"), of_kind(records, "images"))
    every = [*scored.endpoints, *scored.looks, *scored.judged]
    write_json(folder.root / "comparison.json", summary(spec, methods, every, costs))
    sections = (
        _images(spec, folder, methods),
        _likeness(spec, methods, scored),
        _texture(spec, methods, scored),
        *_labels(spec, methods, scored),
        _edits(spec, folder, methods, records),
        _trainings(methods, records),
        Section("Time and size", (costs,)),
        subjects_section(folder, records),
        settings_section(spec, folder),
    )
    report = Report(spec.title, _lead(spec, methods, scored), sections, made_with(folder))
    write_atomically(folder.report, render(report).encode())
    return folder.report


class _Numbers:
    """The results, sorted by what the report asks of them."""

    def __init__(self, spec: SynthesizersSpec, rows: Sequence[ResultRow]) -> None:
        self.rows = rows
        self.mean = over_contrasts(rows, MEAN_OF_DRAWS)
        self.one = over_contrasts(rows, ONE_DRAW)
        self.draws = over_contrasts([row for row in rows if row.metric.startswith("diversity")])
        self.overlap = with_mean_region([row for row in rows if row.metric in JUDGED], spec.regions, MEAN)
        self.contrasts = contrasts_of(self.mean)
        self.endpoints = [
            Endpoint(metric, region, self.mean, f"{title}, {region}")
            for metric, title in (("ssim", "SSIM"), ("mae", "MAE"))
            for region in ("brain", "lesion")
        ]
        self.looks = [Endpoint("swd", "brain", self.one, "Distance of patches")]
        regions = (*spec.regions, MEAN) if spec.judge is not None else ()
        self.judged = [Endpoint("dice", region, self.overlap, f"Dice, {region}") for region in regions]


def _lead(spec: SynthesizersSpec, methods: Mapping[str, str], numbers: _Numbers) -> str:
    """The order of the methods by likeness and by looks; what the references show stands in the sections."""
    likeness, looks = numbers.endpoints[0], numbers.looks[0]
    scored = (scores_of(likeness.rows, name, likeness.region, likeness.metric) for name in methods)
    count = max((len(found.subjects) for found in scored), default=0)
    few = too_few(count)
    subjects = f"{counted(count, 'unseen subject')}{f' ({few})' if few else ''}"
    measured = (
        f"SSIM in the brain, mean over contrasts, of the mean of {spec.draws} draws against the {truth_name(spec)}"
    )
    looked = "Distance of the small patches of one draw from those of the scan, the less the better"
    return " ".join(
        [
            f"{counted(len(methods), 'method')} made images of the label maps of {subjects}.",
            f"{measured}: {_ranking(methods, likeness, falling=True)}.",
            f"{looked}: {_ranking(methods, looks, falling=False)}.",
        ]
    )


def _ranking(methods: Mapping[str, str], endpoint: Endpoint, *, falling: bool) -> str:
    """Methods with their means over subjects, the best first."""
    means = {n: scores_of(endpoint.rows, n, endpoint.region, endpoint.metric).by_subject() for n in methods}
    average = {name: sum(found.values()) / len(found) for name, found in means.items() if found}
    order = sorted(average, key=lambda name: -average[name] if falling else average[name])
    return ", ".join(f"{methods[name]} {average[name]:.3f}" for name in order)


def _images(spec: SynthesizersSpec, folder: StudyFolder, methods: Mapping[str, str]) -> Section:
    """The first subject open, others folded."""
    first, *others = method_grids(spec, folder, methods)
    blocks: list[Block] = [legend(spec.prepare.scheme_of(read_cohort(folder.source).scheme)), first]
    if others:
        blocks.append(Folded("More unseen subjects", tuple(others)))
    return Section("One label map, every method", tuple(blocks))


def _likeness(spec: SynthesizersSpec, methods: Mapping[str, str], numbers: _Numbers) -> Section:
    """How near the images are to the truth: tables, figure, differences."""
    truth = truth_name(spec)
    caption = (
        f"Mean over contrasts and unseen subjects with 95 % interval, of the mean of {spec.draws} draws against the "
        f"{truth}. SSIM is computed on intensities raised to start at 0; the mean absolute error (MAE) is in standard "
        "deviations of the brain. A method that does not make every contrast has a dash."
    )
    single = [Endpoint(e.metric, e.region, numbers.one, e.heading) for e in numbers.endpoints]
    blocks: list[Block] = [
        method_table(numbers.endpoints, methods, caption, seed=spec.seed),
        Figure(
            method_plot(numbers.mean, methods, ("brain", "lesion"), "ssim", seed=spec.seed),
            f"SSIM of every unseen subject (grey) with the mean and its 95 % interval, against the {truth}.",
            "SSIM of each method in brain and lesion",
        ),
        Folded(
            "One draw instead of the mean of draws", (method_table(single, methods, _one_text(truth), seed=spec.seed),)
        ),
        Folded(
            "Every contrast", tuple(_contrast_table(spec, methods, numbers, place) for place in ("brain", "lesion"))
        ),
    ]
    references = reference_blocks(spec, methods, numbers.endpoints)
    blocks += _verdict(spec, methods, numbers.endpoints[0])
    return Section("How near to the truth", (*blocks, *references))


def _verdict(spec: SynthesizersSpec, methods: Mapping[str, str], endpoint: Endpoint) -> list[Block]:
    """What the references show in one endpoint, in words, above the differences; nothing without a reference."""
    told = verdict_text(spec, methods, endpoint)
    return [Paragraph(f"{endpoint.title}. {told}")] if told else []


def _one_text(truth: str) -> str:
    """Caption of the table of single draws."""
    return f"As above for one draw, which has grain and a style of its own; against the {truth}."


def _contrast_table(spec: SynthesizersSpec, methods: Mapping[str, str], numbers: _Numbers, place: str) -> Block:
    """SSIM, PSNR and MAE of each contrast."""
    endpoints = [
        Endpoint(metric, f"{place}/{contrast}", numbers.mean, f"{title}, {contrast.title}", interval=False)
        for metric, title in (("ssim", "SSIM"), ("psnr", "PSNR"), ("mae", "MAE"))
        for contrast in numbers.contrasts
    ]
    caption = f"In the {place}, mean over unseen subjects; PSNR in dB; every subject is in results.csv."
    return method_table(endpoints, methods, caption, seed=spec.seed)


def _texture(spec: SynthesizersSpec, methods: Mapping[str, str], numbers: _Numbers) -> Section:
    """Numbers that likeness does not see."""
    ratios = [
        *numbers.looks,
        Endpoint("through_plane_ratio", "brain", numbers.one, "Step between slices"),
        Endpoint("grain_ratio", "brain", numbers.one, "Grain"),
        Endpoint("spectrum_distance", "brain", numbers.one, "Spectrum, octaves"),
        Endpoint("diversity", "brain", numbers.draws, "Draws differ"),
        Endpoint("diversity_coarse", "brain", numbers.draws, "Draws differ, blurred"),
    ]
    streaks = ""
    if Modality.FLAIR in numbers.contrasts:
        names = {"gradient_ratio": "Streaks, FLAIR lesion", "gradient_ratio_scan": "The same in scans"}
        ratios += [Endpoint(metric, f"lesion/{Modality.FLAIR}", numbers.one, title) for metric, title in names.items()]
        streaks = (
            " Streaks: mean absolute difference of neighbours across slices over that within slices, in the FLAIR "
            "lesion; ideal is what scans of the same grid have."
        )
    caption = (
        "In the brain, mean over contrasts and unseen subjects with 95 % interval. Distance of patches: sliced "
        "Wasserstein distance between the patches of 7 x 7 voxels of one draw and those of the scan, in the two finest "
        "levels of a Laplacian pyramid, ideal at 0. Step between slices: mean absolute "
        "difference of neighbouring slices along the axis that the method cuts, one draw over the scan; grain: "
        "standard deviation of the finest band, one draw over the scan; both are ideal at 1, less is smoother. "
        "Spectrum: mean size in octaves of the ratio of strengths in bands of all scales, ideal at 0. Draws differ: "
        f"mean absolute difference between {COMPARED_DRAWS} or fewer draws of a map, with grain, and blurred so that "
        "grain is gone; 0 is a method that always makes the same image." + streaks
    )
    blocks: list[Block] = [method_table(ratios, methods, caption, seed=spec.seed)]
    references = reference_blocks(spec, methods, numbers.looks)
    blocks += _verdict(spec, methods, numbers.looks[0])
    return Section("Texture and variety", (*blocks, *references))


def _labels(spec: SynthesizersSpec, methods: Mapping[str, str], numbers: _Numbers) -> list[Section]:
    """Whether a segmenter trained on scans finds the labels again; left out without one."""
    if spec.judge is None:
        return []
    caption = (
        "Dice between the labels that images were made from and what the segmenter finds in one draw of them, mean "
        "over unseen subjects with 95 % interval. The first row is the same segmenter on the scans of these subjects: "
        "far below it, an image does not show its labels; above it, it shows them more plainly than a scan does."
    )
    arms = {REAL: "Scans", **methods}
    return [
        Section(
            "Are the labels in the images?",
            (
                Paragraph("A segmenter was trained on the training subjects' scans, and then left as it is."),
                method_table(numbers.judged, arms, caption, seed=spec.seed),
                Figure(
                    method_plot(numbers.overlap, arms, (*spec.regions, MEAN), "dice", seed=spec.seed),
                    "Dice of every unseen subject (grey) with the mean and its 95 % interval.",
                    "Dice of each method in each region",
                ),
            ),
        )
    ]


def _edits(
    spec: SynthesizersSpec, folder: StudyFolder, methods: Mapping[str, str], records: Sequence[Record]
) -> Section:
    """The series of edits, a figure a method."""
    blocks: list[Block] = []
    series = of_kind(records, "series")
    blocks += [Note(f"An edit was left out: {text}", "warning") for record in series for text in record.notes]
    source = str(series[0].details["source"])
    for name, title in methods.items():
        blocks.append(series_figure(spec, folder, name, title, source))
        draws = draws_figure(folder, name, title, source)
        if draws is not None:
            blocks.append(Folded(f"{title}: several draws of one map", (draws,)))
    return Section("Edited lesions", tuple(blocks))


def _trainings(methods: Mapping[str, str], records: Sequence[Record]) -> Section:
    """Curves of all trainings."""
    figure = curves_figure(methods, of_kind(records, "synthesizer"))
    return Section("How the trainings went", (figure or Paragraph("No method has a network."),))
