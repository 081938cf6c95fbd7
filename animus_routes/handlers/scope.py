"""The engine's side of a request: what its context keeps to itself."""

from __future__ import annotations

from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from animus_routes.engine.exit import FORKED, end_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.engine.ports import Items

YIELDED_TWICE: Final = "a dependency yielded a second time: the part after its `yield` is clean-up"


class Scope(Struct, eq=False):
    """One request, as the engine and its dependencies see it (see `engine.ports.Scope`).

    It does not know its context, so that both go as soon as nobody holds the context. A Struct,
    because every call that takes a context makes one.

    Attributes:
        method: The wire method as the host called it.
        report: Tells the operator of an error: where, and the error.
        made: The dependencies that are made, by their function.
        cleanups: The generators among them, to be finished after the reply.
        wanting: What is to be called, once, when the request is cancelled.
    """

    method: str
    report: Callable[[str, BaseException], object]
    cancelled: bool = False
    emitter: Items | None = None
    opening: Callable[[], object] | None = None
    made: dict[Callable[..., Any], Any] = {}
    cleanups: list[Any] = []
    wanting: list[Callable[[], object]] = []

    def cancel(self) -> None:
        """Trip `cancelled`, and call whatever wants to know; each once, in order."""
        self.cancelled = True
        while self.wanting:
            try:
                self.wanting.pop(0)()
            except IndexError:  # another thread cancels it, too
                return
            except Exception as error:  # noqa: BLE001 - an author's; the others are told, too
                self.report(f"a function for the cancellation of {self.method}", error)

    def on_cancel(self, act: Callable[[], object]) -> Callable[[], None]:
        """See `Context.on_cancel`."""
        self.wanting.append(act)
        if self.cancelled:  # it may be called by now
            self.cancel()

        def forget() -> None:
            with suppress(ValueError):  # it was called
                self.wanting.remove(act)

        return forget

    def close(self, failure: BaseException | None) -> None:
        """After the reply: run the rest of generator dependencies, the last one made first."""
        while self.cleanups:
            generator = self.cleanups.pop()
            try:
                if failure is None:
                    next(generator)
                else:
                    generator.throw(failure)
                generator.close()
                self.report(f"after {self.method}", RuntimeError(YIELDED_TWICE))
            except StopIteration:
                pass
            except BaseException as error:  # noqa: BLE001 - the reply is out; tell the operator
                self._cleanup_failed(error, failure)
            if FORKED:
                end_child()

    async def aclose(self, failure: BaseException | None) -> None:
        """As `close`, for async and plain generator dependencies alike."""
        while self.cleanups:
            generator = self.cleanups.pop()
            if not hasattr(generator, "__anext__"):
                rest, self.cleanups = self.cleanups, [generator]
                self.close(failure)
                self.cleanups = rest
                continue
            try:
                if failure is None:
                    await anext(generator)
                else:
                    await generator.athrow(failure)
                await generator.aclose()
                self.report(f"after {self.method}", RuntimeError(YIELDED_TWICE))
            except StopAsyncIteration:
                pass
            except BaseException as error:  # noqa: BLE001 - as above
                self._cleanup_failed(error, failure)
            if FORKED:
                end_child()

    def _cleanup_failed(self, error: BaseException, failure: BaseException | None) -> None:
        if FORKED:
            end_child(error)
        if error is not failure:
            self.report(f"a dependency's clean-up failed after {self.method}", error)


# What a context keeps to itself: authors do not find it by completion.
scope_of: Final[Callable[[Any], Scope]] = attrgetter("_scope")
