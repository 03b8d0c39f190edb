"""Both samplers learn from phantoms what holds for phantoms that they have not seen."""

import numpy as np
import pytest

from fixtures_samplers import PLAIN
from glioforge.core.rng import stream
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.io.ingestion import ingest
from glioforge.metrics.cohort.pyramid import sliced_wasserstein
from glioforge.sampling.base import known_of, train_sampler
from glioforge.sampling.method import SAMPLERS
from glioforge.sampling.slices import training_slices

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """Training cases of nine phantoms, and three phantoms that no sampler is trained on."""
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_cohort(folder / "scans", cases=12, seed=7, spec=PhantomSpec(shape=(40, 40, 32)))
    prepared = prepare(ingest(folder / "scans"), PrepareSpec(), folder / "prepared")
    subjects = prepared.subject_ids
    return prepared.of_subjects(subjects[:9], "train"), prepared.of_subjects(subjects[9:], "held out")


def test_label_maps_of_unseen_subjects_are_likelier_than_under_an_atlas(phantoms, tmp_path):
    """The bound on the likelihood of unseen maps exceeds their likelihood under the atlas of the training maps.

    The atlas is the smoothed frequency of each class in each voxel, both sides together; it needs no training.
    """
    train, unseen = phantoms
    small = {"size": (40, 40, 32), "widths": (8, 16, 32), "latent": 8}
    budget = {"steps": 150, "validate_every": 150, "checkpoint_every": 150}
    spec = SAMPLERS.parse({"kind": "label_vae", **small, "budget": budget})
    start = SAMPLERS.part_for(spec)(spec, known_of(spec, train))
    start.before_training(start.network, train)
    atlas = float((start.shares_of(unseen).float() * start.network.atlas).sum(dim=1).mean())

    trained = train_sampler(train, unseen, spec, tmp_path / "m", accelerator=PLAIN)

    assert trained.card.outcome.best_score > atlas


def test_slices_of_unseen_subjects_are_nearer_than_those_of_trivial_baselines(phantoms, tmp_path):
    """Sampled slices are nearer to unseen ones than what needs no adversary, each where it fails by its nature.

    The untrained network fails in whole slices. The mean slice and independent Gaussian pixels of the right mean and
    spread are near by that distance, which hardly sees how neighbours agree; they fail in patches (Karras et al. 2018).
    """
    train, unseen = phantoms
    budget = {"steps": 300, "validate_every": 300, "checkpoint_every": 300}
    small = {"size": 32, "batch_size": 16, "between": (0.25, 0.75)}
    spec = SAMPLERS.parse({"kind": "dcgan", **small, "budget": budget})

    trained = train_sampler(train, None, spec, tmp_path / "m", accelerator=PLAIN)

    bare = spec.model_copy(update={"modes": 0})  # with modes, what is added begins at 0
    fresh = SAMPLERS.part_for(bare)(bare, known_of(bare, train))
    fresh.network.eval()
    cut = (training_slices(spec, part, trained.card.modalities).images.float().numpy() for part in (unseen, train))
    real, seen = cut
    count, rng = len(real), stream(3)
    noise = rng.standard_normal(real.shape, dtype=np.float32)
    sets = {
        "sampled": np.stack([scaled(draw) for draw in trained.sample(count, rng)]),
        "untrained": np.stack([scaled(fresh.make(rng, PLAIN)) for _ in range(count)]),
        "mean": np.broadcast_to(seen.mean(axis=0), real.shape),
        "pixels": np.clip(seen.mean(axis=0) + seen.std(axis=0) * noise, -1, 1),
    }
    whole = {name: whole_distance(made, real) for name, made in sets.items()}
    patches = {name: float(np.mean(sliced_wasserstein(made, real))) for name, made in sets.items()}
    assert whole["sampled"] < whole["untrained"], whole
    assert patches["sampled"] < min(patches[name] for name in ("untrained", "mean", "pixels")), patches


def scaled(draw):
    """Contrasts of a drawn slice from -1 to 1, -1 where there is no brain, as the network is trained on them."""
    images = np.stack([volume.voxels[0] for volume in draw.values()])
    return np.where((images != 0).any(axis=0), images / 5, -1).astype(np.float32)


def whole_distance(made, real):
    """Sliced Wasserstein-2 distance of slices, each one point (Bonneel et al. 2015, 300 directions)."""
    import ot

    flat = [slices.reshape(len(slices), -1).astype(float) for slices in (made, real)]
    return ot.sliced_wasserstein_distance(*flat, n_projections=300, seed=1)
