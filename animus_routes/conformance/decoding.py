"""Results as strictly as a host decodes them: also what the types fill in for an author."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.shapes import list_of, object_of
from animus_routes.describe.decoding import check_item, check_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from animus_routes.roles import MethodRow

# Methods whose whole result may be null.
MAY_BE_NULL: Final = frozenset({"subject/next"})
# What authors may leave out of the types, and hosts want.
FILLED: Final[Mapping[str, tuple[str, ...]]] = {
    "subject.Subject": ("status", "created_at", "updated_at"),
}
SUBJECT: Final = "subject.Subject"
SUBJECT_LIST: Final = "subject.SubjectList"


def undecodable(row: MethodRow | None, method: str, result: Any) -> str:
    """Why a host cannot decode a result; "" if it can."""
    if row is not None and row.result is not None and row.stream is None:
        if result is None and row.name not in MAY_BE_NULL:
            return f"a host cannot decode the result of {method} as {row.result}: it is null"
        if missing := _missing(row.result, result):
            return f"a host cannot decode the result of {method} as {row.result}: no {missing}"
    try:
        check_result(row, method, result)
    except TypeError as error:
        return str(error)
    return ""


def undecodable_item(row: MethodRow | None, method: str, notification: str, params: Any) -> str:
    """Why a host drops an item of a stream; "" if it reads it."""
    try:
        check_item(row, method, notification, params)
    except TypeError as error:
        return str(error)
    return ""


def _missing(wire: str, result: Any) -> str:
    if wire == SUBJECT_LIST:
        found = object_of(result)
        told = [_missing(SUBJECT, one) for one in list_of(found.get("subjects"))]
        return next((f"{name} in a subject" for name in told if name), "")
    given = object_of(result)
    return "" if result is None else next((n for n in FILLED.get(wire, ()) if not given.get(n)), "")
