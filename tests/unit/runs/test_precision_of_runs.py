"""Models of both families go from a processor that computes bfloat16 to one that does not, and back."""

import json
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.compute.parallel import ParallelSpec
from glioforge.core.cohort import Cohort
from glioforge.core.errors import OutputError
from glioforge.core.protocols import Silent
from glioforge.io.run_accelerator import remembered
from glioforge.io.run_folder import Step, read_json
from glioforge.runs.segment import segment_folder
from glioforge.runs.synthesize import make_synthetic
from glioforge.runs.train import TrainingRunSpec, estimate_training, run_training
from glioforge.segmentation.base import load_segmenter
from glioforge.studies import engine
from glioforge.studies.question import load_study
from glioforge.synthesis import conditional as unseen_score
from glioforge.synthesis.base import load_synthesizer
from glioforge.training.weights import inferred
from toy_cohort import toy_cohort
from toy_processors import pretend

NATIVE, PLAIN = "AVX-512 BF16", "AVX2"
MODELS = {
    "synthesizer": {"kind": "spade", "ngf": 2, "hidden": 4, "critic_width": 2, "critic_layers": 2, "batch_size": 2},
    "segmenter": {"kind": "unet", "widths": [4, 8], "batch_size": 2},
}
COHORT = toy_cohort(range(6))
OPEN = AcceleratorSpec(device="cpu")
DEMO = Path(str(files("glioforge.studies") / "demo.yaml"))


