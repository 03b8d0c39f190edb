"""What every page says of a study's set-up."""

from glioforge.core.lineage import Lineage
from glioforge.core.split import split_by_subject
from glioforge.io.run_folder import write_json
from glioforge.studies import fold
from glioforge.studies.fold import Study
from glioforge.studies.question import load_demo
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.setup import (
    FIREWALL,
    generator_facts,
    made_with,
    settings_section,
    subjects_section,
)
from glioforge.synthesis.method import SYNTHESIZERS
from glioforge.training.model_folder import Card
from toy_cohort import toy_cohort


def results_at(folder, *tasks, spec=None):
    """Results of a study with synthesizers of these tasks."""
    records = [Record(task, "synthesizer", arm=task) for task in tasks]
    return Results(Study(spec or load_demo(), folder, folder), (), records)


def card(folder, task, facts):
    """A generator's card in a study's folder."""
    spec = SYNTHESIZERS.parse("augmentation_net")
    write_json(
        folder / task / "model" / "card.json",
        Card("synthesizer", spec, (), Lineage.union("", ()), {"weights.safetensors": "0"}, facts=facts).to_json(),
    )


def test_reports_name_the_features_that_judged_a_generator(tmp_path):
    """One value for all trainings; different ones with their tasks; cards without facts are left out."""
    tasks = ["fold-0/a", "fold-1/a", "fold-1/plain", "fold-1/none"]
    results = results_at(tmp_path, *tasks)
    assert generator_facts(results) == {}
    card(tmp_path, "fold-0/a", {"perceptual": "project features"})
    card(tmp_path, "fold-1/a", {"perceptual": "project features"})
    card(tmp_path, "fold-1/plain", {})
    assert generator_facts(results) == {"augmentation_net, perceptual": "project features"}
    card(tmp_path, "fold-1/b", {"perceptual": "vgg19:12"})
    told = "project features (fold-0/a, fold-1/a); vgg19:12 (fold-1/b)"
    assert generator_facts(results_at(tmp_path, *tasks, "fold-1/b")) == {"augmentation_net, perceptual": told}


def test_reports_name_command_precision_and_threads(tmp_path):
    """In words, among versions and machine; the command as one types it."""
    packages = {"torch": "2", "glioforge": "9"}
    made = {"processor": "Some CPU", "packages": packages, "command": ["study", "my study.yaml"]}
    write_json(tmp_path / "study.json", {"made_with": made})
    spec = load_demo(["accelerator={precision: 32-true, threads: 3}"])
    results = results_at(tmp_path, spec=spec)
    facts = settings_section(spec, results).blocks[0].values

    assert (facts["precision"], facts["threads"], facts["processor"]) == ("float32", "3", "Some CPU")
    assert facts["command"] == "study 'my study.yaml'"
    assert made_with(results) == "Made by Glioforge 9 from results.csv beside this page."


def test_subjects_of_each_side_are_listed(tmp_path, monkeypatch):
    """With the cases, what they are, and the firewall."""
    cohort = toy_cohort(range(6))
    split = split_by_subject(cohort, test=0.3, validation=0.2, seed=1)
    monkeypatch.setattr(fold, "cohort_in", lambda _: cohort)
    monkeypatch.setattr(Results, "split", lambda *_: split)
    results = results_at(tmp_path, "fold-0/a")
    facts, table, firewall = subjects_section(load_demo(), results, "all the same").blocks

    assert facts.values["arms"] == "all the same"
    assert "6 real cases of 6 phantoms" in facts.values["cases"]
    sides = (split.train, split.validation, split.test)
    assert table.rows == (("0", *(", ".join(side.subject_ids) for side in sides)),)
    assert table.caption.startswith("Phantoms of each side")
    assert firewall is FIREWALL
