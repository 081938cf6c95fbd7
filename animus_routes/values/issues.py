"""Why params do not decode, as the issues that hosts are told. Imported when that happens."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from animus_routes.engine.frames import UNREADABLE
from animus_routes.errors import Invalid


def explain(error: BaseException) -> Invalid | None:
    """Why params do not decode; None if the error is not about the params but a bug."""
    if isinstance(error, Invalid):
        return error
    if isinstance(error, msgspec.ValidationError):
        return Invalid([_msgspec_issue(str(error))])
    if type(error).__name__ == "ValidationError" and hasattr(error, "error_count"):
        return _pydantic_issues(error)
    if isinstance(error, UNREADABLE) and not _in_other_code(error):
        deep = isinstance(error, RecursionError)
        found = issue("", *(TOO_DEEP if deep else NOT_JSON))
        return Invalid([found], malformed=not deep)
    return None


NOT_JSON: Final = ("The params are not valid JSON", "json_invalid")
TOO_DEEP: Final = ("The params are nested too deeply", "recursion")


def _in_other_code(error: BaseException) -> bool:
    """Was it raised by a validator, rather than by the decoder that called it?"""
    traceback = error.__traceback__
    name = ""
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next
    return bool(name) and not name.startswith("animus_routes.")


def _pydantic_issues(error: Any) -> Invalid:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return Invalid(
        [issue(".".join(map(str, e["loc"])), e["msg"], e["type"]) for e in found],
        malformed=any(e["type"] == "json_invalid" for e in found),
    )


def issue(path: str, message: str, code: str) -> dict[str, str]:
    return {"path": path, "message": message, "code": code}


MISSING: Final = "Object missing required field `"
# Messages in which msgspec repeats the value it was given, which must not be sent back.
CLOSED: Final = ("Invalid enum value", "Invalid value")
SAYINGS: Final = {
    "matching regex '^(?:[0-9]{4}-": "Expected an RFC 3339 date-time such as 2026-01-31T09:30:00Z",
    "matching regex '^[0-9]{4}-": "Expected an RFC 3339 date-time such as 2026-01-31T09:30:00Z",
}


def _msgspec_issue(text: str) -> dict[str, str]:
    """``Expected `str`, got `int` - at `$.patch.labels[0]` `` -> path, message, code."""
    message, _, place = text.rpartition(" - at `")
    if not message:
        message, place = text, ""
    key, _, place = place.rpartition("` in `") if "` in `" in place else ("", "", place)
    path = place.rstrip("`").removeprefix("$").removeprefix(".")
    path = path.replace("[...]", ".*").replace("[", ".").replace("]", "").removeprefix(".")
    if key:
        path = f"{path}.*" if path else "*"
    if message.startswith(MISSING):
        name = message[len(MISSING) :].rstrip("`")
        return issue(f"{path}.{name}" if path else name, "Field required", "missing")
    for closed in CLOSED:
        if message.startswith(closed):
            return issue(path, closed, "enum")
    for part, saying in SAYINGS.items():
        if part in message:
            return issue(path, saying, "date-time")
    return issue(path, message, "type" if message.startswith("Expected `") else "value")


def under(name: str, error: Exception) -> Exception:
    """The same error, of what is under a name; a bug stays what it is."""
    invalid = explain(error)
    if invalid is None:
        return error
    for issue in invalid.issues:
        issue["path"] = f"{name}.{issue['path']}" if issue["path"] else name
    return Invalid(invalid.issues, malformed=invalid.malformed)
