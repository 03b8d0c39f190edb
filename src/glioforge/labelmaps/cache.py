"""Hosts, growths and the bank of lesions, kept as files; what is missing or damaged is drawn again.

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

from glioforge.core import Lineage
from glioforge.io import write_atomically
from glioforge.labelmaps.prior import Fractions
from glioforge.labelmaps.sources import LabelSources
from glioforge.lesions import Donor, LesionBank, LesionPatch

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


@final
@dataclass(frozen=True, eq=False)
class Tumours:
    """What is known of tumours.

    Args:
        bank: Lesions.
        centres: Where they lay.
        lineage: Everyone behind them.
    """

    bank: LesionBank
    centres: Fractions
    lineage: Lineage


def read_tumours(sources: LabelSources, cache: Cache) -> Tumours:
    """Read the bank from the cache, or from the cohorts."""
    arrays = cache.arrays("bank", lambda: _packed(sources))
    table = json.loads(bytes(arrays["table"]).decode())
    donors = tuple(
        Donor(row["case"], tuple(row["subjects"]), LesionPatch(arrays[f"lesion-{n}"], (0, 0, 0), tuple(row["spacing"])))
        for n, row in enumerate(table)
    )
    return Tumours(LesionBank(donors), arrays["centres"], sources.lineage_of_tumours())


def _packed(sources: LabelSources) -> dict[str, np.ndarray]:
    """Arrays of the bank, with a table of cases and subjects as JSON."""
    bank, centres = sources.bank()
    rows = [{"case": d.case_id, "subjects": list(d.subjects), "spacing": list(d.lesion.spacing)} for d in bank.donors]
    lesions = {f"lesion-{n}": donor.lesion.voxels for n, donor in enumerate(bank.donors)}
    table = np.frombuffer(json.dumps(rows).encode(), dtype=np.uint8)
    return {"table": table, "centres": centres, **lesions}
