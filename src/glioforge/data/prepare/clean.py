"""What comes before the grid: registration, skull stripping, brain mask and bias field, where a spec asks for them."""

from dataclasses import replace
from typing import Any

from glioforge.core.case import Case
from glioforge.core.volume import Mask
from glioforge.data.prepare.bias import without_bias
from glioforge.data.prepare.brain import find_brain
from glioforge.data.prepare.register import register_case
from glioforge.data.prepare.spec import PrepareSpec
from glioforge.data.prepare.strip import strip_case


def with_brain(case: Case, spec: PrepareSpec) -> tuple[Case, Mask, dict[str, Any]]:
    """The case registered and stripped, its brain, and an account of what was done.

    Raises:
        CaseError: There is no brain, or no contrast to register to.
        DependencyError: A step's package is not installed.
        InputFileError: A template or tool failed.
    """
    facts: dict[str, Any] = {}
    if spec.registration is not None:
        case, facts["registration"] = register_case(case, spec.registration)
    if spec.strip is not None:
        case, facts["strip"] = strip_case(case, spec.strip)
    return case, find_brain(case, spec.brain), facts


def evened_out(case: Case, brain: Mask, spec: PrepareSpec) -> Case:
    """The case without bias fields, where the spec asks for it; errors as `without_bias`."""
    if spec.bias is None:
        return case
    return replace(case, images=without_bias(case.images, brain, spec.bias, case.case_id))
