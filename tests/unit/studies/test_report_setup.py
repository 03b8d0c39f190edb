"""Promises of what every report says of its set-up."""

from glioforge.io.run_folder import write_json
from glioforge.studies.folder import StudyFolder
from glioforge.studies.kinds import load_demo
from glioforge.studies.report_setup import generator_facts, settings_section


def card(folder, place, facts):
    """A generator's card in a study's folder."""
    write_json(folder.root / place / "card.json", {"kind": "augmentation_net", **facts})


def test_reports_name_the_features_that_judged_a_generator(tmp_path):
    """One value for all trainings; different ones with their places; cards that tell nothing are left out."""
    folder = StudyFolder(tmp_path)
    assert generator_facts(folder) == {}
    card(folder, "fold-0/a", {"facts": {"perceptual": "project features"}})
    card(folder, "fold-1/a", {"facts": {"perceptual": "project features"}})
    card(folder, "fold-1/plain", {"facts": {}})
    card(folder, "fold-1/older", {})
    assert generator_facts(folder) == {"augmentation_net, perceptual": "project features"}
    card(folder, "fold-1/b", {"facts": {"perceptual": "vgg19:12"}})
    told = "project features (fold-0/a, fold-1/a); vgg19:12 (fold-1/b)"
    assert generator_facts(folder) == {"augmentation_net, perceptual": told}


def test_reports_name_precision_and_threads(tmp_path):
    """In words, among versions and machine."""
    write_json(tmp_path / "study.json", {"made_with": {"processor": "Some CPU", "packages": {"torch": "2"}}})
    spec = load_demo(["accelerator={precision: 32-true, threads: 3}"])
    facts = settings_section(spec, StudyFolder(tmp_path)).blocks[0].values
    assert (facts["precision"], facts["threads"], facts["processor"]) == ("float32", "3", "Some CPU")
