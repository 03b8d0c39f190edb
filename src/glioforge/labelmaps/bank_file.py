"""The bank of lesions and their centres, read once from the cohorts and kept in the cache."""

import json
from dataclasses import dataclass
from typing import final

import numpy as np

from glioforge.core import Lineage
from glioforge.labelmaps.cache import Cache
from glioforge.labelmaps.prior import Fractions
from glioforge.labelmaps.sources import LabelSources
from glioforge.lesions import Donor, LesionBank, LesionPatch


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
