"""Dangerous calls are reported, exceptions have reasons, and pinned packages are not those with known weaknesses.

`make audit` asks the database of weaknesses; what is tested here needs no network.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RISKY = {
    "eval('1')": "S307",
    "exec('1')": "S102",
    "pickle.loads(b'')": "S301",
    "marshal.loads(b'')": "S302",
    "yaml.load('a', Loader=yaml.Loader)": "S506",
    "subprocess.run('ls', shell=True)": "S602",
    "os.system('ls')": "S605",
    "tempfile.mktemp()": "S306",
    "hashlib.md5(b'')": "S324",
    "random.random()": "S311",
    "xml.etree.ElementTree.fromstring('')": "S314",
    "tarfile.open('a').extractall()": "S202",
}
"""A call, and the rule of ruff's copy of bandit that reports it."""
MENDED = {
    "torch": (2, 10),  # CVE-2025-32434, CVE-2026-24747: weights_only does not hold
    "monai": (1, 6, 1),  # GHSA-89gg, CVE-2025-58756, CVE-2026-21851: pickles and zip slip
    "safetensors": (0, 4, 0),
    "pillow": (10, 3, 0),  # CVE-2024-28219
    "jinja2": (3, 1, 6),  # CVE-2025-27516
}
"""First release without the known weakness."""


def sources():
    """Text of every file of the package."""
    return {path: path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")}


def test_dangerous_calls_are_reported_by_make_lint():
    """Each planted call is found with the settings of the project, in a file of the package."""
    names = sorted({call.split("(")[0].rpartition(".")[0].split(".")[0] for call in RISKY} - {""})
    modules = ["xml.etree.ElementTree"] + [n for n in names if n not in {"xml", "tarfile"}]
    text = "".join(f"import {name}\n" for name in [*modules, "tarfile"]) + "".join(f"{call}\n" for call in RISKY)
    command = [Path(sys.executable).with_name("ruff"), "check", "--output-format", "json", "--no-cache"]
    done = subprocess.run(
        [*command, "--stdin-filename", "src/glioforge/io/planted.py", "-"],
        cwd=ROOT, input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = text.splitlines()
    found = {(lines[row["location"]["row"] - 1], row["code"]) for row in json.loads(done.stdout)}

    assert set(RISKY.items()) <= found


def test_exceptions_from_the_rules_have_a_reason():
    """Each `noqa` for a security rule says why the call is safe."""
    bare = [
        f"{path.name}: {line.strip()}"
        for path, text in sources().items()
        for line in text.splitlines()
        if re.search(r"noqa: [^-]*\bS\d{3}", line) and not re.search(r"noqa: [^#]* - \w", line)
    ]

    assert bare == []


UNPICKLING = (r"\btorch\.load\((?!.*weights_only=True)", r"allow_pickle\s*=\s*True", r"\bpickle\.loads?\(|Unpickler\(")


@pytest.mark.parametrize("call", UNPICKLING)
def test_nothing_unpickles(call):
    """Weights are safetensors, arrays are blosc2 and NIfTI: no file of others can run code."""
    assert [path.name for path, text in sources().items() if re.search(call, text)] == []


def test_every_constraint_is_one_release_without_a_known_weakness():
    """All are pinned, so that `make audit` speaks of what is installed."""
    lines = [line.split(";")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    versions = {name.lower(): tuple(map(int, re.findall(r"\d+", pins[name])[:3])) for name in pins}

    assert {name: versions[name] >= least for name, least in MENDED.items() if name in versions} == dict.fromkeys(
        set(MENDED) & set(versions), True
    )
    assert "torch" in versions
