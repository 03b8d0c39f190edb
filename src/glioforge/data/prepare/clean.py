"""What comes before the grid: registration, skull stripping, brain mask and bias field, where a spec asks for them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

from glioforge.core import Case, Mask
from glioforge.data.prepare.bias import without_bias
from glioforge.data.prepare.brain import find_brain
from glioforge.data.prepare.register import register_case
from glioforge.data.prepare.spec import PrepareSpec
from glioforge.data.prepare.strip import strip_case


@final
@dataclass(frozen=True, eq=False)
class Known:
    """What was found out about a case before, so that nothing slow is done twice.

    Args:
        account: What was done: registration and stripping.
        stripped: Brain that stripping found, on the grid after registration; none where the case had one.
    """

    account: Mapping[str, Any]
    stripped: Mask | None = None


def with_brain(case: Case, spec: PrepareSpec, known: Known | None = None) -> tuple[Case, Mask, dict[str, Any]]:
    """The case registered and stripped, its brain, and an account of what was done.

    Args:
        case: The case as it came.
        spec: What to do.
        known: What an earlier call with the same case and spec found; the result is the same.

    Raises:
        CaseError: There is no brain, or no contrast to register to.
        DependencyError: A step's package is not installed.
        InputFileError: A template or tool failed.
    """
    facts: dict[str, Any] = {}
    if spec.registration is not None:
        found = None if known is None else known.account["registration"]
        case, facts["registration"] = register_case(case, spec.registration, found)
    if spec.strip is not None and known is not None and known.stripped is not None:
        case, facts["strip"] = replace(case, brain=known.stripped), known.account["strip"]
    elif spec.strip is not None:
        case, facts["strip"] = strip_case(case, spec.strip)
    return case, find_brain(case, spec.brain), facts


def evened_out(case: Case, brain: Mask, spec: PrepareSpec) -> Case:
    """The case without bias fields, where the spec asks for it; errors as `without_bias`."""
    if spec.bias is None:
        return case
    return replace(case, images=without_bias(case.images, brain, spec.bias, case.case_id))
