"""The page of a comparison of two cohorts: numbers over their floors, tests, pairs, and nearest real neighbours."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from glioforge.core import Case, Cohort, Modality, preparations_of
from glioforge.metrics import Measured, metric_named
from glioforge.report import (
    CONVENTION,
    Block,
    Facts,
    Figure,
    Folded,
    Note,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
    best_slice,
    counted,
    floor_plot,
    grey,
    number,
    picture_grid,
    seen_from,
    window_of,
    with_interval,
)
from glioforge.runs.fidelity_numbers import Compared, FidelitySpec

SPACES: Final[Mapping[str, str]] = {
    "patches": "Patches of images",
    "label_patches": "Patches of label maps",
    "random_convolution": "Random convolution",
    "radiomics": "Radiomics",
    "encoder": "Encoder of training subjects",
    "spectrum": "Power spectrum",
    "checkerboard": "Checkerboard",
    "roughness": "Roughness across slices",
    "consistency": "Consistency of contrasts",
    "labels": "Label statistics",
    "lesion": "Geometry of the lesion",
    "variety": "Variety",
}
"""Titles of spaces, in the order of the page."""
LABELS: Final = ("label_patches", "labels", "lesion")
"""Spaces that describe label maps, not images."""
_SHORT: Final = {
    "sliced_wasserstein": "sliced Wasserstein",
    "kid": "kernel",
    "frechet": "Fréchet",
    "transport": "transport",
}
_HIGHER: Final = ("manifold_precision", "manifold_recall", "manifold_density", "manifold_coverage")


def fidelity_page(found: Compared, spec: FidelitySpec, synthetic: Cohort, real: Cohort) -> Report:
    """Return the page.

    Args:
        found: All numbers.
        spec: Settings.
        synthetic: The cohort asked about.
        real: The cohort compared with.
    """
    sections = [
        Section("How far apart are the cohorts?", _distances(found)),
        Section("Do the features lie among real ones, and cover them?", _neighbourhoods(found)),
        Section("Can a classifier tell them apart?", _tests(found)),
        Section("Nearest real neighbours", _neighbours(found)),
    ]
    if found.pairs:
        sections.append(Section("Against the scan of the same label map", _pairs(found)))
    sections.append(Section("Protocol", _protocol(found, spec, synthetic, real)))
    return Report(f"Fidelity: {synthetic.name} against {real.name}", verdict(found), tuple(sections), lead(found, spec))


def verdict(found: Compared) -> str:
    """One sentence: how many distances of images and of label maps lie beyond what two real halves give."""
    parts = []
    for what, chosen in (("images", _of(found, labels=False)), ("label maps", _of(found, labels=True))):
        beyond = [m for m in chosen if m.number.value > m.number.floor_high]
        parts.append(f"{len(beyond)} of {counted(len(chosen), 'distance')} of {what}")
    return f"{' and '.join(parts)} lie beyond what two real halves of the same size give."


def lead(found: Compared, spec: FidelitySpec) -> str:
    """What limits the numbers."""
    a_side = found.numbers[0].number.subjects
    first = (
        f"Each number compares {counted(a_side, 'subject')} with as many, in {spec.draws} random halves: a distance "
        "has no meaning without its floor at the same counts."
    )
    parts = [first]
    if found.behind and spec.training_subjects:
        parts.append(
            f"{counted(len(found.behind), 'real subject')} contributed to the synthetic cases and are compared with: "
            "a generator that remembers them scores too well."
        )
    elif found.behind:
        parts.append(
            f"{counted(len(found.behind), 'real subject')} who contributed to the synthetic cases were left out."
        )
    shortcuts = [name for name in found.tests if name.startswith("shortcut") and found.adjusted[name] <= 0.05]
    if shortcuts:
        names = ", ".join(name.removeprefix("shortcut: ") for name in shortcuts)
        parts.append(f"Files can be told apart by {names} alone: part of any difference is technical.")
    return " ".join(parts)


def title_of(measured: Measured) -> str:
    """Row title: space, metric and level."""
    level = f", level {measured.level}" if measured.level >= 0 else ""
    name = _SHORT.get(measured.metric, metric_named(measured.metric).title.lower().replace("ms-ssim", "MS-SSIM"))
    return f"{SPACES[measured.space]}: {name}{level}"


def _of(found: Compared, *, labels: bool) -> list[Measured]:
    """Distances of images or of label maps."""
    return [m for m in found.numbers if m.metric not in _HIGHER and (m.space in LABELS) == labels]


def _distances(found: Compared) -> tuple[Block, ...]:
    """Figures and table of distances."""
    blocks: list[Block] = [
        Paragraph(
            "Grey: the central 95 % of the distance between two real halves, with its mean; dot: synthetic cases "
            "against a real half, with the 95 % interval over subjects; orange where it lies beyond the grey band."
        )
    ]
    for what, chosen in (("images", _of(found, labels=False)), ("label maps", _of(found, labels=True))):
        figure = floor_plot({title_of(m): m.number for m in chosen})
        alt = f"{len(chosen)} distances of {what}, each beside the distance of two real halves; values in the table."
        blocks.append(Figure(figure, f"Distances of {what}.", alt))
    blocks.append(_table([*_of(found, labels=False), *_of(found, labels=True)]))
    return tuple(blocks)


def _neighbourhoods(found: Compared) -> tuple[Block, ...]:
    """Precision, recall, density and coverage."""
    chosen = [m for m in found.numbers if m.metric in _HIGHER]
    figure = floor_plot({title_of(m): m.number for m in chosen}, is_share=True)
    text = (
        "Precision and density fall where synthetic features leave the neighbourhoods of real ones; recall and "
        "coverage fall where real ones have no synthetic neighbour. Two real halves don't reach 1 either."
    )
    caption = "Shares of cases in neighbourhoods of the other set; grey as above."
    return Paragraph(text), Figure(figure, caption, "Shares; values in the table."), _table(chosen)


def _table(chosen: Sequence[Measured]) -> Table:
    """Numbers with their floors."""
    rows = []
    for m in chosen:
        n = m.number
        rows.append(
            (
                title_of(m),
                f"{_text(n.value)} ({_text(n.low)} to {_text(n.high)})",
                f"{_text(n.floor)} ({_text(n.floor_low)} to {_text(n.floor_high)})",
                "usual" if n.is_usual else ("above" if n.value > n.floor_high else "below"),
            )
        )
    caption = "Mean over draws with its 95 % interval over subjects, and the same of two real halves (central 95 %)."
    return Table(("Number", "Synthetic to real", "Real to real", "Against the floor"), tuple(rows), caption)


def _tests(found: Compared) -> tuple[Block, ...]:
    """Two-sample tests, the shortcuts last."""
    if not found.tests:
        return (Paragraph("Not tested: subjects are on both sides."),)
    rows = [
        (
            SPACES.get(name, name[0].upper() + name[1:]),
            number(test.auc, "1"),
            number(test.usual, "1"),
            number(test.p, "1"),
            number(found.adjusted[name], "1"),
            f"{test.made} and {test.real}",
        )
        for name, test in found.tests.items()
    ]
    text = (
        "A linear classifier is trained on some subjects and asked about others; the side of whole subjects is "
        "permuted for the p-value. Shortcuts are traits of files: values outside the brain, numbers of distinct "
        "values, the outermost layer of the brain. Where they alone tell the sides apart, a classifier of images may "
        "use them too."
    )
    columns = ("What it sees", "AUC", "95 % of permutations below", "p", "p after Holm", "Subjects")
    return Paragraph(text), Table(columns, tuple(rows), "Two-sample tests over subjects; an AUC of 0.5 is chance.")


def _neighbours(found: Compared) -> tuple[Block, ...]:
    """Synthetic cases with the nearest real ones."""
    rows = []
    for place, (made, scan) in enumerate(found.neighbours, 1):
        both = made.load(), scan.load()
        index = best_slice(both[0].require_labels())
        windows = {m: window_of(both[1].images[m].voxels, both[1].brain_mask) for m in found.modalities}
        pictures = [_picture(case, m, index, windows[m]) for case in both for m in found.modalities]
        rows.append((str(place), pictures))
    columns = [f"{side} {m.title}" for side in ("synthetic", "nearest") for m in found.modalities]
    grid = picture_grid(rows, columns, cell_inch=1.15)
    listing = tuple(
        (str(place), made.case_id, scan.case_id, "yes" if scan.subject_id in found.behind else "no")
        for place, (made, scan) in enumerate(found.neighbours, 1)
    )
    caption = (
        f"Synthetic cases, and the real case whose features ({SPACES[found.spaces[0].extractor.name].lower()}) are "
        f"nearest, among all real ones; the axial slice with the largest synthetic lesion. {CONVENTION}"
    )
    names = Table(
        ("Row", "Synthetic case", "Nearest real case", "Contributed to it"), listing, "The same cases by name."
    )
    return Figure(grid, caption, "Rows of axial slices: synthetic contrasts, then the nearest real case's."), names


def _picture(case: Case, modality: Modality, index: int, window: tuple[float, float]) -> Picture:
    """One axial slice of one contrast."""
    place = min(index, case.geometry.shape[2] - 1)
    sides, aspect = seen_from(2, case.geometry.spacing)
    image, brain = case.images[modality].voxels[..., place], case.brain_mask[..., place]
    return Picture(grey(image, brain, window), sides=sides, aspect=aspect)


def _pairs(found: Compared) -> tuple[Block, ...]:
    """Numbers voxel by voxel, a row a contrast and region."""
    keys = list(dict.fromkeys((p.contrast, p.region) for p in found.pairs))
    metrics = list(dict.fromkeys(p.metric for p in found.pairs))
    held = {(p.contrast, p.region, p.metric): p for p in found.pairs}
    rows = tuple(
        (
            Modality(contrast).title,
            region,
            *(with_interval(p.interval, p.unit) if (p := held.get((contrast, region, m))) else "–" for m in metrics),
        )
        for contrast, region in keys
    )
    headings = [metric_named(m).heading for m in metrics]
    subjects = max(p.interval.count for p in found.pairs)
    text = (
        f"Images of unedited label maps beside the scans of the same {counted(subjects, 'subject')}, whose labels the "
        "generator was given. Voxel-wise likeness prefers blurred images."
    )
    caption = "Mean over subjects with its 95 % interval; the data range is 10 standard deviations of the brain."
    return Paragraph(text), Table(("Contrast", "Region", *headings), rows, caption)


def _protocol(found: Compared, spec: FidelitySpec, synthetic: Cohort, real: Cohort) -> tuple[Block, ...]:
    """Everything that decides the numbers."""
    a_side = found.numbers[0].number.subjects
    values = {
        "Synthetic cases": f"{synthetic.name}: {len(found.made)}, fingerprint {synthetic.fingerprint[:12]}",
        "Real cases": f"{real.name}: {len(found.real)} of {len(real)} compared, fingerprint {real.fingerprint[:12]}",
        "Subjects a side": f"{a_side}, one case each; half of the smaller side",
        "Draws": f"{spec.draws}, seed {spec.seed}",
        "Contrasts": ", ".join(m.title for m in found.modalities),
        "Preparation": ", ".join(sorted({*preparations_of(synthetic), *preparations_of(real)})) or "not known",
        **{
            f"Features: {SPACES[e.name].lower()}": f"{e.version}, hash {e.digest}"
            for e in (space.extractor for space in found.spaces)
        },
    }
    settings = Folded("Settings", (Facts({k: str(v) for k, v in spec.model_dump(mode="json").items()}),))
    note = Note(
        "No single number says whether synthetic cases are good. Which one to believe for a purpose is shown by its "
        "rank agreement with the downstream gain over at least 8 arms of a study."
    )
    return note, Facts(values), settings


def _text(value: float) -> str:
    """Three significant digits, without exponent where it can be read."""
    if not np.isfinite(value):
        return "–"
    text = f"{value:.3g}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.1e}"
    return text.replace("-", "−")
