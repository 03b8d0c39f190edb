"""Fifty readers answer a hundred items each at once, while the server of their study is killed three times.

Usage: `reading_load.py [READERS ANSWERS]`.  Each reader asks for a page and its pixels, looks at it for one to three
seconds, and sends an answer; after a broken connection the same answer is sent again with its key.  At the end the
database holds every answer that was acknowledged, once, and the audit chain is whole.  Times are of requests that
were answered, but for those that began between a kill and a second after the restart.
"""

import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

from glioforge.core import Cohort, Lineage
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.io.atomic_write import write_json
from glioforge.io.ingestion import ingest
from glioforge.reader.create import create_study
from glioforge.reader.export import locked_answers
from glioforge.reader.folder import open_study
from glioforge.reader.invitations import invite_reader
from glioforge.reader.lock import lock_study
from glioforge.reader.spec import ReaderSpec
from glioforge.reader.store import verify

RESULT = Path(__file__).parent / "results" / "reading_load.json"
KILLS = (0.2, 0.5, 0.8)
"""Shares of the answers after which the server is killed."""
LIMIT_MS = 500
LOOK_S = (1.0, 3.0)
"""Shortest and longest look at an item."""


class Server:
    """The server, as its own process, which can be killed and started again on its port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.restarts: list[tuple[float, float]] = []
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "glioforge", "reader", "serve", str(self.folder), "--port", str(self.port)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr or ():
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return
        raise SystemExit("the server did not start")

    def kill(self) -> None:
        """Kill it without a chance to tidy up, and start it again."""
        begun = time.perf_counter()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.start()
        self.restarts.append((begun, time.perf_counter() + 1))


class Reader(threading.Thread):
    """One reader: logs in by an invitation, and answers until nothing is left."""

    def __init__(self, server: Server, link: str) -> None:
        super().__init__(daemon=True)
        self.server, self.cookie = server, ""
        self.times: list[tuple[float, float]] = []
        self.random = random.Random(link)  # noqa: S311 - how long a reader looks
        self.acknowledged: dict[str, str] = {}
        self.broken = self.refused = 0
        secret = link.rpartition("/")[2]
        _, headers, _ = self.ask("POST", f"/invite/{secret}", {"passphrase": secret, "again": secret})
        self.cookie = dict(headers)["set-cookie"].partition(";")[0]
        self.times.clear()

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Send a request until it is answered."""
        origin = f"http://127.0.0.1:{self.server.port}"
        headers = {"Cookie": self.cookie, "Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}
        while True:
            begun = time.perf_counter()
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
            try:
                connection.request(method, path, urlencode(form) if form else None, headers)
                response = connection.getresponse()
                body = response.read()
                self.times.append((begun, 1000 * (time.perf_counter() - begun)))
                return response.status, [(n.lower(), v) for n, v in response.getheaders()], body
            except (OSError, http.client.HTTPException):
                self.broken += 1
                time.sleep(0.2)
            finally:
                connection.close()

    def run(self) -> None:
        """Answer everything."""
        while True:
            _, _, page = self.ask("GET", "/read")
            form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.decode()))
            if "assignment" not in form:
                return
            self.ask("GET", f"/image/{form['assignment']}/0.bin")
            time.sleep(self.random.uniform(*LOOK_S))
            call = ("real", "synthetic")[int(form["assignment"][-1], 16) % 2]
            status, _, _ = self.ask("POST", "/answer", {**form, "call": call, "ms": "1"})
            if status == 303:
                self.acknowledged[form["assignment"]] = call
            else:
                self.refused += 1


def study(folder: Path, answers: int) -> None:
    """Create a study with a number of items, half of them from phantoms that are called synthetic."""
    write_phantom_cohort(folder / "scans", cases=4, seed=5, spec=PhantomSpec(shape=(72, 72, 60)))
    refs = list(ingest(folder / "scans"))
    for ref in refs[2:]:
        object.__setattr__(ref, "lineage", Lineage.synthetic("copy", {ref.case_id: ref.lineage}, seed=1))
    scheme = ingest(folder / "scans").scheme
    cohorts = {"real": Cohort("a", tuple(refs[:2]), scheme), "copy": Cohort("b", tuple(refs[2:]), scheme)}
    spec = ReaderSpec(
        real=answers // 2,
        synthetic=answers - answers // 2,
        together=False,
        one_per_subject=False,
        practice=0,
        repeats=0,
        confidence_levels=0,
        cues=(),
        comment=False,
    )
    create_study(folder / "study", spec, cohorts, allow_shortcuts=True)


def killed(server: Server, readers: list[Reader], total: int) -> None:
    """Kill and restart the server when a share of all answers was acknowledged."""
    for share in KILLS:
        while sum(len(reader.acknowledged) for reader in readers) < share * total:
            time.sleep(0.02)
        server.kill()


def measured(folder: Path, count: int, answers: int) -> dict[str, object]:
    """Run the readers, and compare what was acknowledged with what is stored."""
    server = Server(folder)
    readers = [Reader(server, invite_reader(folder, f"Reader {n:02}")) for n in range(count)]
    begun = time.perf_counter()
    for reader in readers:
        reader.start()
    killed(server, readers, count * answers)
    for reader in readers:
        reader.join()
    seconds = time.perf_counter() - begun
    server.process.terminate()
    server.process.wait()
    lock_study(folder)
    with open_study(folder).store() as store:
        store.read(verify)
        stored = {
            r[0]: json.loads(r[1])["call"]
            for r in store.read(lambda db: db.execute("SELECT assignment, body FROM answer").fetchall())
        }
    given = {name: call for reader in readers for name, call in reader.acknowledged.items()}
    rows = locked_answers(folder)
    every = [one for reader in readers for one in reader.times]
    times = np.array([ms for at, ms in every if not any(a <= at <= b for a, b in server.restarts)])
    return {
        "readers": count,
        "answers_each": answers,
        "kills": len(KILLS),
        "acknowledged": len(given),
        "stored": len(stored),
        "lost": len(set(given) - set(stored)),
        "changed": sum(stored[name] != call for name, call in given.items() if name in stored),
        "doubled": len(rows) - len({(row.reader, row.item) for row in rows}),
        "refused": sum(reader.refused for reader in readers),
        "broken_off": sum(reader.broken for reader in readers),
        "requests": len(every),
        "requests_timed": len(times),
        "seconds": round(seconds, 1),
        "p50_ms": round(float(np.percentile(times, 50)), 1),
        "p99_ms": round(float(np.percentile(times, 99)), 1),
        "max_ms": round(float(times.max()), 1),
        "cores": os.cpu_count(),
    }


def main(arguments: list[str]) -> int:
    """Measure, write the numbers, and fail where an answer is lost or replies are slow."""
    count, answers = (int(text) for text in arguments) if arguments else (50, 100)
    with tempfile.TemporaryDirectory() as place:
        study(Path(place), answers)
        found = measured(Path(place) / "study", count, answers)
    print(json.dumps(found, indent=1))
    if not arguments:
        write_json(RESULT, found)
    whole = found["stored"] == count * answers == found["acknowledged"]
    return int(not whole or bool(found["lost"] or found["doubled"] or found["changed"]) or found["p99_ms"] >= LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
