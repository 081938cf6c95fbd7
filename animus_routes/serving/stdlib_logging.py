"""Standard `logging`, for a program that uses it without having configured it."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from animus_routes.handlers.context import LEVELS, SAME_LEVEL

if TYPE_CHECKING:
    from animus_routes.serving.logs import Sink

# What `logging` puts on every record; anything else came with `extra=`.
STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class StderrHandler(logging.Handler):
    """Standard `logging` through a sink."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self._plain = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """One record; a traceback follows its message."""
        try:
            fields = {k: v for k, v in record.__dict__.items() if k not in STANDARD}
            self._sink.write(
                _level(record.levelno), record.name, self._plain.format(record), fields or None
            )
        except Exception:  # noqa: BLE001 - logging's own rule: a bad record is reported, not raised
            self.handleError(record)


def _level(number: int) -> str:
    return next((name for name, floor in reversed(LEVELS.items()) if number >= floor), "trace")


def take_over(sink: Sink) -> None:
    """Send standard `logging` through a sink, unless the program has configured it itself.

    The level is `RUST_LOG`, which hosts forward, if it is a single word; otherwise info.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    wanted = os.environ.get("RUST_LOG", "").strip().lower()
    root.addHandler(StderrHandler(sink))
    root.setLevel(LEVELS.get(SAME_LEVEL.get(wanted, wanted), logging.INFO))