class Said(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        """Keep a line."""
        self.lines.append(text)


def spec(family, **accelerator):
    """A training of two steps; the precision is left open."""
    budget = {"steps": 2, "validate_every": 2, "checkpoint_every": 1}
    how = {"device": "cpu", **accelerator}
    return TrainingRunSpec.model_validate({family: MODELS[family], "budget": budget, "accelerator": how})


def train(family, folder, **accelerator):
    """Train and return what was said."""
    progress = Said()
    run_training(COHORT, spec(family, **accelerator), folder, progress=progress)
    return progress.lines


def spied(seen, network, inputs, accelerator):
    """What `unseen_score` infers with, seen."""
    seen.add(accelerator.precision)
    return inferred(network, inputs, accelerator)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of each family and of each kind of processor, by both; and what precisions scores were taken in."""
    place = tmp_path_factory.mktemp("models")
    made = {"scored in": {NATIVE: set(), PLAIN: set()}}
    for family in MODELS:
        for name in (NATIVE, PLAIN):
            made[family, name] = place / f"{family}-{name}"
            with pytest.MonkeyPatch.context() as patch:
                pretend(patch, name)
                patch.setattr(unseen_score, "inferred", partial(spied, made["scored in"][name]))
                said = train(family, made[family, name], threads=1)
            word = "bfloat16" if name == NATIVE else "float32"
            assert f"computing in {word} on cpu, 1 thread" in said
    return made


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize(("name", "precision"), [(NATIVE, "bf16-mixed"), (PLAIN, "32-true")])
def test_cards_hold_what_was_resolved(models, family, name, precision):
    """Precision, threads and device of the training."""
    card = read_json(models[family, name] / "card.json")["training"]

    assert (card["precision"], card["threads"], card["device"]) == (precision, 1, "cpu")


@pytest.mark.filterwarnings("ignore::glioforge.compute.precision.EmulatedPrecisionWarning")
@pytest.mark.parametrize("family", MODELS)
def test_the_same_command_is_a_resume_on_any_processor(monkeypatch, models, family):
    """It asks for nothing, so the folder's own precision holds; another one is refused."""
    for trained, now in ((NATIVE, PLAIN), (PLAIN, NATIVE)):
        pretend(monkeypatch, now)
        before = (models[family, trained] / "weights.safetensors").read_bytes()
        train(family, models[family, trained])

        assert (models[family, trained] / "weights.safetensors").read_bytes() == before
    with pytest.raises(OutputError, match='precision was "32-true", is now "bf16-mixed"'):
        train(family, models[family, PLAIN], precision="bf16-mixed")


@pytest.mark.parametrize(
    ("trained", "now", "runs"), [(NATIVE, NATIVE, "bf16-mixed"), (NATIVE, PLAIN, "32-true"), (PLAIN, NATIVE, "32-true")]
)
def test_models_run_as_they_were_trained_or_say_so(monkeypatch, models, tmp_path, trained, now, runs):
    """On screen and in what they write, where a model trained in bfloat16 has to run in float32."""
    pretend(monkeypatch, now)
    one = Cohort("one", COHORT.cases[:1], COHORT.scheme)
    says = trained != now and runs == "32-true" and trained == NATIVE
    synthesizer, segmenter = (
        load_synthesizer(models["synthesizer", trained]),
        load_segmenter(models["segmenter", trained]),
    )
    progress = Said()
    make_synthetic(one, synthesizer, None, tmp_path / "made", progress=progress)
    segment_folder(one, models["segmenter", trained], tmp_path / "masks", parallel=ParallelSpec(), progress=progress)

    assert synthesizer.runs_in == segmenter.precision == runs
    assert [line for line in progress.lines if "trained in bfloat16, runs in float32" in line] == [
        segmenter.note
    ] * 2 * says
    for folder in ("made", "masks"):
        assert read_json(tmp_path / folder / "step.json")["kept"]["precision"] == runs
    assert ("runs in float32" in (tmp_path / "masks" / "masks.json").read_text()) == says
    assert ("runs in float32" in (tmp_path / "made" / "done.json").read_text()) == says


def test_half_precision_changes_little(monkeypatch, models):
    """Of images and of masks, on one and the same model."""
    case = COHORT.cases[5].load()
    made, masks = {}, {}
    for name in (NATIVE, PLAIN):
        pretend(monkeypatch, name)
        images = load_synthesizer(models["synthesizer", NATIVE]).synthesize(
            case.require_labels(), np.random.default_rng(1)
        )
        made[name] = [volume.voxels for volume in images.values()]
        masks[name] = load_segmenter(models["segmenter", NATIVE]).probabilities(case)

    assert 0 < max(abs(a - b).mean() for a, b in zip(*made.values(), strict=True)) < 0.05
    assert 0 < abs(masks[NATIVE] - masks[PLAIN]).mean() < 0.01


@pytest.mark.filterwarnings("ignore::glioforge.compute.precision.EmulatedPrecisionWarning")
def test_folders_of_images_and_masks_go_on_in_their_precision(monkeypatch, models, tmp_path):
    """Begun where bfloat16 is computed, finished where it is not: one folder, one precision."""
    one = Cohort("one", COHORT.cases[:1], COHORT.scheme)
    for name in (NATIVE, PLAIN):
        pretend(monkeypatch, name)
        segment_folder(one, models["segmenter", NATIVE], tmp_path / "masks", parallel=ParallelSpec(), progress=Silent())
        synthesizer = load_synthesizer(models["synthesizer", NATIVE], remembered(OPEN, tmp_path / "made"))
        make_synthetic(one, synthesizer, None, tmp_path / "made")

        assert synthesizer.runs_in == "bf16-mixed"
    other = OPEN.model_copy(update={"precision": "32-true"})
    with pytest.raises(OutputError, match='precision was "bf16-mixed", is now "32-true"'):
        segment_folder(
            one,
            models["segmenter", NATIVE],
            tmp_path / "masks",
            parallel=ParallelSpec(),
            progress=Silent(),
            accelerator=other,
        )


@pytest.mark.parametrize(("name", "words"), [(NATIVE, "computing in bfloat16"), (PLAIN, "computing in float32")])
@pytest.mark.parametrize("family", MODELS)
def test_the_estimate_says_what_was_resolved(monkeypatch, family, name, words):
    """Precision, device and threads, on a line of its own."""
    pretend(monkeypatch, name)
    lines = estimate_training(COHORT, spec(family, threads=1)).lines()

    assert f"{words} on cpu, 1 thread" in lines


def test_the_score_on_unseen_subjects_is_taken_in_the_precision_of_the_training(models):
    """As are grain and everything else that a training asks its network for."""
    assert models["scored in"] == {NATIVE: {"bf16-mixed"}, PLAIN: {"32-true"}}


@pytest.mark.filterwarnings("ignore::glioforge.compute.precision.EmulatedPrecisionWarning")
def test_a_study_keeps_what_it_began_with(monkeypatch, tmp_path):
    """Its settings, their identity and its report name the precision and the threads of the beginning."""
    monkeypatch.setattr(engine, "prepared_folds", lambda *_: [])
    monkeypatch.setattr(engine, "write_page", lambda _: tmp_path / "report.html")
    study = load_study(DEMO, ("accelerator={device: cpu}",))
    seen = []

    def plan(given, _):
        seen.append(given.accelerator)
        return []

    monkeypatch.setattr(engine, "planned", plan)

    for name in (NATIVE, PLAIN):
        pretend(monkeypatch, name)
        engine.run_study(study, tmp_path / "run", progress=Silent())
    key = read_json(tmp_path / "run" / "done.json")["key"]["study"]["accelerator"]

    assert seen[0] == seen[1]
    assert seen[0].precision == key["precision"] == "bf16-mixed"
    assert "threads" not in key
    assert json.loads((tmp_path / "run" / "study.json").read_text())["spec"]["accelerator"]["precision"] == "bf16-mixed"
    assert Step.kept_in(tmp_path / "run") == {"precision": "bf16-mixed", "threads": seen[0].threads}
