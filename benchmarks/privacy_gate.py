"""Error rates of the privacy gate, simulated on small fields at the planner's sizes.

Every simulated audit draws training, held-out and control people and the cases of a
generator of known kind, and runs all attacks and the gate.  Each line of the result
is one audit; the summary has Monte Carlo intervals (Wilson).

    python benchmarks/privacy_gate.py --runs 500 --seconds 3600

writes `benchmarks/results/privacy_gate.json`, keeps what was done, and goes on where it stopped.
"""

import argparse
import gc
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import ndimage

from glioforge.core import stream
from glioforge.io.atomic_write import write_atomically
from glioforge.metrics.orbit import Group
from glioforge.privacy.evidence import (
    Attribute,
    Evidence,
    Field,
    Likenesses,
    Sides,
    compare,
    likeness_to_people,
    nearness_of,
    points_of,
)
from glioforge.privacy.gate import Judgement, judge
from glioforge.privacy.plan import Sizes, needed_sizes
from glioforge.privacy.planted import DISGUISES, disguised
from glioforge.privacy.rules import VERSION, AuditSpec
from glioforge.statistics.intervals import wilson

RESULT: Final = Path(__file__).parent / "results" / "privacy_gate.json"
BRAIN: Final = (16, 16)
LESION: Final = (16, 16)
_HEAD: Final = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=BRAIN), 2) * 8
"""What all heads share."""
SPEC: Final = AuditSpec()
SIZES: Final = needed_sizes(SPEC, SPEC.level(1))
SMALL: Final = Sizes(100, 100, 100, 500)
"""Sizes at which the tests' own errors are simulated."""
People = dict[str, np.ndarray]


def people(count: int, rng: np.random.Generator) -> People:
    """Heads of a population: two contrasts that share an anatomy, tissue, a lesion, and what depends on the anatomy."""

    def smooth(shape: tuple[int, ...], channels: int, width: float) -> np.ndarray:
        fields = ndimage.gaussian_filter(rng.normal(size=(count, channels, *shape)), (0, 0, width, width))
        return fields / fields.std()

    anatomy = smooth(BRAIN, 1, 1.2)
    brain = _HEAD + anatomy + 0.8 * smooth(BRAIN, 2, 1.0)
    tissue = np.sign(_HEAD + anatomy + 0.5 * smooth(BRAIN, 1, 1.0))
    lesion = smooth(LESION, 1, 1.0) + 0.8 * smooth(LESION, 2, 0.9)
    slope = anatomy[:, 0, :4, :4].mean(axis=(1, 2))
    volume = 0.8 * slope + rng.normal(size=count)
    side = (0.8 * anatomy[:, 0, 12:, 12:].mean(axis=(1, 2)) + rng.normal(size=count) > 0).astype(float)
    mask = (smooth((4, 4), 1, 0.8).reshape(count, -1) + 0.3 * slope[:, None] > 0.5).astype(float)
    return {
        "brain": np.concatenate([brain, tissue], axis=1).astype(np.float32),
        "lesion": lesion.astype(np.float32),
        "volume": volume[:, None],
        "side": side[:, None],
        "mask": mask,
        "site": rng.integers(3, size=count),
        "donor": np.full(count, -1),
    }


def part(of: People, rows: Any) -> People:  # noqa: ANN401 - what numpy takes as an index
    """Some of the people."""
    return {name: values[rows].copy() for name, values in of.items()}


def copied(of: People, kind: str, rng: np.random.Generator) -> People:
    """Copies under one disguise; what it does not copy is of somebody else."""
    fresh = people(len(of["volume"]), rng)
    everywhere = {name: np.ones(shape, bool) for name, shape in (("brain", BRAIN), ("lesion", LESION))}
    if kind == "labels":
        fresh["brain"][:, 2] = of["brain"][:, 2, ::-1]
        return fresh
    if kind == "lesion":
        fresh["lesion"] = of["lesion"]
        return fresh
    for name, channels in (("brain", 2), ("lesion", 2)):
        for n, images in enumerate(of[name]):
            fresh[name][n, :channels] = disguised(images[:channels], everywhere[name], kind, rng)  # type: ignore[arg-type]
    return fresh


