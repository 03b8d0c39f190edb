"""The page of a study of samplers: distances with their floors, slices from noise next to real ones, trainings."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from glioforge.core import Cohort
from glioforge.report import Block, Figure, Listing, Note, Paragraph, Report, Section, Table, cost_table
from glioforge.studies.comparing import SamplersSpec, titles_of
from glioforge.studies.pages import noun_of, trained_of, trainings_section
from glioforge.studies.results import Results
from glioforge.studies.setup import made_with, settings_section, subjects_section
from glioforge.studies.steps.sample import FLOOR, MADE, UNSEEN

SHOWN: Final = 8
"""Slices of a row."""
_METRICS: Final = {"sliced_wasserstein": "Sliced Wasserstein distance", "ms_ssim_gap": "Difference of MS-SSIM of pairs"}


def page(spec: SamplersSpec, results: Results) -> Report:
    """Return the report, with what its tables show for programs.

    Args:
        spec: Settings.
        results: Results and folders of the study.
    """
    methods = titles_of(spec.methods)
    trained = trained_of(results, methods, "sampler")
    numbers = {name: _of(results, name) for name in methods}
    sections = (
        _distances(spec, methods, numbers),
        _pictures(spec, results, methods),
        _readings(spec, results),
        trainings_section(trained, tuple(methods.values())),
        Section("Time and size", (cost_table(trained),)),
        subjects_section(spec, results),
        settings_section(spec, results),
    )
    best = min(methods, key=lambda name: numbers[name]["sliced_wasserstein"][0])
    verdict = (
        f"{methods[best]} has the least sliced Wasserstein distance to slices of unseen {noun_of(spec)}s, "
        f"{numbers[best]['sliced_wasserstein'][0]:.3f}; slices of training {noun_of(spec)}s have "
        f"{numbers[best]['sliced_wasserstein'][1]:.3f}."
    )
    scores = {name: {m: {"made": v[0], "floor": v[1]} for m, v in found.items()} for name, found in numbers.items()}
    return Report(spec.title, verdict, sections, "", made_with(results), {"study": spec.name, "scores": scores})


def _of(results: Results, name: str) -> dict[str, tuple[float, float]]:
    """Each number of a sampler and its floor, mean over folds and seeds."""
    found = {}
    for metric in _METRICS:
        values = [
            float(np.mean([row.value for row in results.rows if (row.arm, row.metric) == (arm, metric)] or [np.nan]))
            for arm in (name, f"{name}, {FLOOR}")
        ]
        found[metric] = (values[0], values[1])
    return found


def _distances(
    spec: SamplersSpec, methods: Mapping[str, str], numbers: Mapping[str, Mapping[str, tuple[float, float]]]
) -> Section:
    """Table of distances, each with its floor."""
    noun = noun_of(spec)
    caption = (
        f"Slices from noise against as many slices of unseen {noun}s, mean over seeds; in brackets slices of the "
        f"training {noun}s against the same, the floor. Patches of 7 x 7 pixels in all levels of a Laplacian pyramid; "
        "MS-SSIM of pairs tells how alike the slices of a set are. Slices of one subject are no independent cases, so "
        "that there is no interval."
    )
    rows = tuple(
        (title, *(f"{numbers[name][m][0]:.3f} ({numbers[name][m][1]:.3f})" for m in _METRICS))
        for name, title in methods.items()
    )
    text = Paragraph(f"{spec.count} slices of each kind at most; the table of results says how many there were.")
    return Section("How near to real slices", (text, Table(("Sampler", *_METRICS.values()), rows, caption)))


def _pictures(spec: SamplersSpec, results: Results, methods: Mapping[str, str]) -> Section:
    """A row of slices of each sampler, and of unseen subjects cut in the same way."""
    blocks: list[Block] = []
    for name, title in methods.items():
        rows = {
            "from noise": results.cohort("slices", MADE, arm=name),
            f"unseen {noun_of(spec)}s": results.cohort("slices", UNSEEN, arm=name),
        }
        caption = f"{title}: {SHOWN} slices from noise (above) and as many of unseen {noun_of(spec)}s, one grey window."
        blocks.append(Figure(_sheet(list(rows.values())), caption, f"Slices of {title} and real ones"))
    return Section("Slices", tuple(blocks))


def _sheet(cohorts: Sequence[Cohort]) -> bytes:
    """PNG with a row of slices for each cohort."""
    import io

    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(SHOWN, len(cohorts)), dpi=100, facecolor="black")
    for row, cohort in enumerate(cohorts):
        for place, ref in enumerate(cohort.cases[:SHOWN]):
            voxels = next(iter(ref.load().images.values())).voxels
            flat = voxels.reshape([n for n in voxels.shape if n > 1])
            axes = canvas.add_axes((place / SHOWN, 1 - (row + 1) / len(cohorts), 1 / SHOWN, 1 / len(cohorts)))
            shown = np.where(flat == 0, np.float32(-3), flat)
            axes.imshow(shown.T[::-1], cmap="gray", vmin=-3, vmax=4, interpolation="nearest")
            axes.set_axis_off()
    held = io.BytesIO()
    canvas.savefig(held, format="png")
    return held.getvalue()


def _readings(spec: SamplersSpec, results: Results) -> Section:
    """How to ask readers of these slices."""
    text = (
        "The slices lie in the study's folder as cohorts. A blinded reading study of one sampler is created by the "
        "command below; Han et al. showed slices of training subjects, which are marked SEEN (folder seen)."
    )
    name = next(iter(spec.methods))
    place = f"{results.root.name}/fold-0/slices/{name}/seed-0"
    command = (
        f"glioforge reader create --preset han2018 --real {place}/{UNSEEN} --synthetic {name}={place}/{MADE} "
        f"--set one_per_subject=false --out reading-{name}"
    )
    pooled = [key for key, method in spec.methods.items() if getattr(method.sampler, "pooled", False)]
    if pooled:
        text += f" Slices of pooled contrasts ({', '.join(pooled)}) also need --set pooled=true."
    note = Note("Several slices of one subject are no independent trials; the reading study marks them CLUSTERED.")
    return Section("Ask readers", (Paragraph(text), Listing(command), note))
