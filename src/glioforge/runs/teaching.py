"""A teaching set: slices from noise with asked-for findings, a page of questions, and an answer key of its own.

Han et al. 2018 name the training of physicians as a use of their slices.  Cases come in a random order under neutral
names; half show no tumour, the others all sizes, and both sides where the sampler can be asked for them.  What was
asked of a generator is no answer yet: where a cohort of labelled scans is given, a small network that was trained on
its slices must see the finding too, else another slice is drawn.

Layout
------
questions.html, pictures/     what the learner gets
answers.html, answers.csv     the key
reader/                       training of the network that checks findings, where there is one
"""

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from glioforge import sampling
from glioforge.core import Cohort, Modality, Progress, Silent, SpecError, Volume, stream
from glioforge.io import ORPHAN_S, VERB, Step, write_atomically
from glioforge.report import (
    CONVENTION,
    Block,
    Figure,
    Note,
    Paragraph,
    Report,
    Section,
    Table,
    picture_grid,
    render,
)
from glioforge.sampling import AXES, FINDING_WORDS, Finding, TrainedSampler, picture_of

TRIES: Final = 20
"""Draws for a case until the reader sees what was asked."""
COLUMNS: Final = ("case", "tumour", "size_percent", "side", "seen")
_WARNING: Final = (
    "Every image is synthetic: a network made it, and it belongs to no patient. It shows what findings look like to "
    "the network, which may be wrong; have a radiologist look at it before learners do."
)


@final
@dataclass(frozen=True, eq=False)
class TeachingCase:
    """One case of the set.

    Args:
        name: Neutral name.
        images: Contrasts of the slice.
        answer: `tumour`, and `size_percent` of the brain and `side` where there is one.
        seen: Whether the reader saw the finding: `yes`, `no` after all tries, or `not checked`.
    """

    name: str
    images: Mapping[Modality, Volume]
    answer: Mapping[str, str]
    seen: str


