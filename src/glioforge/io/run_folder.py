"""Run folders: files that are whole or absent, and steps that know whether they are done.

Conventions
-----------
write     whole or not at all (see `io.atomic_write`)
step      a folder made by one set of settings (its key).  `step.json` holds
          the key from the start, `done.json` key and facts at the end; no
          later step reads a folder without `done.json`.  Where a command
          wrote nothing but `step.json`, the same command with other settings
          takes the folder
kept      settings that the same command on another machine takes from `step.json`
lock      `.lock`, held by the operating system (`flock`) for as long as the
          process lives: a killed process leaves no stale lock.  On NFS the
          server keeps it, so that it holds between machines too; it frees
          the lock of a machine that died after its lease, 90 s by default.
          Mounts with `local_lock` or `nolock` keep locks within one machine.
          A file system without locks is refused
"""

import errno
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, final

from filelock import FileLock, Timeout

from glioforge.core import InputFileError, OutputError
from glioforge.io.atomic_write import output_error, read_json, remove_partials, replacing, write_atomically, write_json
from glioforge.io.folder_kind import is_model, kind_of_folder
from glioforge.io.step_key import VERB, differences, made_by, made_otherwise, made_there, run_facts

__all__ = ["VERB", "Step", "read_json", "replacing", "run_facts", "write_atomically", "write_json"]

_LOG = logging.getLogger(__name__)

DONE = "done.json"
STARTED = "step.json"
LOCK = ".lock"

ORPHAN_S = 10.0
"""Time to wait for a folder within a run: workers of a killed run end by themselves in less, and leave their locks."""

_NO_LOCKS: Final = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
"""What a file system answers that has no locks, or whose lock service does not run."""


