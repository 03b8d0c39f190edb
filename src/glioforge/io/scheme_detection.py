"""Tell the label scheme of a cohort from names and values, and ask where they do not tell.

Enhancing tumour is 4 in BRATS 2013 to 2021 and 3 since 2023, and 3 was
something else before; a wrong guess trains without an error.  So a scheme is
only taken where the values fit it alone, or where the names say which it is.

Rules
-----
names of a scheme of their own   that scheme: Decathlon, nnU-Net, UCSF-PDGM, UPENN-GBM, BIDS tissue
0-4, 3 and 4 in one case         brats2013
4 but never 3                    brats2017
3 but never 4                    brats2023 or brats2013 if the names say so, else asked
neither 3 nor 4                  the names' scheme, else brats2017
names of 2023, 3 and 4           brats2024: 4 is the resection cavity
names of 2023, 4 but never 3     asked: enhancing of old or cavity of new
paediatric names and value 4     brats2024_ped; asked without 4, because 2023 numbered otherwise
5 and above                      asked
"""

from collections.abc import Mapping, Sequence

from glioforge.core.errors import LabelError
from glioforge.core.labels import LabelScheme
from glioforge.core.schemes import BRATS2013, BRATS2017, BRATS2023, BRATS2024, BRATS2024_PED, SCHEMES, scheme_named

_DOUBTED = {BRATS2013.name, BRATS2023.name, BRATS2024_PED.name}
"""Schemes that names speak for, but that only hold if the values agree."""


def detect_scheme(
    counts: Mapping[str, Mapping[int, int]], named: Sequence[str | None], stated: Sequence[str | None] = ()
) -> LabelScheme:
    """Label scheme of a cohort.

    Args:
        counts: For each labelled case how many voxels hold each value; may be empty.
        named: For each case the scheme that its file names speak for, if they do.
        stated: For each case the scheme that its sidecar states, if it does.

    Raises:
        LabelError: Cases state different schemes, or names and values do not
            tell; the message lists the choices.
    """
    told = {scheme for scheme in stated if scheme is not None}
    if len(told) == 1 and None not in stated:
        return scheme_named(told.pop())
    if told:
        raise _question(f"sidecars that state {sorted(told)} for some cases", counts)
    names = set(named)
    name = names.pop() if len(names) == 1 else None
    values = {value for case in counts.values() for value in case}
    fits = _fitting(values, counts, name)
    if fits is None:
        raise _question(f"label values {sorted(values)}" + (f" under names of {name}" if name else ""), counts)
    return fits


def require_known_values(counts: Mapping[str, Mapping[int, int]], scheme: LabelScheme) -> list[LabelError]:
    """One error for each case with values that the scheme does not name; none for a sound cohort."""
    known = set(scheme.labels.values())
    errors = []
    for case_id, case in counts.items():
        strange = {value: number for value, number in case.items() if value not in known}
        if strange:
            text = ", ".join(f"{value} ({number} voxels)" for value, number in sorted(strange.items()))
            errors.append(
                LabelError(
                    f"label values {text}",
                    f"values of scheme {scheme.name!r}: {dict(scheme.labels)}",
                    f"state another scheme in the layout ({', '.join(SCHEMES)}), or remap the file",
                    case_id,
                )
            )
    return errors


def _fitting(values: set[int], counts: Mapping[str, Mapping[int, int]], name: str | None) -> LabelScheme | None:
    """The only scheme that fits values and names, if there is one."""
    if name is not None and name not in _DOUBTED:
        return scheme_named(name)
    if values and (max(values) > 4 or min(values) < 0):
        return None
    if name == BRATS2024_PED.name:
        return BRATS2024_PED if 4 in values or not counts else None
    if name == BRATS2023.name:
        return BRATS2023 if 4 not in values else BRATS2024 if 3 in values else None
    if name == BRATS2013.name or any({3, 4} <= set(case) for case in counts.values()):
        return BRATS2013
    return None if 3 in values else BRATS2017


def _question(found: str, counts: Mapping[str, Mapping[int, int]]) -> LabelError:
    """The error that asks which scheme it is, with cases as examples."""
    cases = ", ".join(f"{case_id} {sorted(values)}" for case_id, values in list(counts.items())[:5])
    return LabelError(
        f"{found}, which do not tell the label scheme (for example {cases})",
        f"one of {'; '.join(f'{s.name} {dict(s.labels)}' for s in SCHEMES.values())}",
        "state it in the layout (scheme: ...), or remap labels that none of them names",
    )
