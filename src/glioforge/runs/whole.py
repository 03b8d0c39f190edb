"""Whole synthetic cases in one command: sampler, filters, hosts, synthesizer, filters.

A label map is drawn from noise and filtered; its lesion is put into another anatomy, where
hosts are named; images are painted, and the cases are filtered again.  Everyone behind sampler, hosts,
synthesizer and both filters stands in the lineage of every case that is kept.

Folder
------
sampled/     label maps from noise
plausible/   those that the filters of label maps keep
hosted/      their lesions in the anatomies of hosts, where hosts are named
painted/     images of all of them
kept/        those that the filters of images keep
cohort.json  the whole cases that are left; `whole.html` shows the funnel over all steps

Each step is a folder that resumes on its own, so that the same command goes on where it was stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self, final

from pydantic import Field, model_validator

from glioforge.compute import AcceleratorSpec
from glioforge.config import Spec
from glioforge.core import Cohort, Progress, Silent, Stage, VerdictRow, funnel
from glioforge.io import read_cohort, write_atomically, write_cohort, write_json
from glioforge.lesions import edit_cohort, load_recipe
from glioforge.quality import AnyFilter, Model
from glioforge.report import PLANES, Report, Section, render
from glioforge.runs.filter import filter_cohort, filter_models
from glioforge.runs.filter_page import EXAMPLES, filter_page, gallery, spread
from glioforge.runs.synthesize import make_synthetic
from glioforge.sampling import load_sampler, sample_cohort
from glioforge.synthesis import load_synthesizer

WHOLE_PAGE: Final = "whole.html"
"""Funnel over all steps, and examples of what fell at each filter."""
FUNNEL: Final = "funnel.json"
"""Cases left after each step."""

Checked = tuple[Cohort, tuple[VerdictRow, ...]]
"""Cases and the verdicts on them."""


@final
class HostsSpec(Spec):
    """Anatomies that receive sampled lesions."""

    cohort: Path
    """Prepared cases whose anatomies are used; training subjects only."""
    recipe: str = "sampled"
    """Recipe of edits with an `insert` or a `transplant`, whose donors are the sampled lesions: a name that `glioforge
    methods` lists, or a YAML file. `healthy` suits anatomies without a lesion."""
    per_host: int = Field(1, ge=1)
    """Cases made of each host."""


@final
class WholeSpec(Spec):
    """A YAML file that describes whole cases."""

    sampler: Path
    """Folder of a trained sampler of label maps."""
    train: Path
    """Prepared cohort of real training cases that filters are fitted on; no test subject may be in it."""
    synthesizer: Path
    """Folder of a trained synthesizer."""
    label_filters: tuple[AnyFilter, ...] = ()
    """Filters of the sampled label maps, in the order of the funnel."""
    hosts: HostsSpec | None = None
    """Anatomies that receive the sampled lesions; none paints the sampled maps themselves."""
    image_filters: tuple[AnyFilter, ...] = ()
    """Filters of the painted cases, in the order of the funnel."""
    models: Mapping[str, Path] = Field(default_factory=dict)
    """Folders of trained models that filters ask for, such as `segmenter`."""

    @model_validator(mode="after")
    def _models_given(self) -> Self:
        """Refuse a filter that asks for a model which is not named, before anything is sampled."""
        for spec in (*self.label_filters, *self.image_filters):
            for name in spec.models:
                if name not in self.models:
                    msg = f"filter {spec.model_dump()['kind']!r} asks for a trained {name}: name its folder in models"
                    raise ValueError(msg)
        return self


def make_whole_cases(
    spec: WholeSpec,
    out: Path,
    *,
    count: int,
    seed: int = 1,
    accelerator: AcceleratorSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Sample, filter, host, paint and filter; the same call goes on after a stop.

    Args:
        spec: Models, cohorts and filters.
        out: Folder of all steps.
        count: Label maps to sample.
        seed: Root of all draws.
        accelerator: Where networks run.
        progress: Where to show progress.

    Returns:
        The whole cases that are left, maybe none; with hosts, `per_host` for each host at most.

    Raises:
        CohortError: The sampler makes no label maps that the synthesizer can paint, or a filter cannot be fitted.
        EditError: No host can take a sampled lesion.
        InputFileError: A folder is no model or cohort.
        OutputError: The folder was made with other settings.
    """
    progress = progress or Silent()
    models = filter_models([f"{name}={folder}" for name, folder in spec.models.items()], accelerator=accelerator)
    check = _Check(read_cohort(spec.train), models, seed, progress)
    sampler = load_sampler(spec.sampler, accelerator)
    sampled = sample_cohort(sampler, count, out / "sampled", seed=seed, progress=progress)
    plausible, said = check.of(sampled, spec.label_filters, out / "plausible")
    maps = _hosted(spec.hosts, plausible, out / "hosted", seed, progress)
    synthesizer = load_synthesizer(spec.synthesizer, accelerator)
    painted = make_synthetic(
        maps, synthesizer, None, out / "painted", name="whole", unlabelled=True, seed=seed, progress=progress
    )
    kept, seen = check.of(painted, spec.image_filters, out / "kept")
    whole = replace(kept, name="whole")
    stages = [
        Stage("sampled", len(sampled)),
        *funnel(said)[1:],
        *([Stage("in hosts", len(maps))] if spec.hosts is not None else []),
        Stage("painted", len(painted)),
        *funnel(seen)[1:],
    ]
    write_cohort(whole, out)
    write_json(out / FUNNEL, [{"after": stage.name, "left": stage.count} for stage in stages])
    write_atomically(out / WHOLE_PAGE, render(_page((sampled, said), (painted, seen), whole, stages)).encode())
    return whole


