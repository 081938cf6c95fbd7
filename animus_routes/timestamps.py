"""RFC 3339 date-times as they are on the wire.

Both families of wire types keep a date-time as the string that arrived, because Rust writes up to
nine fraction digits and a Python ``datetime`` holds six. These functions write and read such
strings.
"""

from __future__ import annotations

from time import gmtime, strftime, time_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["RFC3339", "now", "parse", "rfc3339"]

RFC3339 = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
"""The form of a date-time, without anchors, in the regular expressions that Python and Rust share."""

_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


def now() -> str:
    """The current time in UTC, with six fraction digits.

    Returns:
        A string such as ``2026-01-31T09:30:00.123456Z``.
    """
    global _second  # noqa: PLW0603  (one tuple, replaced whole: threads see the old or the new one)
    microseconds = time_ns() // 1000
    seconds = microseconds // 1_000_000
    known, text = _second
    if known != seconds:
        text = strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))
        _second = (seconds, text)
    return f"{text}.{microseconds - seconds * 1_000_000:06d}Z"


def rfc3339(value: datetime) -> str:
    """Write a date-time in the form that the wire uses.

    Args:
        value: A date-time with a time zone.

    Returns:
        The same instant in UTC, ending in ``Z``.

    Raises:
        ValueError: If ``value`` has no time zone.
    """
    if value.utcoffset() is None:
        raise ValueError(
            f"the date-time {value.isoformat()} has no time zone; "
            "make it aware, for instance with datetime.now(timezone.utc)"
        )
    from datetime import UTC

    return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def parse(text: str) -> datetime:
    """Read a date-time from the wire.

    Args:
        text: An RFC 3339 date-time. Fraction digits beyond the sixth are cut off, and a leap second
            is the second before it.

    Returns:
        An aware ``datetime`` with the offset that ``text`` names.

    Raises:
        ValueError: If ``text`` is not an RFC 3339 date-time with an offset.
    """
    import re
    from datetime import datetime

    if re.fullmatch(RFC3339, text) is None:
        raise ValueError(f"{text!r} is not an RFC 3339 date-time with an offset")
    seconds = slice(len("2026-06-30T23:59:"), len("2026-06-30T23:59:60"))
    if text[seconds] == "60":
        text = f"{text[: seconds.start]}59{text[seconds.stop :]}"
    return datetime.fromisoformat(text.upper())
