"""`animus-routes record` from the page: the frames of one process, from its handshake on, in a file."""

from __future__ import annotations

import os
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from animus_routes.dev.masking import Masking
from animus_routes.dev.recording import Recorder
from animus_routes.dev.sides import HOST, PLUGIN, new_file

if TYPE_CHECKING:
    from pathlib import Path

    from animus_routes.inspector.feed import Feed


class Recordings:
    """The recording that goes on, if one does, and the file of the last one.

    Args:
        folder: Where the files are made.
        command: What starts the plugin.
    """

    def __init__(self, folder: Path, command: list[str], feed: Feed) -> None:
        self._folder = folder
        self._command = command
        self._feed = feed
        self._recorder: Recorder | None = None
        self._file = ""
        self._part = b""  # of a line of the host's, whose end has not been sent yet
        self._turn = Lock()

    def begin(self, manifest: dict[str, Any] | None) -> None:
        """Record from now on; the values of the variables that the manifest calls sensitive are masked.

        Raises:
            OSError: There can be no such file.
        """
        self.end()
        name = str((manifest or {}).get("name") or "plugin").replace(os.sep, "-")
        moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        file, path = new_file(self._folder / f"{name}-{moment}.jsonl")
        declared = (manifest or {}).get("env_required", ())
        secret = [str(item["name"]) for item in declared if item.get("sensitive")]
        masking = Masking(variables=[one for one in secret if one in os.environ])
        self._recorder = Recorder(
            file, self._command, masking, lambda text: self._feed.publish("note", text=text)
        )
        self._file = str(path)
        self._tell()

    def sent(self, data: bytes) -> None:
        """What the host has sent, from any thread: a line, a part of one, or several."""
        with self._turn:
            recorder = self._recorder
            if recorder is None:
                return
            *lines, self._part = (self._part + data).split(b"\n")
            for line in lines:
                recorder.line(HOST, line)

    def came(self, line: bytes) -> None:
        """A line of the plugin's, from any thread."""
        recorder = self._recorder
        if recorder is not None:
            recorder.line(PLUGIN, line.removesuffix(b"\n"))

    def end(self, exit_code: int | None = None) -> None:
        """Record no more."""
        with self._turn:
            recorder, self._recorder = self._recorder, None
            part, self._part = self._part, b""
        if recorder is not None:
            if part:
                recorder.line(HOST, part, unfinished=True)
            if exit_code is not None:
                recorder.ended(exit_code)
            recorder.close()
            self._tell()

    def snapshot(self) -> dict[str, Any]:
        """Is one going on, and into which file?"""
        return {"on": self._recorder is not None, "file": self._file}

    def _tell(self) -> None:
        self._feed.publish("record", record=self.snapshot())
