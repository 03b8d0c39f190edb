"""Hosts and growths that were drawn already, kept as files; what is missing or damaged is drawn again.

The folder of an engine's cache is named by all that its contents depend on, so
that several engines may share a folder.  Rounds before the last are removed.
"""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from glioforge.io import write_atomically

Arrays = Mapping[str, np.ndarray]


@final
@dataclass(frozen=True)
class Cache:
    """Arrays by name in one folder.

    Args:
        folder: Made at the first write.
    """

    folder: Path

    @classmethod
    def of(cls, folder: Path, key: Mapping[str, Any]) -> "Cache":
        """Cache below a folder, for contents that depend on a key of plain JSON."""
        text = json.dumps(key, sort_keys=True)
        return cls(folder / hashlib.blake2b(text.encode(), digest_size=8).hexdigest())

    def arrays(self, name: str, make: Callable[[], Arrays]) -> dict[str, np.ndarray]:
        """Read arrays, or make and keep them.

        Args:
            name: Path within the folder, without suffix.
            make: Makes them where they are not there or cannot be read.
        """
        path = self.folder / f"{name}.npz"
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            made = dict(make())
        buffer = io.BytesIO()
        savez: Callable[..., None] = np.savez_compressed
        savez(buffer, **made)
        write_atomically(path, buffer.getvalue())
        return made

    def forget(self, name: str) -> None:
        """Remove a folder of the cache, if it is there."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
