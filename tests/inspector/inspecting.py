"""Start `animus-routes inspect` as a person does, and talk to it as a browser does."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PLUGINS = Path(__file__).parent
SHAPES = PLUGINS / "shapes.py"
HOSTILE = PLUGINS / "hostile.py"
EXAMPLES = PLUGINS.parents[1] / "examples"
BOUND_S = 30.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+/")


class Inspector(NamedTuple):
    """A running page.

    Attributes:
        process: The command that a person has started.
        address: What it printed.
    """

    process: subprocess.Popen[str]
    address: str

    @property
    def port(self) -> int:
        port = urlsplit(self.address).port
        assert port is not None
        return port

    @property
    def path(self) -> str:
        return urlsplit(self.address).path

    def get(self, path: str = "", method: str = "GET", **headers: str) -> tuple[int, str]:
        """The status and text of an answer; `path` is below the token, unless it begins with /."""
        with self.answer(path, method, None, headers) as answer:
            return answer.status, answer.read().decode()

    def ask(self, what: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """What the page asks for, as it asks."""
        own = {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json"}
        given = json.dumps({} if body is None else body)
        with self.answer(what, "POST", given, {**own, **headers}) as answer:
            said = answer.read().decode()
            is_json = answer.getheader("Content-Type") == "application/json"
            return answer.status, json.loads(said) if is_json else said

    @contextmanager
    def answer(
        self, path: str, method: str, body: str | None, headers: dict[str, str]
    ) -> Iterator[HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=BOUND_S)
        try:
            where = path if path.startswith("/") else self.path + path
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, where, body, named)
            yield connection.getresponse()
        finally:
            connection.close()

    def events(self) -> Iterator[dict[str, Any]]:
        """What the page is told, from the snapshot on, as events with their `kind`."""
        with self.answer("events", "GET", None, {}) as answer:
            name, deadline = "", time.monotonic() + BOUND_S
            for line in answer:
                assert time.monotonic() < deadline, "what was waited for has not come"
                word, _, rest = line.decode().rstrip("\n").partition(": ")
                if word == "event":
                    name = rest
                elif word == "data" and name == "snapshot":
                    yield {"kind": "snapshot", **json.loads(rest)}
                elif word == "data":
                    yield from json.loads(rest)

    def until(self, wanted: Any) -> dict[str, Any]:
        """The first event that is wanted."""
        return next(event for event in self.events() if wanted(event))

    def running(self) -> dict[str, Any]:
        """Wait until the plugin runs, and return what is said of it."""
        states = {"running", "failed", "ended"}
        found = self.until(lambda e: "status" in e and e["status"]["state"] in states)
        assert found["status"]["state"] == "running", found["status"]
        return found

    def call(self, method: str, params: Any = None, timeout_s: float = BOUND_S) -> dict[str, Any]:
        """Call a method and wait until that is over; what the page knows of the call."""
        text = None if params is None else json.dumps(params)
        status, said = self.ask("call", {"method": method, "params": text, "timeout_s": timeout_s})
        assert status == 200, said
        return self.call_until(said["call"], lambda call: call["state"] != "waiting")

    def call_until(self, number: int, wanted: Any) -> dict[str, Any]:
        for event in self.events():
            calls = event.get("calls", [event["call"]] if event["kind"] == "call" else [])
            for call in calls:
                if call["number"] == number and wanted(call):
                    found: dict[str, Any] = call
                    return found
        raise AssertionError("the stream of events has ended")


@contextmanager
def inspected(
    *target: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> Iterator[Inspector]:
    """A page on a free port, which is ended as a person ends it."""
    words = [str(word) for word in target]
    process = subprocess.Popen(
        [sys.executable, "-m", "animus_routes", "inspect", *words, "--port", "0"],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = ADDRESS.search(line)
        assert found, line + process.stderr.read()
        yield Inspector(process, found[0])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(BOUND_S)
        finally:
            process.kill()
            process.stderr.close()
