"""What every study's report says of its set-up: subjects of each side, the firewall, settings and versions."""

from collections.abc import Mapping, Sequence
from typing import Final

from glioforge.compute.precision import WORDS
from glioforge.io.cohort_file import read_cohort
from glioforge.io.run_folder import read_json
from glioforge.report.page import Facts, Folded, Listing, Note, Section, Table
from glioforge.studies.base import StudySpec
from glioforge.studies.folder import StudyFolder
from glioforge.studies.gather import load_fold
from glioforge.studies.record import Record

FIREWALL: Final = Note(
    "Leakage firewall: before every training and scoring, the subjects behind each input, through parents, "
    "generators, statistics and filters, were compared with the test subjects. None overlapped, else the study "
    "would have stopped."
)
"""Belongs beside every table of subjects."""


def cohort_facts(folder: StudyFolder) -> dict[str, str]:
    """What a study's cases are, and what its generators tell of their training."""
    source = read_cohort(folder.source)
    kinds = ", ".join(sorted({ref.lineage.kind for ref in source}))
    return {
        "cases": f"{len(source)} {kinds} cases of {len(source.subject_ids)} subjects",
        "contrasts": ", ".join(m.title for m in read_cohort(folder.prepared).modalities),
        "label scheme of the files": source.scheme.name,
        "fingerprint": source.fingerprint,
        **generator_facts(folder),
    }


def generator_facts(folder: StudyFolder) -> dict[str, str]:
    """What the cards of trained generators tell beside their spec, such as whose features made a perceptual loss.

    Where trainings of one kind differ, each value stands with the folders that it belongs to.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(folder.root.rglob("card.json")):
        card = read_json(path)
        for name, value in card.get("facts", {}).items():
            places = found.setdefault(f"{card['kind']}, {name}", {}).setdefault(str(value), [])
            places.append(path.parent.relative_to(folder.root).as_posix())
    return {name: _told(values) for name, values in found.items()}


def _told(values: Mapping[str, Sequence[str]]) -> str:
    """One value, or each with its places."""
    if len(values) == 1:
        return next(iter(values))
    return "; ".join(f"{value} ({', '.join(places)})" for value, places in values.items())


def split_table(folder: StudyFolder, records: Sequence[Record]) -> Table:
    """Subjects of each side of every fold."""
    splits = [(index, load_fold(folder, index)) for index in sorted({record.fold for record in records})]
    cells = tuple(
        (str(index), *(", ".join(getattr(split, side).subject_ids) for side in ("train", "validation", "test")))
        for index, split in splits
    )
    return Table(
        ("Fold", "Train", "Validation", "Test"), cells, "Subjects of each side; no subject is on two sides of a fold."
    )


def subjects_section(folder: StudyFolder, records: Sequence[Record]) -> Section:
    """Cases, sides and firewall of a study whose methods are all trained on the same subjects."""
    blocks = (Facts(cohort_facts(folder)), split_table(folder, records), FIREWALL)
    return Section("Who was trained on, and who was tested", blocks)


def made_with(folder: StudyFolder) -> str:
    """The last line of a report."""
    packages = read_json(folder.root / "study.json")["made_with"]["packages"]
    return f"Made by Glioforge {packages['glioforge']} from results.csv beside this page."


def settings_section(spec: StudySpec, folder: StudyFolder) -> Section:
    """Everything needed to run the study again."""
    from glioforge.config.load import resolved_yaml

    facts = read_json(folder.root / "study.json")["made_with"]
    how = spec.accelerator
    flat = {str(key): str(value) for key, value in facts.items() if not isinstance(value, dict)}
    versions = {str(k): str(v) for value in facts.values() if isinstance(value, dict) for k, v in value.items()}
    return Section(
        "Settings and versions",
        (
            Facts(
                {**flat, **versions, "precision": WORDS.get(how.precision, how.precision), "threads": str(how.threads)}
            ),
            Folded("The study's complete YAML", (Listing(resolved_yaml(spec)),)),
        ),
    )
