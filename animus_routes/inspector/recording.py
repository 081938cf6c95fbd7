"""`animus-routes record` from the page: the frames of one process, from its handshake on, in a file."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

from animus_routes.dev.masking import Masking
from animus_routes.dev.recording import Recorder
from animus_routes.dev.sides import new_file

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

    def line(self, sender: Any, data: bytes) -> None:
        """A line of the conversation, from any thread."""
        recorder = self._recorder
        if recorder is None:
            return
        lines = data.split(b"\n")
        for line in lines[:-1] or lines:
            recorder.line(sender, line)
        if len(lines) > 1 and lines[-1]:
            recorder.line(sender, lines[-1], unfinished=True)

    def end(self, exit_code: int | None = None) -> None:
        """Record no more."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            if exit_code is not None:
                recorder.ended(exit_code)
            recorder.close()
            self._tell()

    def snapshot(self) -> dict[str, Any]:
        """Is one going on, and into which file?"""
        return {"on": self._recorder is not None, "file": self._file}

    def _tell(self) -> None:
        self._feed.publish("record", record=self.snapshot())
