"""What goes wrong for users - bad input, full disks, stops, damage, leaks - and what they are told."""

import errno
import fcntl
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from glioforge.cli.main import app, run
from glioforge.core.lineage import Lineage
from glioforge.io.cohort_file import read_cohort, write_cohort

GLIOFORGE = [sys.executable, "-c", "from glioforge.cli.main import run; run()"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}

Verb = Callable[..., tuple[int, str]]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Verb]:
    """Run the command line in this process: exit code and what stands on stderr."""
    handler = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["glioforge", *map(str, words)])
        with pytest.raises(SystemExit) as ending:
            run()
        return int(ending.value.code or 0), capsys.readouterr().err

    yield call
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="module")
def place(tiny_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with scans, their cohort, the prepared cohort, a trained generator and its synthetic cases."""
    folder = tmp_path_factory.mktemp("faults")
    budget = {"steps": 2, "validate_every": 2, "checkpoint_every": 1}
    training = {"synthesizer": "painted", "budget": budget, "accelerator": {"threads": 1}}
    (folder / "train.yaml").write_text(yaml.safe_dump(training), encoding="utf-8")
    study = {**tiny(tiny_study), "data": {"kind": "folder"}}
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    ingest = ["ingest", folder / "scans", "--out", folder / "cohort"]
    for command in (*(make(folder, folder) for make in STEPS.values()), ingest):
        done = CliRunner().invoke(app, [str(word) for word in command], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    return folder


STEPS: dict[str, Callable[[Path, Path], list[Any]]] = {
    "scans": lambda _, out: ["phantom", "--cases", "3", "--set", "shape=[48, 48, 40]", "--out", out / "scans"],
    "prepared": lambda given, out: ["prepare", given / "scans", "--out", out / "prepared"],
    "model": lambda given, out: ["train", given / "train.yaml", given / "prepared", "--out", out / "model"],
    "made": lambda given, out: ["synthesize", given / "model", given / "prepared", "--out", out / "made"],
}
"""The verbs that write folders, in order; each reads from one place and writes to another."""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"segmentor": "unet"}, "segmentor: unknown key, did you mean 'segmenter'"),
        ({"synthesizer": "spadee"}, "synthesizer 'spadee'; expected one of augmentation_net, ensemble"),
        ({"synthesizer": {"kind": "spade", "preset": "soud"}}, "preset 'soud'; expected one of ['paper', 'sound']"),
        ({"seed": "three"}, "seed: 'three' should be an integer"),
        ({"budget": "huge"}, "budget 'huge' is not among the budgets ['small']"),
        ({"arms": []}, "the first arm is the baseline"),
    ],
)
def test_a_wrong_yaml_is_told_by_its_key(
    verb: Verb, tiny_study: Path, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    """Exit code 2, file and key, and nothing written."""
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**tiny(tiny_study), **change}), encoding="utf-8")

    code, error = verb("study", path, "--out", tmp_path / "out")

    assert (code, (tmp_path / "out").exists()) == (2, False)
    assert str(path) in error
    assert told in error


@pytest.mark.parametrize("override", ["seed", "sed=3", "seed.x=3", "seed=[1"])
def test_a_wrong_override_is_told(verb: Verb, tiny_study: Path, tmp_path: Path, override: str) -> None:
    """Exit code 2 and the override itself or its key."""
    code, error = verb("study", tiny_study, "--out", tmp_path / "out", "--set", override)

    assert (code, (tmp_path / "out").exists()) == (2, False)
    assert override.split("=", maxsplit=1)[0] in error


@pytest.mark.parametrize(
    ("kind", "code", "told"),
    [
        ("none given", 2, "no folder of scans; expected --data FOLDER"),
        ("missing", 1, "no folder; expected a folder of scans"),
        ("empty", 1, "no case found"),
        ("without labels", 1, "cases without a label map: phantom-007-0000"),
        ("two subjects", 1, "2 subjects; expected at least 3"),
        ("lacks a contrast", 1, "expected also ['aptw']; name only contrasts that every case has"),
    ],
)
def test_unfit_scans_are_refused_before_anything_is_written(
    verb: Verb, place: Path, tmp_path: Path, kind: str, code: int, told: str
) -> None:
    """A study says what is wrong with the folder, and leaves nothing behind."""
    scans = tmp_path / "scans"
    if kind == "empty":
        scans.mkdir()
    elif kind != "missing":
        shutil.copytree(place / "scans", scans)
    if kind == "without labels":
        for file in scans.rglob("*_seg.nii.gz"):
            file.unlink()
    if kind == "two subjects":
        shutil.rmtree(scans / "phantom-007-0002")
    words = [] if kind == "none given" else ["--data", scans]
    words += ["--set", "modalities=[aptw]"] if kind == "lacks a contrast" else []

    got, error = verb("study", place / "study.yaml", "--out", tmp_path / "out", *words)

    assert (got, (tmp_path / "out").exists()) == (code, False)
    assert told in error


def test_scans_without_labels_are_not_trained_on(verb: Verb, place: Path, tmp_path: Path) -> None:
    """They would teach that there is no tumour."""
    shutil.copytree(place / "scans", tmp_path / "scans")
    for file in (tmp_path / "scans").rglob("*_seg.nii.gz"):
        file.unlink()
    verb("prepare", tmp_path / "scans", "--out", tmp_path / "prepared")

    code, error = verb("train", place / "train.yaml", tmp_path / "prepared", "--out", tmp_path / "model")

    assert (code, (tmp_path / "model").exists()) == (1, False)
    assert "cases without a label map: phantom-007-0000, phantom-007-0001, phantom-007-0002; expected" in error


@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_is_told_and_the_same_command_goes_on(
    verb: Verb, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The file is named, none is half written, and with space again the folder becomes what it would have been."""
    left = 3
    force = os.fsync

    def full(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        force(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, error = verb(*STEPS[step](place, tmp_path))
    assert code == 1
    assert "cannot write (No space left on device)" in error
    assert "free space on the disk and run the same command again" in error
    assert not list(tmp_path.rglob("*.partial"))

    code, error = verb(*STEPS[step](place, tmp_path))
    assert code == 0, error
    for file in contents(place / step):
        assert (tmp_path / step / file).read_bytes() == (place / step / file).read_bytes(), file


@pytest.mark.parametrize("step", STEPS)
def test_a_place_that_cannot_be_written_is_told(verb: Verb, place: Path, tmp_path: Path, step: str) -> None:
    """One line with the remedy, here for a folder below a file."""
    (tmp_path / "file").touch()

    code, error = verb(*STEPS[step](place, tmp_path / "file"))

    assert code == 1
    assert "cannot write (Not a directory)" in error
    assert "choose a folder that you may write to (--out)" in error


def test_a_second_process_on_a_folder_is_refused(verb: Verb, tiny_study: Path, tmp_path: Path) -> None:
    """The one that came first is left in peace."""
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, error = verb("study", tiny_study, "--out", tmp_path)

    assert code == 1
    assert "another process works in this folder" in error
    assert "wait until it is done" in error


def test_a_leak_stops_the_study(verb: Verb, place: Path, tmp_path: Path) -> None:
    """A case made from another side's subjects ends it with exit code 3, before anything is written."""
    cohort = read_cohort(place / "cohort")
    first, *others = cohort
    planted = Lineage.synthetic("spade", {ref.case_id: ref.lineage for ref in others}, seed=1)
    write_cohort(replace(cohort, cases=(replace(first, lineage=planted), *others)), tmp_path)

    code, error = verb("study", place / "study.yaml", "--out", tmp_path / "out", "--data", tmp_path)

    assert (code, (tmp_path / "out").exists()) == (3, False)
    assert "evaluation subjects stand behind training inputs" in error
    assert "phantom-007-0000" in error


def test_other_scans_in_the_same_folder_are_refused(verb: Verb, place: Path, tmp_path: Path) -> None:
    """Results of one cohort are never mixed with those of another."""
    cohort = read_cohort(place / "cohort")
    renamed = replace(cohort, cases=tuple(replace(ref, case_id=f"{ref.case_id}-b") for ref in cohort))
    write_cohort(renamed, tmp_path / "other")
    out = tmp_path / "out"
    blocked = ("study", place / "study.yaml", "--out", out, "--set", "prepare.grid.size=[1, 1, 1]", "--data")
    verb(*blocked, place / "cohort")

    code, error = verb(*blocked, tmp_path / "other")

    assert code == 1
    assert "a study that `glioforge study` made with other settings: scans was" in error


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_stopped_anywhere_the_same_command_goes_on(
    tiny_study: Path, finished_study: Path, tmp_path: Path, workers: int
) -> None:
    """Ctrl-C ends with 130, SIGTERM with 143, each in one line; what comes out in the end is the same."""
    command = [*GLIOFORGE, "study", str(tiny_study), "--out", str(tmp_path / "run"), "--workers", str(workers)]
    rng = random.Random(workers)  # noqa: S311 - instants, not secrets
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, start_new_session=True)
        time.sleep(rng.uniform(2, 12))
        if process.poll() is not None:
            break
        (os.killpg if rng.random() < 0.5 else os.kill)(process.pid, number)
        error = process.communicate(timeout=60)[1]
        if number != signal.SIGKILL:
            assert process.returncode == 128 + number, error
            assert error.splitlines()[-1].startswith("stopped; to resume: glioforge ")
            assert "Traceback" not in error
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    require_same_results(tmp_path / "run", finished_study)


@pytest.mark.slow
@pytest.mark.parametrize(
    "damaged",
    [
        "prepared/cases/*/images.b2nd",
        "prepared/cases/*/case.json",
        "prepared/cohort.json",
        "fold-0/cases/generator/made/cases/*/images.b2nd",
        "fold-0/split.json",
    ],
)
def test_damage_that_can_be_mended_is_mended(
    verb: Verb, tiny_study: Path, finished_study: Path, tmp_path: Path, damaged: str
) -> None:
    """A case that was damaged before the study ended is made again, and the results are the same."""
    out = unfinished_copy(finished_study, tmp_path)
    damage(min(out.glob(damaged)))

    code, error = verb("study", tiny_study, "--out", out)

    assert code == 0, error
    require_same_results(out, finished_study)


@pytest.mark.slow
@pytest.mark.parametrize(
    "damaged",
    [
        "fold-0/generator/model/weights.safetensors",
        "fold-0/pilot/model/weights.safetensors",
        "fold-0/synthetic/generator/done.json",
        "phantoms/*/*_t1.nii.gz",
        "step.json",
    ],
)
def test_damage_that_cannot_be_mended_is_told(
    verb: Verb, tiny_study: Path, finished_study: Path, tmp_path: Path, damaged: str
) -> None:
    """The file is named with what to do, and no results are written from it."""
    out = unfinished_copy(finished_study, tmp_path)
    file = min(out.glob(damaged))
    damage(file)

    code, error = verb("study", tiny_study, "--out", out)

    assert code == 1
    assert file.parent.name in error
    assert not (out / "results.csv").exists()


@pytest.mark.slow
def test_a_limit_on_file_sizes_is_told_and_the_study_goes_on(
    tiny_study: Path, finished_study: Path, tmp_path: Path
) -> None:
    """A study that cannot write its checkpoints says so; without the limit it ends as if nothing had been."""
    command = [*GLIOFORGE, "study", str(tiny_study), "--out", str(tmp_path / "run"), "--workers", "2"]
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300000, {resource.RLIM_INFINITY})); "
    limited = [sys.executable, "-c", limit + command[2], *command[3:]]
    stopped = subprocess.run(limited, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert stopped.returncode == 1
    assert "cannot write (File too large)" in stopped.stderr
    assert not list(tmp_path.rglob("*.partial"))

    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    require_same_results(tmp_path / "run", finished_study)


def tiny(path: Path) -> dict[str, Any]:
    """Plain values of the tiny study."""
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def contents(folder: Path) -> list[Path]:
    """Files whose bytes are promised: all but locks and what tells times."""
    timed = {".lock", "done.json", "card.json", "history.csv"}
    return [file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file() and file.name not in timed]


def require_same_results(out: Path, expected: Path) -> None:
    """Results, weights and synthetic cases must have the same bytes."""
    promised = [*expected.rglob("*.b2nd"), *expected.rglob("weights.safetensors"), *expected.glob("results.*")]
    differing = [str(f) for f in promised if (out / f.relative_to(expected)).read_bytes() != f.read_bytes()]
    assert differing == []


def unfinished_copy(finished: Path, place: Path) -> Path:
    """Copy of a finished study that has still to score its segmenters and to write its report."""
    out = place / "run"
    shutil.copytree(finished, out, symlinks=True)
    for task in (*(out / "fold-0" / "scores").glob("*/*"), out / "fold-0" / "fidelity"):
        shutil.rmtree(task.resolve())
    for name in ("done.json", "results.csv", "results.parquet", "report.html"):
        (out / name).unlink()
    return out


def damage(file: Path) -> None:
    """Turn one byte in the middle of a file."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
