"""The errors that ask for a label scheme: what fits, with the voxels of each class, and how to say it."""

from collections.abc import Iterable, Mapping, Sequence

from glioforge.core.errors import LabelError
from glioforge.core.labels import LabelScheme
from glioforge.core.schemes import SCHEMES, scheme_named

_REMEDY = (
    "say which: --scheme {example}, or scheme: {example} in the layout's YAML; "
    "a numbering that none of them has is written as --scheme oedema=1,necrotic_core=2,enhancing=3"
)


def question(totals: Mapping[int, int], allowed: Iterable[str] = (), odd: Sequence[str] = ()) -> LabelError:
    """Return the error that asks which scheme label values belong to.

    Args:
        totals: Voxels of each value over all cases, without background.
        allowed: Schemes that names leave; all unless given.
        odd: Remarks on files that differ from the others.
    """
    schemes = [scheme_named(name) for name in allowed] or list(SCHEMES.values())
    fitting = [scheme for scheme in schemes if set(totals) <= set(scheme.labels.values())]
    told = "".join(f"; {remark}" for remark in odd)
    choices = "".join(f"\n  {scheme.name}: {_classes(scheme, totals)}" for scheme in fitting or schemes)
    say = _REMEDY.format(example=(fitting or schemes)[0].name)
    if not fitting:
        return LabelError(
            f"label values {shown_counts(totals)}, which no label scheme has{told}",
            "values of one scheme",
            f"remap the values that are no labels (255 often marks 'ignore'), or {say}; the schemes are{choices}",
        )
    return LabelError(
        f"label values {shown_counts(totals)}: names and values do not tell the label scheme{told}",
        "a label scheme that is known",
        f"{say}; these fit{choices}",
    )


def contradiction(first: str, second: str) -> LabelError:
    """Return the error that names two cases whose names or values speak for different schemes."""
    return LabelError(
        f"label schemes that contradict each other: {first} and {second}",
        "cases of one label scheme",
        "put cases of another scheme into a folder of their own and ingest each by itself, "
        "or name the scheme that all of them have with --scheme",
    )


def shown_counts(counts: Mapping[int, int]) -> str:
    """Return label values with their voxels, as text.

    Example:
        >>> shown_counts({4: 12, 1: 3})
        '1 (3 voxels), 4 (12 voxels)'
    """
    return ", ".join(f"{value} ({count} voxels)" for value, count in sorted(counts.items()))


def _classes(scheme: LabelScheme, totals: Mapping[int, int]) -> str:
    """Classes that a scheme reads the values as, with their voxels."""
    named = [f"{value} {name} {totals[value]}" for name, value in scheme.labels.items() if value in totals]
    return ", ".join(named) if named else ", ".join(f"{v} {n}" for n, v in scheme.labels.items() if v)
