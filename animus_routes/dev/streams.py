"""Streams that go on behind their acknowledgement: what becomes of them when a plugin restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.roles import KINDS, role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.roles import MethodRow, StreamRow

CANCEL: Final = "$/cancelRequest"


class Streams:
    """What the role tables say of such streams, of all kinds."""

    def __init__(self) -> None:
        rows = [row for kind in KINDS for row in role(kind).methods]
        self._rows = {row.name: row for row in rows}
        self._verbs = {row.verb: row for row in _open_ended(rows) if row.aliases}
        self._stops = {row.name: row.stops for row in rows if row.stops and row.reads}

    def stream(self, method: str) -> StreamRow | None:
        """What is said of a method that begins such a stream; None if it begins none."""
        row = self._rows.get(method)
        if row is None and "/" in method:
            row = self._verbs.get(method.partition("/")[2])
        found = row.stream if row is not None else None
        return found if found is not None and found.ack is not None else None

    def failure(self, method: str) -> tuple[str, str] | None:
        """How hosts are told that it is over, the notification and its key.

        None if there is no way, or if no host takes it for the end: then it begins again.
        """
        found = self.stream(method)
        if found is None or not found.error_key or found.fatal:
            return None
        return found.notification, found.error_key

    def stopped(self, method: str, params: Any) -> Any:
        """The id of the stream that a host's message ends; None if it ends none."""
        field = "id" if method == CANCEL else self._stops.get(method)
        if not field or not isinstance(params, dict):
            return None
        return cast("dict[str, Any]", params).get(field)


def _open_ended(rows: list[MethodRow]) -> Iterator[MethodRow]:
    for row in rows:
        if row.stream is not None and row.stream.ack is not None:
            yield row
