"""How often the tests of reading studies reject a true hypothesis, and how often their intervals cover.

Tests of counts are discrete: their size is computed by adding up the probabilities
of all outcomes that are rejected.  All others are simulated on 4,000 studies each
without the effect, readers and cases drawn by the model of Roe & Metz (1997) where
there are several readers, and given with Wilson's interval.  Coverage is that of
95 % intervals.  Writes `benchmarks/results/reading_tests.json` after every entry,
and leaves out what is there already: delete the file to measure again.

    python benchmarks/reading_tests.py
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from scipy import stats

from glioforge.reader.agreement import Scale, pair_agreement
from glioforge.reader.analysis_counts import Counts, dprime_interval, equivalence_p, fisher_p
from glioforge.reader.analysis_cues import trend_p
from glioforge.reader.analysis_methods import between_p
from glioforge.reader.analysis_rows import exchange_p_of_counts
from glioforge.reader.mrmc import FEWEST_READERS, Estimates, auc, auc_difference
from glioforge.reader.mrmc_binary import accuracy, accuracy_difference, clustered_q, cochran_q
from glioforge.reader.preference import Comparisons, bradley_terry, equal_p
from glioforge.statistics.inference import sign_flip_p
from glioforge.statistics.intervals import binomial_p, wilson

RESULT = Path(__file__).parent / "results" / "reading_tests.json"
RUNS = 4000
CHUNK = 250
LEVEL = 0.05

STRUCTURES: dict[str, tuple[float, float, float]] = {
    "cases vary most": (0.0055, 0.3, 0.2),
    "readers vary most": (0.03, 0.1, 0.2),
}
"""Variances of Roe & Metz: of readers, of cases, and of readers and cases together; noise fills up to 1."""
Simulation = Callable[[int, int], np.ndarray]


def roe_metz(
    studies: int, readers: int, cases: int, structure: tuple[float, float, float], seed: int, effect: float = 0.0
) -> tuple[list[np.ndarray], np.ndarray]:
    """Scores of two methods that are alike, `(study, reader, case)`, and the truth; half of the cases are synthetic."""
    rng = np.random.default_rng(seed)
    of_readers, of_cases, of_both = structure
    truth = np.arange(2 * cases) >= cases

    def draw(*shape: int, variance: float) -> np.ndarray:
        return rng.normal(size=(studies, *shape)) * np.sqrt(variance)

    def of_reader() -> np.ndarray:
        return np.repeat(draw(readers, 2, variance=of_readers), cases, axis=-1)

    shared = of_reader() + draw(1, 2 * cases, variance=of_cases) + draw(readers, 2 * cases, variance=of_both)
    rest = 1 - 2 * of_cases - of_both
    scores = [
        effect * truth
        + shared
        + of_reader()
        + draw(1, 2 * cases, variance=of_cases)
        + draw(readers, 2 * cases, variance=rest)
        for _ in range(2)
    ]
    return scores, truth


def steps(scores: np.ndarray) -> np.ndarray:
    """Scores as ten steps of confidence."""
    return np.digitize(scores, np.linspace(-1.6, 1.6, 9)).astype(float)


def in_chunks(runs: int, seed: int, simulate: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """Many studies, some at a time."""
    sizes = [min(CHUNK, runs - start) for start in range(0, runs, CHUNK)]
    return np.concatenate([simulate(size, 1000 * seed + place) for place, size in enumerate(sizes)])


def of_readers(
    readers: int,
    cases: int,
    structure: str,
    estimate: Callable[[list[np.ndarray], np.ndarray], np.ndarray],
    effect: float,
) -> Simulation:
    """Studies by the model of Roe & Metz; one or two readers are taken as given and do not vary."""
    variances = STRUCTURES[structure]
    variances = variances if readers >= FEWEST_READERS else (0.0, *variances[1:])

    def chunk(size: int, seed: int) -> np.ndarray:
        return estimate(*roe_metz(size, readers, cases, variances, seed, effect))

    return lambda runs, seed: in_chunks(runs, seed, chunk)


def right(scores: np.ndarray, truth: np.ndarray, effect: float) -> np.ndarray:
    """Whether calls above the middle are right."""
    return ((scores > effect / 2) == truth).astype(float)


def at_margin(estimates: Estimates, margin: float) -> np.ndarray:
    """Return p of equivalence of studies whose mean is at the margin, moved there exactly."""
    moved = Estimates(estimates.readers + margin, estimates.variance, estimates.null, estimates.cases)
    return np.asarray(moved.p_equivalence(margin))


def reader_tests() -> Iterator[tuple[str, Simulation]]:
    """Tests over readers and cases."""
    for readers in (1, 2, 3, 5, 8):
        for name in STRUCTURES:
            if readers <= 2 and name != "cases vary most":
                continue
            where = f"{readers} readers, 50 + 50 cases, {name}" if readers > 1 else "1 reader, 50 + 50 cases"
            yield f"AUC against 1/2; {where}", of_readers(readers, 50, name, lambda s, t: auc(steps(s[0]), t).p(), 0.0)
            if readers != 2:
                yield (
                    f"accuracy against 1/2; {where}",
                    of_readers(readers, 50, name, lambda s, t: accuracy(right(s[0], t, 0.0), t).p(), 0.0),
                )
                yield (
                    f"equivalence of accuracy at the margin; {where}",
                    of_readers(readers, 50, name, lambda s, t: at_margin(accuracy(right(s[0], t, 0.0), t), 0.1), 0.0),
                )
            if readers >= 3:
                yield (
                    f"difference of two AUC of 0.86; {where}",
                    of_readers(readers, 50, name, lambda s, t: auc_difference(*map(steps, s), t).p(), 1.5),
                )
                yield (
                    f"difference of two accuracies; {where}",
                    of_readers(
                        readers, 50, name, lambda s, t: accuracy_difference(*(right(x, t, 1.5) for x in s), t).p(), 1.5
                    ),
                )


def answers_of_cases(studies: int, rng: np.random.Generator, *, suits: float) -> np.ndarray:
    """Answers `(study, reader, case, method)` of three readers to 60 cases of three methods that are alike overall."""
    case = rng.normal(size=(studies, 1, 60, 1)) + rng.normal(size=(studies, 3, 1, 1)) * 0.3
    suited = suits * rng.normal(size=(studies, 1, 60, 3))
    return (case + suited + rng.normal(size=(studies, 3, 60, 3)) > 0).astype(float)


def method_tests() -> Iterator[tuple[str, Simulation]]:
    """Tests of methods on binary answers, shares and scores."""

    def score(test: Callable[[np.ndarray], np.ndarray], suits: float) -> Simulation:
        return lambda runs, seed: in_chunks(
            runs, seed, lambda size, s: np.asarray(test(answers_of_cases(size, np.random.default_rng(s), suits=suits)))
        )

    yield "Cochran's Q of 3 methods; 3 readers, 60 cases, no case suits a method", score(cochran_q, 0.0)
    yield (
        "McNemar's test of 2 methods; 3 readers, 60 cases, no case suits a method",
        score(lambda given: cochran_q(given[..., :2]), 0.0),
    )
    yield "clustered Q of 3 methods; 3 readers, 60 cases, no case suits a method", score(clustered_q, 0.0)
    yield "clustered Q of 3 methods; 3 readers, 60 cases, cases suit methods", score(clustered_q, 1.0)
    yield (
        "outside its assumptions: Cochran's Q of 3 methods; 3 readers, 60 cases, cases suit methods",
        score(cochran_q, 1.0),
    )

    def paired(runs: int, seed: int) -> np.ndarray:
        values = np.random.default_rng(seed).normal(size=(runs, 25))
        return np.array([sign_flip_p(row, seed=n, draws=4000) for n, row in enumerate(values)])

    def apart(runs: int, seed: int) -> np.ndarray:
        values = np.random.default_rng(seed).exponential(size=(runs, 45))
        return np.array([between_p(row[:20], row[20:], seed=n, draws=4000) for n, row in enumerate(values)])

    yield "scores of two methods on 25 shared subjects, signs flipped", paired
    yield "scores of two methods on 20 and 25 subjects, subjects exchanged", apart


def subject_tests() -> Iterator[tuple[str, Simulation]]:
    """Tests with several items of a subject, and along the session."""

    def exchanged(*, both: bool) -> Simulation:
        def simulate(runs: int, seed: int) -> np.ndarray:
            rng = np.random.default_rng(seed)
            found = []
            for n in range(runs):
                chance = rng.beta(1.0, 1.0, size=40)
                counts = (
                    np.full((40, 2), 3.0) if both else np.where(np.arange(40)[:, None] % 2 == np.arange(2), 5.0, 0.0)
                )
                hits = rng.binomial(counts.astype(int), chance[:, None]).astype(float)
                found.append(exchange_p_of_counts(counts, hits, seed=n, draws=2000))
            return np.array(found)

        return simulate

    yield "calls and truth, 40 subjects of one kind with 5 items each, subjects exchanged", exchanged(both=False)
    yield "calls and truth, 40 subjects with 3 items of both kinds each, subjects exchanged", exchanged(both=True)

    def naive(runs: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        chance = np.repeat(rng.beta(1.0, 1.0, size=(runs, 40)), 5, axis=1)
        truth = np.tile(np.repeat([False, True], 5), 20)
        called = rng.random(chance.shape) < chance
        return np.array([binomial_p(int(row.sum()), 200) for row in called == truth])

    yield "outside its assumptions: binomial test of 200 items of 40 subjects", naive

    def session(readers: int) -> Simulation:
        def simulate(runs: int, seed: int) -> np.ndarray:
            rng = np.random.default_rng(seed)
            correct = (rng.random((runs, readers * 60)) < 0.65).astype(float)
            return np.asarray(trend_p(correct, np.tile(np.arange(60.0), readers), np.repeat(np.arange(readers), 60)))

        return simulate

    yield "trend along the session; 1 reader, 60 items", session(1)
    yield "trend along the session; 3 readers, 60 items each", session(3)


def compared(runs: int, seed: int, strengths: tuple[float, ...], count: int = 90) -> Iterator[Comparisons]:
    """Comparisons of methods by a reader who prefers the left side."""
    rng = np.random.default_rng(seed)
    names = tuple("abc"[: len(strengths)])
    pairs = np.array([(a, b) for a in range(len(names)) for b in range(a + 1, len(names))])
    for _ in range(runs):
        first, second = pairs[np.arange(count) % len(pairs)].T
        left = rng.random(count) < 0.5
        lead = np.array(strengths)[first] - np.array(strengths)[second] + np.where(left, 0.4, -0.4)
        won = (rng.random(count) < 1 / (1 + np.exp(-lead))).astype(float)
        yield Comparisons(names, first, second, won, left, np.arange(count).astype(str))


def equal_methods(runs: int, seed: int) -> np.ndarray:
    """Return p that three methods are alike, which they are."""
    return np.array(
        [equal_p(given, seed=n, draws=2000) for n, given in enumerate(compared(runs, seed, (0.0, 0.0, 0.0)))]
    )


def coverages() -> Iterator[tuple[str, Callable[[int, int], np.ndarray]]]:
    """Whether 95 % intervals hold the truth, 1 or 0 a study."""

    def strengths(runs: int, seed: int) -> np.ndarray:
        true = np.array([0.6, 0.0, -0.6])
        fits = (bradley_terry(given) for given in compared(runs, seed, tuple(true.tolist())))
        return np.array([[i.low <= t <= i.high for i, t in zip(fit, true, strict=True)] for fit in fits]).mean(axis=1)

    def kappas(runs: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        found = []
        for n in range(runs):
            first = rng.integers(0, 2, 60)
            second = np.where(rng.random(60) < 0.75, first, 1 - first)
            entry = pair_agreement(first, second, np.arange(60), Scale(2, weighted=False), who="", seed=n)
            found.append(entry.kappa.low <= 0.5 <= entry.kappa.high)
        return np.array(found, dtype=float)

    def dprimes(runs: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        hits, alarms = (rng.binomial(50, stats.norm.cdf(z), runs).tolist() for z in (0.6, -0.4))
        found = (dprime_interval(Counts(50 - a, a, 50 - h, h)) for h, a in zip(hits, alarms, strict=True))
        return np.array([i.low <= 1.0 <= i.high for i in found], dtype=float)

    yield "Bradley-Terry strengths; 3 methods, 90 comparisons", strengths
    yield "kappa of 0.5; 60 subjects", kappas
    yield "d' of 1; 50 + 50 images", dprimes


def simulations() -> Iterator[tuple[str, Simulation]]:
    """All tests that are no tests of counts."""
    yield from reader_tests()
    yield from method_tests()
    yield from subject_tests()
    yield "preference; 3 methods alike, 90 comparisons, reader prefers the left side", equal_methods


def computed() -> Iterator[tuple[str, float]]:
    """Sizes of tests of counts, added up over all outcomes."""
    for trials in (19, 20, 50, 100, 200):
        outcomes = np.arange(trials + 1)
        rejected = np.array([binomial_p(int(k), trials) < LEVEL for k in outcomes])
        yield (
            f"exact test against chance; {trials} items",
            float(stats.binom.pmf(outcomes, trials, 0.5)[rejected].sum()),
        )
    for trials in (20, 50):
        for said in (0.5, 0.7, 0.8):
            yield (
                f"Fisher's test of calls and truth; {trials} + {trials} items, says synthetic {said:.0%}",
                _fisher(trials, said),
            )
    for trials in (100, 214, 400):
        outcomes = np.arange(trials + 1)
        passed = np.array([equivalence_p(int(k), trials, 0.1) < LEVEL for k in outcomes])
        size = float(stats.binom.pmf(outcomes, trials, 0.6)[passed].sum())
        yield f"equivalence with chance at the margin of 0.1; {trials} items", size


def _fisher(trials: int, said: float) -> float:
    """Size of Fisher's test where calls do not depend on truth."""
    weights = stats.binom.pmf(np.arange(trials + 1), trials, said)
    return sum(
        float(weights[hit] * weights[alarm])
        for hit in range(trials + 1)
        for alarm in range(trials + 1)
        if weights[hit] * weights[alarm] > 1e-9 and fisher_p(Counts(trials - alarm, alarm, trials - hit, hit)) < LEVEL
    )