@final
class Step:
    """One step of a run in its own folder, made by one set of settings.

    Building a `Step` only looks.  As a context manager it makes the folder,
    holds its lock, so that two processes cannot work in it, and notes the key.

    Args:
        folder: The step's own folder; made on entering if it is missing.
        key: Everything the outcome depends on, as plain JSON values.
        wait_s: How long a `with` waits for another process to leave the folder.
        kept: Settings outside the key that the folder remembers, as plain JSON values (see `kept_in`).
        writes: Files of the step that must not be there before it, because something else made them.

    Raises:
        OutputError: The folder was made with other settings or by something else; on entering also that it cannot
            be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     with Step(Path(place) / "train", {"steps": 10}) as step:
        ...         step.finish({"dice": 0.8})
        ...     again = Step(Path(place) / "train", {"steps": 10})
        ...     (again.done, again.facts["dice"])
        (True, 0.8)
    """

    def __init__(
        self,
        folder: Path,
        key: Mapping[str, Any],
        *,
        wait_s: float = 0.0,
        kept: Mapping[str, Any] | None = None,
        writes: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self._writes = tuple(writes)
        self.key: Mapping[str, Any] = _plain(key, folder)
        self.kept: Mapping[str, Any] = _plain(kept or {}, folder)
        self._wait_s = wait_s
        self._lock: FileLock | None = None
        self._require_same_key()

    @property
    def done(self) -> bool:
        """Whether the step has been finished with this key."""
        return (self.folder / DONE).exists()

    @property
    def facts(self) -> Mapping[str, Any]:
        """What `finish` noted.

        Raises:
            OutputError: The step is not finished.
        """
        if not self.done:
            raise OutputError("an unfinished step", "a finished one", "run the command again to finish it", self.folder)
        facts: Mapping[str, Any] = _marker(self.folder / DONE)["facts"]
        return facts

    @staticmethod
    def facts_of(folder: Path) -> Mapping[str, Any]:
        """What `finish` noted in the folder of any finished step, whatever its settings.

        Raises:
            InputFileError: The folder holds no finished step.
        """
        facts: Mapping[str, Any] = _marker(folder / DONE)["facts"]
        return facts

    @staticmethod
    def kept_in(folder: Path) -> Mapping[str, Any]:
        """What the step in a folder remembers beside its key; empty where none was begun.

        Raises:
            InputFileError: Its marker is damaged.
        """
        kept: Mapping[str, Any] = _marker(folder / STARTED)["kept"] if (folder / STARTED).exists() else {}
        return kept

    def finish(self, facts: Mapping[str, Any] | None = None) -> None:
        """Mark the step as done; call it inside the `with`, after the last file is written.

        Args:
            facts: What a later step or a report wants to know, plain JSON values.

        Raises:
            OutputError: The facts are not JSON, or the folder cannot be written.
            RuntimeError: The lock is not held, so that another process could take the marker for leavings.
        """
        if self._lock is None and not self.done:
            raise RuntimeError("a step is finished inside its `with`")
        write_json(self.folder / DONE, {"key": self.key, "facts": dict(facts or {})})
        _LOG.debug("%s is finished", self.folder)

    def __enter__(self) -> "Step":
        """Take the lock, unless the step is done; look again whether another process made the step; note the key.

        Nothing is written here without the lock: its holder removes what looks half written.

        Raises:
            OutputError: Another process works in the folder, or made it with other settings; it cannot be written.
        """
        if self.done:
            _LOG.debug("%s is done already", self.folder)
            return self
        self._lock = _lock(self.folder / LOCK, self._wait_s)
        try:
            self._require_same_key()
            remove_partials(self.folder)
            self._note_key()
        except BaseException:
            self._release()
            raise
        _LOG.debug("%s is being made", self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back, whatever happened."""
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _note_key(self) -> None:
        """Write the key down with what is kept, unless it is there or another process finished meanwhile."""
        if self.done:
            return
        # The marker is not rewritten for the same key: its time says when the step was begun first.
        begun = (self.folder / STARTED).exists() and _marker(self.folder / STARTED)["key"] == self.key
        if not begun or (self.kept and self.kept != self.kept_in(self.folder)):
            write_json(self.folder / STARTED, {"key": self.key, **({"kept": self.kept} if self.kept else {})})

    def _require_same_key(self) -> None:
        """Refuse a folder that was made with other settings, or files that no step made."""
        there = [name for name in self._writes if (self.folder / name).exists()]
        if there and not (self.folder / STARTED).exists() and not self.done:
            raise OutputError(
                f"{', '.join(there)} in the folder, which this command did not make",
                "an empty folder, or one that the same command made",
                "choose another --out, or move what is there away",
                self.folder,
            )
        for name in (DONE, STARTED):
            if not (self.folder / name).exists():
                continue
            before = _marker(self.folder / name)["key"]
            if differences(before, self.key) and not _left_empty(self.folder, before, self.key):
                raise made_otherwise(before, self.key, self.folder)


def _plain(key: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The key as it comes back from JSON, so that tuples compare equal to lists."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(key), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise OutputError(f"a step's key that is not JSON ({error})", "plain values", where=folder) from error
    return plain


def require_free(folder: Path, verb: str) -> None:
    """Refuse a folder in which another command began or which holds something else of Glioforge's; writes nothing.

    Args:
        folder: An output folder; one that is missing or empty passes, and so does one of the same command.
        verb: The command that is to write into it.

    Raises:
        OutputError: Says what the folder holds.
    """
    expected = f"an empty folder, or one that `glioforge {verb}` made"
    remedy = "choose another --out"
    for name in (DONE, STARTED):
        if not (folder / name).is_file():
            continue
        maker = made_by(_marker(folder / name)["key"])
        if maker is None or maker.verb != verb:
            what = made_there(maker, folder) or "what another step made"
            raise OutputError(f"the folder holds {what}", expected, remedy, folder)
        return
    kind = kind_of_folder(folder)  # several views keep their steps in subfolders; the card identifies the whole model
    if kind is not None and not (verb == "train" and is_model(folder)):
        raise OutputError(f"the folder holds {kind}", expected, remedy, folder)


def _marker(path: Path) -> dict[str, Any]:
    """Contents of a marker file: a key and perhaps facts."""
    values = read_json(path)
    parts = ("key", "facts", "kept")
    if not isinstance(values, dict) or not all(isinstance(values.get(name, {}), dict) for name in parts):
        values = {}
    if "key" not in values:
        raise InputFileError(
            "a step's marker without its key", "a file that Glioforge wrote", "delete the folder and run again", path
        )
    return {"facts": {}, "kept": {}, **values}


def _left_empty(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the same command began in the folder and wrote nothing else, as one that was refused does."""
    mine = made_by(old)
    if mine is None or mine != made_by(new):
        return False
    return all(path.name in {STARTED, LOCK} or path.name.endswith(".partial") for path in folder.iterdir())


def _lock(path: Path, wait_s: float) -> FileLock:
    """Take the folder's lock and write into its file who holds it."""
    lock = FileLock(path, timeout=wait_s, thread_local=False, fallback_to_soft=False, on_acquired=_sign)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"another process works in this folder ({_holder(path)})",
            "one process a folder",
            "wait until it is done and run the command again, or choose another --out",
            path.parent,
        ) from error
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise OutputError(
                f"a file system without locks ({error.strerror})",
                "locks, which keep two processes from working in one folder",
                "choose an --out on another file system, or have this one mounted with locks (Lustre: `flock`)",
                path.parent,
            ) from error
        raise output_error(error, path) from error
    return lock


def _sign(descriptor: int) -> None:
    """Write who holds the lock into its file."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"pid {os.getpid()} on {os.uname().nodename}"[:64].encode("ascii", "replace"), 0)


def _holder(path: Path) -> str:
    """Who holds the lock of another process, as its file says."""
    try:
        return path.read_bytes()[:64].decode("ascii", "replace").strip() or "not known which"
    except OSError:
        return "not known which"
