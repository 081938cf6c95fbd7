"""Text that cannot be UTF-8, such as the name of a file that is not: it goes out all the same.

Imported only when such a text is met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


def readable(text: str) -> str:
    """The text with a replacement character for each half of a surrogate pair.

    Two halves that belong together become the character that they stand for.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def mended(value: Any, enc_hook: Callable[[Any], Any] | None = None) -> Any:
    """A value as dicts, lists and scalars whose text is readable everywhere.

    Args:
        value: What msgspec can write but for its text.
        enc_hook: As msgspec has it; what it returns is mended too.
    """
    return _mended(msgspec.to_builtins(value, str_keys=True, enc_hook=enc_hook))


def _items(given: Any) -> Any:
    return given.items()


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {_mended(key): _mended(inside) for key, inside in _items(value)}
    if isinstance(value, list | tuple):
        return [_mended(inside) for inside in cast("list[Any]", value)]
    return value
