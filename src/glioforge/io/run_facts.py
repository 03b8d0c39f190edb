"""What a run was made with: versions, machine, commit and time."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

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
