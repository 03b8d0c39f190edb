"""Promises of synthetic cohorts and their export."""

import json
import pickle

import numpy as np
import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.compute.parallel import ParallelSpec
from glioforge.core.cohort import LabelSource
from glioforge.core.errors import CohortError, InputFileError, LabelError, OutputError
from glioforge.core.firewall import require_no_leak
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Silent
from glioforge.core.schemes import BRATS2023, DECATHLON, LESION
from glioforge.io.cohort_file import read_cohort
from glioforge.io.ingestion import ingest
from glioforge.io.nifti import read_integers
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from glioforge.synthesis.compose import Imager, LabelCase, export_cohort, synthesize_cohort
from toy_cohort import toy_cohort, toy_labels

PARENT = {"s08-1": Lineage.real("toy", "s08")}


class Lines(Silent):
    """Progress that remembers its lines."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        """Remember."""
        self.lines.append(text)


@pytest.fixture(scope="module")
def synthesizer(tmp_path_factory):
    """The control, which needs no training."""
    spec = SYNTHESIZERS.parse("painted")
    folder = tmp_path_factory.mktemp("control") / "m"
    return train_synthesizer(toy_cohort([1, 2]), None, spec, folder, seed=1, accelerator=AcceleratorSpec(device="cpu"))


def label_cases(count=4):
    """Edited maps of another subject."""
    return [LabelCase(f"new-{n}", toy_labels(n), PARENT, ({"kind": "mirror", "n": n},)) for n in range(count)]


def compose(synthesizer, cases, out, **changes):
    """One synthetic cohort."""
    return synthesize_cohort(synthesizer, cases, out, **{"name": "made", "seed": 5, **changes})


def test_cases_are_marked_and_inherit_every_subject(synthesizer, tmp_path):
    """Subjects of generator and mask, edits, seed and weights; the firewall sees them."""
    made = compose(synthesizer, label_cases(), tmp_path)
    ref = made.cases[1]
    assert (ref.lineage.kind, ref.lineage.source) == ("synthetic", "painted")
    assert ref.lineage.subjects == ("s01", "s02", "s08")
    assert ref.lineage.parents == ("s08-1",)
    assert ref.lineage.weights == synthesizer.weights_hash
    assert ref.lineage.edits == ({"kind": "mirror", "n": 1},)
    case = ref.load()
    assert np.array_equal(case.labels.voxels, toy_labels(1).voxels)
    assert case.geometry == toy_labels(1).geometry
    assert not case.stack(case.modalities)[:, case.labels.voxels == 0].any()
    require_no_leak({"made": made}, toy_cohort([4], "test"))
    with pytest.raises(Exception, match="s08"):
        require_no_leak({"made": made}, toy_cohort([8], "test"))


def test_ten_is_four_and_six_and_two_workers(synthesizer, tmp_path):
    """Neither stopping, order nor workers change a byte."""
    cases = label_cases(6)
    whole = compose(synthesizer, cases, tmp_path / "a")

    def stopping():
        yield from cases[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compose(synthesizer, stopping(), tmp_path / "b")
    before = (tmp_path / "b/cases/new-0/images.b2nd").stat().st_mtime_ns
    resumed = compose(synthesizer, cases, tmp_path / "b")
    assert (tmp_path / "b/cases/new-0/images.b2nd").stat().st_mtime_ns == before
    assert resumed.fingerprint == whole.fingerprint
    backwards = compose(synthesizer, cases[::-1], tmp_path / "c")
    assert {r.case_id: r.digest for r in backwards} == {r.case_id: r.digest for r in whole}
    assert read_cohort(tmp_path / "a").fingerprint == whole.fingerprint


@pytest.mark.slow
def test_two_workers_write_the_same_bytes(synthesizer, tmp_path):
    """Processes change nothing."""
    alone = compose(synthesizer, label_cases(3), tmp_path / "a")
    spread = compose(synthesizer, label_cases(3), tmp_path / "b", parallel=ParallelSpec(workers=2))
    assert alone.fingerprint == spread.fingerprint


def test_a_worker_loads_the_synthesizer_from_its_folder(synthesizer):
    """Weights are not sent with every case, and a model retrained in between is refused."""
    sent = pickle.dumps(Imager(synthesizer, 5))
    received = pickle.loads(sent)  # noqa: S301 - written above

    weights = synthesizer.weights_hash.encode()
    retrained = sent.replace(weights, b"other".ljust(len(weights)))

    assert len(sent) < 2000
    assert received.synthesizer.weights_hash == synthesizer.weights_hash
    assert (received.synthesizer.accelerator, received.seed) == (synthesizer.accelerator, 5)
    with pytest.raises(InputFileError, match="expected weights other +, as when the command began"):
        pickle.loads(retrained)  # noqa: S301 - written above


def test_label_maps_are_loaded_one_at_a_time(synthesizer, tmp_path):
    """Memory stays flat: a map is drawn when the case before it has been written."""
    drawn = []

    def cases():
        for label_case in label_cases(3):
            drawn.append(len(list(tmp_path.glob("cases/*/images.b2nd"))))
            yield label_case

    compose(synthesizer, cases(), tmp_path, total=3)

    assert drawn == [0, 1, 2]


def test_damaged_case_is_made_again(synthesizer, tmp_path):
    """One line says so, and the bytes are as before."""
    cases = label_cases(2)
    whole = compose(synthesizer, cases, tmp_path)
    path = tmp_path / "cases/new-1/images.b2nd"
    path.write_bytes(path.read_bytes()[:-5])
    heard = Lines()
    (tmp_path / "done.json").unlink()
    assert compose(synthesizer, cases, tmp_path, progress=heard).fingerprint == whole.fingerprint
    assert any("new-1: damaged, made again" in line for line in heard.lines)


def test_other_settings_maps_or_schemes_are_refused(synthesizer, tmp_path):
    """A folder belongs to one seed, a case to one map, a synthesizer to one scheme."""
    compose(synthesizer, label_cases(1), tmp_path)
    with pytest.raises(OutputError, match="seed was 5, is now 6"):
        compose(synthesizer, label_cases(1), tmp_path, seed=6)
    with pytest.raises(OutputError, match="made from another label map"):
        compose(synthesizer, [LabelCase("new-0", toy_labels(3), PARENT)], tmp_path)
    with pytest.raises(LabelError, match="brats2023"):
        compose(synthesizer, [LabelCase("x", toy_labels(3).to(BRATS2023), PARENT)], tmp_path / "b")


def test_no_label_maps_give_an_empty_cohort(synthesizer, tmp_path):
    """Nothing in, nothing out."""
    assert len(compose(synthesizer, [], tmp_path)) == 0


def test_export_is_marked_synthetic_and_comes_back(synthesizer, tmp_path):
    """BraTS files that ingest reads, with lineage; a second export writes nothing."""
    made = compose(synthesizer, label_cases(2), tmp_path / "made", source=LabelSource("brats2017", "stated"))
    folders = export_cohort(made, tmp_path / "nifti")
    assert [folder.name for folder in folders] == ["new-0", "new-1"]
    names = {path.name for path in folders[0].iterdir()}
    assert names == {"new-0.json", "new-0_t1.nii.gz", "new-0_flair.nii.gz", "new-0_seg.nii.gz"}
    import nibabel

    header = nibabel.load(folders[0] / "new-0_t1.nii.gz").header
    assert bytes(header["descrip"]).startswith(b"SYNTHETIC " + synthesizer.weights_hash[:8].encode())
    assert json.loads((folders[0] / "new-0.json").read_text())["kind"] == "synthetic"
    back = ingest(tmp_path / "nifti")
    assert back.cases[0].lineage == made.cases[0].lineage
    stamp = (folders[0] / "new-0_t1.nii.gz").stat().st_mtime_ns
    export_cohort(made, tmp_path / "nifti")
    assert (folders[0] / "new-0_t1.nii.gz").stat().st_mtime_ns == stamp
    with pytest.raises(OutputError, match="exported in scheme brats2017; expected scheme brats2023; remove"):
        export_cohort(made, tmp_path / "nifti", scheme=BRATS2023)
    with pytest.raises(CohortError, match="not synthetic"):
        export_cohort(toy_cohort([1]), tmp_path / "x")


def test_export_has_values_and_names_of_the_source(synthesizer, tmp_path):
    """Enhancing tumour is 4 under the names of 2017 to 2021 and 3 under those since 2023, and it is said."""
    heard = Lines()
    made = compose(synthesizer, label_cases(1), tmp_path / "made", source=LabelSource("decathlon", "stated"))
    assert made.source == read_cohort(tmp_path / "made").source == LabelSource("decathlon", "stated")
    (folder,) = export_cohort(made, tmp_path / "nifti", progress=heard)
    assert heard.lines == ["NIfTI labels are written as decathlon (1 oedema, 2 necrotic_core, 3 enhancing)"]
    assert {path.name for path in folder.iterdir()} >= {"new-0_t1n.nii.gz", "new-0_t2f.nii.gz", "new-0_seg.nii.gz"}
    voxels = read_integers(folder / "new-0_seg.nii.gz")[0]
    np.testing.assert_array_equal(voxels, toy_labels(0).to(DECATHLON).voxels)
    assert ingest(tmp_path / "nifti").source.scheme == "decathlon"
    with pytest.raises(LabelError, match="a scheme with a label for each of necrotic_core, oedema, enhancing"):
        export_cohort(made, tmp_path / "x", scheme=LESION)
