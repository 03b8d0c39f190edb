"""What a run folder says of itself: the key of its step, what it was made with, and how it differs from another."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, final

from glioforge.core import OutputError, shortened
from glioforge.io.folder_kind import MASKS, SEGMENTER, STUDY, is_model, kind_of_folder

_MAX_DIFFERENCES = 5


def made_otherwise(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> OutputError:
    """Return the error for a folder of another command, or of the same one with other settings.

    Args:
        old: Key that the folder keeps.
        new: Key of the step that is to be made.
        folder: The folder.
    """
    maker, asked = made_by(old), made_by(new)
    remedy = "choose another --out, or delete the folder and run again"
    what = made_there(maker, folder) or "a folder of another step"
    if maker != asked:
        wanted = "one that the same step made" if asked is None else f"one that `glioforge {asked.verb}` made"
        return OutputError(f"the folder holds {what}", f"an empty folder, or {wanted}", remedy, folder)
    same = "a folder made" if maker is None else what
    found = f"{same} with other settings: {'; '.join(differences(old, new))}"
    return OutputError(found, "the same settings as before", remedy, folder)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the first parts that differ, by path, with both values; those that one of the keys lacks come last."""
    before, after = dict(_leaves(old, "")), dict(_leaves(new, ""))
    paths = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    paths.sort(key=lambda path: (path not in before or path not in after, path))
    lines = [
        f"{path} was {before.get(path, 'absent')[:80]}, is now {after.get(path, 'absent')[:80]}{_remark(path)}"
        for path in paths
    ]
    return shortened(lines, _MAX_DIFFERENCES)


def _remark(path: str) -> str:
    """What a part of a key means; cohorts are kept by their fingerprint."""
    return " (fingerprints: other cases)" if path in {"cohort", "donors", "train", "validation"} else ""


def _leaves(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Every value below nested mappings by its dotted path, as JSON text."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", json.dumps(value, sort_keys=True)


VERB = "verb"
"""Key of a step that says which command it belongs to."""


@final
class Made(NamedTuple):
    """What a command makes."""

    what: str
    verb: str


_BY_VERB = {
    "doctor": "a diagnosis of scans",
    "evaluate": "an evaluation of masks",
    "export": "an exported data set",
    "filter": "a filtered cohort",
    "ingest": "a cohort",
    "join": "a joined cohort",
    "phantom": "phantoms",
    "prepare --png": "slices as pictures",
}
_BY_FIELDS = (
    ({"spec", "train", "validation"}, Made("a model", "train")),
    ({"budget", "seed", "settings"}, Made("a training", "train")),
    ({"format", "modalities", "size"}, Made("a prepared cohort", "prepare")),
    ({"recipe", "count"}, Made("edited label maps", "edit")),
    ({"synthesizer", "name"}, Made("synthetic cases", "synthesize")),
    ({"sampler", "name"}, Made("sampled cases", "sample")),
    ({"cohort", "spec", "splits"}, Made(SEGMENTER, "train")),
    ({"cohort", "weights"}, Made(MASKS, "segment")),
    ({"study", "scans"}, Made(STUDY, "study")),
    ({"task", "inputs", "needs"}, Made("a task of a study", "study")),
)
"""Fields that only the keys of one command have together."""


def made_by(key: Mapping[str, Any]) -> Made | None:
    """Return what a step with this key makes and the command that it belongs to; None for an unknown key.

    Args:
        key: A step's key, new or as a folder keeps it.

    Example:
        >>> made_by({"verb": "ingest"})
        Made(what='a cohort', verb='ingest')
    """
    verb = str(key.get(VERB, ""))
    if verb:
        return Made(_BY_VERB.get(verb, "results"), verb)
    return next((made for fields, made in _BY_FIELDS if fields <= key.keys()), None)


def made_there(maker: Made | None, folder: Path) -> str:
    """Return what a folder holds and which command made it; empty for an unknown maker.

    Keys of synthesizers and samplers have the same fields: the card of a finished model names its family.

    Args:
        maker: By the folder's key.
        folder: The folder.
    """
    if maker is None:
        return ""
    what = kind_of_folder(folder) if maker.verb == "train" and is_model(folder) else maker.what
    return f"{what} that `glioforge {maker.verb}` made"


_PACKAGES = ("glioforge", "numpy", "scipy", "torch", "lightning-fabric", "nibabel", "blosc2", "isal")


def run_facts() -> dict[str, Any]:
    """Versions, platform, git commit (none outside a checkout) and time, as plain JSON values."""
    return {
        "command": list(sys.argv),
        "commit": _commit(Path(__file__).parent),
        "cores": os.cpu_count(),
        "packages": versions(),
        "platform": platform.platform(),
        "processor": _processor(),
        "python": platform.python_version(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def versions() -> dict[str, str | None]:
    """Return the installed version of each package that results depend on; none where it is not installed."""
    return {name: _version(name) for name in _PACKAGES}


def _processor(info: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the processor; its architecture where the system does not tell the name."""
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    """Installed version of a package; none where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit(folder: Path) -> str | None:
    """Commit of the checkout that the folder lies in, with `+changed` if files differ from it."""
    try:
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}+changed" if changed else head


def _git(folder: Path, *arguments: str) -> str:
    """Output of a git command; no prompt, no lock taken."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - fixed command
    return done.stdout.strip()
