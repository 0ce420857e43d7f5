"""A page in headless Chromium, as a person would see it: its console, its pictures, its width, a screenshot.

Spoken to over the DevTools protocol through a pair of pipes, which needs no driver and no package. Chromium's own
`--screenshot --dump-dom` would do for a page that is whole at once, but not for one that fetches as it goes (MLflow's),
cannot press a button, and no window of it is narrower than 500 pixels.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PROGRAM = "GALMORPH_CHROMIUM"  # names one that is elsewhere
NO_BROWSER = f"no {', '.join(NAMES[:3])} on the PATH; install Chromium, or name one in {PROGRAM}"
# The browser reads from descriptor 3 and writes to 4.
AS_3_AND_4 = "import os, sys; a, b, *c = sys.argv[1:]; os.dup2(int(a), 3); os.dup2(int(b), 4); os.execvp(c[0], c)"
TALLEST = 16000  # pixels; Chromium draws no taller picture
FLAGS = (
    *("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--mute-audio"),
    *("--disable-gpu", "--disable-extensions", "--disable-background-networking", "--disable-component-update"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1"),
)


def find_browser() -> str | None:
    """Return the program, if there is one."""
    named = os.environ.get(PROGRAM)
    return named or next((path for path in map(shutil.which, NAMES) if path), None)


class Page:
    """A tab of a running browser.

    Attributes
    ----------
    problems
        What the console said of errors, what was not caught, and what could not be loaded, since the page was opened.
    """

    def __init__(self, write: int, read: int) -> None:
        self.to, self.origin = write, read
        self.buffer = b""
        self.number = 0
        self.session: str | None = None
        self.problems: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, seconds: float = 60, **parameters: Any) -> Any:
        """Call a method of the protocol; returns its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + seconds
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _next(self, deadline: float) -> Any:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.origin], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            read = os.read(self.origin, 1 << 20)
            assert read, "the browser has ended"
            self.buffer += read
        message, _, self.buffer = self.buffer.partition(b"\0")
        answer = json.loads(message)
        self._note(answer.get("method", ""), answer.get("params", {}))
        return answer

    def _note(self, method: str, event: Any) -> None:
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.problems.append(str(details.get("exception", {}).get("description", details["text"])))
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "assert"):
            said = [str(part.get("value", part.get("description"))) for part in event["args"]]
            self.problems.append(" ".join(said))
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
            self.problems.append(f"{event['entry']['text']} {event['entry'].get('url', '')}")
        elif method == "Network.loadingFailed" and not event.get("canceled"):
            self.problems.append(f"{event['type']} not loaded: {event['errorText']}")

    def open(self, url: str, width: int, height: int = 900) -> None:
        """Open an address in a window of a size, and wait until it says that it is loaded."""
        self.resize(width, height)
        self.problems.clear()
        failed = self.call("Page.navigate", url=url).get("errorText")
        assert not failed, f"{url}: {failed}"
        self.wait_for("document.readyState === 'complete'")

    def resize(self, width: int, height: int) -> None:
        """Give the window a size in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page, a promise's when it comes."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str, seconds: float = 60) -> Any:
        """Wait until an expression is true, and return its value."""
        deadline = time.monotonic() + seconds
        while not (value := self.evaluate(script)):
            assert time.monotonic() < deadline, f"not within {seconds} s: {script}\n{self.text()[:2000]}"
            time.sleep(0.2)
        return value

    def text(self) -> str:
        """Return what can be read on the page."""
        return str(self.evaluate("document.body.innerText"))

    def missing_images(self) -> list[str]:
        """Return the pictures that show nothing, once all have been tried."""
        # Those below the window are loaded when they come into it, if the page is written so.
        self.evaluate(
            "Promise.all([...document.images].map(image => { image.loading = 'eager'; "
            "return image.decode().catch(() => null); }))"
        )
        return list(
            self.evaluate(
                "[...document.images].filter(image => !image.complete || !image.naturalWidth)"
                ".map(image => image.alt + ' ' + image.src.slice(0, 100))"
            )
        )

    def overhang(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(self.evaluate("document.scrollingElement.scrollWidth - document.documentElement.clientWidth"))

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Write a PNG of the window, or of the whole page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        asked: dict[str, Any] = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            area = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], TALLEST), "scale": 1}
            asked = {"captureBeyondViewport": True, "clip": area}
        picture = self.call("Page.captureScreenshot", format="png", **asked)
        path.write_bytes(base64.b64decode(picture["data"]))


def _high_pipe() -> tuple[int, int]:
    """A pipe whose ends are none of 3 and 4, where the browser wants them: moving one must not close another."""
    ends = os.pipe()
    read, write = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in ends)
    for end in ends:
        os.close(end)
    return read, write


@contextmanager
def page(program: str) -> Iterator[Page]:
    """Start a browser with a profile of its own, and give its one page."""
    ours_in, theirs_out = _high_pipe()
    theirs_in, ours_out = _high_pipe()
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="galmorph-browser-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", AS_3_AND_4, str(theirs_in), str(theirs_out)),
                *(program, *FLAGS, *root, f"--user-data-dir={profile}", "about:blank"),
            ],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            opened = Page(ours_out, ours_in)
            yield opened
            opened.session = None
            opened.call("Browser.close")
            process.wait(timeout=30)
        finally:
            process.kill()
            process.wait()
            os.close(ours_in)
            os.close(ours_out)
