"""Headless Chromium for tests, driven through its own driver by the WebDriver protocol (W3C); no further package."""

import base64
import io
import json
import shutil
import subprocess
import time
from http.client import HTTPConnection

import numpy as np
from PIL import Image

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",  # a foreign name that leads to this machine
)


class Browser:
    """One browser window with a log of its requests and of its console.

    Args:
        size: Width and height in pixels.
    """

    def __init__(self, size=(1280, 900)):
        self._driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
        port = next(line.rstrip(".\n").split()[-1] for line in self._driver.stdout if "started successfully" in line)
        self._port, self._session = int(port), ""
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--window-size={size[0]},{size[1]}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def close(self):
        """End browser and driver."""
        try:
            self._ask("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(20)
            self._driver.stdout.close()

    def open(self, address):
        """Open an address."""
        self._ask("POST", "/url", {"url": address})

    def run(self, script, *arguments):
        """Run a script in the page and return what it returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition, seconds=60):
        """Wait until an expression is true in the page."""
        until = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < until, f"{condition} stayed false: {self.run('return document.body.innerText')}"
            time.sleep(0.1)

    def press(self, key):
        """Press a key on the page."""
        self.run("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))", key)

    def picture(self):
        """RGB pixels of the window, `(row, column, 3)`."""
        data = base64.b64decode(self._ask("GET", "/screenshot"))
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def box(self, selector):
        """Pixels of the first element that a selector finds."""
        found = (
            "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [box.x, box.y, box.right, box.bottom]"
        )
        left, top, right, bottom = (round(edge) for edge in self.run(found, selector))
        return self.picture()[top:bottom, left:right]

    def requests(self):
        """Addresses asked for since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [e["params"]["request"]["url"] for e in entries if e["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """Warnings and errors of the console since the last call."""
        return [entry["message"] for entry in self._log("browser") if entry["level"] in {"SEVERE", "WARNING"}]

    def _log(self, kind):
        """Entries of a log."""
        return self._ask("POST", "/se/log", {"type": kind})

    def _ask(self, method, path, values=None):
        """Send a command and return its value."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=120)
        connection.request(method, self._session + path, None if values is None else json.dumps(values))
        answer = json.load(connection.getresponse())["value"]
        connection.close()
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer
