"""Evidence of an audit without pictures: nearness drawn at random, with leaks put in."""

from dataclasses import replace

import numpy as np

from glioforge.privacy.evidence import Attribute, Evidence, Sides
from glioforge.privacy.planted import DISGUISES

SIDES = Sides(120, 120, 120)


def toy_evidence(seed=1, cases=600, sides=SIDES, planted=20):
    """A generator that leaks nothing."""
    rng = np.random.default_rng(seed)
    everyone = sides.training + sides.held_out + sides.control
    near = rng.normal(size=(cases, everyone)).astype(np.float32)
    sources = rng.integers(sides.training, size=planted * len(DISGUISES))
    copies = rng.normal(size=(len(sources), everyone)).astype(np.float32)
    copies[np.arange(len(sources)), sources] = rng.uniform(9, 12, len(sources))
    people = rng.normal(size=(sides.control - sides.control // 2, everyone)).astype(np.float32)
    points, others = rng.normal(size=(cases, 4)), rng.normal(size=(everyone, 4))
    return Evidence(
        sides,
        near,
        rng.normal(size=near.shape).astype(np.float32),
        copies,
        people,
        {"brain: t1": near},
        tuple(kind for kind in DISGUISES for _ in range(planted)),
        sources,
        points,
        others,
        rng.integers(sides.training, size=cases),
        points,
        others,
        (Attribute("tumour volume", rng.normal(size=(cases, 1)), rng.normal(size=(everyone, 1))),),
        rng.normal(size=everyone),
        rng.integers(3, size=everyone),
    )


def with_copies(evidence, share=0.02, seed=2):
    """Some cases are near copies of training subjects."""
    rng = np.random.default_rng(seed)
    near = evidence.near.copy()
    rows = rng.choice(len(near), round(share * len(near)), replace=False)
    near[rows, rng.integers(evidence.sides.training, size=len(rows))] = 11
    return replace(evidence, near=near)
