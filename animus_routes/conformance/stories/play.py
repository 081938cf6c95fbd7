"""One story: calls whose results decode, with names that are nobody else's."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.checks import Check
from animus_routes.conformance.codes import ABSENT, UNAVAILABLE, ordinary
from animus_routes.conformance.decoding import undecodable, undecodable_item
from animus_routes.conformance.outcomes import Skipped, expect, fail
from animus_routes.conformance.overlay import filled
from animus_routes.conformance.rows import called, row_of
from animus_routes.conformance.start import HANDSHAKE
from animus_routes.errors import INVALID_PARAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from animus_routes.conformance.bench import Bench
    from animus_routes.conformance.wire import Answer, Wire

NOW: Final = "2026-11-28T12:00:00Z"
PAGES: Final = 200
ITEM_S: Final = 5.0


class Play:
    """A story under way.

    Attributes:
        bench: Where it is played.
        wire: The process that it is played with.
        name: A word that nothing else has, for titles, keys and ids.
    """

    def __init__(self, bench: Bench, wire: Wire, name: str = "") -> None:
        self.bench = bench
        self.wire = wire
        self.name = name or f"animus-check-{uuid.uuid4().hex[:8]}"

    def ask(self, method: str, params: Any = None, timeout_s: float | None = None) -> Answer:
        """Call a method by the name that hosts use, and take whatever is answered."""
        given: Any = {} if params is None else filled(self.bench, params)
        return self.wire.ask(called(self.bench, method), given, timeout_s=timeout_s)

    def call(self, method: str, params: Any = None, timeout_s: float | None = None) -> Any:
        """Call a method whose answer has to be a result that a host decodes.

        Raises:
            Failed: It is refused, or its result does not decode.
            Skipped: What is behind the plugin is not there.
        """
        answer = self.ask(method, params, timeout_s)
        return self.result(method, answer)

    def result(self, method: str, answer: Answer) -> Any:
        """The result of an answer; raises as `call` does."""
        if answer.code in ABSENT:
            raise Skipped(f"{method} is advertised and not served, which is another check's")
        if answer.category == UNAVAILABLE:
            raise Skipped(f"what is behind it is not there: {answer}")
        expect(answer.error is None, f"{method} is answered with {answer}")
        if said := undecodable(row_of(self.bench, method), method, answer.result):
            fail(said)
        return answer.result

    def refused(self, method: str, params: Any, why: str) -> None:
        """Call a method that has to refuse its params.

        Raises:
            Failed: It does not.
        """
        answer = self.ask(method, params)
        expect(answer.code == INVALID_PARAMS, f"{why}, {method} is answered with {answer}")

    def gone(self, method: str, params: Any, why: str) -> None:
        """Call a method that finds nothing any more: an error, a null, or a flag.

        Raises:
            Failed: It finds something.
        """
        answer = self.ask(method, params)
        ordinary(method, answer, "what is gone")
        expect(answer.error is not None or not answer.result, f"{why}, {method} still finds it")

    def item(self, method: str, notification: str, timeout_s: float = ITEM_S) -> Any:
        """The params of the next item of a stream.

        Raises:
            Failed: A host cannot decode it.
            PluginTimeoutError: None comes.
        """
        found = self.wire.next_notification(notification, timeout_s)
        row = row_of(self.bench, method)
        if said := undecodable_item(row, method, found.method, found.params):
            fail(said)
        return found.params

    def wrote(self, what: str) -> None:
        """Say what is in the system behind the plugin now, or was."""
        self.bench.wrote.append(what)

    @contextmanager
    def another(self) -> Generator[Play]:
        """The same story, in another process of the plugin."""
        with self.bench.serving() as wire:
            yield Play(self.bench, wire, self.name)


def story(
    name: str,
    title: str,
    source: str,
    play: Callable[[Play], None],
    *methods: str,
    acts: bool = True,
) -> Check:
    """A story as a row of the table of checks.

    Args:
        name: Behind `story.`.
        title: What holds if it passes.
        source: The section behind it.
        play: Plays it.
        methods: Without which it cannot be played.
        acts: Does it call methods that act?
    """

    def run(bench: Bench) -> None:
        play(Play(bench, bench.shared))

    return Check(
        f"story.{name}", title, source, run, after=(HANDSHAKE,), acts=acts, methods=methods
    )
