"""Write exports of phantoms in every format and have nnU-Net and the BIDS validator judge them.

Scans, prepared cases, edited label maps and synthetic cases go out, alone and
mixed; nnU-Net checks its raw data sets, the validator reads the BIDS
data sets with their derivatives, and `glioforge ingest` reads all that has images.
Ends with 1 and one line per finding where one of them objects.

    python .ci/check_exports.py .venv/bin .venv-exports/bin
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SETS = {
    "scans": (["cohort"], []),
    "prepared": (["prepared"], []),
    "edited": (["edited"], []),
    "mixed": (["prepared", "synthetic"], []),
    "mixed-on-one-grid": (["prepared", "synthetic", "edited"], ["--grid", "prepared"]),
}
"""Folders of cohorts and options of each export."""
NO_IMAGES = {"edited", "mixed-on-one-grid"}
"""Sets with label maps without images, which nnU-Net has no use for."""
DATASET = "Dataset001_glioforge"
FORMATS = ("nifti", "brats", "nnunet", "bids")
GENERATOR = "synthesizer: {kind: painted}\ntest: 0\nvalidation: 0\n"


def called(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; what it printed is kept."""
    shown = {**os.environ, **environment}
    return subprocess.run(
        words, cwd=folder, env=shown, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def make_cohorts(glioforge: str, folder: Path) -> None:
    """Write phantoms and all that comes of them."""
    (folder / "generator.yaml").write_text(GENERATOR, encoding="utf-8")
    steps = [
        ["phantom", "--cases", "3", "--seed", "3", "--out", "scans", "--set", "shape=[48, 48, 40]"],
        ["ingest", "scans", "--out", "cohort"],
        ["prepare", "cohort", "--out", "prepared", "--set", "tissue={kind: mixture}", "--set", "grid.spacing_mm=5"],
        ["edit", "prepared", "--recipe", "default", "--out", "edited"],
        ["train", "generator.yaml", "prepared", "--out", "generator"],
        ["synthesize", "generator", "prepared", "--out", "synthetic", "--no-nifti"],
    ]
    for step in steps:
        done = called([glioforge, *step], folder)
        if done.returncode:
            sys.exit(f"glioforge {' '.join(step)} failed:\n{done.stdout}")
        print(f"glioforge {step[0]}: done", flush=True)


def findings_of_export(glioforge: str, others: Path, folder: Path, name: str, form: str) -> list[str]:
    """Export one set in one format and check it; one line per finding."""
    cohorts, options = SETS[name]
    out = f"{name}-{form}"
    done = called([glioforge, "export", *cohorts, "--as", form, "--out", out, *options], folder)
    if done.returncode:
        return [f"{out}: glioforge export: {done.stdout.strip()}"]
    found = []
    if form == "nnunet":
        found = nnunet_findings(others, folder / out)
    elif form == "bids":
        found = bids_findings(others, folder / out)
    if name not in NO_IMAGES:
        place = folder / out / DATASET if form == "nnunet" else folder / out
        back = called([glioforge, "ingest", str(place), "--layout", read_as(form), "--out", f"{out}-back"], folder)
        found += [f"glioforge ingest: {back.stdout.strip()}"] if back.returncode else []
    return [f"{out}: {line}" for line in found]


def read_as(form: str) -> str:
    """Layout that reads a format."""
    return "brats" if form == "nifti" else form


def nnunet_findings(others: Path, folder: Path) -> list[str]:
    """What nnU-Net's integrity check objects to; warnings count."""
    places = {f"nnUNet_{name}": str(folder) for name in ("raw", "preprocessed", "results")}
    words = [str(others / "python"), str(Path(__file__).with_name("nnunet_integrity.py")), str(folder / DATASET)]
    done = called(words, folder, **places)
    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith(("Error", "Warning:", "WARNING"))]
    lines = lines or ([done.stdout.strip().splitlines()[-1]] if done.returncode else [])
    passed = "verify_dataset_integrity Done" in done.stdout
    return [f"nnU-Net: {line}" for line in lines] or ([] if passed else ["nnU-Net: its check did not run"])


def bids_findings(others: Path, folder: Path) -> list[str]:
    """Errors of the BIDS validator, those in derivatives included; recommendations do not count."""
    done = called([str(others / "bids-validator-deno"), "--recursive", "--format", "json", str(folder)], folder.parent)
    try:
        report = json.loads(done.stdout[done.stdout.index("{") :])
        parts = [report, *report.get("derivativesSummary", {}).values()]
        issues = [issue for part in parts for issue in part["issues"]["issues"] if issue["severity"] == "error"]
    except (ValueError, KeyError):
        return [f"BIDS validator: {done.stdout.strip()[:500]}"]
    lines = [f"BIDS validator: {issue['code']} {issue.get('location', '')}" for issue in issues]
    return lines or ([f"BIDS validator: exit code {done.returncode}"] if done.returncode else [])


def main(arguments: list[str]) -> int:
    """Make cohorts, export them and report."""
    own, others = (Path(name).resolve() for name in arguments)
    glioforge = str(own / "glioforge")
    findings = []
    with tempfile.TemporaryDirectory(prefix="glioforge-exports-") as place:
        make_cohorts(glioforge, Path(place))
        for name in SETS:
            for form in FORMATS:
                if form == "nnunet" and name in NO_IMAGES:
                    continue
                found = findings_of_export(glioforge, others, Path(place), name, form)
                print(f"{name} as {form}: {'ok' if not found else f'{len(found)} findings'}", flush=True)
                findings += found
    for line in findings:
        print(line, file=sys.stderr)
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
