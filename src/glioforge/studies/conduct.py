"""From a study's settings to its results and report: what is the same for every kind of study."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from glioforge.compute.accelerator import described
from glioforge.core.protocols import Progress, Silent
from glioforge.io.run_accelerator import kept_of, settled
from glioforge.io.run_folder import Step, read_json, run_facts, write_json
from glioforge.io.tables import ResultRow, read_results, write_results
from glioforge.studies.base import StudySpec
from glioforge.studies.folder import StudyFolder
from glioforge.studies.gather import divide, gather, prepared_cohort, read_given
from glioforge.studies.jobs import Facts

AnyStudy = TypeVar("AnyStudy", bound=StudySpec)
Page = Callable[[AnyStudy, StudyFolder, Sequence[ResultRow], Sequence[Mapping[str, Any]]], Path]
"""Writes the report of a study from its settings, folder, results and facts."""


def conduct(
    spec: AnyStudy,
    out: Path,
    stages: Callable[[AnyStudy, Path, int, Progress], Facts],
    page: Page[AnyStudy],
    *,
    data: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Run a study, or go on with it where it stood.

    Args:
        spec: Complete settings.
        out: Folder of the study; the same settings must be given to go on in it.
        stages: Does all stages of a study in a folder, for so many folds; facts with `rows` hold results.  Its
            settings hold the precision and the threads that the folder began with.
        page: Writes the report.
        data: Folder of scans or of an ingested cohort, where the study reads one.
        progress: Where to show progress.

    Returns:
        The report, one HTML file.

    Raises:
        OutputError: The folder belongs to a study with other settings.
        LeakageError: A test subject stands behind a training input.
        GlioforgeError: Whatever is wrong with the scans or the settings.
    """
    progress = progress or Silent()
    folder = StudyFolder(out)
    given = read_given(spec, data, progress)
    scans = "phantoms" if given is None else given.fingerprint
    spec = spec.model_copy(update={"accelerator": settled(spec.accelerator, out)})
    with Step(out, {"study": spec.identity(), "scans": scans}, kept=kept_of(spec.accelerator)) as step:
        progress.say(described(spec.accelerator))
        # Methods are shown in the order in which the study lists them, also when its report is written again.
        study = {"spec": spec.model_dump(mode="json"), "made_with": run_facts()}
        write_json(out / "study.json", study, in_order=True)
        cohort = gather(spec, folder, given, progress)
        prepared = prepared_cohort(spec, folder, cohort, progress)
        facts = stages(spec, out, len(divide(spec, folder, prepared)), progress)
        write_results(out, [ResultRow(**row) for fact in facts for row in fact.pop("rows", ())])
        write_json(out / "stages.json", facts)
        written = page(spec, folder, read_results(out), facts)
        step.finish({"fingerprint": cohort.fingerprint})
    return written


def report_again(out: Path, kind: type[AnyStudy], page: Page[AnyStudy], progress: Progress | None = None) -> Path:
    """Write the report of a finished study again; nothing is trained."""
    from glioforge.config.load import parse_spec

    (progress or Silent()).say("reading results")
    spec = parse_spec(read_json(out / "study.json")["spec"], kind)
    return page(spec, StudyFolder(out), read_results(out), read_json(out / "stages.json"))
