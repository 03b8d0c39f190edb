"""Endless label maps: any one by its number, or one after the other.

    engine = LabelEngine(LabelSources(train, healthy, tumours), LabelMapSpec(), cache=Path("cache"), seed=1)
    for drawn in engine.maps():
        images = synthesizer.synthesize(drawn.painted(synthesizer.takes, train.scheme), rng)
        target = drawn.target(train.scheme)

A map depends on the sources, the settings, the seed and its number alone, so
that workers share the numbers among them (`engine.maps(first=worker,
step=workers)`) and a run that was stopped goes on with the same maps.  Hosts and
growths are drawn once a round and kept in the cache folder, which processes may
share; memory holds the hosts of one round at most.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, final

import numpy as np

from glioforge.core import (
    COMPLETE_DISTRACTORS,
    PREPARATION,
    Case,
    CaseRef,
    EditError,
    LabelMap,
    LabelScheme,
    Lineage,
    stream,
    stream_seed,
)
from glioforge.data import read_labels
from glioforge.labelmaps.cache import Cache, Tumours, read_tumours
from glioforge.labelmaps.distractors import with_distractor
from glioforge.labelmaps.growths import GrownTumour, grown_tumour
from glioforge.labelmaps.hosts import Host, warped_again, warped_host
from glioforge.labelmaps.lesion import Placed, bank_lesion, host_lesion
from glioforge.labelmaps.prior import Prior
from glioforge.labelmaps.sources import LabelSources, fitted_brain, without_lesion
from glioforge.labelmaps.spec import LabelMapSpec, Plan, Slot
from glioforge.lesions import Plane

METHOD = "label maps"
"""Source of a drawn label map without images."""
_VERSION = 3


@final
@dataclass(frozen=True, eq=False)
class DrawnMap:
    """A drawn label map.

    Args:
        number: Its number.
        labels: Complete map in scheme `complete_distractors`.
        lineage: Everyone with a part in it.
        facts: What it is made of, plain JSON: `host`, `lesion` (`none`, `bank` or `grown`), `donor`, `distractor`,
            `tumour_ml`.
    """

    number: int
    labels: LabelMap
    lineage: Lineage
    facts: dict[str, Any]

    @property
    def case_id(self) -> str:
        """Id of its case."""
        return f"drawn-{self.number:06d}"

    def target(self, scheme: LabelScheme) -> LabelMap:
        """What a segmenter shall learn: the map in the scheme of the training cases, distractors as normal tissue."""
        return self.labels.to(scheme)

    def painted(self, takes: Callable[[LabelScheme], bool], scheme: LabelScheme) -> LabelMap:
        """What a synthesizer shall paint: the map itself where it takes distractors, else as `target`.

        Args:
            takes: Whether the synthesizer takes maps of a scheme (`TrainedSynthesizer.takes`).
            scheme: Scheme of the training cases.
        """
        return self.labels if takes(self.labels.scheme) else self.target(scheme)

    def case(self) -> Case:
        """The map as a case without images."""
        brain = self.labels.foreground
        return Case(self.case_id, self.case_id, {}, self.lineage, self.labels, brain, facts=self.facts)


@final
class LabelEngine:
    """Draws label maps.

    Args:
        sources: Training cases, and what else maps are drawn from.
        spec: Settings.
        cache: Folder for hosts and growths; may be shared by processes and engines, and deleted at any time.
        seed: Seed of all draws.

    Raises:
        CohortError: There are no training cases, or they are not prepared.
    """

    def __init__(self, sources: LabelSources, spec: LabelMapSpec | None = None, *, cache: Path, seed: int = 1) -> None:
        self.spec = spec or LabelMapSpec()
        self.sources = sources if self.spec.outside else sources.without_outside()
        self.seed, self._folder = seed, cache
        self._hosts: dict[tuple[int, int], Host] = {}
        self._plans: dict[int, Plan] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What a worker needs; it reads the rest from the cache."""
        kept = {name: value for name, value in vars(self).items() if name in ("spec", "sources", "seed", "_folder")}
        return {**kept, "_hosts": {}, "_plans": {}}

    @property
    def key(self) -> dict[str, Any]:
        """All that the maps depend on, plain JSON."""
        return {
            "version": _VERSION,
            "spec": self.spec.model_dump(mode="json"),
            "sources": self.sources.fingerprint,
            "seed": self.seed,
        }

    def maps(self, first: int = 0, step: int = 1) -> Iterator[DrawnMap]:
        """Yield maps without end: numbers `first`, `first + step`, ..."""
        number = first
        while True:
            yield self.draw(number)
            number += step

    def draw(self, number: int) -> DrawnMap:
        """Draw the map of a number, from 0; where no lesion finds room in a host it has none, and its facts say so."""
        round_number, place = divmod(number, self.spec.round_size)
        slot = self._plan(round_number).slot(place)
        host, source = self.host(round_number, slot.host), self._brain(round_number, slot.host)
        rng = stream(self.seed, METHOD, "map", number)
        if slot.source == "none":
            host = warped_again(host, self.spec.hosts, rng)
        placed = self._placed(host, round_number, slot, rng)
        labels = placed.labels
        if slot.distractor is not None:
            labels = with_distractor(labels, host, slot.distractor, self._cavity, rng)
        facts = {
            "host": source.case_id,
            "host_number": slot.host + round_number * self.spec.hosts.count,
            "lesion": placed.kind,
            "donor": placed.donor,
            "growth": slot.lesion if placed.kind == "grown" else None,
            "distractor": slot.distractor,
            "tumour_ml": round(labels.volume_ml("WT"), 3),
            **self._preparation,
        }
        return DrawnMap(number, labels, self._lineage(source, placed, facts), facts)

    def needed(self, numbers: Iterable[int]) -> list[tuple[int, int]]:
        """Rounds and hosts that maps of these numbers need."""
        rounds = {divmod(n, self.spec.round_size) for n in numbers}
        return sorted({(r, int(self._plan(r).hosts[place])) for r, place in rounds})

    def prepare(self, round_and_host: tuple[int, int]) -> None:
        """Draw a host and its growths into the cache, so that processes share the work."""
        round_number, number = round_and_host
        self.host(round_number, number)
        for growth in range(self.spec.lesions.growths):
            with suppress(EditError):
                self._growth(round_number, number, growth)

    def host(self, round_number: int, number: int) -> Host:
        """Return a host, from memory, from the cache or freshly drawn."""
        known = self._hosts.get((round_number, number))
        if known is not None:
            return known
        self._hosts = {key: host for key, host in self._hosts.items() if key[0] == round_number}
        arrays = self._cache.arrays(
            f"round-{round_number}/host-{number}", partial(self._host_arrays, round_number, number)
        )
        labels = LabelMap(arrays["voxels"], self.sources.geometry, COMPLETE_DISTRACTORS)
        host = Host(labels, Plane.from_json(arrays["plane"].tolist()))
        self._hosts[round_number, number] = host
        return host

    @cached_property
    def _cache(self) -> Cache:
        return Cache.of(self._folder, self.key)

    @cached_property
    def _tumours(self) -> Tumours:
        """The bank and where its lesions lay."""
        return read_tumours(self.sources, self._cache)

    @cached_property
    def _prior(self) -> Prior:
        return Prior(self.spec.prior, self._tumours.centres)

    @cached_property
    def _cavity(self) -> str:
        """Name of the label of a resection cavity: that of the training cases, else CSF."""
        return "resection_cavity" if "resection_cavity" in self.sources.train.scheme.labels else "csf"

    @cached_property
    def _preparation(self) -> dict[str, Any]:
        """The preparation of the training cases as a fact, so that generators know the maps as prepared alike."""
        facts = self.sources.train.cases[0].facts
        return {PREPARATION: facts[PREPARATION]} if PREPARATION in facts else {}

    def _plan(self, round_number: int) -> Plan:
        if round_number not in self._plans:
            bank = len(self._tumours.bank)
            self._plans = {round_number: Plan.of(self.spec, bank, self.seed, round_number)}
            self._cache.forget(f"round-{round_number - 2}")
        return self._plans[round_number]

    def _brain(self, round_number: int, number: int) -> CaseRef:
        """Case whose brain a host is made of: each in turn, of training cases and outside ones by their share."""
        own, outside = self.sources.own_brains, self.sources.outside_brains
        count = self.spec.hosts.count
        foreign = round(self.spec.hosts.outside_share * count) if outside else 0
        turn = round_number * count
        return outside[(turn + number) % len(outside)] if number < foreign else own[(turn + number) % len(own)]

    def _host_arrays(self, round_number: int, number: int) -> dict[str, np.ndarray]:
        """Arrays of a freshly drawn host."""
        ref = self._brain(round_number, number)
        brain = self._cache.arrays(f"brains/{ref.case_id}", partial(self._brain_arrays, ref))["voxels"]
        labels = LabelMap(brain, self.sources.geometry, COMPLETE_DISTRACTORS)
        seed = stream_seed(self.seed, METHOD, "host", round_number, number)
        host = warped_host(labels, self.spec.hosts, seed)
        return {"voxels": host.labels.voxels, "plane": np.array(host.plane.to_json())}

    def _brain_arrays(self, ref: CaseRef) -> dict[str, np.ndarray]:
        brain = without_lesion(read_labels(ref))
        own = ref in self.sources.own_brains and brain.geometry.matches(self.sources.geometry)
        return {"voxels": brain.voxels if own else fitted_brain(brain, self._model_brain(ref)).voxels}

    def _model_brain(self, ref: CaseRef) -> LabelMap:
        """A training brain whose extent a brain of another grid takes, the same one for a case at all times."""
        models = [case for case in self.sources.own_brains if case != ref]
        case = models[stream_seed(self.seed, METHOD, "model", ref.case_id) % len(models)] if models else ref
        return without_lesion(read_labels(case))

    def _growth(self, round_number: int, host: int, number: int) -> GrownTumour:
        """A growth of a host, from the cache or freshly grown."""
        arrays = self._cache.arrays(
            f"round-{round_number}/growth-{host}-{number}", partial(self._growth_arrays, round_number, host, number)
        )
        x, y, z = arrays["origin"].tolist()
        return GrownTumour(arrays["stages"], (x, y, z))

    def _growth_arrays(self, round_number: int, host: int, number: int) -> dict[str, np.ndarray]:
        seed = stream_seed(self.seed, METHOD, "growth", round_number, host, number)
        grown = grown_tumour(self.host(round_number, host), self._prior, seed)
        return {"stages": grown.stages, "origin": np.array(grown.origin)}

    def _placed(self, host: Host, round_number: int, slot: Slot, rng: np.random.Generator) -> Placed:
        """The host's map with the lesion of a slot; one without a place gives way to a growth, and that to none."""
        bank = self._tumours.bank.donors
        if slot.source == "bank":
            with suppress(EditError):
                return bank_lesion(host, bank[slot.lesion], self._prior, self.spec, rng)
        if slot.source != "none":
            with suppress(EditError):
                growth = self._growth(round_number, slot.host, slot.lesion % self.spec.lesions.growths)
                return host_lesion(host, growth, bank, self.spec, rng)
        return Placed(host.labels, "none", None)

    def _lineage(self, source: CaseRef, placed: Placed, facts: dict[str, Any]) -> Lineage:
        """Host, donor, and everyone from whom places and sizes were learned."""
        record = {"kind": METHOD, **{name: facts[name] for name in ("host", "lesion", "donor", "growth", "distractor")}}
        made = Lineage.synthetic(METHOD, {source.case_id: source.lineage}, seed=self.seed, edits=[record])
        return made.through("lesion donor", placed.subjects).through("placement prior", self._tumours.lineage)
