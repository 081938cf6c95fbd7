"""What a check is: a title, the section behind it, and a function that tries the plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterable  # noqa: TC003 - msgspec reads the hints
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from animus_routes.conformance.bench import Bench


class Check(Struct, frozen=True):
    """One row of the table of checks.

    Attributes:
        id: `floor.name`.
        title: What holds if it passes, as a sentence.
        source: The section of the protocol, or the host's habit, behind it.
        run: Tries it on a bench; raises `Failed` or `Skipped`. With `each`, it is also given a name.
        each: Makes one case of each name that it finds on the bench, such as the methods.
        after: Checks without which this one says nothing: it is skipped if one of them failed.
        acts: Tries methods that act: skipped unless the author allows that.
        methods: Without these methods it is skipped; the kinds that it belongs to are theirs.
        installed: Is about the file that is installed: skipped for apps and command lines.
    """

    id: str
    title: str
    source: str
    run: Callable[..., None]
    each: Callable[[Bench], Iterable[str]] | None = None
    after: tuple[str, ...] = ()
    acts: bool = False
    methods: tuple[str, ...] = ()
    installed: bool = False


class Case(Struct, frozen=True):
    """A check, and for which of its names.

    Attributes:
        check: The row.
        name: One of the names of its `each`; "" if it has none.
    """

    check: Check
    name: str = ""

    @property
    def id(self) -> str:
        """The check's, with the name."""
        return f"{self.check.id}:{self.name}" if self.name else self.check.id

    def run(self, bench: Bench) -> None:
        """Try it."""
        names: tuple[Any, ...] = (self.name,) if self.name else ()
        self.check.run(bench, *names)
