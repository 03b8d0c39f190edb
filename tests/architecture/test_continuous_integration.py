"""The scripts of continuous integration do what they are for."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).parents[2]


def script(name):
    """A script of `.ci` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bare_machine(monkeypatch):
    """A machine without torch, whose pip would install the packages given."""
    module = script("torch_build")

    def machine(*packages, gpu=False):
        report = json.dumps({"install": [{"metadata": {"name": name}} for name in packages]})
        monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: None)
        monkeypatch.setattr(shutil, "which", lambda _: "nvidia-smi" if gpu else None)
        monkeypatch.setattr(
            subprocess, "run", lambda *_, **__: subprocess.CompletedProcess((), 0, stdout=report, stderr="")
        )
        return module

    return machine


def test_cuda_packages_are_refused_without_a_gpu(bare_machine, capsys):
    """The message counts them and names the remedy."""
    assert bare_machine("torch", "nvidia-cublas-cu12", "nvidia-cudnn-cu12").main() == 1

    message = capsys.readouterr().err
    assert "2 CUDA packages" in message
    assert "make setup TORCH_INDEX=" in message


def test_a_cpu_build_or_a_gpu_passes(bare_machine):
    """Nothing to refuse."""
    assert bare_machine("torch", "sympy").main() == 0
    assert bare_machine("torch", "nvidia-cublas-cu12", gpu=True).main() == 0
    assert bare_machine("torch", "nvidia-cublas-cu12", gpu=True).main(["--cpu"]) == 1


def test_coverage_below_its_floor_fails(tmp_path, monkeypatch, capsys):
    """A package below its floor, or without one, is named."""
    module = script("coverage_floors")
    package = tmp_path / "src" / "glioforge" / "half"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "code.py").write_text("def used():\n    return 1\n\n\ndef unused():\n    return 2\n\n\nused()\n")
    monkeypatch.chdir(tmp_path)
    data = coverage.Coverage(branch=True)
    data.start()
    compiled = compile((package / "code.py").read_text(), str(package / "code.py"), "exec")
    exec(compiled, {})  # noqa: S102 - our own text
    data.stop()
    data.save()

    assert module.main(["half:80"]) == 0
    assert module.main(["half:95"]) == 1
    assert "half reaches 80.0 % of 95 %" in capsys.readouterr().err
    assert module.main([]) == 1
    assert "half has no floor" in capsys.readouterr().err


@pytest.fixture
def plain_path(tmp_path):
    """A search path with the commands that a script needs, and neither Chromium nor apt-get."""
    for name in ("bash", "dirname", "mktemp", "rm", "grep", "tail", "sed", "tee", "id", "cat"):
        (tmp_path / name).symlink_to(shutil.which(name))
    return tmp_path


def test_tests_of_the_browser_are_skipped_aloud(plain_path):
    """One line says why, and nothing fails, where Chromium is missing and cannot be installed."""
    done = subprocess.run(
        [ROOT / ".ci" / "browser"], env={"PATH": str(plain_path)}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert done.stdout.startswith(
        "browser tests skipped: chromium and chromedriver are missing, and there is no apt-get"
    )
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(("browser", "code"), [("skip", 0), ("pass", 0), ("fail", 2)])
def test_the_last_line_is_the_summary_of_the_main_tests(tmp_path, plain_path, browser, code):
    """That of the browser's tests comes before; a failure of either fails."""
    said = {
        "skip": "browser tests skipped: no chromium",
        "pass": "==== 10 passed in 40.00s ====",
        "fail": "FAILED tests/browser/test_view_page.py::test_a\n==== 1 failed, 9 passed in 40.00s ====",
    }
    make = (
        f'case "$*" in *check) echo "==== 99 passed in 1.00s ====";; *) printf "{said[browser]}\n"; exit {code};; esac'
    )
    (plain_path / "make").write_text(f"#!/usr/bin/env bash\n{make}\n")
    (plain_path / "make").chmod(0o755)
    (tmp_path / "copy" / ".ci").mkdir(parents=True)
    script = shutil.copy(ROOT / ".ci" / "run", tmp_path / "copy" / ".ci" / "run")
    done = subprocess.run([script], env={"PATH": str(plain_path)}, capture_output=True, text=True, check=False)
    summary = done.stdout.rpartition("\n\n")[2].splitlines()

    assert done.returncode == code
    assert summary[-1] == "==== 99 passed in 1.00s ===="
    assert summary[0] == said[browser].splitlines()[0].replace(
        "==== 10 passed in 40.00s ====", "in the browser: 10 passed in 40.00s"
    )


def test_every_layer_has_a_floor():
    """The Makefile and the import contract name the same packages."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    packages = {path.parent.name for path in (ROOT / "src" / "glioforge").glob("*/__init__.py")}

    assert not [name for name in packages if f"{name}:" not in makefile]
