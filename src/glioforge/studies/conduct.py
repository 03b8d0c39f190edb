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
from glioforge.studies.record import Cost, Record, Training, rows_of

AnyStudy = TypeVar("AnyStudy", bound=StudySpec)
Page = Callable[[AnyStudy, StudyFolder, Sequence[ResultRow], Sequence[Record]], Path]
"""Writes the report of a study from its settings, folder, results and records."""


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
        records = [_record(fact, spec) for fact in facts]
        write_results(out, rows_of(records))
        write_json(out / "records.json", [{**_named(record), **record.to_json()} for record in records])
        written = page(spec, folder, read_results(out), records)
        step.finish({"fingerprint": cohort.fingerprint})
    return written


def report_again(out: Path, kind: type[AnyStudy], page: Page[AnyStudy], progress: Progress | None = None) -> Path:
    """Write the report of a finished study again; nothing is trained."""
    from glioforge.config.load import parse_spec

    (progress or Silent()).say("reading results")
    spec = parse_spec(read_json(out / "study.json")["spec"], kind)
    values = read_json(out / "records.json")
    names = list(_named(Record("", "")))
    named = [Record(**{name: value[name] for name in names}) for value in values]
    records = [Record.from_json(value, one, spec.name) for value, one in zip(values, named, strict=True)]
    return page(spec, StudyFolder(out), read_results(out), records)


def _named(record: Record) -> dict[str, Any]:
    """What names a record."""
    return {name: getattr(record, name) for name in ("task", "kind", "fold", "arm", "seed")}


def _record(fact: Mapping[str, Any], spec: StudySpec) -> Record:
    """The record of what a stage noted."""
    stage = fact["stage"]
    arm = fact.get("method", fact.get("arm", ""))
    kind = {"arm": "segmenter", "scores": "images", "training": str(getattr(spec, "kind", ""))[:-1]}.get(stage, stage)
    outcome = fact.get("outcome") or ({**fact, "seconds": fact["training_seconds"]} if "history" in fact else None)
    training = None
    if outcome is not None:
        names = ("steps", "best_step", "best_score", "plateaued", "seconds")
        known = {name: outcome[name] for name in names if name in outcome}
        training = Training(
            fact.get("parameters", 0),
            history=tuple(outcome["history"]),
            alarms=tuple(outcome.get("alarms", ())),
            **known,
        )
    cost = Cost(fact["seconds"], fact["peak_gib"], seconds_per_volume=fact.get("seconds_per_volume"))
    notes = tuple(fact.get("unfitted", fact.get("left_out", ())))
    details = {"source": fact["source"]} if "source" in fact else {}
    if "kept" in fact:
        kind, arm = "synthetic", stage
        details = {"made": fact["made"], "kept": len(fact["kept"]), "verdicts": fact["verdicts"]}
    rows = tuple(ResultRow(**row) for row in fact.get("rows", ()))
    name = f"fold-{fact['fold']}/{kind}/{arm}/{fact.get('seed', 0)}"
    return Record(name, kind, fact["fold"], arm, fact.get("seed", 0), rows, training, cost, notes, details=details)
