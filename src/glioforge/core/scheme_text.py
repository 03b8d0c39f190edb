"""Label schemes that a user writes down: `oedema=1,necrotic_core=2,enhancing=3`.

For numberings that no public data set has.  The text is the name of the scheme,
so it goes wherever a name goes: options, layouts, `cohort.json`, `masks.json`.

Regions follow from the names: WT unites all parts of the tumour, TC all but
oedema, ET is `enhancing`, or `tumour` where nothing finer is named; RC is the
resection cavity.
"""

from collections.abc import Mapping

from glioforge.core.errors import LabelError
from glioforge.core.labels import LabelScheme

_CORE = ("necrosis", "necrotic_core", "non_enhancing", "cystic", "enhancing", "tumour")
_TISSUE = ("white_matter", "grey_matter", "csf", "brain")
_NAMES = (*_CORE, "oedema", "resection_cavity", *_TISSUE)
_BROADER = {
    "necrosis": "necrotic_core",
    "non_enhancing": "necrotic_core",
    "cystic": "necrotic_core",
    "tumour": "enhancing",
    "resection_cavity": "csf",
}


def is_scheme_text(name: str) -> bool:
    """Return whether a scheme's name is a text that lists labels."""
    return "=" in name


def scheme_from_text(text: str, colours: Mapping[str, tuple[int, int, int]] | None = None) -> LabelScheme:
    """Build the scheme that a text lists.

    Args:
        text: `name=integer` pairs between commas; `background=0` may be left out.
        colours: RGB of labels for pictures.

    Raises:
        LabelError: A name is unknown or there twice, an integer is missing or used twice, or there is no label.

    Example:
        >>> scheme = scheme_from_text("enhancing=3, oedema=1,necrotic_core=2")
        >>> scheme.name, scheme.region_values("TC")
        ('oedema=1,necrotic_core=2,enhancing=3', (2, 3))
    """
    labels: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in (*_NAMES, "background") or name in labels or not value.isdecimal():
            raise LabelError(
                f"label scheme {text!r}: {part.strip()!r}",
                f"a name, each once, and its integer, such as oedema=1; names are {', '.join(_NAMES)}",
            )
        labels[name] = int(value)
    return scheme_of_labels({"background": 0, **labels}, colours)


def scheme_of_labels(
    labels: Mapping[str, int], colours: Mapping[str, tuple[int, int, int]] | None = None
) -> LabelScheme:
    """Build a scheme from known label names and their integers; its name is the text that lists them.

    Raises:
        LabelError: Integers are used twice or are no bytes, background is not 0, or there is no label.
    """
    order = dict(sorted(labels.items(), key=lambda pair: pair[1]))
    own = {name: value for name, value in order.items() if name != "background"}
    if not own:
        raise LabelError("a label scheme without labels", "at least one, such as tumour=1")
    core = tuple(name for name in _CORE if name in own)
    enhancing = ("enhancing",) if "enhancing" in own else tuple(n for n in core if n == "tumour")
    regions = {"WT": (*core, *(("oedema",) if "oedema" in own else ())), "TC": core, "ET": enhancing}
    if "resection_cavity" in own:
        regions["RC"] = ("resection_cavity",)
    return LabelScheme(
        ",".join(f"{name}={value}" for name, value in own.items()),
        order,
        regions,
        tuple(name for name in _TISSUE if name in own),
        {name: broader for name, broader in _BROADER.items() if name in own},
        dict(colours or {}),
    )
