"""A system behind HTTP: its refusals and silences as the errors that hosts know.

    with upstream("GitHub"):
        response = client.get(url)
        response.raise_for_status()

It knows the exceptions of httpx, requests, aiohttp and urllib by their names, and imports none of them.
`failure` does the same with a status, headers and a text at hand.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from time import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from animus_routes.errors import (
    InvalidRequest,
    NamedError,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = ["failure", "retry_after_s", "upstream"]

LIBRARIES: Final = frozenset(
    {"aiohttp", "http", "httpcore", "httpx", "requests", "urllib", "urllib3"}
)
TROUBLES: Final = frozenset(
    {"ClientError", "HTTPError", "HTTPException", "InvalidURL", "RequestException", "URLError"}
)
KINDS: Final[dict[int, type[NamedError]]] = {
    401: PermissionDenied,
    402: PermissionDenied,
    403: PermissionDenied,
    404: NotFound,
    407: PermissionDenied,
    408: Unavailable,
    410: NotFound,
    421: Unavailable,
    423: Unavailable,
    425: Unavailable,
    429: QuotaExceeded,
    451: PermissionDenied,
}
LIMITED: Final = re.compile(r"rate.?limit|too many requests|abuse detection", re.IGNORECASE)
RESET: Final = re.compile(r"(?:x-)?ratelimit(-.+)?-reset(-.+)?")
DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?")
LONGEST_DELTA_S: Final = 10_000_000  # a larger number is a moment, in seconds since 1970
LONGEST_MOMENT_S: Final = 100_000_000_000  # and a larger one still, in milliseconds
SHOWN: Final = 300
WORDS: Final = (
    "message",
    "error_description",
    "detail",
    "error",
    "title",
    "errors",
    "errorMessages",
)
FIELDS: Final = ("field", "code", "message")  # of an error beside the message, as GitHub has them


@contextmanager
def upstream(name: str) -> Generator[None, None, None]:
    """Turn what an HTTP client raises inside into a named error.

    Args:
        name: Of the system, for the message.

    Raises:
        NamedError: By the status, as `failure` says; `Unavailable` if there was no answer.
    """
    try:
        yield
    except NamedError:
        raise
    except Exception as error:
        found = _of_answer(name, error) or _of_transport(name, error)
        if found is None:
            raise
        raise found from error


def failure(
    name: str,
    status: int,
    headers: Mapping[str, str] | None = None,
    text: str | bytes = "",
    kinds: Mapping[int, type[NamedError]] | None = None,
) -> NamedError | None:
    """The error that an answer stands for; None below 400.

    401, 402, 403, 407 and 451 are `PermissionDenied`, 404 and 410 `NotFound`, 429 and every refusal that speaks of a
    rate limit `QuotaExceeded`, 408, 421, 423, 425 and everything from 500 on `Unavailable`, the rest
    `InvalidRequest`. If the answer says when to come back, `data.retry_after_s` has the number, and
    the message has it too, which is all that hosts show.

    Args:
        name: Of the system, for the message.
        status: The answer's.
        headers: The answer's; names in any case.
        text: The answer's body; of JSON, what it says in its `message`, `error` or `detail`.
        kinds: What statuses mean for this system in particular, such as `{404: ModelNotSupported}`.
    """
    if status < 400:
        return None
    said = reason(text)
    wait_s = retry_after_s(headers or {})
    kind = KINDS.get(status, Unavailable if status >= 500 else InvalidRequest)
    kind = (kinds or {}).get(status, kind)
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if status in {400, 403} and (LIMITED.search(whole) or (status == 403 and wait_s is not None)):
        kind = QuotaExceeded
    message = f"{name} answered {status}{': ' if said else ''}{said}"
    if issubclass(kind, QuotaExceeded | Unavailable):
        return kind(message, {"status": status}, retry_after_s=wait_s)
    return kind(message, {"status": status})


def retry_after_s(headers: Mapping[str, str]) -> int | None:
    """In how many seconds to come back, rounded up; None if the headers do not say.

    `Retry-After` counts, as a number or a date; else the latest `RateLimit-Reset`, in any of its spellings,
    whose limit is used up.
    """
    found = {name.lower(): value for name, value in headers.items()}
    given = _seconds(found.get("retry-after", ""))
    if given is not None:
        return given
    resets: list[int] = []
    for name, value in found.items():
        match = RESET.fullmatch(name)
        remaining = found.get(name.replace("-reset", "-remaining"))
        if match is not None and remaining is not None and remaining.strip() == "0":
            seconds = _seconds(value)
            resets += [] if seconds is None else [seconds]
    return max(resets, default=None)


def _seconds(value: str) -> int | None:
    """A delay, a moment in seconds or milliseconds, a date, a duration such as `6m0s`: from now on."""
    value = value.strip()
    if not value:
        return None
    try:
        number = float(value)
    except ValueError:
        moment = _moment(value)
        if moment is not None:
            return max(0, math.ceil(moment - time()))
        duration = DURATION.fullmatch(value)
        if duration is None:
            return None
        parts = [float(part or 0) for part in duration.groups()]
        hours, minutes, seconds, thousandths = parts
        return math.ceil(hours * 3600 + minutes * 60 + seconds + thousandths / 1000)
    if not math.isfinite(number):
        return None
    if number > LONGEST_MOMENT_S:
        number /= 1000
    if number > LONGEST_DELTA_S:
        number -= time()
    return max(0, math.ceil(number))


def _moment(value: str) -> float | None:
    from datetime import datetime
    from email.utils import parsedate_to_datetime

    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(value)
        except ValueError:
            continue
        if found.tzinfo is not None:
            return found.timestamp()
    return None


def reason(text: str | bytes) -> str:
    """What a refusal's body says, in one short line."""
    try:
        said = _said(msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        said = "" if said.lstrip().startswith("<") else said  # a page for browsers
    return " ".join(said.split())[:SHOWN]


def _said(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        parts: Any = found[:3]  # pyright: ignore[reportUnknownVariableType]
        return "; ".join(filter(None, map(_said, parts)))
    if isinstance(found, dict):
        fields: Any = found  # pyright: ignore[reportUnknownVariableType]
        said = next((said for word in WORDS if (said := _said(fields.get(word)))), "")
        return (said + _of_fields(fields.get("errors"), said)).removeprefix(": ")
    return ""


def _of_fields(errors: Any, said: str) -> str:
    """Which fields are wrong, where a list or an object says so: `: title missing_field`."""
    if isinstance(errors, dict):
        told: dict[str, Any] = errors  # pyright: ignore[reportUnknownVariableType]
        errors = [{"field": name, "message": text} for name, text in told.items()]
    found: list[Any] = errors[:3] if isinstance(errors, list) else []  # pyright: ignore[reportUnknownVariableType]
    named: list[dict[str, Any]] = [one for one in found if isinstance(one, dict)]
    texts = [" ".join(str(one[name]) for name in FIELDS if one.get(name)) for one in named]
    parts = [text for text in texts if text and text not in said]
    return f": {'; '.join(parts)}" if parts else ""


def _of_answer(name: str, error: Any) -> NamedError | None:
    """Of a client's exception that holds an answer."""
    held = getattr(error, "response", None)
    held = error if held is None else held
    status = next(
        (
            found
            for found in (getattr(held, word, None) for word in ("status_code", "status", "code"))
            if isinstance(found, int)
        ),
        None,
    )
    headers = getattr(held, "headers", None)
    if status is None or headers is None or not hasattr(headers, "items"):
        return None
    found = failure(name, status, headers, _text(held))
    return found or Unavailable(f"{name} answered {status}")  # a redirect that nobody follows


def _text(held: Any) -> str:
    """The body, if it is there to be read."""
    try:
        text = held.text if hasattr(held, "text") else held.read()
    except Exception:  # noqa: BLE001 - a stream that is not read, a connection that is gone
        return ""
    if isinstance(text, bytes):
        return text.decode("utf-8", "replace")
    return text if isinstance(text, str) else str(getattr(held, "message", ""))


def _of_transport(name: str, error: Exception) -> NamedError | None:
    """Of a client's exception without an answer."""
    kinds = type(error).__mro__
    is_late = any("Timeout" in kind.__name__ for kind in kinds)
    if not isinstance(error, ConnectionError | TimeoutError) and not any(
        kind.__module__.partition(".")[0] in LIBRARIES and kind.__name__ in TROUBLES
        for kind in kinds
    ):
        return None
    if is_late:
        return Unavailable(f"{name} did not answer in time")
    said = " ".join(str(error).split())[:SHOWN]
    return Unavailable(f"{name} cannot be reached: {said or type(error).__name__}")
