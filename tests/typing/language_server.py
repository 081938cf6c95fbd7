"""A language server as an editor talks to it: what does it offer at the cursor?"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
CURSOR = "<|>"
WAIT_S = 60.0  # a cold server on a busy machine


class LanguageServer:
    """pyright's, on pipes. All waits are bounded."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pyright.langserver", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
            start_new_session=True,
        )
        self._arrived: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._last_id = 0

    def __enter__(self) -> Self:
        self._reader.start()
        folder = {"uri": ROOT.as_uri(), "name": "animus-routes"}
        capabilities = {"workspace": {"configuration": True}}
        self._ask(
            "initialize",
            {"processId": None, "capabilities": capabilities, "workspaceFolders": [folder]},
        )
        self._tell("initialized", {})
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._ask("shutdown", None)
            self._tell("exit", None)
            self._process.wait(WAIT_S)
        except BaseException:
            os.killpg(self._process.pid, signal.SIGKILL)  # the server is a child of its wrapper
            raise
        finally:
            self._process.wait(WAIT_S)
            self._reader.join(WAIT_S)
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()

    def completions(self, source: str) -> set[str]:
        """What is offered at the cursor, without the quotes of strings.

        Args:
            source: A module's text with one `<|>` where the cursor is.
        """
        before, _, after = source.partition(CURSOR)
        line = before.count("\n")
        uri = (ROOT / f"completed_{self._last_id}.py").as_uri()
        document = {"uri": uri, "languageId": "python", "version": 1, "text": before + after}
        self._tell("textDocument/didOpen", {"textDocument": document})
        position = {"line": line, "character": len(before.rpartition("\n")[2])}
        found = self._ask(
            "textDocument/completion", {"textDocument": {"uri": uri}, "position": position}
        )
        items = found["items"] if isinstance(found, dict) else found or []
        return {item["label"].strip("\"'") for item in items}

    def _ask(self, method: str, params: Any) -> Any:
        self._last_id += 1
        wanted = self._last_id
        self._send({"id": wanted, "method": method, "params": params})
        while True:
            message = self._arrived.get(timeout=WAIT_S)
            assert message is not None, "the language server ended"
            if message.get("id") == wanted and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]
            if "id" in message and "method" in message:
                self._send({"id": message["id"], "result": _answer(message)})

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        while header := stdout.readline():
            name, _, value = header.decode().partition(":")
            if name.lower() == "content-length":
                while stdout.readline().strip():
                    pass
                self._arrived.put(json.loads(stdout.read(int(value))))
        self._arrived.put(None)


def _answer(request: dict[str, Any]) -> Any:
    """What an editor says when the server asks it for settings: its defaults, this Python."""
    if request["method"] != "workspace/configuration":
        return None
    settings = {"python": {"pythonPath": sys.executable}}
    return [settings.get(item.get("section"), {}) for item in request["params"]["items"]]