def generated(kind: str, training: People, count: int, rng: np.random.Generator) -> People:
    """Cases of a generator all of whose cases are of one kind."""
    made = people(count, rng)
    members = len(training["volume"])
    first, second = rng.integers(members, size=(2, count))
    made["donor"] = first if kind != "attribute leak" else made["donor"]
    if kind == "fresh":
        return made
    mixed = {
        "blended": lambda name: (training[name][first] + training[name][second]) / np.sqrt(2),
        "memorising": lambda name: training[name][first] + 0.3 * made[name],
    }
    if kind in mixed:
        return made | {name: mixed[kind](name).astype(np.float32) for name in ("brain", "lesion")}
    made["brain"][:, 0] = 0.6 * training["brain"][first, 0] + 0.4 * made["brain"][:, 0]
    return made | {name: training[name][first] for name in ("volume", "side", "mask")}


def changed(kind: str, fresh: People, training: People, rng: np.random.Generator) -> tuple[People, np.ndarray]:
    """Cases of a generator of a kind, and which of them are others than those of one that leaks nothing."""
    count, members = len(fresh["volume"]), len(training["volume"])
    if kind in APART:
        return generated(kind, training, count, rng), np.arange(count)
    made = part(fresh, slice(None))
    if kind == "fresh":
        return made, np.arange(0)
    if kind == "donor leak":
        rows = rng.choice(count, round(0.1 * count), replace=False)
        made["brain"][rows, 2] = training["brain"][made["donor"][rows], 2]
        return made, rows
    rows = rng.choice(count, max(1, round(0.01 * count)), replace=False)
    sources = part(training, rng.integers(members, size=len(rows)))
    copies = copied(sources, kind.removeprefix("copies "), rng)
    for name in ("brain", "lesion"):
        made[name][rows] = copies[name]
    return made, rows


APART: Final = ("blended", "memorising", "attribute leak")
"""Kinds all of whose cases are others than those of a generator that leaks nothing."""
COPIES: Final = tuple(f"copies {kind}" for kind in DISGUISES)
KINDS: Final = ("fresh", *COPIES, "donor leak", "blended", "memorising", "attribute leak")
LEAST: Final = {"fresh": ("PASS", 0.90), "memorising": ("FAIL", 1.0)} | dict.fromkeys(COPIES, ("FAIL", 0.95))
"""Verdict that a kind should have and the least share of audits with it; planted leaks FAIL in 90 of 100."""
_CONTRASTS: Final = (
    Group("t1", (0,)),
    Group("t2", (1,)),
    Group("joint", (0, 1)),
    Group("other contrast", (0, 1), crossed=True),
)
PARTS: Final = (("brain", BRAIN, (*_CONTRASTS, Group("labels", (2,)))), ("lesion", LESION, _CONTRASTS))


class Scene:
    """People and planted copies of one seed, and a generator that leaks nothing, compared with all of them once.

    Args:
        seed: Of all draws.
        sizes: Sizes of the audit.
        planted: Planted copies of each disguise.
    """

    def __init__(self, seed: int, sizes: Sizes, planted: int = SPEC.planted) -> None:
        rng = stream(seed, "privacy gate", "scene")
        self.seed, self.sizes = seed, sizes
        self.sides = Sides(sizes.training, sizes.held_out, sizes.control)
        self.everyone = people(sizes.training + sizes.held_out + sizes.control, rng)
        self.training = part(self.everyone, self.sides.members)
        self.sources = [rng.integers(sizes.training, size=planted) for _ in DISGUISES]
        copies = [copied(part(self.training, s), kind, rng) for s, kind in zip(self.sources, DISGUISES, strict=True)]
        self.planted = {name: np.concatenate([one[name] for one in copies]) for name in ("brain", "lesion")}
        self.fresh = generated("fresh", self.training, sizes.cases, rng)
        self.found = compare(self._fields(self.fresh), self.sides)

    def audit(self, kind: str) -> Judgement:
        """Audit a generator of a kind; what it has in common with the one that leaks nothing is not compared again."""
        rng = stream(self.seed, "privacy gate", kind)
        made, rows = changed(kind, self.fresh, self.training, rng)
        found = self.found
        if len(rows):
            views = {name: near.copy() for name, near in found.made.items()}
            for name, near in self._likeness(part(made, rows)).items():
                views[name][rows] = near
            found = Likenesses(views, found.planted, found.people)
        return judge(self._evidence(made, found), SPEC)

    def _likeness(self, made: People) -> dict[str, np.ndarray]:
        """Likeness of cases to all people."""
        fields = self._fields(made)
        return likeness_to_people([one.made for one in fields], fields, self.sides)

    def _fields(self, made: People) -> list[Field]:
        """Cases and people as fields."""
        return [
            Field(name, shape, groups, *(_flat(one[name]) for one in (made, self.everyone, self.planted)))
            for name, shape, groups in PARTS
        ]

    def _evidence(self, made: People, found: Likenesses) -> Evidence:
        """What attacks may look at."""
        near, brain = nearness_of(found, self.sides), [_flat(one["brain"]) for one in (made, self.everyone)]
        return Evidence(
            self.sides,
            near.made,
            near.labels,
            near.planted,
            near.people,
            near.by_view,
            tuple(kind for kind, s in zip(DISGUISES, self.sources, strict=True) for _ in s),
            np.concatenate(self.sources),
            *points_of(*(one[:, :2] for one in brain)),
            made["donor"],
            *points_of(*(one[:, :1] for one in brain), 30),
            tuple(Attribute(name, made[name], self.everyone[name]) for name in ("volume", "side", "mask")),
            self.everyone["volume"][:, 0],
            self.everyone["site"],
        )


