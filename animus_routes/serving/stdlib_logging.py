"""Standard `logging`, for a program that uses it without having configured it."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Final

from animus_routes.handlers.context import LEVELS, SAME_LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.serving.logs import Sink

# What `logging` puts on every record; anything else came with `extra=`.
STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
# They tell of every request, with its whole address, which may hold secrets and what somebody asked for;
# a log store that uses them would store lines about its own lines.
TALKATIVE: Final = frozenset({"httpcore", "httpx"})


class StderrHandler(logging.Handler):
    """Standard `logging` through the sink of the app that is served; of several, the newest.

    Args:
        before: The level of the root logger, for when no app is served any more.
    """

    def __init__(self, sink: Sink, before: int) -> None:
        super().__init__()
        self._sink = sink
        self._before = before
        self._served: list[tuple[Sink, int]] = []
        self._plain = logging.Formatter()

    def begin(self, sink: Sink, level: int) -> None:
        """An app is served from here on."""
        self._served.append((sink, level))
        self._sink = sink
        logging.getLogger().setLevel(level)

    def end(self, sink: Sink) -> None:
        """It is not any more; the last one takes the handler along."""
        root = logging.getLogger()
        set_here = root.level == self._served[-1][1]  # else the author has set it meanwhile
        self._served = [served for served in self._served if served[0] is not sink]
        level = self._before
        if self._served:
            self._sink, level = self._served[-1]
        else:
            root.removeHandler(self)
        if set_here:
            root.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        """One record; a traceback follows its message."""
        if record.levelno < logging.WARNING and _is_talk(record.name):
            return
        try:
            fields = {k: v for k, v in record.__dict__.items() if k not in STANDARD}
            self._sink.write(
                _level(record.levelno), record.name, self._plain.format(record), fields or None
            )
        except Exception:  # noqa: BLE001 - logging's own rule: a bad record is reported, not raised
            self.handleError(record)


def _is_talk(name: str) -> bool:
    """Does a library tell of every request, unasked? Whoever sets the level of its logger asks."""
    family = name.partition(".")[0]
    if family not in TALKATIVE:
        return False
    return not any(logging.getLogger(one).level for one in {family, name})


def _level(number: int) -> str:
    return next((name for name, floor in reversed(LEVELS.items()) if number >= floor), "trace")


def take_over(sink: Sink) -> Callable[[], None]:
    """Send standard `logging` through a sink, unless the program has configured it itself.

    The level is `RUST_LOG`, which hosts forward, if it is a single word; otherwise info.

    Returns:
        What ends it: the last app that ends it leaves the root logger as the first one found it.
    """
    root = logging.getLogger()
    ours = next((found for found in root.handlers if isinstance(found, StderrHandler)), None)
    if ours is None:
        if root.handlers:
            return _nothing
        ours = StderrHandler(sink, root.level)
        root.addHandler(ours)
    wanted = os.environ.get("RUST_LOG", "").strip().lower()
    ours.begin(sink, LEVELS.get(SAME_LEVEL.get(wanted, wanted), logging.INFO))
    return partial(ours.end, sink)


def _nothing() -> None:
    pass
