"""Reading studies of three papers: their counts with intervals and tests that they do not give, and ours below."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from glioforge.core import Modality
from glioforge.reader import (
    CARVER_2021,
    GUO_2020,
    GUO_MAPS,
    HAN_2018,
    POOLED,
    Answered,
    Counts,
    Detection,
    Preference,
    detect,
    fisher_p,
)
from glioforge.report import Block, Table, p_text
from glioforge.statistics import Interval, binomial_p, wilson

MARGIN: Final = 0.1
"""Accuracy within chance plus or minus this counts as not distinguishable."""
SHOWN: Final = 19
"""Images of each contrast in the reading of Carver et al."""
_CONTRASTS: Final[Mapping[str, str]] = {"t1c": Modality.T1CE, "concat": POOLED}
"""Contrasts whose name differs from that of the papers' tables."""


@final
@dataclass(frozen=True)
class Refused:
    """A reading after a paper that could not be held.

    Args:
        paper: Name of the paper.
        what: What was to be read, in a few words.
        why: Why its creation was refused.
    """

    paper: str
    what: str
    why: str


def reading_blocks(paper: str, ours: Sequence[Answered] = (), refused: Sequence[Refused] = ()) -> list[Block]:
    """Return the tables of a paper's reading study; none where it has none.

    Args:
        paper: Name of the paper.
        ours: Readings after it.
        refused: Readings after it that could not be held.
    """
    known = {"han2018": _han, "carver": _carver, "guo2020": _guo}
    if paper not in known:
        return []
    blocks: list[Block] = [known[paper](ours)]
    scored = tuple(one for one in ours if one.scores)
    if scored:
        blocks.append(_scores(scored))
    if any(one.flags for one in ours):
        blocks.append(_marks(ours))
    if refused:
        rows = tuple((one.what, one.why) for one in refused)
        caption = "Readings that were refused when they were created, and so have no counts."
        blocks.append(Table(("Reading", "Why"), rows, caption))
    return blocks


def reading_numbers(paper: str, ours: Sequence[Answered], refused: Sequence[Refused] = ()) -> dict[str, Any]:
    """Return our counts next to the published ones as plain values; empty for a paper without a reading study."""
    found: dict[str, Any] = {}
    if paper == "han2018":
        found["published"] = {name: counts.cells for name, counts in HAN_2018.items()}
        found["ours"] = {name: [_counted(one, row) for one, row in _of_generator(ours, name)] for name in HAN_2018}
    elif paper == "carver":
        found["published"] = {name: [wrong, SHOWN] for name, wrong in CARVER_2021.items()}
        found["ours"] = {name: [_counted(one, row) for one, row in _of_contrast(ours, name)] for name in CARVER_2021}
    elif paper == "guo2020":
        found["published"] = {name: [count, GUO_MAPS] for name, count in GUO_2020.items()}
        found["ours"] = {name: [_won(one, name) for one in ours if name in one.methods] for name in GUO_2020}
    if not found:
        return {}
    scores = [
        {**_known(one), "scores": {name: round(mean.estimate, 4) for name, mean in one.scores.items()}}
        for one in ours
        if one.scores
    ]
    return {**found, "scores": scores, "refused": {one.what: one.why for one in refused}}


def _han(ours: Sequence[Answered]) -> Table:
    """Calls for 12 generators, of one physician and of our readers."""
    rows = []
    for name, counts in HAN_2018.items():
        rows.append((name, *_detected(detect(counts, MARGIN))))
        rows += [(f"{name}, ours, {_who(one)}", *_detected(found)) for one, found in _of_generator(ours, name)]
    caption = (
        "Table 1, calls of one physician for each generator: real as real, real as synthetic, synthetic as real, "
        "synthetic as synthetic. p against chance is of the accuracy; d' and the criterion tell discrimination from "
        f"the lean to the answer synthetic; equivalence is with 50 ± 10 %.{_caption(ours)}"
    )
    columns = ("Generator", "Counts", "Right, % (95 %)", "p, chance", "d' (95 %)", "Criterion", "p, equivalence")
    return Table(columns, tuple(rows), caption)


def _detected(found: Detection) -> tuple[str, ...]:
    """Cells of a line of calls."""
    return (
        " ".join(map(str, found.counts.cells)),
        _percent(found.accuracy, digits=0),
        p_text(found.p_chance),
        _plain(found.dprime),
        f"{found.criterion:.2f}".replace("-", "−"),
        p_text(found.p_equivalence),
    )


def _carver(ours: Sequence[Answered]) -> Table:
    """Misclassified images of each contrast."""
    rows = []
    for contrast, wrong in CARVER_2021.items():
        rows.append((contrast, f"{wrong} of {SHOWN}", _percent(wilson(wrong, SHOWN)), p_text(binomial_p(wrong, SHOWN))))
        for one, found in _of_contrast(ours, contrast):
            counts = found.counts
            share = _percent(_other(found.accuracy))
            cells = (f"{counts.trials - counts.correct} of {counts.trials}", share, p_text(found.p_chance))
            rows.append((f"{contrast}, ours, {_who(one)}", *cells))
    caption = f"Table 2, images misjudged by a physician, of 9 real and 10 synthetic ones a contrast.{_caption(ours)}"
    if ours:
        caption += " The share of several readers is the mean over both kinds of images."
    return Table(("Contrast", "Misjudged", "% (95 %)", "p, chance"), tuple(rows), caption)


