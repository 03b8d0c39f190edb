"""Do partial volumes in the condition, or a critic of the band about borders, bring borders nearer to real ones?

The method `sound` is trained on phantoms in four cases: labels are shown whole or as partial volumes (`soft_labels`),
against its usual critic alone or with a second critic, which sees images only in the band about class borders.
Every case has the same phantoms, steps and seeds.  Images of unseen phantoms are made in the phantom's own style and
compared with its noise-free images, mean over contrasts.

    python experiments/boundary_band.py run --out band
    python experiments/boundary_band.py table --out band > benchmarks/results/boundary_band.json
    python experiments/boundary_band.py pictures --out band

`run` writes one JSON for each training and goes on where it stopped; `table` says by how much cases differ, with paired
intervals over phantoms and seeds.

A setting is kept if the interval of its difference in `border_mae` or in the distance of `border_sharpness` from 1
leaves out 0 in its favour, at the borders of the lesion, and the other of the two does not get worse.
"""

import argparse
import json
from collections.abc import Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from glioforge.compute import AcceleratorSpec
from glioforge.core import Case, CaseRef, Cohort, LabelMap, Modality, Silent, Voxels, stream
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.io.atomic_write import read_json, write_json
from glioforge.io.ingestion import ingest
from glioforge.metrics import compare_borders
from glioforge.report.slices import Picture, grey, picture_grid, seen_from
from glioforge.statistics.inference import compare
from glioforge.studies.scoring import noise_free_images
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS
from glioforge.synthesis.label_generator import Painter
from glioforge.synthesis.method import Knowledge
from glioforge.synthesis.methods.sound import Sound
from glioforge.training import Fitting, inferred

PHANTOM = PhantomSpec(shape=(56, 56, 48), high_grade_share=1.0, tumour_ml=(20.0, 150.0))
TRAINING, UNSEEN = 12, 8
SEEDS = (1, 2, 3, 4)
STEPS = 400
SOFT = 0.5
"""Width in voxels: a voxel's own extent and the rounding of a border to whole voxels, 1 / sqrt(12) each, make 0.41."""
METHOD = {
    "kind": "sound",
    "preset": "sound",
    "grain": 0.0,
    "smoothing": 0.0,
    "moved": False,
    "budget": {"steps": STEPS, "validate_every": STEPS, "checkpoint_every": STEPS},
}
"""Without what is done to finished volumes, which would hide what the network learned.  The critic joins after half
of the steps and not after eight tenths, so that it has time to act."""
BEGINS = 0.5
CASES = tuple(product((False, True), (False, True)))
"""Soft labels, band critic."""
ONE_CORE = AcceleratorSpec(device="cpu", precision="32-true", threads=1)


def name_of(case: tuple[bool, bool]) -> str:
    """Name of a case."""
    soft, band = case
    return f"{'soft' if soft else 'whole'}-{'band' if band else 'usual'}"


PAIRS = (
    ("soft-usual", "whole-usual"),
    ("whole-band", "whole-usual"),
    ("soft-band", "whole-usual"),
    ("soft-band", "soft-usual"),
)
"""Cases that are compared, each with the one that lacks its setting."""


class BandCritics(nn.Module):
    """The usual critic and one that sees images only in the band about class borders; scales of both weigh alike.

    Args:
        usual: Takes condition and image.
        band: The same for images that are 0 outside the band.
        classes: Channels of the condition that are classes, background first.
    """

    def __init__(self, usual: nn.Module, band: nn.Module, classes: int) -> None:
        super().__init__()
        self.usual, self.band, self.classes = usual, band, classes

    def forward(
        self, condition: torch.Tensor, image: torch.Tensor
    ) -> tuple[list[torch.Tensor], list[list[torch.Tensor]]]:
        """Scores and features of both."""
        inside = band_of(condition[:, : self.classes].argmax(dim=1))
        scores, features = self.usual(condition, image)
        more, further = self.band(condition, image * inside[:, None])
        return [*scores, *more], [*features, *further]


