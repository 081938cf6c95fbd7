"""Log lines for the operator: text or JSON on stderr, and `log/entry` if that is wanted.

The host reads a plugin's stderr line by line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.stderr import utf8, write
from animus_routes.timestamps import now
from animus_routes.values.codecs import encode

if TYPE_CHECKING:
    from collections.abc import Callable

Entry = dict[str, Any]


def entry(level: str, target: str, message: Any, fields: Any) -> Entry:
    """One entry, shaped as the protocol's `log/entry` params (host section 6)."""
    return {
        "level": level,
        "target": target,
        "message": message if isinstance(message, str) else _shown(message),
        "fields": json_fields(fields),
        "ts": now(),
    }


def as_text(found: Entry) -> bytes:
    """`<time> LEVEL target: message key=value`."""
    given: dict[str, Any] = found["fields"] or {}
    fields = "".join(f" {key}={value!r}" for key, value in given.items())
    line = (
        f"{found['ts']} {found['level'].upper():<5} {found['target']}: {found['message']}{fields}"
    )
    return utf8(line) + b"\n"


def as_json(found: Entry) -> bytes:
    """One JSON object."""
    return encode(found) + b"\n"


def json_fields(fields: dict[str, Any] | None) -> dict[str, Any] | None:
    """Fields that can be written: if a value is not JSON, each becomes its `repr`."""
    try:
        encode(fields)
    except Exception:  # noqa: BLE001 - an author's own objects; a log line fails no call
        return {key: _shown(value) for key, value in (fields or {}).items()}
    return fields


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - as above
        return f"a {type(value).__name__} that cannot be shown: {error!r:.80}"


FORMATS: Final = {"text": as_text, "json": as_json}


def _as_it_is(found: Entry) -> Entry:
    return found


class Sink:
    """Where entries go.

    Args:
        log_format: "text" or "json", for stderr.
        notify: Sends a `log/entry` notification, or None.
        masked: Takes secrets out of every text of an entry.
    """

    def __init__(
        self,
        log_format: str,
        notify: Callable[[Entry], object] | None,
        masked: Callable[[Entry], Entry] = _as_it_is,
    ) -> None:
        self._format = FORMATS[log_format]
        self._masked = masked
        self._notify = notify

    def write(self, level: str, target: str, message: str, fields: Any = None) -> None:
        """One entry, now."""
        found = self._masked(entry(level, target, message, fields))
        write(self._format(found))
        if self._notify is not None:
            self._notify(found)
