"""Sections of pages on a study's set-up: subjects of each side, the firewall, settings and versions."""

import shlex
from typing import Final

from glioforge.compute import PRECISION_WORDS
from glioforge.config import resolved_yaml
from glioforge.io import is_model
from glioforge.report import Facts, Folded, Listing, Note, Section, Table, counted
from glioforge.studies.base import Slices, StudySpec
from glioforge.studies.leaky import MARK
from glioforge.studies.pages import noun_of
from glioforge.studies.results import Results
from glioforge.studies.steps.train import MODEL
from glioforge.synthesis import SYNTHESIZERS
from glioforge.training import read_card

FIREWALL: Final = Note(
    "Leakage firewall: before every training and scoring, the subjects behind each input, through parents, "
    "generators, statistics and filters, were compared with the test subjects. None overlapped, else the study "
    "would have stopped."
)
"""Belongs beside every table of subjects."""
SHUFFLED: Final = Note(
    f"In the last fold, marked {MARK}, the slices of each person were divided over all sides, and the firewall takes "
    "each of these parts for a subject of its own: the same people were trained on and tested.",
    "warning",
)
"""Belongs there too where slices were shuffled over subjects."""


def subjects_section(spec: StudySpec, results: Results, arms: str = "") -> Section:
    """Cases, sides and firewall of a study.

    Args:
        spec: Settings.
        results: Its results and folders.
        arms: What each arm was trained on; empty where all were trained on the same.
    """
    source, noun = results.study.source, noun_of(spec)
    kinds = ", ".join(sorted({ref.lineage.kind for ref in source}))
    facts = {
        "cases": f"{len(source)} {kinds} cases of {counted(len(source.subject_ids), noun)}",
        "contrasts": ", ".join(m.title for m in results.study.prepared.modalities),
        "label scheme of the files": source.scheme.name,
        "fingerprint": source.fingerprint,
        **generator_facts(results),
        **joined_facts(results),
        **({"arms": arms} if arms else {}),
    }
    sides = ("train", "validation", "test")
    splits = [(str(fold), results.split(fold)) for fold in results.folds]
    cells = tuple((fold, *(", ".join(getattr(split, side).subject_ids) for side in sides)) for fold, split in splits)
    caption = f"{noun.capitalize()}s of each side; none is on two sides of a fold."
    table = Table(("Fold", "Train", "Validation", "Test"), cells, caption)
    notes = (FIREWALL, SHUFFLED) if isinstance(spec.split, Slices) else (FIREWALL,)
    return Section("Who was trained on, and who was tested", (Facts(facts), table, *notes))


def generator_facts(results: Results) -> dict[str, str]:
    """Return what the cards of trained generators record beside their spec, such as the source of perceptual features.

    Where trainings of one kind differ, each value stands with the tasks that it belongs to.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for record in results.of("generator", "control", "synthesizer"):
        model = results.root / record.task / MODEL
        if not is_model(model):
            continue
        card = read_card(model, SYNTHESIZERS)
        for name, value in card.facts.items():
            found.setdefault(f"{card.kind}, {name}", {}).setdefault(value, []).append(record.task)
    return {
        name: next(iter(v)) if len(v) == 1 else "; ".join(f"{value} ({', '.join(at)})" for value, at in v.items())
        for name, v in found.items()
    }


def joined_facts(results: Results) -> dict[str, str]:
    """Return what each source's synthesizer was also trained on, by the name of the source."""
    return {
        f"{record.arm}, also trained on": f"{record.details['cases']} cases of {record.details['from']} "
        f"({', '.join(record.details['contrasts'])})"
        for record in results.of("joined")
    }


def made_with(results: Results) -> str:
    """Return the last line of a report."""
    packages = results.facts()["packages"]
    return f"Made by Glioforge {packages['glioforge']} from results.csv beside this page."


def settings_section(spec: StudySpec, results: Results) -> Section:
    """Everything needed to run the study again."""
    made = results.facts()
    how = spec.accelerator
    plain = {str(key): value for key, value in made.items() if not isinstance(value, dict)}
    flat = {key: shlex.join(value) if isinstance(value, list) else str(value) for key, value in plain.items()}
    versions = {str(k): str(v) for value in made.values() if isinstance(value, dict) for k, v in value.items()}
    facts = {
        **flat,
        **versions,
        "precision": PRECISION_WORDS.get(how.precision, how.precision),
        "threads": str(how.threads),
    }
    yaml = Folded("The study's complete YAML", (Listing(resolved_yaml(spec)),))
    return Section("Settings and versions", (Facts(facts), yaml))
