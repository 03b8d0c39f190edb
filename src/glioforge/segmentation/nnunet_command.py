"""Calls nnU-Net's own commands, in folders of their own.

nnU-Net is an optional package of other authors and licence; none of it is
imported here.  Its commands find their data through three variables of the
environment, which are set for the command alone.

Conventions
-----------
folder      holds `nnUNet_raw`, `nnUNet_preprocessed`, `nnUNet_results` and `nnunet.log`
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from glioforge.core.errors import DependencyError, TrainingError

LOG = "nnunet.log"
ROOTS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
_LAST_LINES = 12
_GRACE_S = 10.0


def find_command(name: str) -> str:
    """Path of one of nnU-Net's commands, beside this Python or on the path.

    Raises:
        DependencyError: nnU-Net is not installed.
    """
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if found is None:
        raise DependencyError(
            f"the command {name} is not on the path", "nnU-Net 2", "install it: pip install 'glioforge[nnunet]'"
        )
    return found


def call_nnunet(words: Sequence[str], folder: Path) -> None:
    """Run one of nnU-Net's commands to its end; what it prints is added to the folder's log.

    Args:
        words: Name of the command and its arguments; no shell is involved.
        folder: Where its data lie.

    Raises:
        DependencyError: nnU-Net is not installed.
        TrainingError: The command failed; the message ends with the last lines of its log.
    """
    command = [find_command(words[0]), *words[1:]]
    roots = {name: str((folder / name).resolve()) for name in ROOTS}
    for root in roots.values():
        Path(root).mkdir(parents=True, exist_ok=True)
    log = folder / LOG
    with log.open("ab") as stream:
        stream.write(f"\n$ {' '.join(words)}\n".encode())
        stream.flush()
        code = _run_group(command, {**os.environ, **roots}, stream.fileno())
    if code:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LAST_LINES:]
        raise TrainingError(
            f"{words[0]} ended with code {code}: {' | '.join(line.strip() for line in lines if line.strip())}",
            "code 0",
            "read the whole log, mend the cause and give the same command again",
            log,
        )


def _run_group(command: list[str], environment: dict[str, str], output: int) -> int:
    """Run in a process group of its own, and end all of it should this process be stopped."""
    process = subprocess.Popen(  # noqa: S603 - no shell
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait()
    except BaseException:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
        raise
