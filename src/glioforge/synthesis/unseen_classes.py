"""Classes that no training case had: label maps with them are refused, or painted as a class that is named for them.

A generator that never saw enhancing tumour knows no intensity for it.  What it
would paint there is arbitrary (for a style of class means it would be 0), and
nothing in the image would show that.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from glioforge.core import LabelError, LabelMap, LabelScheme, SpecError
from glioforge.synthesis.appearance import Appearance


def unseen_classes(appearance: Appearance, scheme: LabelScheme) -> tuple[str, ...]:
    """Return the names of the classes without a voxel in the training cases, in at least one of the contrasts.

    A class that was seen in some contrasts only, because cases lack others, counts as unseen.
    """
    known = np.isfinite(appearance.means).any(axis=0).all(axis=1)
    names = sorted(scheme.labels, key=scheme.value)
    return tuple(name for name, seen in zip(names, known, strict=True) if not seen)


def require_stand_ins(stand_ins: Mapping[str, str], unseen: Sequence[str], scheme: LabelScheme) -> None:
    """Refuse stand-ins that name no class of the scheme, the background, or an unseen class as the one to paint.

    Raises:
        SpecError: With the names in question.
    """
    known = [name for name in scheme.labels if name != "background"]
    wrong = sorted({*stand_ins, *stand_ins.values()} - set(known))
    if wrong:
        raise SpecError(f"stand_ins with {wrong}", f"classes of scheme {scheme.name!r}: {known}")
    never = sorted(set(stand_ins.values()) & set(unseen))
    if never:
        raise SpecError(f"stand_ins that paint {never}", "classes that training cases have", "name another class")


def painted_map(labels: LabelMap, unseen: Sequence[str], stand_ins: Mapping[str, str], where: str) -> LabelMap:
    """Return the map to paint: unseen classes replaced by their stand-ins.

    Args:
        labels: Label map in the model's scheme.
        unseen: Classes that no training case had.
        stand_ins: Class to paint in place of each of them.
        where: What the error is about.

    Raises:
        LabelError: The map has an unseen class without a stand-in.
    """
    scheme = labels.scheme
    found = {name: int((labels.voxels == scheme.value(name)).sum()) for name in unseen}
    present = {name: count for name, count in found.items() if count}
    left = [f"{name} ({count} voxels)" for name, count in present.items() if name not in stand_ins]
    if left:
        raise LabelError(
            f"a label map with {', '.join(left)}, which no training case had",
            "classes that the model has seen",
            "train on cases that have them, or name a class to paint in their place: stand_ins: {unseen: seen}",
            where,
        )
    if not present:
        return labels
    voxels = labels.voxels.copy()
    for name in present:
        voxels[labels.voxels == scheme.value(name)] = scheme.value(stand_ins[name])
    return labels.with_voxels(voxels)


def warning_of(unseen: Sequence[str], stand_ins: Mapping[str, str]) -> str:
    """Return one sentence on unseen classes for the user; empty when there are none.

    Example:
        >>> warning_of(["enhancing"], {})
        'no training case has enhancing: label maps with it are refused, unless stand_ins names a class to paint'
    """
    painted = [f"{name} (painted as {stand_ins[name]})" for name in unseen if name in stand_ins]
    refused = [name for name in unseen if name not in stand_ins]
    parts = [f"no training case has {', '.join(painted)}"] if painted else []
    if refused:
        them = "it" if len(refused) == 1 else "them"
        parts.append(
            f"no training case has {', '.join(refused)}: label maps with {them} are refused, "
            "unless stand_ins names a class to paint"
        )
    return "; ".join(parts)
