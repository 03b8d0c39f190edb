"""Invite readers to a study that exists, also while it is served."""

from pathlib import Path

from glioforge.core import CohortError
from glioforge.reader import accounts
from glioforge.reader.folder import open_study
from glioforge.reader.reading import locked_at, places_of
from glioforge.reader.store import meta


def invite_reader(folder: Path, name: str, *, again: bool = False, url: str = "") -> str:
    """Add a reader and return the link of his invitation, which works once and is not stored.

    Args:
        folder: The study.
        name: Name of the reader, 1 to 60 letters.
        again: Replace a lost invitation: the old one, the passphrase and all sessions of the reader end.
        url: Address of the server as the reader reaches it; where the study was served last unless given.

    Raises:
        CohortError: The study is locked.
        SpecError: The name cannot be one, is taken, or is unknown though `again` is given.
        InputFileError: There is no study.
    """
    study = open_study(folder)
    with study.store() as store:
        if store.read(locked_at) is not None:
            raise CohortError("a locked study", "one that is open", "create a new study", folder.name)
        secret = store.write(lambda db: accounts.invite(db, name, lambda n: places_of(study, store, n), again=again))
        address = url or store.read(lambda db: meta(db, "address")) or "http://127.0.0.1:8765"
    return f"{address.rstrip('/')}/invite/{secret}"
