"""What a host decodes: results, acknowledgements and items, as the table has them.

For whoever stands on the host's side: the test client and the command line.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from animus_routes.values.hints import wire_type

if TYPE_CHECKING:
    from animus_routes.roles import MethodRow

# What the framework serves is in no role's table.
LIFECYCLE: Final = {
    "initialize": "plugin.InitializeResult",
    "health/check": "plugin.HealthCheckResult",
}


def check_result(row: MethodRow | None, method: str, result: Any) -> None:
    """Refuse a result, or the acknowledgement of a stream, that a host could not decode.

    Args:
        row: The method's; None for a name of the author's.
        method: As it was called.
        result: What was answered.

    Raises:
        TypeError: It is not of the method's wire type.
    """
    if row is None:
        if method in LIFECYCLE:
            _convert(result, LIFECYCLE[method], f"the result of {method}")
    elif row.stream is not None and row.stream.ack is not None:
        if not isinstance(result, dict):
            kind = type(result).__name__
            raise TypeError(
                f"a host cannot decode the acknowledgement of {method}: Expected `object`, got `{kind}`"
            )
    elif row.result is not None and not (result is None and row.adapt_result is not None):
        _convert(result, row.result, f"the result of {method}")


def check_item(row: MethodRow | None, method: str, notification: str, params: Any) -> None:
    """Refuse a stream's item that a host could not decode, and so would drop.

    Args:
        row: The stream's; None for a name of the author's.
        method: As it was called.
        notification: What came.
        params: Its params.

    Raises:
        TypeError: It is not of the wire type of that notification.
    """
    if row is not None and row.stream is not None:
        expected, item = row.stream.item_of(notification, params)
        if expected is not None:
            _convert(item, expected, f"an item of {method}")


def _convert(given: Any, expected: str, what: str) -> None:
    cls = wire_type(expected)
    try:
        msgspec.convert(given, cls, strict=True)
    except msgspec.ValidationError as error:
        text = f"a host cannot decode {what} as {expected}: {error}{_slip(given, cls)}"
        raise TypeError(text) from None


def _slip(given: Any, cls: Any) -> str:
    """A key that is nearly one that is missing."""
    if not isinstance(given, dict):
        return ""
    found = cast("dict[str, Any]", given)
    fields: tuple[str, ...] = getattr(cls, "__struct_encode_fields__", ())
    missing = [field for field in fields if field not in found]
    for key in found:
        near = [] if key in fields else get_close_matches(key, missing, n=1, cutoff=0.5)
        if near:
            return f"; '{key}' is no key of it: did you mean '{near[0]}'?"
    return ""
