"""The reading studies of three papers as tables of answers, rebuilt from the counts that they report.

Han et al. report four counts for each of 12 generators; Carver et al. give the
share misclassified of 9 real and 10 synthetic images a contrast, and Guo et al.
rates that fit 61 label maps.  Which image got which answer was not published,
so that order and pairing of these answers mean nothing.

Sources: Han et al., ISBI 2018, table 1; Carver et al. 2021, table 2; Guo et al.,
MICCAI 2020, table 1.
"""

from collections.abc import Mapping
from typing import Final

from glioforge.core import stream
from glioforge.reader.analysis_counts import Counts
from glioforge.reader.answers import Answer

HAN_2018: Final[Mapping[str, Counts]] = {
    "t1-dcgan-128": Counts(26, 24, 6, 44),
    "t1c-dcgan-128": Counts(24, 26, 3, 47),
    "t2-dcgan-128": Counts(22, 28, 8, 42),
    "flair-dcgan-128": Counts(12, 38, 8, 42),
    "concat-dcgan-128": Counts(34, 16, 7, 43),
    "concat-dcgan-64": Counts(13, 37, 9, 41),
    "t1-wgan-128": Counts(20, 30, 6, 44),
    "t1c-wgan-128": Counts(13, 37, 8, 42),
    "t2-wgan-128": Counts(19, 31, 11, 39),
    "flair-wgan-128": Counts(16, 34, 4, 46),
    "concat-wgan-128": Counts(31, 19, 15, 35),
    "concat-wgan-64": Counts(18, 32, 15, 35),
}
"""Calls of one physician by sequence, generator and image size."""
CARVER_2021: Final[Mapping[str, int]] = {"flair": 5, "t1": 2, "t1c": 5, "t2": 5}
"""Misclassified of 9 real and 10 synthetic images, by contrast; how many of them were real was not published."""
GUO_2020: Final[Mapping[str, int]] = {"real": 61, "samr": 44, "shin": 40, "pix2pixhd": 24, "pix2pix": 10}
"""Images preferred, of 61, by method; 72.1, 65.6, 39.3 and 16.4 % are shares of 61 alone among numbers below 122."""
GUO_MAPS: Final = 61


def han_answers() -> tuple[Answer, ...]:
    """Answers of Han's physician: 100 for each generator, one subject an image; items are named by the generator."""
    answers: list[Answer] = []
    for name, counts in HAN_2018.items():
        contrast, method, size = name.split("-")
        answers += _turing(name, f"{method}-{size}", contrast, counts)
    return tuple(answers)


def carver_answers() -> tuple[Answer, ...]:
    """Answers of Carver's physician: 19 for each contrast, with the errors divided evenly between both kinds."""
    answers: list[Answer] = []
    for contrast, wrong in CARVER_2021.items():
        real = wrong // 2
        answers += _turing(contrast, "pix2pix", contrast, Counts(9 - real, real, wrong - real, 10 - (wrong - real)))
    return tuple(answers)


def guo_answers() -> tuple[Answer, ...]:
    """Answers of Guo's neuroradiologist: accepted or rejected, five images for each of 61 label maps."""
    rows = []
    for method, count in GUO_2020.items():
        for place in range(GUO_MAPS):
            call = "accept" if place < count else "reject"
            truth = "real" if method == "real" else "synthetic"
            rows.append((f"map{place:02d}", method, truth, call))
    order = stream(0, "guo").permutation(len(rows))
    return tuple(
        Answer("neuroradiologist", f"{m}-{s}", s, m, "t1+t1c+t2+flair+apt", t, c, int(order[n]) + 1, "accept")
        for n, (s, m, t, c) in enumerate(rows)
    )


def _turing(name: str, method: str, contrast: str, counts: Counts) -> list[Answer]:
    """One answer for each count, in a random order."""
    calls = [(t, c) for t in ("real", "synthetic") for c in ("real", "synthetic")]
    rows = [pair for pair, count in zip(calls, counts.cells, strict=True) for _ in range(count)]
    order = stream(0, "published", name).permutation(len(rows))
    return [
        Answer(
            "physician",
            f"{name}-{place:03d}",
            f"{name}-{place:03d}",
            "real" if truth == "real" else method,
            contrast,
            truth,
            call,
            int(order[place]) + 1,
            "turing",
        )
        for place, (truth, call) in enumerate(rows)
    ]
