"""A plugin that cannot be served answers its host with the reason, instead of dying.

A host shows its user the message of a refused `initialize`. Of a process that has ended it can only
say that the connection is lost.

It needs the standard library alone, because built files carry this text for the case that the
framework itself cannot be imported (`build.boot`).
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any, Final

UNAVAILABLE: Final = -32603


def refuse(reason: str, fd_in: int = 0, fd_out: int = 1) -> None:
    """Answer every request with the reason, until `exit` or the end of input.

    Args:
        reason: One sentence for the operator.
        fd_in: Where requests come from.
        fd_out: Where answers go.
    """
    results: dict[str, Any] = {
        "$/ping": {},
        "health/check": {"status": "unhealthy", "last_error": reason},
        "shutdown": {},
    }
    rest = bytearray()
    while chunk := _read(fd_in):
        rest += chunk
        if b"\n" not in chunk:
            continue
        *lines, rest[:] = rest.split(b"\n")
        for line in lines:
            request = _request(line)
            method = request.get("method")
            if method == "exit":
                return
            if "id" in request and isinstance(method, str):
                _answer(fd_out, request["id"], results.get(method), reason)


def _read(fd_in: int) -> bytes:
    try:
        return os.read(fd_in, 65_536)
    except OSError:
        return b""


def _request(line: bytearray) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _answer(fd_out: int, request_id: Any, result: dict[str, Any] | None, reason: str) -> None:
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id}
    if result is None:
        data = {"category": "unavailable"}
        answer["error"] = {"code": UNAVAILABLE, "message": reason, "data": data}
    else:
        answer["result"] = result
    left = json.dumps(answer).encode() + b"\n"
    with suppress(OSError):  # the host is gone
        while left:
            left = left[os.write(fd_out, left) :]
