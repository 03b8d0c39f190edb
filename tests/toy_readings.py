"""Whole studies answered by simulated readers, as tables of answers."""

import numpy as np

from glioforge.reader.answers import Answer
from glioforge.reader.simulated import PROFILES, Form, answer_items


def turing_items(
    reader, count, *, methods=("samr", "spade"), contrasts=("flair", "t1"), seed=0, per_subject=1, kind="turing"
):
    """Items of one reader in a random order: `count` real and `count` synthetic ones, and six repeats."""
    items = [(f"r{n}", f"real{n // per_subject}", "real", "real") for n in range(count)]
    items += [(f"s{n}", f"synthetic{n // per_subject}", methods[n % len(methods)], "synthetic") for n in range(count)]
    order = np.random.default_rng(seed).permutation(len(items))
    rows = [
        Answer(reader, key, subject, method, contrasts[int(key[1:]) % len(contrasts)], truth, "", place + 1, kind)
        for place, (key, subject, method, truth) in enumerate(items[n] for n in order)
    ]
    repeats = [
        Answer(
            reader,
            f"{a.item}-again",
            a.subject,
            a.method,
            a.contrast,
            a.truth,
            "",
            len(rows) + n,
            kind,
            repeat_of=a.item,
        )
        for n, a in enumerate(rows[:8], start=1)
    ]
    return [*rows, *repeats]


def turing_study(readers, count=20, *, seed=3, strengths=None, **options):
    """Answers of readers, a profile each, to the same items."""
    found = []
    for place, (name, profile) in enumerate(readers.items()):
        found += answer_items(
            turing_items(name, count, seed=place, **options),
            PROFILES[profile],
            Form(scores=5, cues=("texture", "border", "noise")),
            seed=seed,
            strengths=strengths,
        )
    return found


def preference_study(reader, strengths, count, *, seed=0):
    """Answers of one reader to pairs of methods, sides drawn at random."""
    rng = np.random.default_rng(seed)
    names = sorted(strengths)
    pairs = [(a, b) for n, a in enumerate(names) for b in names[n + 1 :]]
    rows = [
        Answer(
            reader, f"i{n}", f"map{n}", *(pairs[n % len(pairs)][:1]), "t1", "", "", n + 1, "preference",
            other=pairs[n % len(pairs)][1], side=str(rng.choice(["left", "right"])),
        )
        for n in range(count)
    ]  # fmt: skip
    return list(answer_items(rows, PROFILES["chance"], Form(), seed=seed, strengths=strengths))