def _flat(fields: np.ndarray) -> np.ndarray:
    """Fields as `(case, channel, cell)`."""
    return np.ascontiguousarray(fields.reshape(*fields.shape[:2], -1))


def row_of(kind: str, seed: int, found: Judgement) -> dict[str, Any]:
    """What is kept of one audit."""
    names = [d.finding.attack + (", rate" if d.finding.limit == SPEC.tpr else "") for d in found.findings]
    nearer = next(d.finding for d in found.findings if d.finding.limit == SPEC.nearer)
    row = {
        "kind": kind,
        "seed": seed,
        "verdict": found.verdict,
        "failed": [name for name, d in zip(names, found.findings, strict=True) if d.outcome == "FAIL"],
        "open": [name for name, d in zip(names, found.findings, strict=True) if d.outcome == "INCONCLUSIVE"],
        "quarantine": len(found.quarantine),
        "controls": [control.name for control, holds in found.controls if not holds],
        "caught": {kind: round(share, 3) for kind, share in found.threshold.caught.items()},
        "spread_nearer": round(nearer.detail["standard_error"], 5),
    }
    if kind != "fresh":
        return row
    return row | {
        "p": {name: round(d.finding.p, 4) for name, d in zip(names, found.findings, strict=True)},
        "p_controls": {control.name: round(control.p, 4) for control, _ in found.controls},
    }


def rate(count: int, runs: int) -> dict[str, Any]:
    """A share of runs with its Monte Carlo interval."""
    share = wilson(count, runs)
    return {"runs": runs, "rate": round(share.estimate, 4), "low": round(share.low, 4), "high": round(share.high, 4)}


def verdict_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How often each kind of generator got each verdict, and which attacks failed it."""
    found = []
    for kind in KINDS:
        mine = [row for row in rows if row["kind"] == kind]
        if not mine:
            continue
        verdicts = {
            v: rate(sum(row["verdict"] == v for row in mine), len(mine)) for v in ("PASS", "FAIL", "INCONCLUSIVE")
        }
        reasons = [reason for row in mine for reason in row["failed"]]
        open_ = [reason for row in mine for reason in row["open"]]
        expected, least = LEAST.get(kind, ("FAIL", 0.90))
        found.append(
            {
                "kind": kind,
                "expected": expected,
                "least": least,
                "verdicts": verdicts,
                "failed_by": {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)},
                "inconclusive_by": {reason: open_.count(reason) for reason in dict.fromkeys(open_)},
                "with_quarantine": sum(row["quarantine"] > 0 for row in mine),
                "with_control_out": sum(bool(row["controls"]) for row in mine),
                "caught": {k: round(float(np.mean([row["caught"][k] for row in mine])), 4) for k in mine[0]["caught"]},
            }
        )
    return found


def level_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How often each test finds a leak, or bias, at 5 % where there is none."""
    found = []
    for what in ("p", "p_controls"):
        for name in rows[0][what] if rows else ():
            hits = sum(row[what][name] <= 0.05 for row in rows)
            found.append({"test": name, "nominal": 0.05, **rate(hits, len(rows))})
    return found


def broken(known: dict[str, Any]) -> list[str]:
    """Bounds that are missed: a share below its least, a type-I error above 6.5 %."""
    worse = [
        f"{row['kind']}: {row['verdicts'][row['expected']]}"
        for row in known["verdicts"]
        if row["verdicts"][row["expected"]]["rate"] < row["least"]
    ]
    return worse + [str(row) for row in known["levels"] if row["rate"] > 0.065]


