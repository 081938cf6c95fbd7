"""Error codes, as hosts read them (facts 5; host 4.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from animus_routes.conformance.outcomes import expect
from animus_routes.errors import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    METHOD_NOT_SUPPORTED,
    PARSE_ERROR,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from animus_routes.conformance.wire import Answer

ABSENT: Final = frozenset({METHOD_NOT_FOUND, METHOD_NOT_SUPPORTED})
UNAVAILABLE: Final = "unavailable"
# What hosts expect of these groups beside the ordinary codes.
OWN_CODES: Final[Mapping[str, range]] = {
    "workflow/": range(-32199, -32099),
    "queue/": range(-32299, -32199),
    "durable/": range(-32399, -32299),
    "memory/": range(-32499, -32399),
}


def ordinary(method: str, answer: Answer, what: str) -> None:
    """Hosts take other codes for the sign of a dying process.

    Args:
        method: What was called.
        answer: What came.
        what: How it was called, in words.

    Raises:
        Failed: The answer is an error with such a code.
    """
    own = next((codes for group, codes in OWN_CODES.items() if method.startswith(group)), range(0))
    expect(
        answer.error is None or PARSE_ERROR <= answer.code <= INVALID_REQUEST or answer.code in own,
        f"{method} with {what} is answered with {answer}: hosts take a code outside -32700 to -32600 "
        "for a dying process, start it anew and ask again",
    )
