"""The copy of a conversation on its way into a recording, on a thread of its own."""

from __future__ import annotations

import time
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final

from animus_routes.dev.sides import HOST, PLUGIN
from animus_routes.engine.stderr import log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animus_routes.dev.recording import Recorder
    from animus_routes.dev.sides import Sender

PIECE_BYTES: Final = 64 * 1024 * 1024  # a line that has no end is kept in pieces of this size
WAITING_BYTES: Final = 256 * 1024 * 1024  # a disk that is slower than this holds the wire up
LOOK_S: Final = 0.01
FINISH_S: Final = 10.0


class Keeper:
    """Records the bytes of both sides line by line.

    Args:
        fd: The recording's file, empty.
        command: What starts the plugin; if variables may be secret, it is asked for its manifest.
        fields: Places in frames that are masked.
    """

    def __init__(self, fd: int, command: Sequence[str], fields: Sequence[str]) -> None:
        self._fd = fd
        self._command = command
        self._fields = fields
        self._came: SimpleQueue[tuple[float, Sender, bytes] | int] = SimpleQueue()
        self._parts: dict[Sender, list[bytes]] = {HOST: [], PLUGIN: []}
        self._taken = 0
        self._kept = 0
        self._began = time.monotonic()
        self._thread = Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """The plugin has been started."""
        self._thread.start()

    def take(self, at: float, sender: Sender, chunk: bytes) -> None:
        """Some bytes of one side; b"" at its end."""
        self._came.put((at, sender, chunk))
        self._taken += len(chunk)
        while self._taken - self._kept > WAITING_BYTES and self._thread.is_alive():
            time.sleep(LOOK_S)

    def finish(self, exit_code: int) -> None:
        """The plugin has ended: write what is left."""
        self._came.put(exit_code)
        self._thread.join(FINISH_S)

    def _run(self) -> None:
        # Late, because hosts wait for the plugin's start.
        from animus_routes.dev.masking import Masking, secret_variables
        from animus_routes.dev.recording import Recorder

        masking = Masking(self._fields, secret_variables(self._command, log))
        with Recorder(self._fd, self._command, masking, log, self._began) as recorder:
            while isinstance(came := self._came.get(), tuple):
                self._keep(recorder, *came)
                self._kept += len(came[2])
            for sender in self._parts:
                self._rest(recorder, sender, time.monotonic())
            recorder.ended(came)

    def _keep(self, recorder: Recorder, at: float, sender: Sender, chunk: bytes) -> None:
        if not chunk:
            self._rest(recorder, sender, at)
            recorder.closed(sender, at)
            return
        parts = self._parts[sender]
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            recorder.line(sender, b"".join((*parts, line)), at)
            parts.clear()
        if rest:
            parts.append(rest)
            if sum(map(len, parts)) > PIECE_BYTES:
                self._rest(recorder, sender, at)

    def _rest(self, recorder: Recorder, sender: Sender, at: float) -> None:
        """A line whose end has not come, or not yet."""
        if rest := b"".join(self._parts[sender]):
            recorder.line(sender, rest, at, unfinished=True)
            self._parts[sender].clear()
