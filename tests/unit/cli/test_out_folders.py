"""No verb writes over what another input or another command made, and none drops an option."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from fixtures_layouts import LAYOUTS
from glioforge.cli.main import app
from glioforge.core.errors import CohortError, GlioforgeError, InputFileError, LabelError, OutputError, SpecError
from glioforge.io.cohort_file import read_cohort

NAMES = ("BraTS20_Training_001", "BraTS20_Training_002")


def call(*words: object) -> str:
    """Run a verb; a typed error is raised for the test to see."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)

    assert result.exit_code == 0, result.output
    return result.output


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, but the lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != ".lock"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cases, their cohort, and two folders of masks, the second of which differs in one voxel."""
    folder = tmp_path_factory.mktemp("outs")
    writer, heads, _, _ = LAYOUTS["brats"]
    writer(folder / "scans", heads)
    call("ingest", folder / "scans", "--out", folder / "cohort")
    for masks in ("a", "b"):
        (folder / masks).mkdir()
        for name in NAMES:
            shutil.copy(folder / "scans" / name / f"{name}_seg.nii.gz", folder / masks / f"{name}.nii.gz")
    mask = nib.load(folder / "b" / f"{NAMES[1]}.nii.gz")
    voxels = np.asarray(mask.dataobj).copy()
    voxels[0, 0, 0] = 1
    nib.Nifti1Image(voxels, mask.affine, mask.header).to_filename(folder / "b" / f"{NAMES[1]}.nii.gz")
    call("evaluate", folder / "a", folder / "cohort", "--out", folder / "scores", "--scheme", "brats2017")
    return folder


def test_the_same_ingest_and_evaluate_again_change_nothing(made: Path) -> None:
    """A trailing slash and a relative path are the same folder."""
    before = contents(made / "cohort"), contents(made / "scores")
    call("ingest", f"{made}/a/../scans/", "--out", f"{made}/cohort/")
    call("evaluate", f"{made / 'a'}/", made / "cohort", "--out", made / "scores", "--scheme", "brats2017")

    assert (contents(made / "cohort"), contents(made / "scores")) == before
    assert "passed_over.csv" in before[0]


def test_other_masks_into_the_same_folder_are_refused_by_name(made: Path) -> None:
    """The first results stay."""
    before = contents(made / "scores")
    with pytest.raises(OutputError, match=rf"masks\.{NAMES[1]} was .*, is now .*choose another --out"):
        call("evaluate", made / "b", made / "cohort", "--out", made / "scores", "--scheme", "brats2017")

    assert contents(made / "scores") == before


def test_other_scans_into_the_same_folder_are_refused_by_name(made: Path, tmp_path: Path) -> None:
    """Another folder, a changed file and another command alike; the first cohort stays."""
    before = contents(made / "cohort")
    shutil.copytree(made / "scans" / NAMES[0], tmp_path / "fewer" / NAMES[0])
    with pytest.raises(OutputError, match=rf"folder was .*cases\.{NAMES[1]} was .*, is now absent"):
        call("ingest", tmp_path / "fewer", "--out", made / "cohort")
    with pytest.raises(
        OutputError, match="holds a cohort that `glioforge ingest` made; expected .* `glioforge doctor` made"
    ):
        CliRunner().invoke(app, ["doctor", str(made / "scans"), "--out", str(made / "cohort")], catch_exceptions=False)

    with pytest.raises(OutputError, match="a cohort that `glioforge ingest` made.*; choose another --out"):
        call("phantom", "--cases", 1, "--out", made / "cohort")

    assert contents(made / "cohort") == before


@pytest.mark.parametrize("verb", ["ingest", "evaluate", "doctor"])
def test_files_that_no_command_made_are_not_written_over(made: Path, tmp_path: Path, verb: str) -> None:
    """A table or a cohort of somebody else in the folder."""
    name = {"ingest": "cohort.json", "evaluate": "results.csv", "doctor": "doctor.json"}[verb]
    (tmp_path / name).write_text("mine")
    given = {"evaluate": (made / "a", made / "cohort", "--scheme", "brats2017")}.get(verb, (made / "scans",))
    with pytest.raises(OutputError, match=f"{name} in the folder, which this command did not make"):
        CliRunner().invoke(app, [verb, *map(str, given), "--out", str(tmp_path)], catch_exceptions=False)

    assert (tmp_path / name).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_doctor_writes_again_after_scans_were_corrected(made: Path, tmp_path: Path) -> None:
    """The same folder is looked at until it is right; another folder is not written into its page."""
    shutil.copytree(made / "scans", tmp_path / "scans")
    broken = tmp_path / "scans" / NAMES[0] / f"{NAMES[0]}_t1.nii.gz"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-9])
    runner, words = CliRunner(), ["doctor", str(tmp_path / "scans"), "--out", str(tmp_path / "page")]

    assert runner.invoke(app, words).exit_code == 1
    broken.write_bytes(whole)
    assert runner.invoke(app, words).exit_code == 0
    assert '"error": 0' in (tmp_path / "page" / "doctor.json").read_text()


@pytest.mark.parametrize("verb", ["prepare", "evaluate", "segment"])
def test_a_layout_beside_a_cohort_is_refused_and_one_that_is_not_there_too(
    made: Path, tmp_path: Path, verb: str
) -> None:
    """An option that would have no effect is not dropped."""
    given = {"evaluate": [made / "a"], "segment": [made / "a"]}.get(verb, [])
    words = [verb, *given, made / "cohort", "--out", tmp_path / "out", "--layout"]
    with pytest.raises(SpecError, match="--layout for a folder that holds a cohort.json"):
        call(*words, "brats")
    with pytest.raises(GlioforgeError, match=r"nowhere\.yaml"):
        call(*words, tmp_path / "nowhere.yaml")

    assert not (tmp_path / "out").exists()


def test_registering_a_cohort_again_is_refused(made: Path, tmp_path: Path) -> None:
    """The option belongs to reading scans."""
    with pytest.raises(SpecError, match="--register-to for a folder that holds a cohort.json"):
        call("prepare", made / "cohort", "--out", tmp_path / "out", "--register-to", "t1")


def test_another_scheme_for_a_cohort_is_refused(made: Path, tmp_path: Path) -> None:
    """Its label files were read with one already; the same one may be named again."""
    words = ["prepare", made / "cohort", "--out", tmp_path / "out", "--scheme"]
    with pytest.raises(SpecError, match="--scheme for a folder that holds a cohort.json"):
        call(*words, "brats2024_ped")
    with pytest.raises(LabelError, match="label scheme 'brats'"):
        call(*words, "brats")

    assert not (tmp_path / "out").exists()


def test_a_scheme_is_read_by_the_verbs_that_read_scans(made: Path, tmp_path: Path) -> None:
    """It decides where names would say something else, and is noted in the cohort."""
    call("ingest", made / "scans", "--out", tmp_path, "--scheme", "necrosis=1,oedema=2,enhancing=4")

    source = read_cohort(tmp_path).source
    assert source is not None
    assert (source.scheme, source.reason[:8]) == ("necrosis=1,oedema=2,enhancing=4", "stated; ")


def test_a_cohort_of_other_cases_is_not_prepared_over_another(made: Path, tmp_path: Path) -> None:
    """The cases of the first would vanish from its table."""
    writer, _, _, _ = LAYOUTS["brats"]
    writer(tmp_path / "scans", {"BraTS20_Training_009": 3})
    shutil.copytree(made / "cohort", tmp_path / "prepared")
    (tmp_path / "prepared" / "step.json").unlink()
    (tmp_path / "prepared" / "done.json").unlink()
    with pytest.raises(OutputError, match=f"a cohort with other cases in the folder: {NAMES[0]}, {NAMES[1]}"):
        call("prepare", tmp_path / "scans", "--out", tmp_path / "prepared")


def test_results_within_the_folder_of_scans_are_not_taken_for_scans(made: Path, tmp_path: Path) -> None:
    """A cohort that lies in its own folder of scans: the same command again finds the same cases."""
    shutil.copytree(made / "scans", tmp_path / "scans")
    out = tmp_path / "scans" / "results"
    call("ingest", tmp_path / "scans", "--out", out)
    shutil.copytree(tmp_path / "scans" / NAMES[0], out / "nifti" / "BraTS20_Training_777")
    for path in (out / "nifti" / "BraTS20_Training_777").iterdir():
        path.rename(path.with_name(path.name.replace("001", "777")))
    text = call("ingest", tmp_path / "scans", "--out", out)

    assert "2 real cases of 2 subjects" in text
    assert f"{out},folders that Glioforge wrote" in (out / "passed_over.csv").read_text()


def test_an_edit_of_scans_is_refused_with_the_command_that_prepares_them(made: Path, tmp_path: Path) -> None:
    """Nothing is left behind; a training on them begins with a warning."""
    words = ["edit", made / "cohort", "--recipe", "default", "--out", tmp_path / "edited"]
    for more in ([], ["--dry-run"]):
        with pytest.raises(
            CohortError,
            match=r"cohort: not prepared \(labels brats20.*\); .*run: glioforge prepare .*cohort",
        ):
            call(*words, *more)
    (tmp_path / "seg.yaml").write_text("segmenter: unet\ntest: 0\nvalidation: 0\nbudget: {patience: null}\n")
    text = call("train", tmp_path / "seg.yaml", made / "cohort", "--out", tmp_path / "model", "--dry-run")

    assert f"warning: {made / 'cohort'}: not prepared: {NAMES[0]}, {NAMES[1]}; grids and intensities stay" in text
    assert [path.name for path in tmp_path.iterdir()] == ["seg.yaml"]


def test_scans_are_not_ingested_into_their_own_folder(made: Path) -> None:
    """Its tables would lie among the scans; a folder within it is passed over by walks and allowed."""
    with pytest.raises(OutputError, match="the folder that is read; expected a folder of its own"):
        call("ingest", made / "scans", "--out", f"{made}/cohort/../scans")

    assert not (made / "scans" / "cohort.json").exists()


def test_exports_are_passed_over_and_contrasts_that_no_case_has_refused(made: Path, tmp_path: Path) -> None:
    """An export within a folder of scans does not double the scans."""
    shutil.copytree(made / "scans", tmp_path / "scans")
    words = ["export", tmp_path / "scans", "--as", "nifti", "--out", tmp_path / "scans" / "export"]
    with pytest.raises(CohortError, match="--modalities: no case has aptw; expected contrasts of the cohort: t1, "):
        call(*words, "--modalities", "aptw")
    call(*words)

    assert "2 real cases of 2 subjects" in call("ingest", tmp_path / "scans", "--out", tmp_path / "cohort")


def test_arguments_are_checked_before_scans_are_read(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An output folder of another command, and a cohort in place of masks."""
    monkeypatch.setattr("glioforge.data.doctor.examine.examine", lambda *_, **__: pytest.fail("scans were read"))
    monkeypatch.setattr("glioforge.io.ingestion.ingest", lambda *_, **__: pytest.fail("scans were read"))
    with pytest.raises(OutputError, match="holds a cohort"):
        call("doctor", made / "scans", "--out", made / "cohort")
    with pytest.raises(InputFileError, match="this is a cohort; expected a folder of masks"):
        call("evaluate", made / "cohort", made / "scans", "--out", tmp_path)
    with pytest.raises(OutputError, match="holds a cohort that `glioforge ingest` made"):
        call("evaluate", made / "a", made / "scans", "--out", made / "cohort")


def test_a_cohort_in_place_of_scans_is_called_one(made: Path, tmp_path: Path) -> None:
    """With the command that comes next."""
    with pytest.raises(InputFileError, match="already ingested; .*; next: glioforge prepare .*cohort --out prepared"):
        call("ingest", made / "cohort", "--out", tmp_path / "again")


def test_cohorts_are_named_by_the_folder_that_was_typed(made: Path, tmp_path: Path) -> None:
    """Two cohorts of scans in folders of one name would be called alike."""
    with pytest.raises(CohortError, match=f"{made / 'cohort'} and {made / 'cohort'}: case ids used twice: {NAMES[0]}"):
        call("join", made / "cohort", made / "cohort", "--out", tmp_path / "joined")
    with pytest.raises(CohortError, match=f"{made / 'cohort'}: no case has kind=phantom; values of kind here: real"):
        call("prepare", made / "cohort", "--out", tmp_path / "prepared", "--where", "kind=phantom")
