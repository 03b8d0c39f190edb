"""Reading studies of three papers: their counts, with intervals and tests that they do not give."""

from typing import Final

from glioforge.reader import CARVER_2021, GUO_2020, GUO_MAPS, HAN_2018, Counts, detect, fisher_p
from glioforge.report import Block, Table, p_text
from glioforge.statistics import binomial_p, wilson

MARGIN: Final = 0.1
"""Accuracy within chance plus or minus this counts as not distinguishable."""
SHOWN: Final = 19
"""Images of each contrast in the reading of Carver et al."""


def reading_blocks(paper: str) -> list[Block]:
    """Return the tables of a paper's reading study; none where it has none.

    Args:
        paper: Name of the paper.
    """
    known = {"han2018": _han, "carver": _carver, "guo2020": _guo}
    return [known[paper]()] if paper in known else []


def _han() -> Table:
    """Calls of one physician for 12 generators."""
    rows = []
    for name, counts in HAN_2018.items():
        found = detect(counts, MARGIN)
        accuracy, dprime = found.accuracy, found.dprime
        rows.append(
            (
                name,
                " ".join(map(str, counts.cells)),
                f"{100 * accuracy.estimate:.0f} ({100 * accuracy.low:.0f} to {100 * accuracy.high:.0f})",
                p_text(found.p_chance),
                f"{dprime.estimate:.2f} ({dprime.low:.2f} to {dprime.high:.2f})".replace("-", "−"),
                f"{found.criterion:.2f}".replace("-", "−"),
                p_text(found.p_equivalence),
            )
        )
    caption = (
        "Table 1, calls of one physician for each generator: real as real, real as synthetic, synthetic as real, "
        "synthetic as synthetic. p against chance is of the accuracy; d' and the criterion tell discrimination from "
        "the lean to the answer synthetic; equivalence is with 50 ± 10 %."
    )
    columns = ("Generator", "Counts", "Right, % (95 %)", "p, chance", "d' (95 %)", "Criterion", "p, equivalence")
    return Table(columns, tuple(rows), caption)


def _carver() -> Table:
    """Misclassified images of each contrast."""
    rows = []
    for contrast, wrong in CARVER_2021.items():
        share = wilson(wrong, SHOWN)
        ends = f"{100 * share.estimate:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})"
        rows.append((contrast, f"{wrong} of {SHOWN}", ends, p_text(binomial_p(wrong, SHOWN))))
    caption = "Table 2, images misjudged by a physician, of 9 real and 10 synthetic ones a contrast."
    return Table(("Contrast", "Misjudged", "% (95 %)", "p, chance"), tuple(rows), caption)


def _guo() -> Table:
    """Preference rates, which are shares of 61."""
    ours, rows = GUO_2020["samr"], []
    for method, count in GUO_2020.items():
        share = wilson(count, GUO_MAPS)
        ends = f"{100 * share.estimate:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})"
        counts = Counts(ours, GUO_MAPS - ours, count, GUO_MAPS - count)
        rows.append((method, f"{count} of {GUO_MAPS}", ends, "–" if method == "samr" else p_text(fisher_p(counts))))
    caption = (
        "Table 1, images preferred by a neuroradiologist. The printed rates are shares of 61 alone among numbers "
        "below 122. p compares each method with SAMR by Fisher's exact test, as if images were unpaired."
    )
    return Table(("Method", "Preferred", "% (95 %)", "p, against SAMR"), tuple(rows), caption)
