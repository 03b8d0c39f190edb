"""Tests of `reader.backup`, `.folder`, `.serve`, `.invitations` and the verbs: a study as a folder."""

import json
import shutil
import socket
import zipfile

import pytest
from typer.testing import CliRunner

from glioforge.core.errors import CohortError, InputFileError, OutputError, SpecError
from glioforge.reader.backup import backup_study, restore_study
from glioforge.reader.folder import open_study
from glioforge.reader.invitations import invite_reader
from glioforge.reader.lock import lock_study, status_of
from glioforge.reader.serve import Address, serve_study
from toy_reading import Reader, served, toy_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with one answer."""
    folder = tmp_path_factory.mktemp("reading") / "study"
    toy_study(folder)
    with served(folder) as site:
        site.readers[0].answer(site.readers[0].form(), call="real", confidence="3", ms="1500")
    return folder


def test_a_study_moves_as_a_folder_and_as_a_backup(study, tmp_path):
    """Readers go on where they were, in the copy as in the backup that was taken while it was served."""
    shutil.copytree(study, tmp_path / "moved")
    restore_study(backup_study(study, tmp_path / "study.zip"), tmp_path / "restored")

    for folder in (tmp_path / "moved", tmp_path / "restored"):
        assert status_of(folder).readers == status_of(study).readers
        with served(folder, ()) as site:
            reader = Reader(site.app, "Dr A")
            assert reader.log_in().status_code == 303
            assert "2 of 10" in reader.client.get("/read").text
            assert reader.client.get(f"/image/{reader.form()['assignment']}/0.bin").status_code == 200


@pytest.mark.parametrize(
    "member",
    [
        "../out.txt",
        "/etc/x",
        "stimuli/../../x",
        "study.json/x",
        "stimuli\\x.bin",
        "stimuli/" + "0" * 32 + ".exe",
        "more.txt",
    ],
)
def test_a_backup_that_holds_anything_else_is_refused(study, tmp_path, member):
    """Nothing is written, inside or outside."""
    file = backup_study(study, tmp_path / "study.zip")
    with zipfile.ZipFile(file, "a") as packed:
        packed.writestr(member, b"x")
    with pytest.raises(InputFileError, match="a member"):
        restore_study(file, tmp_path / "restored")

    assert [path.name for path in tmp_path.iterdir()] == ["study.zip"]


def test_damaged_and_compressed_backups_are_refused(study, tmp_path):
    """A flipped byte, a cut file, a text, a bomb."""
    good = backup_study(study, tmp_path / "study.zip").read_bytes()
    place = good.index(b"SQLite format") + 5000
    for data in (good[:-40], b"text", good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]):
        (tmp_path / "bad.zip").write_bytes(data)
        with pytest.raises(InputFileError):
            restore_study(tmp_path / "bad.zip", tmp_path / "restored")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("study.json", b"0" * 10**6)
    with pytest.raises(InputFileError, match="a member"):
        restore_study(tmp_path / "bomb.zip", tmp_path / "restored")
    with pytest.raises(InputFileError, match="no such file"):
        restore_study(tmp_path / "missing.zip", tmp_path / "restored")
    with pytest.raises(OutputError, match="there already"):
        backup_study(study, tmp_path / "study.zip")
    with pytest.raises(OutputError, match="not empty"):
        restore_study(tmp_path / "study.zip", tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["spec"]["analysis"].update(margin=0.2), "settings that were changed"),
        (lambda v: v["spec"].update(seed=5), "settings that were changed"),
        (lambda v: v["flags"].update(SEEN="no"), "settings that were changed"),
        (lambda v: v.update(version=9), "version 9"),
        (lambda v: v.pop("frame"), "not a study"),
    ],
)
def test_settings_cannot_be_changed_after_the_study_was_created(study, tmp_path, change, message):
    """Margin, primary comparison and tests are fixed before the first answer."""
    shutil.copytree(study, tmp_path / "study")
    values = json.loads((study / "study.json").read_text())
    change(values)
    (tmp_path / "study" / "study.json").write_text(json.dumps(values))

    with pytest.raises(InputFileError, match=message):
        open_study(tmp_path / "study")
    with pytest.raises(InputFileError, match="no reading study"):
        open_study(tmp_path)


def test_stimuli_have_names_of_their_own(study):
    """No other file of the machine is read as pixels."""
    for name in ("../study.json", "x.bin", "0" * 32):
        with pytest.raises(InputFileError):
            open_study(study).pixels(name)
    with pytest.raises(InputFileError):
        open_study(study).pixels("0" * 32 + ".bin")


def test_invitations_need_a_name_that_is_new_or_known(study, tmp_path):
    """Names are compared without case; a locked study takes nobody."""
    shutil.copytree(study, tmp_path / "study")
    for name, again in (("dr a", False), ("Dr Z", True), ("", False), ("x" * 61, False), ("a\nb", False)):
        with pytest.raises(SpecError):
            invite_reader(tmp_path / "study", name, again=again)
    link = invite_reader(tmp_path / "study", "Dr B", url="https://ward.example/")
    assert link.startswith("https://ward.example/invite/")
    lock_study(tmp_path / "study", unfinished=True)
    with pytest.raises(CohortError, match="locked"):
        invite_reader(tmp_path / "study", "Dr C")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])  # noqa: S104 - these are refused
def test_other_machines_need_tls_or_an_explicit_word(study, host):
    """Before anything listens."""
    with pytest.raises(SpecError, match="plain HTTP.*--certificate.*--insecure"):
        serve_study(study, Address(host))
    Address(host, insecure=True).require_sense()


def test_addresses_that_cannot_be_served_are_refused(study, tmp_path):
    """Half a pair of TLS files, missing ones, and a port that is taken."""
    with pytest.raises(SpecError, match="one of --certificate"):
        serve_study(study, Address(certificate=tmp_path))
    with pytest.raises(InputFileError, match="no such file"):
        serve_study(study, Address(certificate=tmp_path / "a", key=tmp_path / "b"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SpecError, match="cannot be used"):
            serve_study(study, Address(port=taken.getsockname()[1]))


def test_the_default_is_this_machine_alone():
    """And the printed address is one that a browser takes."""
    assert (Address().host, Address().public, Address().url(8765)) == ("127.0.0.1", False, "http://127.0.0.1:8765")
    assert Address("0.0.0.0", names=("ward.example",)).url(1) == "http://ward.example:1"  # noqa: S104 - a text
    assert Address("::1").url(1) == "http://[::1]:1"


def test_verbs_lead_from_cohorts_to_locked_answers(study, tmp_path):
    """Create says the settings, status the progress, export what was answered."""
    from glioforge.cli.main import app

    def said(*words):
        result = CliRunner().invoke(app, ["reader", *map(str, words)])
        assert result.exit_code == 0, result.output
        return result.output

    shutil.copytree(study, tmp_path / "study")
    settings = said("create", "--preset", "han2018", "--out", tmp_path / "x", "--dry-run")
    assert "real: 50" in settings
    assert (
        "# to place guessing readers within 10 points of chance with a power of 80 %: 214 items with 1 reader,"
        in settings
    )
    assert "/invite/" in said("invite", tmp_path / "study", "Dr New")
    assert "1 of 10" in said("status", tmp_path / "study")
    assert "backup in" in said("backup", tmp_path / "study", "--out", tmp_path / "b.zip")
    assert "locked" in said("lock", tmp_path / "study", "--unfinished")
    assert "1 answers" in said("export", tmp_path / "study", "--out", tmp_path / "out")
    assert "study in" in said("restore", tmp_path / "b.zip", "--out", tmp_path / "restored")
