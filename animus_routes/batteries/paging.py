"""Pages of a list that is all there: `limit` and `cursor` of a request, a page and the next cursor.

page = paginate(found, filter)
return SubjectList(subjects=page.items, next_cursor=page.next_cursor)

`cursor_of` and `read_cursor` make and read cursors for lists that are elsewhere: in a database, behind HTTP.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar, cast

import msgspec

from animus_routes.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Page", "cursor_of", "paginate", "read_cursor"]

T = TypeVar("T")
if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultTypeVar

    P = DefaultTypeVar("P", default=Any)
else:
    P = TypeVar("P")

MOST: Final = 1000


class Paged(Protocol):
    """A request that asks for a page, such as a `SubjectFilter` or a `LogQuery` of either family."""

    @property
    def cursor(self) -> str | None: ...
    @property
    def limit(self) -> int | None: ...


class Page(NamedTuple, Generic[T]):
    """Some of the items, and where to go on; None at the end."""

    items: list[T]
    next_cursor: str | None


def paginate(
    items: Iterable[T],
    request: Paged,
    *,
    limit: int = 100,
    key: Callable[[T], Any] | None = None,
) -> Page[T]:
    """One page of items.

    Args:
        items: All of them, in an order that does not change from call to call.
        request: Has the `cursor` of the page before, and the `limit` that the caller wants.
        limit: How many go into a page if the caller does not say; never more than 1,000.
        key: What the items are in order of, of JSON and no two alike, such as `lambda s: s.id`. With it, a page
            begins after the last item of the one before, even if items were added or removed
            meanwhile. Without it, a cursor counts.

    Raises:
        InvalidRequest: The cursor is none that this function made.
    """
    size = max(1, min(limit if request.limit is None else request.limit, MOST))
    given = request.cursor is not None
    after = read_cursor(request.cursor) if request.cursor is not None else None
    found = list(items)
    start = 0
    if key is not None and given:
        try:
            start = next((i for i, item in enumerate(found) if key(item) > after), len(found))
        except TypeError as error:
            raise _refused(request.cursor) from error
    elif given:
        if not isinstance(after, int) or isinstance(after, bool) or after < 0:
            raise _refused(request.cursor)
        start = after
    page = found[start : start + size]
    if start + size >= len(found):
        return Page(page, None)
    return Page(page, cursor_of(start + size if key is None else key(page[-1])))


def cursor_of(place: Any) -> str:
    """A cursor that stands for a place in a list, of JSON. Hosts hand it back as it came."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_cursor(cursor: str, type: type[P] = cast("Any", Any)) -> P:  # noqa: A002, B008 - msgspec's word
    """The place that a cursor stands for.

    Args:
        cursor: As it came from a host.
        type: What msgspec decodes the place as.

    Raises:
        InvalidRequest: It is none that `cursor_of` made of such a place.
    """
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found: P = msgspec.json.decode(text, type=type)
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        raise _refused(cursor) from error
    return found


def _refused(cursor: str | None) -> InvalidRequest:
    return InvalidRequest(f"cursor: {cursor!r:.80} is not one of this list's")
