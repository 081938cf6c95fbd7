"""Run as a process: the checks of `animus-routes check`, each result as a line of JSON when it comes."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

import msgspec

from animus_routes.conformance.bench import Bench, Options
from animus_routes.conformance.candidate import candidate
from animus_routes.conformance.running import Chosen, results
from animus_routes.engine.wire import write_all
from animus_routes.loading import NotAnApp


class Asked(msgspec.Struct):
    """What is checked.

    Attributes:
        target: As it was named; None for the app that pyproject.toml names.
        allow_writes: Try what acts, too.
        env: Variables besides those that a host passes on.
    """

    target: str | None
    allow_writes: bool = False
    env: dict[str, str] = {}


def main() -> int:
    """Read what is asked as JSON from stdin; 1 if there is no such target."""
    signal.signal(signal.SIGTERM, _leave)
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    try:
        found = candidate(asked.target)
    except NotAnApp as error:
        _tell({"what": "problem", "text": str(error)})
        return 1
    options = Options(allow_writes=asked.allow_writes, env=asked.env)

    def begin(number: int, count: int, name: str) -> None:
        _tell({"what": "begun", "number": number, "count": count, "id": name})

    with Bench(found, options) as bench:
        for result in results(bench, Chosen(), begin):
            _tell({"what": "result", "result": msgspec.to_builtins(result)})
    return 0


def _leave(_number: int, _frame: object) -> NoReturn:
    """What the bench holds is ended."""
    sys.exit(1)


def _tell(said: dict[str, Any]) -> None:
    write_all(1, msgspec.json.encode(said) + b"\n")


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.exit(main())