def _scores(ours: Sequence[Answered]) -> Table:
    """Quality scores of our readings."""
    rows = tuple(
        (f"{name}, {_who(one)}", _plain(mean), str(mean.count)) for one in ours for name, mean in one.scores.items()
    )
    caption = "Quality scores of our readings, mean over subjects with 95 % interval; the paper printed none."
    return Table(("Images", "Score", "Subjects"), rows, caption)


def _guo(ours: Sequence[Answered]) -> Table:
    """Preference rates, which are shares of 61."""
    best, rows = GUO_2020["samr"], []
    for method, count in GUO_2020.items():
        counts = Counts(best, GUO_MAPS - best, count, GUO_MAPS - count)
        p = "–" if method == "samr" else p_text(fisher_p(counts))
        rows.append((method, f"{count} of {GUO_MAPS}", _percent(wilson(count, GUO_MAPS)), p))
        for one in ours:
            rate = _rates(one.preference).get(method)
            if rate is not None:
                cells = (f"{rate.estimate * rate.count:.0f} of {rate.count}", _percent(rate))
                rows.append((f"{method}, ours, {_who(one)}", *cells, _against_samr(one.preference, method)))
    caption = (
        "Table 1, images preferred by a neuroradiologist. The printed rates are shares of 61 alone among numbers "
        "below 122. p compares each method with SAMR by Fisher's exact test, as if images were unpaired."
    )
    if ours:
        caption += f" Ours are comparisons of two methods that each won, of those decided.{_caption(ours)}"
    return Table(("Method", "Preferred", "% (95 %)", "p, against SAMR"), tuple(rows), caption)


def _of_generator(ours: Sequence[Answered], name: str) -> Iterator[tuple[Answered, Detection]]:
    """Our readings of the generator of a printed row, which the study of samplers calls `dcgan-t1c`, for example."""
    contrast, method, size = name.split("-")
    arm = f"{method}-{contrast}-{size}" if contrast == "concat" else f"{method}-{contrast}"
    for one in ours:
        line = one.line(method=arm) if arm in one.methods else None
        if line is not None:
            yield one, line.detection


def _of_contrast(ours: Sequence[Answered], name: str) -> Iterator[tuple[Answered, Detection]]:
    """Our readings of a contrast, over all methods."""
    for one in ours:
        line = one.line(contrast=_CONTRASTS.get(name, name))
        if line is not None:
            yield one, line.detection


def _rates(preference: Preference) -> dict[str, Interval]:
    """Share of decided comparisons that each method won."""
    return {strength.method: strength.rate for strength in preference.strengths}


def _against_samr(preference: Preference, method: str) -> str:
    """Corrected p of a method's comparisons with SAMR; a dash where there is none."""
    found = [p for one, two, *_, p in preference.pairs if {one, two} == {"samr", method}]
    return p_text(found[0]) if found else "–"


def _who(one: Answered) -> str:
    """Who answered, with the flags of the reading."""
    return f"{one.who}{f' ({one.marks})' if one.flags else ''}"


def _caption(ours: Sequence[Answered]) -> str:
    """What our lines are; empty without any."""
    text = " Ours: counts over all readers of a reading, and tests that take their number into account."
    return text if ours else ""


def _marks(ours: Sequence[Answered]) -> Table:
    """What the flags of our readings mean, each text with the readings that have it."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in ours:
        for mark in one.flags.items():
            found.setdefault(mark, []).append(" and ".join(one.methods))
    rows = tuple(
        (name, "all" if len(named) == len(ours) else ", ".join(named), f"{text[:1].upper()}{text[1:]}.")
        for (name, text), named in found.items()
    )
    return Table(("Mark", "Readings", "Meaning"), rows, "What our readings are marked with.")


def _counted(one: Answered, found: Detection) -> dict[str, Any]:
    """Counts of a reading as plain values."""
    return {**_known(one), "counts": found.counts.cells, "accuracy": round(found.accuracy.estimate, 4)}


def _won(one: Answered, method: str) -> dict[str, Any]:
    """Comparisons that a method won in a reading, and those decided, as plain values."""
    rate = _rates(one.preference)[method]
    return {**_known(one), "won": round(rate.estimate * rate.count), "decided": rate.count}


def _known(one: Answered) -> dict[str, Any]:
    """Who answered a reading, and what it is marked with, as plain values."""
    return {"title": one.title, "readers": one.who, "flags": dict(one.flags)}


def _other(share: Interval) -> Interval:
    """The share of the others."""
    return Interval(1 - share.estimate, 1 - share.high, 1 - share.low, share.level, share.count)


def _plain(value: Interval) -> str:
    """A number with its interval, if that is known."""
    text = f"{value.estimate:.2f}{f' ({value.low:.2f} to {value.high:.2f})' if value.known else ''}"
    return text.replace("-", "−")


def _percent(share: Interval, digits: int = 1) -> str:
    """A share in percent with its interval."""
    low, value, high = (f"{100 * end:.{digits}f}" for end in (share.low, share.estimate, share.high))
    return f"{value} ({low} to {high})" if share.known else value