def write_teaching_set(
    sampler: TrainedSampler,
    count: int,
    out: Path,
    *,
    checked_by: Cohort | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> tuple[TeachingCase, ...]:
    """Draw a teaching set and write its pages.

    Args:
        sampler: Trained sampler of slices with the condition `tumour`.
        count: Number of cases, at least 2.
        out: Folder of the set.
        checked_by: Prepared cases with labels, on whose slices the network that checks findings is trained; none
            leaves the findings unchecked, and the pages say so.
        seed: Root of all draws.
        progress: Where progress is shown.

    Raises:
        SpecError: The sampler was not conditioned on tumour, or too few cases are asked for.
        OutputError: The folder was made with other settings, or cannot be written.
    """
    shown = progress or Silent()
    if "tumour" not in sampler.conditions or count < 2:
        raise SpecError(
            f"{count} cases from sampler {sampler.card.kind!r} with conditions {list(sampler.conditions)}",
            "at least 2 cases from a sampler of slices that can be asked for tumour",
            "train it with `conditions: [tumour, size, side]`",
        )
    key = {VERB: "teach", "sampler": sampler.card.weights, "count": count, "seed": seed}
    if checked_by is not None:
        key["checked_by"] = checked_by.fingerprint
    with Step(out, key, wait_s=ORPHAN_S) as step:
        reader = None if checked_by is None else _reader(sampler, checked_by, out / "reader", seed, shown)
        requests = requests_for(sampler.conditions, count, seed)
        cases = tuple(
            _case(sampler, reader, number, request, seed)
            for number, request in shown.track(list(enumerate(requests, 1)), "drawing cases", count)
        )
        _write(out, cases, reader, sampler)
        step.finish({"cases": count})
    return cases


def requests_for(conditions: Sequence[Finding], count: int, seed: int) -> list[dict[str, str]]:
    """Return what is asked of each case: half without tumour, the others in all sizes and sides, in a random order.

    Example:
        >>> sorted(request["tumour"] for request in requests_for(("tumour",), 4, 1))
        ['absent', 'absent', 'present', 'present']
    """
    further = [name for name in conditions if name != "tumour"]
    kinds = itertools.cycle(itertools.product(*(FINDING_WORDS[name] for name in further)))
    present = [
        {"tumour": "present", **dict(zip(further, words, strict=True))}
        for words in itertools.islice(kinds, count - count // 2)
    ]
    every = present + [{"tumour": "absent"}] * (count // 2)
    return [every[place] for place in stream(seed, "order").permutation(count)]


def _reader(sampler: TrainedSampler, cohort: Cohort, folder: Path, seed: int, progress: Progress) -> Any:  # noqa: ANN401 - torch is not loaded with this module
    """Train the network that checks findings."""
    return sampling.train_reader(sampling.method_of(sampler), cohort, folder, seed=seed, progress=progress)


def _case(sampler: TrainedSampler, reader: Any, number: int, request: Mapping[str, str], seed: int) -> TeachingCase:  # noqa: ANN401 - as `_reader`
    """Draw a case until the reader sees what was asked, or the tries run out."""
    asking, name = sampler.asked(request), f"case-{number:03d}"
    best: tuple[float, Any, dict[str, str]] | None = None
    for turn in range(1 if reader is None else TRIES):
        (images,) = asking.sample(1, stream(seed, name, turn))
        answer = _answer(asking.findings(stream(seed, name, turn)))
        if reader is None:
            return TeachingCase(name, images, answer, "not checked")
        doubt = _doubt(reader, sampler, images, answer)
        if doubt < 0.5:
            return TeachingCase(name, images, answer, "yes")
        best = (doubt, images, answer) if best is None or doubt < best[0] else best
    _, images, answer = best or (1.0, {}, {})
    return TeachingCase(name, images, answer, "no")


def _answer(found: Mapping[str, Any]) -> dict[str, str]:
    """Answer of a case from what was asked of it; size and side where there is tumour."""
    answer = {name.removeprefix("asked_"): str(value) for name, value in found.items()}
    return answer if answer["tumour"] == "present" else {"tumour": "absent"}


def _doubt(reader: Any, sampler: TrainedSampler, images: Mapping[Modality, Volume], answer: Mapping[str, str]) -> float:  # noqa: ANN401 - as `_reader`
    """How sure the reader is that the answer is wrong, from 0 to 1."""
    spec = sampling.method_of(sampler).spec
    scores = np.stack([np.squeeze(volume.voxels, AXES[spec.plane]) for volume in images.values()])
    inside = (scores != 0).any(axis=0)
    chance, _, side = reader.read(np.where(inside, scores / spec.span, -1).astype(np.float32)[None])[0].tolist()
    if answer["tumour"] == "absent":
        return float(chance)
    wrong_side = ("side" in answer) and (side < 0) != (answer["side"] == "left")
    return 1.0 if wrong_side else 1 - float(chance)


def _write(out: Path, cases: Sequence[TeachingCase], reader: Any, sampler: TrainedSampler) -> None:  # noqa: ANN401 - as `_reader`
    """Write pictures, both pages and the table."""
    pictures = {case.name: _picture(case) for case in cases}
    for name, picture in pictures.items():
        write_atomically(out / "pictures" / f"{name}.png", picture)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({"case": case.name, **case.answer, "seen": case.seen} for case in cases)
    write_atomically(out / "answers.csv", text.getvalue().encode())
    questions = _page(cases, pictures, None, "", sampler)
    write_atomically(out / "questions.html", render(questions).encode())
    answers = _page(cases, pictures, COLUMNS, _checked(cases, reader), sampler)
    write_atomically(out / "answers.html", render(answers).encode())


def _page(
    cases: Sequence[TeachingCase],
    pictures: Mapping[str, bytes],
    columns: Sequence[str] | None,
    verdict: str,
    sampler: TrainedSampler,
) -> Report:
    """The page of questions, or of answers where columns of the key are given."""
    asked = "Is there a tumour? If so, how large is it, and on which side?"
    sections = []
    if columns is not None:
        rows = tuple((case.name, *(case.answer.get(c, "–") for c in columns[1:-1]), case.seen) for case in cases)
        heads = ("case", "tumour", "share of the brain (%)", "side of the patient", "seen by the reader")
        sections.append(Section("Key", (Table(heads, rows, "What each case was asked to show."),)))
    for case in cases:
        alt = f"Synthetic slice {case.name} in {', '.join(m.title for m in case.images)}."
        blocks: tuple[Block, ...] = (Figure(pictures[case.name], CONVENTION, alt),)
        if columns is not None:
            told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in case.answer.items())
            blocks = (*blocks, Paragraph(f"{told[:1].upper()}{told[1:]}."))
        sections.append(Section(case.name, blocks))
    title = "Teaching set: questions" if columns is None else "Teaching set: answers"
    footer = f"Made by sampler {sampler.card.kind}, weights {sampler.card.weights}."
    return Report(title, verdict or asked, tuple(sections), footer=footer, notices=(Note(_WARNING, "warning"),))


def _checked(cases: Sequence[TeachingCase], reader: Any) -> str:  # noqa: ANN401 - as `_reader`
    """How far the key can be trusted."""
    if reader is None:
        return "Nothing but the request stands behind the key: whether a slice shows what was asked was not checked."
    seen = sum(case.seen == "yes" for case in cases)
    told = f"The reader of findings sees what was asked in {seen} of {len(cases)} cases"
    if not reader.held_out:
        return f"{told}; no subject was left to test it on."
    tested = f"{reader.right:.0%} of {reader.held_out} slices of other subjects"
    return f"{told}; it reads presence of tumour right in {tested}."


def _picture(case: TeachingCase) -> bytes:
    """All contrasts of a case in a row."""
    row = [picture_of(volume) for volume in case.images.values()]
    return picture_grid([(case.name, row)], [modality.title for modality in case.images], banner="SYNTHETIC")