def measured(found: dict[str, Any], name: str, make: Callable[[], dict[str, Any]]) -> None:
    """Measure an entry that is not there yet, and write all of them."""
    if name in found:
        return
    start = time.perf_counter()
    found[name] = {**make(), "seconds": 0.0}
    found[name]["seconds"] = round(time.perf_counter() - start, 1)
    RESULT.write_text(f"{json.dumps(found, indent=1)}\n", encoding="utf-8")
    print(f"{name}: {found[name]}", flush=True)


def rate(values: np.ndarray) -> dict[str, Any]:
    """Share of studies with its Monte Carlo interval."""
    known = values[np.isfinite(values)]
    share = wilson(round(float(known.sum())), len(known))
    return {
        "rate": round(float(known.mean()), 4),
        "low": round(share.low, 4),
        "high": round(share.high, 4),
        "runs": len(known),
    }


def main() -> None:
    """Measure all entries."""
    found: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    for name, size in computed():
        measured(found, f"size: {name}", lambda size=size: {"rate": round(size, 4), "computed": True})
    for place, (name, simulate) in enumerate(simulations()):
        extra = {"discrete": True} if "subjects exchanged" in name and name.startswith("calls") else {}
        measured(
            found, f"size: {name}", lambda f=simulate, n=place, e=extra: rate((f(RUNS, n) < LEVEL).astype(float)) | e
        )
    for place, (name, cover) in enumerate(coverages()):
        measured(found, f"coverage: {name}", lambda f=cover, n=place: rate(f(RUNS // 2, n)))


if __name__ == "__main__":
    main()