def main() -> None:
    """Simulate in turns over the kinds, write as it comes, and fail where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500, help="Seeds of the audits at the planner's sizes.")
    parser.add_argument(
        "--levels", type=int, default=2000, help="Seeds of the audits of small sizes, for type-I errors."
    )
    parser.add_argument("--planted", type=int, default=100, help="Seeds of generators that leak.")
    parser.add_argument("--fewer", type=int, default=20, help="Seeds of the blended and the memorising generator.")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    given = parser.parse_args()
    gc.freeze()  # statsmodels collects garbage at every call of Holm's correction
    start = time.monotonic()
    known = kept()
    done = {(row["kind"], row["seed"]) for row in known["audits"]} | {("", row["seed"]) for row in known["small"]}
    limits = Limits(given.planted, given.fewer)
    for which, seed in every_run(given.runs, given.levels):
        kinds = [kind for kind in limits.kinds(which, seed) if (kind, seed) not in done]
        if not kinds:
            continue
        if time.monotonic() - start > given.seconds:
            break
        known[which] += simulated(which, seed, kinds)
        if which == "audits":
            write(known)
    write(known)
    print(json.dumps(known["levels"], indent=1), json.dumps(known["verdicts"], indent=1))
    if problems := broken(known):
        raise SystemExit("\n".join(problems))


def every_run(runs: int, levels: int) -> Iterator[tuple[str, int]]:
    """Large and small audits in turns, so that both have Monte Carlo intervals whenever it is stopped."""
    for seed in range(max(runs, levels)):
        if seed < runs:
            yield "audits", seed
        each = 20
        yield from (("small", small) for small in range(each * seed, min(each * (seed + 1), levels)))


@dataclass(frozen=True)
class Limits:
    """How many seeds each kind of generator gets.

    Args:
        planted: Seeds of generators that leak.
        fewer: Seeds of the blended and the memorising generator.
    """

    planted: int
    fewer: int

    def kinds(self, which: str, seed: int) -> list[str]:
        """Kinds that are simulated with a seed; an empty name stands for the small audit."""
        if which == "small":
            return [""]
        most = dict.fromkeys(KINDS, self.planted) | dict.fromkeys(("blended", "memorising"), self.fewer)
        return [kind for kind in KINDS if kind == "fresh" or seed < most[kind]]


def simulated(which: str, seed: int, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of one seed."""
    if which == "small":
        found = Scene(seed + 10**6, SMALL, planted=1).audit("fresh")
        row = row_of("fresh", seed, found)
        return [{name: row[name] for name in ("seed", "p", "p_controls")}]
    scene = Scene(seed, SIZES)
    return [row_of(kind, seed, scene.audit(kind)) for kind in kinds]


def kept() -> dict[str, Any]:
    """What was simulated by the same rules at the same sizes."""
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    same = known.get("rules") == VERSION and known.get("sizes") == vars(SIZES)
    return known | {"small": rows_of(known["small"])} if same else {"audits": [], "small": []}


def write(known: dict[str, Any]) -> None:
    """Write rows and their summary, whole or not at all."""
    known |= {"rules": VERSION, "sizes": vars(SIZES), "sizes_of_levels": vars(SMALL)}
    known["verdicts"], known["levels"] = verdict_rows(known["audits"]), level_rows(known["small"])
    order = ("rules", "sizes", "sizes_of_levels", "verdicts", "levels", "audits", "small")
    shown = known | {"small": columns_of(known["small"])}
    text = ",\n".join(f"{json.dumps(name)}: {_lines(shown[name])}" for name in order)
    write_atomically(RESULT, f"{{\n{text}\n}}\n".encode())


def columns_of(small: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows of small audits, the p-values of each test together: names are written once, and not with every seed."""
    both = [{**row["p"], **row["p_controls"]} for row in small]
    controls = list(small[0]["p_controls"]) if small else []
    tests = {test: [row[test] for row in both] for test in (both[0] if both else ())}
    return {"seeds": [row["seed"] for row in small], "controls": controls, "p": tests}


def rows_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that `columns_of` wrote."""
    rows = []
    for place, seed in enumerate(columns["seeds"]):
        found = {test: values[place] for test, values in columns["p"].items()}
        controls = {test: found.pop(test) for test in columns["controls"]}
        rows.append({"seed": seed, "p": found, "p_controls": controls})
    return rows


def _lines(values: Any) -> str:  # noqa: ANN401 - plain JSON values
    """JSON, a line for each entry of a list."""
    if not isinstance(values, list):
        return json.dumps(values)
    return "[\n" + ",\n".join(json.dumps(value) for value in values) + "\n]"


if __name__ == "__main__":
    main()
