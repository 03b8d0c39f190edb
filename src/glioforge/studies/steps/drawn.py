"""Make synthetic cases from label maps that the label engine draws from training subjects."""

from collections.abc import Sequence
from pathlib import Path

from glioforge.core import Cohort
from glioforge.labelmaps import CACHE, LabelEngine, LabelMapSpec, LabelSources, draw_label_maps
from glioforge.studies import Context, Record
from glioforge.studies.steps.synthesize import MAPS, paint


def make_drawn(
    context: Context,
    *,
    source: str,
    maps: LabelMapSpec,
    count: int,
    seed: int,
    subjects: Sequence[str] | None = None,
) -> Record:
    """Draw label maps and make an image of each.

    Args:
        context: The task; reads the side train, and needs the trained synthesizer of a source.
        source: Name of the cohort.
        maps: What label maps are drawn.
        count: Maps for each training case.
        seed: Seed of maps and images.
        subjects: Training subjects whose brains and lesions are varied; all unless given.
    """
    train = context.cohort("train")
    hosts = train if subjects is None else train.of_subjects(subjects, train.name)
    engine = engine_of(context.folder, hosts, maps, seed)
    drawn = draw_label_maps(engine, context.folder / MAPS, count=count * len(hosts), progress=context.progress)
    return paint(context, drawn, source, seed)


def engine_of(folder: Path, hosts: Cohort, maps: LabelMapSpec, seed: int) -> LabelEngine:
    """Return an engine that draws from training subjects alone, and keeps hosts and growths in a task's folder."""
    return LabelEngine(LabelSources(hosts), maps, cache=folder / CACHE, seed=seed)
