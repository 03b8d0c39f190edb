"""Small reading studies of toy heads: a real cohort, and methods that made cases from other subjects."""

import asyncio
import atexit
import re
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import patch

import httpx
from argon2 import PasswordHasher

from glioforge.core.errors import OutputError
from glioforge.core.lineage import Lineage
from glioforge.core.rng import stream
from glioforge.reader import accounts
from glioforge.reader.app import reading_app
from glioforge.reader.create import create_study
from glioforge.reader.folder import open_study
from glioforge.reader.invitations import invite_reader
from glioforge.reader.spec import ReaderSpec
from toy_cohort import cohort_of_cases, toy_case, with_images

PASSPHRASE = "correct horse"  # noqa: S105 - of a toy
LOOP = asyncio.Runner()
HELD = TemporaryDirectory()
MADE = {}
atexit.register(LOOP.close)
atexit.register(HELD.cleanup)
SMALL = {"real": 4, "synthetic": 4, "repeats": 0.25, "practice": 0}


def made_by(method, seeds, noise=0.3):
    """Cases that a method made from other subjects: their images with more noise."""
    cases = []
    for seed in seeds:
        parent = toy_case(seed)
        rng = stream(seed, "made", method)
        case = with_images(parent, lambda v, r=rng: v + r.normal(0, noise, v.shape) + 1e-3, f"{parent.case_id}-syn000")
        lineage = Lineage.synthetic(method, {parent.case_id: parent.lineage}, seed=seed)
        cases.append(replace(case, lineage=lineage))
    return cohort_of_cases(cases, method)


def toy_sources(real=range(8), made=range(20, 28), methods=("spade", "pix2pix")):
    """Cohorts by source."""
    sources = {"real": cohort_of_cases([toy_case(seed) for seed in real], "scans")}
    return sources | {method: made_by(method, made) for method in methods}


def toy_study(folder, sources=None, **settings):
    """Create a small study; of the usual sources, copy one that was created with the same settings before."""
    spec = ReaderSpec(**{**SMALL, **settings})
    if sources is not None or spec.practice:
        return create_study(folder, spec, sources or toy_sources(), allow_shortcuts=True)
    key = spec.model_dump_json()
    if key not in MADE:
        MADE[key] = Path(HELD.name) / str(len(MADE))
        create_study(MADE[key], spec, toy_sources(), allow_shortcuts=True)
    if folder.exists():
        raise OutputError("a folder that is not empty", where=folder)
    shutil.copytree(MADE[key], folder)
    return open_study(folder)


class Client:
    """Requests to an application without a network, one after another; redirections are not followed.

    Args:
        app: The application.
        base: Origin of the pages that send the requests.
    """

    def __init__(self, app, base="http://127.0.0.1:8765"):
        transport = httpx.ASGITransport(app)
        self._client = httpx.AsyncClient(transport=transport, base_url=base, headers={"Origin": base})
        self.cookies = self._client.cookies

    def get(self, path, **given):
        """Get a page."""
        return self.send("GET", path, **given)

    def post(self, path, **given):
        """Send a form."""
        return self.send("POST", path, **given)

    def send(self, method, path, **given):
        """Send any request."""
        return LOOP.run(self._client.request(method, path, **given))


class Reader:
    """A reader at a browser: keeps cookies, and sends what the pages of the study send.

    Args:
        app: The application.
        name: Name of the reader.
        base: Origin of the pages.
    """

    def __init__(self, app, name, base="http://127.0.0.1:8765"):
        self.name = name
        self.client = Client(app, base)

    def accept(self, secret, passphrase=PASSPHRASE):
        """Spend an invitation."""
        return self.client.post(f"/invite/{secret}", data={"passphrase": passphrase, "again": passphrase})

    def log_in(self, passphrase=PASSPHRASE):
        """Log in by passphrase."""
        return self.client.post("/login", data={"name": self.name, "passphrase": passphrase})

    def form(self):
        """Hidden fields of the next item's form; none at the end."""
        page = self.client.get("/read").text
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        return fields if "assignment" in fields else None

    def answer(self, form, **values):
        """Send an answer."""
        return self.client.post("/answer", data={**form, **values}, headers={"Accept": "application/json"})


@contextmanager
def served(folder, names=("Dr A",), **settings):
    """A study that is served to readers who have accepted their invitations."""
    study = open_study(folder)
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    ticks = patch("glioforge.reader.app.TICK_S", 0.001)
    with study.store() as store, ticks, patch.object(accounts, "_hasher", lambda: quick):
        accounts._nobodys.cache_clear()
        app = reading_app(study, store, **settings)
        base = "https://127.0.0.1:8765" if settings.get("secure") else "http://127.0.0.1:8765"
        readers = [Reader(app, name, base) for name in names]
        for reader in readers:
            link = invite_reader(folder, reader.name)
            assert reader.accept(link.rpartition("/")[2]).status_code == 303
        yield SimpleNamespace(study=study, store=store, app=app, readers=readers)
