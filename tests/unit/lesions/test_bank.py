"""Banks of lesions: cut from cases, never of a subject left out."""

import pytest

from glioforge.core.case import Case, CaseRef
from glioforge.core.errors import EditError
from glioforge.core.lineage import Lineage
from glioforge.lesions.bank import LesionBank
from toy_brain import toy_bank, toy_brain


def reference(case_id, labels, lineage):
    """A case in memory."""
    case = Case(case_id, case_id, {}, lineage, labels)
    return CaseRef(case_id, case_id, {}, "complete", lineage, "0", reader=lambda ref: case)


def test_a_bank_is_cut_from_cases():
    """Healthy cases are passed over; every subject behind a case is named."""
    lineage = Lineage.synthetic("edits", {"p": Lineage.real("x", "parent")}, seed=1)
    cases = [
        reference("sick", toy_brain(), lineage),
        reference("healthy", toy_brain(centre=None), Lineage.real("x", "h")),
    ]
    bank = LesionBank.of(cases)

    assert len(bank) == 1
    assert bank.case_ids == ("sick",)
    assert bank.donor("sick").subjects == ("parent", "sick")
    assert len(bank.without(["parent"])) == 0


def test_an_unknown_donor_is_refused():
    """The message lists whom the bank has."""
    with pytest.raises(EditError, match=r"donor 'nobody'; expected one of \['donor0', 'donor1'\]"):
        toy_bank().donor("nobody")
