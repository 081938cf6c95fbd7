"""How a check ends other than well: by what it raises."""

from __future__ import annotations

from typing import NoReturn


class Failed(Exception):  # noqa: N818 - an outcome of a check, not an error in it
    """The plugin does not do what the check wants; the message is for its author."""


class Skipped(Exception):  # noqa: N818 - as above
    """The check has nothing to try here; the message says why."""


def expect(holds: object, said: str) -> None:
    """Fail unless it holds.

    Raises:
        Failed: It does not; the message is `said`.
    """
    if not holds:
        raise Failed(said)


def fail(said: str) -> NoReturn:
    """Fail.

    Raises:
        Failed: Always.
    """
    raise Failed(said)
