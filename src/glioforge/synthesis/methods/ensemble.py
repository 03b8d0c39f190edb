"""Several generators as one: methods, seeds and snapshots of a training, of which one is drawn for each volume.

Networks of one training agree on their mistakes; a segmenter that sees the volumes of several cannot learn these.

Source: Eilertsen et al. 2021, arXiv:2104.11797, "Ensembles of GANs for synthetic training data generation": images of
many generators train a classifier better than those of one.

Deviations from the paper: members may differ in method, not in seed alone; a member is drawn for each volume, with the
same chance for each; members with a setting `ensemble` of their own bring the snapshots of their training; how much the
members differ is measured after training and kept with the weights.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Literal, Self, final

import numpy as np
from pydantic import Field, model_validator
from torch import nn

from glioforge.compute import AcceleratorSpec
from glioforge.core import LabelMap, stream, stream_seed
from glioforge.data import read_labels
from glioforge.metrics import likeness_of_pairs, mean_of_pairs
from glioforge.synthesis import SYNTHESIZERS, AnySynthesizer, Images, Knowledge, Method, SynthesizerSpec
from glioforge.training import Fitting, Outcome, joined

MAPS: Final = 3
"""Label maps of training cases that variety is measured on, at most."""
SMALLEST: Final = 11
"""Side of the smallest slice that MS-SSIM is defined on."""
RANGE: Final = 10.0
"""Largest minus smallest value of prepared images."""


def _usual() -> tuple[Any, ...]:
    """The house method with a network, and painted images."""
    return SYNTHESIZERS.parse("sound"), SYNTHESIZERS.parse("painted")


@final
class EnsembleSpec(SynthesizerSpec):
    """Generators of which one is drawn for each volume; contrasts, gaps, stand-ins and budget are those of all."""

    kind: Literal["ensemble"] = "ensemble"
    """Name of the method."""
    members: tuple[AnySynthesizer, ...] = Field(default_factory=_usual, min_length=1)
    """Any synthesizers with their settings."""
    seeds: int = Field(1, ge=1)
    """Trainings of each member that is trained, with other seeds; `painted` is measured once."""

    @model_validator(mode="after")
    def _members_are_simple(self) -> Self:
        if any(isinstance(member, EnsembleSpec) for member in self.members):
            msg = "an ensemble among the members: list its members instead"
            raise ValueError(msg)
        return self

    @property
    def select(self) -> bool:
        """Whether validation cases select the weights of a member."""
        return any(getattr(member, "select", False) for member in self.members)


@final
@SYNTHESIZERS.register(EnsembleSpec)
class Ensemble(Method):
    """Draws a member for each volume."""

    def __init__(self, spec: EnsembleSpec, knowledge: Knowledge) -> None:
        super().__init__(spec, knowledge)
        self._members = list(_built(spec, knowledge))
        self._facts: dict[str, str] = {}

    @property
    def network(self) -> nn.Module | None:
        """The networks of all members that have one."""
        networks = [member.network for member in self._members if member.network is not None]
        return nn.ModuleList(networks) if networks else None

    @property
    def varied(self) -> bool:
        """Several members differ; a single one says so itself."""
        return len(self._members) > 1 or self._members[0].varied

    @property
    def facts(self) -> Mapping[str, str]:
        """What the members are, and how alike their images of one map are."""
        return self._facts

    def fit(self, fitting: Fitting) -> Outcome | None:
        """Train each member in a folder of its own, the first with the seed of the ensemble; then measure variety."""
        outcomes = []
        for number, member in enumerate(self._members):
            own = fitting.seed if not number else stream_seed(fitting.seed, "member", number)
            folder = fitting.folder / f"member-{number}"
            outcomes.append(member.fit(replace(fitting, folder=folder, seed=own)))
        trained = [outcome for outcome in outcomes if outcome is not None]
        kinds = ", ".join(str(member.spec.kind) for member in self._members)
        self._facts = {"members": f"{len(self._members)} ({kinds})", **self._variety(fitting)}
        return joined(trained) if trained else None

    def images(self, labels: LabelMap, rng: np.random.Generator, accelerator: AcceleratorSpec) -> Images:
        """Images of a drawn member."""
        return self._members[int(rng.integers(len(self._members)))].images(labels, rng, accelerator)

    def _variety(self, fitting: Fitting) -> dict[str, str]:
        """MS-SSIM of two draws of one map by one member, and by two members; nothing where maps are too small."""
        within, between = [], []
        for place, ref in enumerate(fitting.train.cases[:MAPS]):
            labels = read_labels(ref)
            if min(labels.voxels.shape[:2]) < SMALLEST or not labels.foreground.any():
                continue
            drawn = np.stack(list(self._slices(labels, fitting, place)))
            likeness = likeness_of_pairs(drawn, RANGE)
            pairs = [likeness[n : n + 2, n : n + 2] for n in range(0, len(likeness), 2)]
            within += [mean_of_pairs(pair) for pair in pairs]
            firsts = likeness[::2, ::2]
            between += [mean_of_pairs(firsts)] if len(firsts) > 1 else []
        if not within:
            return {}
        told = f"{np.mean(within):.3f} within a member"
        if between:
            told = f"{told}, {np.mean(between):.3f} between members"
        return {"likeness of two images of one map (MS-SSIM)": told}

    def _slices(self, labels: LabelMap, fitting: Fitting, place: int) -> Iterator[np.ndarray]:
        """The axial slice with most brain of two draws of each member, in turn."""
        most = int(labels.foreground.sum(axis=(0, 1)).argmax())
        for number, member in enumerate(self._members):
            for draw in range(2):
                rng = stream(fitting.seed, "variety", place, number, draw)
                images = member.images(labels, rng, fitting.accelerator)
                yield (np.clip(np.nan_to_num(images), -RANGE / 2, RANGE / 2) * labels.foreground)[..., most]


def _built(spec: EnsembleSpec, knowledge: Knowledge) -> Iterator[Method]:
    """Members with fresh weights: each once, and once more for each further seed where it is trained."""
    shared = {name: getattr(spec, name) for name in ("modalities", "gaps", "stand_ins", "budget")}
    for member in spec.members:
        own: Any = member.model_copy(update=shared)
        part = SYNTHESIZERS.part_for(own)
        yield part(own, knowledge)
        if part.learns:
            yield from (part(own, knowledge) for _ in range(spec.seeds - 1))
