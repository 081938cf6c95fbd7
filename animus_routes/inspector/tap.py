"""A plugin's process whose every line is seen: what goes in, what comes out, what is said on stderr."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections import deque
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from animus_routes.host import PluginProcess, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

TAIL_LINES: Final = 30
LINE_BYTES: Final = 16 * 1024  # a longer line of stderr is told in parts
READ_BYTES: Final = 65536
END_S: Final = 1.0
QUOTED: Final = 300


class Tapped(PluginProcess):
    """A plugin's process. Text that is not a frame ends nothing here: hosts skip it as well.

    Attributes:
        on_sent: Is given what is written, before it is.
        is_settled: Answers are taken from the lines, and nobody waits for them.
        stderr_tail: The last lines of stderr.
    """

    on_sent: Callable[[bytes], object]
    is_settled: bool
    stderr_tail: deque[str]

    @classmethod
    def open(
        cls,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        env_required: Sequence[str],
        on_sent: Callable[[bytes], object],
        on_line: Callable[[bytes], object],
        on_stderr: Callable[[str], object],
    ) -> Tapped:
        """Start it as hosts do.

        Raises:
            HostError: It cannot be started.
        """
        opened: list[Tapped] = []

        def came(line: bytes) -> None:
            if opened and opened[0].is_settled:
                opened[0].forget()
            on_line(line)

        ours, theirs = os.pipe()
        try:
            process = cls.start(
                command,
                cwd=cwd,
                env=env,
                env_required=env_required,
                stderr=theirs,
                on_notification=_nobody,
                on_frame=came,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        process.on_sent, process.is_settled = on_sent, False
        process.stderr_tail = deque(maxlen=TAIL_LINES)
        opened.append(process)
        reader = (ours, process.stderr_tail, on_stderr)
        Thread(target=_read_lines, args=reader, name="inspect-stderr", daemon=True).start()
        return process

    def send_raw(self, data: bytes, *, timeout_s: float = 30.0) -> None:
        """Write bytes, and tell of them."""
        self.on_sent(data)
        super().send_raw(data, timeout_s=timeout_s)

    def next_id(self) -> int:
        """The id of the next request."""
        self._last_id += 1
        return self._last_id

    def reply(self, request_id: object, timeout_s: float = 30.0) -> Any:
        """Wait for an answer, past whatever is no frame."""
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(ProtocolError):
                return super().reply(request_id, max(deadline - time.monotonic(), 0.0))

    def forget(self) -> None:
        """What nobody waits for is not kept; on the reader's thread."""
        self.protocol_errors.clear()
        self._inbox.raised = 0
        for key in self.unclaimed_ids:
            self._inbox.reply(key, 0.0, "")

    def end(self) -> int:
        """End it as hosts do."""
        self.is_settled = False
        with contextlib.suppress(ProtocolError):
            return self.shutdown()
        return self.kill()

    def wait_for_end(self) -> str:
        """Wait until it writes no more, and say why."""
        self._inbox._thread.join()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        try:
            code = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            longest = self.protocol_errors[-1] if self.protocol_errors else None
            why = f": {str(longest)[:QUOTED]}" if longest is not None else ""
            return f"closed its end of the wire{why}"
        return f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _nobody(_notification: object) -> None:
    """Notifications are taken from the lines; so they are not kept for long."""


def _read_lines(file: int, tail: deque[str], on_stderr: Callable[[str], object]) -> None:
    held = b""
    with os.fdopen(file, "rb", buffering=0) as pipe:
        while chunk := pipe.read(READ_BYTES):
            *lines, held = (held + chunk).split(b"\n")
            if len(held) > LINE_BYTES:
                lines, held = [*lines, held], b""
            for line in lines:
                _tell(line, tail, on_stderr)
    if held:
        _tell(held, tail, on_stderr)


def _tell(line: bytes, tail: deque[str], on_stderr: Callable[[str], object]) -> None:
    for begin in range(0, len(line) or 1, LINE_BYTES):
        text = line[begin : begin + LINE_BYTES].decode("utf-8", "replace")
        tail.append(text)
        on_stderr(text)