def band_of(labels: torch.Tensor) -> torch.Tensor:
    """Voxels of the brain with another class of the brain among their nearest neighbours, diagonals included."""
    brain, values = labels > 0, labels.float()[:, None]
    beyond = ~brain[:, None]
    most = functional.max_pool2d(values.masked_fill(beyond, -1), 3, 1, 1)
    least = -functional.max_pool2d(-values.masked_fill(beyond, 256), 3, 1, 1)
    return brain & (most != least)[:, 0]


class BandSound(Sound):
    """The method with the second critic."""

    def critic(self) -> Any:  # noqa: ANN401 - two critics in place of one
        """Return both critics with fresh weights."""
        usual = super().critic()
        band = self.spec.critic(self.classes + self.contrasts)
        self.start(band)
        return BandCritics(usual, band, self.classes)


def main() -> None:
    """Train the cases, count, or draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("run", "table", "pictures"))
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    if asked.action == "table":
        print(json.dumps(table(asked.out), indent=1))
        return
    train, unseen = cohorts(asked.out)
    if asked.action == "pictures":
        (asked.out / "borders.png").write_bytes(pictures(asked.out, train, unseen))
        return
    for seed, case in product(SEEDS, CASES):
        done = asked.out / f"{name_of(case)}-{seed}.json"
        if not done.is_file():
            write_json(done, {"case": name_of(case), "seed": seed, "phantoms": scores(asked.out, case, seed)})
            print(done.name, flush=True)


def cohorts(out: Path) -> tuple[Cohort, Cohort]:
    """Prepared phantoms to train on, and others."""
    write_phantom_cohort(out / "phantoms", cases=TRAINING + UNSEEN, spec=PHANTOM, seed=1601)
    cohort = prepare(ingest(out / "phantoms"), PrepareSpec(), out / "prepared")
    subjects = cohort.subject_ids
    return cohort.of_subjects(subjects[:TRAINING]), cohort.of_subjects(subjects[TRAINING:])


def trained(out: Path, case: tuple[bool, bool], seed: int, train: Cohort) -> Sound:
    """The method of a case, trained or read from where it was."""
    soft, band = case
    plain: Any = SYNTHESIZERS.parse(METHOD)
    changes = {"soft_labels": SOFT if soft else 0.0, "losses": plain.losses.model_copy(update={"begins": BEGINS})}
    knowledge = Knowledge(
        train.modalities, train.scheme, Appearance.of((ref.load() for ref in train), train.modalities, train.scheme)
    )
    method = (BandSound if band else Sound)(plain.model_copy(update=changes), knowledge)
    folder = out / "models" / f"{name_of(case)}-{seed}"
    method.fit(Fitting(train, None, folder, seed, ONE_CORE, Silent()))
    return method


def made_by(method: Sound, case: Case) -> Mapping[Modality, Voxels]:
    """Images of a case's label map in the case's own style."""
    labels, knowledge = case.require_labels(), method.knowledge
    own = Appearance.of([case], knowledge.modalities, knowledge.scheme)
    painter = Painter(method.spec, method.contrasts, method.passes.channels)
    means = torch.from_numpy(own.means[0]).float()
    noise = painter.noise(labels, stream(1, "band", case.case_id))
    images = painter.paint(partial(inferred, method.network, accelerator=ONE_CORE), labels, means, noise)
    inside = labels.foreground
    return {m: np.ascontiguousarray(image * inside) for m, image in zip(knowledge.modalities, images, strict=True)}


def scores(out: Path, case: tuple[bool, bool], seed: int) -> dict[str, dict[str, float]]:
    """Numbers of each unseen phantom, mean over contrasts."""
    train, unseen = cohorts(out)
    method = trained(out, case, seed, train)
    return {ref.case_id: scored(made_by(method, ref.load()), ref) for ref in unseen}


def scored(made: Mapping[Modality, Voxels], ref: CaseRef) -> dict[str, float]:
    """Errors in the brain and its lesion, and both numbers of each band, against the noise-free images."""
    labels, truth = ref.load().require_labels(), noise_free_images(ref, PHANTOM)
    rows = [number for m, image in made.items() for number in numbers(image, truth[m], labels)]
    names = dict.fromkeys(name for name, _ in rows)
    return {name: round(float(np.mean([value for other, value in rows if other == name])), 6) for name in names}


def numbers(image: Voxels, real: Voxels, labels: LabelMap) -> list[tuple[str, float]]:
    """Name and value of each number of one contrast."""
    error = np.abs(image - real)
    found = [("mae brain", float(error[labels.foreground].mean())), ("mae lesion", float(error[labels.lesion].mean()))]
    for row in compare_borders(image, real, labels):
        found.append((f"{row.metric} {row.region}", row.value))
        if row.metric == "border_sharpness":
            found.append((f"border_sharpness_error {row.region}", abs(row.value - 1)))
    return found


def table(out: Path) -> dict[str, Any]:
    """Means of each case, paired differences of cases, and all values."""
    runs = [read_json(out / f"{name_of(case)}-{seed}.json") for case, seed in product(CASES, SEEDS)]
    phantoms, names = list(runs[0]["phantoms"]), list(next(iter(runs[0]["phantoms"].values())))
    grids = {
        (name_of(case), name): np.array(
            [[run["phantoms"][p][name] for run in runs if run["case"] == name_of(case)] for p in phantoms]
        )
        for case in CASES
        for name in names
    }
    return {
        "phantom": PHANTOM.model_dump(mode="json"),
        "training": TRAINING,
        "unseen": UNSEEN,
        "steps": STEPS,
        "critic_begins": BEGINS,
        "soft_labels": SOFT,
        "seeds": list(SEEDS),
        "means": {
            name_of(case): {name: round(float(grids[name_of(case), name].mean()), 4) for name in names}
            for case in CASES
        },
        "differences": {
            f"{case} - {other}": {name: difference(grids[case, name] - grids[other, name]) for name in names}
            for case, other in PAIRS
        },
        "runs": runs,
    }


def pictures(out: Path, train: Cohort, unseen: Cohort) -> bytes:
    """Slices through the largest cut of three unseen phantoms' lesions in T1ce: truth, and each case of one seed."""
    modality = Modality.T1CE
    drawn: dict[str, list[Picture]] = {"truth": []}
    cells = []
    for ref in list(unseen)[:3]:
        labels = ref.load().require_labels()
        place = int(labels.lesion.sum(axis=(0, 1)).argmax())
        cells.append((ref, labels, place))
    images = {"truth": [noise_free_images(ref, PHANTOM)[modality] for ref, _, _ in cells]}
    for case in CASES:
        method = trained(out, case, SEEDS[0], train)
        images[name_of(case)] = [made_by(method, ref.load())[modality] for ref, _, _ in cells]
    for name, volumes in images.items():
        drawn[name] = [picture_of(v, labels, place) for v, (_, labels, place) in zip(volumes, cells, strict=True)]
    return picture_grid(list(drawn.items()), [ref.case_id for ref, _, _ in cells], cell_inch=2.2)


def picture_of(image: Voxels, labels: LabelMap, place: int) -> Picture:
    """One axial slice."""
    sides, aspect = seen_from(2, labels.geometry.spacing)
    return Picture(grey(image[:, :, place], labels.foreground[:, :, place], (-2.5, 3.5)), sides=sides, aspect=aspect)


def difference(values: np.ndarray) -> dict[str, Any]:
    """Mean of paired differences `(phantom, seed)`, with its interval over phantoms and seeds."""
    found = compare(values, seed=1)
    interval = found.difference
    return {
        "mean": round(interval.estimate, 5),
        "low": round(interval.low, 5),
        "high": round(interval.high, 5),
        "p": round(float(found.p), 5),
        "lower": found.worse,
        "higher": found.better,
        "by_seed": [round(float(mean), 5) for mean in values.mean(axis=0)],
    }


if __name__ == "__main__":
    main()