@final
@dataclass(frozen=True, eq=False)
class _Check:
    """What both checks share."""

    train: Cohort
    models: Mapping[str, Model]
    seed: int
    progress: Progress

    def of(self, made: Cohort, filters: Sequence[Spec], out: Path) -> Checked:
        """Cases that filters keep, and all verdicts; all cases where there is nothing to ask or nobody to be asked."""
        if not filters or not len(made):
            return made, ()
        return filter_cohort(made, self.train, filters, out, models=self.models, seed=self.seed, progress=self.progress)


def _hosted(hosts: HostsSpec | None, donors: Cohort, out: Path, seed: int, progress: Progress) -> Cohort:
    """Anatomies of hosts with sampled lesions; the sampled maps themselves without hosts, or where there is none."""
    if hosts is None or not len(donors):
        return donors
    return edit_cohort(
        read_cohort(hosts.cohort),
        load_recipe(hosts.recipe),
        out,
        count=hosts.per_host,
        donors=donors,
        seed=seed,
        progress=progress,
    )


def _page(maps: Checked, images: Checked, whole: Cohort, stages: Sequence[Stage]) -> Report:
    """One page: the funnel over all steps, then whole cases, then examples of what fell at each filter."""
    pages = {"Label maps": filter_page(*maps, stages), "Images": filter_page(*images, stages)}
    shown = [whole[case_id].load() for case_id in spread([ref.case_id for ref in whole], EXAMPLES)]
    named = [
        replace(section, heading=f"{what}: {section.heading[0].lower()}{section.heading[1:]}")
        for what, page in pages.items()
        for section in page.sections[1:]
    ]
    funnel_section = pages["Label maps"].sections[0]
    sections = (
        funnel_section,
        Section("Whole cases", gallery(shown, "Whole cases that are left.", tuple(PLANES))),
        *named,
    )
    return replace(
        pages["Label maps"],
        title="What is left of sampled cases?",
        sections=tuple(section for section in sections if section.blocks),
        numbers={"funnel": [{"after": stage.name, "left": stage.count} for stage in stages]},
    )
