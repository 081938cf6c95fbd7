"""`subject/watch` for a system that has no events and can only be asked, again and again.

    app.watch_by_polling(every_s=30)

It calls the app's own `subject/list` and compares.
"""

from __future__ import annotations

from random import uniform
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import Raw, Struct, convert
from msgspec.json import decode

from animus_routes import timestamps
from animus_routes.engine.answers import adapt
from animus_routes.engine.frames import Request
from animus_routes.errors import NotFound, RpcError
from animus_routes.handlers.context import Context, surroundings_of
from animus_routes.handlers.scope import scope_of
from animus_routes.matching import instant
from animus_routes.structs.subject import Subject, SubjectWatchRequest
from animus_routes.values.codecs import encode, to_builtins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from animus_routes.routing.declaration import Declaration
    from animus_routes.routing.route import Route
    from animus_routes.waking import Source, Sources

JITTER: Final = 0.1  # of a pause, either way: not every plugin asks at the same moment
TIMES: Final = ("created_at", "updated_at")
MOST_PAGES: Final = 10_000


class Seen(Struct):
    """What was known of a subject when it was last listed.

    Its times stand apart: an author's type that has none of its own fills them in at every poll.
    """

    subject: bytes
    rest: bytes
    status: str
    native_status: str | None
    updated_at: str

    def is_changed(self, now: Seen, began: tuple[int, str]) -> bool:
        """Is it another now, in more than a time that was filled in after the poll began?"""
        if self.rest != now.rest:
            return True
        return self.updated_at != now.updated_at and instant(now.updated_at) < began


def watch_by_polling(
    app: Declaration,
    *,
    every_s: float | Callable[[Any], float],
    longest_s: float,
    full_every: int,
    woken_by: Source | None,
) -> None:
    """See `App.watch_by_polling`."""
    if (not callable(every_s) and every_s <= 0) or longest_s <= 0 or full_every < 1:
        raise ValueError(
            "watch_by_polling: pauses are longer than 0 s, and `full_every` is 1 or more"
        )
    sources = None if woken_by is None else _sources(woken_by)

    @app.method("subject/watch")
    def watch(request: SubjectWatchRequest, ctx: Context[Any]) -> Iterator[dict[str, Any]]:
        """Tell of changes by comparing lists. What there is before is known when this returns."""
        asked: dict[str, Any] = to_builtins(request.filter) or {}
        if request.kind is not None:
            asked["kind"] = [request.kind]
        usual_s = every_s(ctx.settings) if callable(every_s) else every_s
        poll = Poll(app, ctx, {k: v for k, v in asked.items() if k not in {"cursor", "limit"}})
        return _watched(poll, Pauses(usual_s, longest_s), full_every, sources)


def _watched(
    poll: Poll, pauses: Pauses, full_every: int, sources: Sources | None
) -> Iterator[dict[str, Any]]:
    """Learn what there is, then give what watches it."""
    pause_s = pauses.usual()
    try:
        list(poll.changes(full=True))
    except Exception as error:  # noqa: BLE001 - of the author's list: the next poll may do
        pause_s = pauses.after(error, poll.ctx)
    else:
        pause_s = pause_s if sources is None else 0.0  # nobody has listened until now
    return _changes(poll, pauses, pause_s, full_every, sources)


def _changes(
    poll: Poll, pauses: Pauses, pause_s: float, full_every: int, sources: Sources | None
) -> Iterator[dict[str, Any]]:
    number, full = 0 if pauses.failures else 1, False
    words = None if sources is None else sources.begin(poll.ctx)
    try:
        while True:
            if words is not None and not pauses.failures:
                full = words.wait(poll.ctx, pause_s) or full
            elif poll.ctx.wait(pause_s):
                return
            if poll.ctx.cancelled:
                return
            try:
                yield from poll.changes(full=full or number % full_every == 0)
            except Exception as error:  # noqa: BLE001 - as above
                pause_s = pauses.after(error, poll.ctx)
            else:
                number, full, pause_s = number + 1, False, pauses.usual()
    finally:
        if sources is not None and words is not None:
            sources.end(words)


class Pauses:
    """How long to wait for the next poll, in seconds.

    Args:
        usual_s: After one that did not fail.
        longest_s: After failures, of which the first is logged.
    """

    def __init__(self, usual_s: float, longest_s: float) -> None:
        self.failures = 0
        self._usual_s, self._longest_s = usual_s, max(longest_s, usual_s)

    def usual(self) -> float:
        self.failures = 0
        return self._usual_s * (1 + uniform(-JITTER, JITTER))  # noqa: S311

    def after(self, error: Exception, ctx: Context[Any]) -> float:
        self.failures += 1
        pause_s, wanted_s = (
            min(self._usual_s * 2.0**self.failures, self._longest_s),
            _wanted_s(error),
        )
        if self.failures == 1:
            again_s = round(max(pause_s, wanted_s), 1)
            ctx.log("warn", f"a poll failed: {error}", again_in_s=again_s)
        spread = uniform(-JITTER, JITTER)  # noqa: S311
        return max(pause_s * (1 + spread), wanted_s * (1 + abs(spread)))  # never before its time


def _sources(woken_by: Source) -> Sources:
    from animus_routes.waking import Sources

    return Sources(woken_by)


class Poll:
    """What one watch knows.

    Args:
        app: Its list and get are asked.
        ctx: Of the watch.
        asked: The filter of the watch.
    """

    def __init__(self, app: Declaration, ctx: Context[Any], asked: dict[str, Any]) -> None:
        self.ctx = ctx
        self._asked = asked
        self._known: dict[str, Seen] | None = None
        self._latest: str | None = None
        self._sure: str | None = None  # when the first of several pages was read, by its own clock
        self._labels: dict[str, str | None] | None = None
        kinds = [*asked.get("kind", ()), *app.subject_kinds]
        routes = {route.name: route for route in app.registry.routes()}
        self._list, self._get, self._schema = (
            routes.get(f"{kinds[0]}/{verb}") or routes[f"subject/{verb}"]
            for verb in ("list", "get", "schema")
        )

    def changes(self, *, full: bool) -> Iterator[dict[str, Any]]:
        """Ask once; what has changed since the time before, in the order of its times."""
        known = self._known
        asked = self._asked
        if not full and self._latest is not None:
            asked = {**asked, "updated_since": self._latest}
        began = instant(timestamps.now())
        self._sure = None
        found = {subject["id"]: subject for subject in self._listed(asked)}
        if known is None:
            self._known = {name: _seen(subject) for name, subject in found.items()}
            self._keep_latest(found)
            return
        for subject in sorted(found.values(), key=lambda subject: instant(subject["updated_at"])):
            before, now = known.get(subject["id"]), _seen(subject)
            known[subject["id"]] = now
            if before is None or before.is_changed(now, began):
                yield self._event(before, now, subject)
        if full:
            for name in [name for name in known if name not in found]:
                yield self._vanished(name, known)
        self._keep_latest(found)

    def _keep_latest(self, found: Mapping[str, Any]) -> None:
        """What changed while several pages were read may be in none: it is asked for again."""
        times = [subject["updated_at"] for subject in found.values()]
        latest = max(times, key=instant, default=None)
        if latest is not None and self._sure is not None:
            latest = min(latest, self._sure, key=instant)
        if latest is not None:
            self._latest = max(latest, self._latest or latest, key=instant)

    def _vanished(self, name: str, known: dict[str, Seen]) -> dict[str, Any]:
        """It is not listed any more: gone, or no longer what the filter asks for."""
        try:
            subject = _whole(self._call(self._get, {"id": name}))
        except NotFound:
            last = decode(known.pop(name).subject)
            return {"id": name, "change_kind": "deleted", "subject": last}
        return self._event(known.pop(name), _seen(subject), subject)

    def _event(self, before: Seen | None, now: Seen, subject: dict[str, Any]) -> dict[str, Any]:
        event = {"id": subject["id"], "change_kind": "updated", "subject": subject}
        if before is None:
            return {**event, "change_kind": "created"}
        if before.native_status != now.native_status:
            labels = self._dispatch_labels()
            was, is_now = (labels.get(seen.native_status or "") for seen in (before, now))
            event["previous_native_status"] = before.native_status
            event["previous_dispatch_label"] = was
            if was != is_now:
                event["change_kind"] = "dispatch-label-changed"
        if before.status != now.status:
            event["change_kind"] = "status-changed"
        return {name: value for name, value in event.items() if value is not None}

    def _dispatch_labels(self) -> dict[str, str | None]:
        """By native status, as the app's schema says; asked for when there is a first use for it."""
        if self._labels is None:
            hints = self._call(self._schema, {}).get("status_dispatch_hints", ())
            self._labels = {hint["native_status"]: hint.get("dispatch_label") for hint in hints}
        return self._labels

    def _listed(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = self._call(self._list, {**asked, **({"cursor": cursor} if cursor else {})})
            yield from map(_whole, page["subjects"])
            cursor = page.get("next_cursor")
            if not cursor or self.ctx.cancelled:
                return
            self._sure = self._sure or page["fetched_at"]

    def _call(self, route: Route, params: dict[str, Any]) -> Any:
        """What the handler answers, as a host decodes it."""
        around = surroundings_of(self.ctx)
        request = Request(route.name, 0, Raw(encode(params)))
        ctx = Context(around, request, route.subject_kind)
        scope, failure = scope_of(ctx), None
        try:
            values = route.decode(request.params)
            result = route.call(values, ctx) if route.contextual else route.call(values)
            if hasattr(result, "__await__"):
                result = around.link.run(result)
            return to_builtins(adapt(route, request, result, None))
        except BaseException as error:
            failure = error
            raise
        finally:
            if any(hasattr(opened, "__anext__") for opened in scope.cleanups):
                around.link.run(scope.aclose(failure))
            else:
                scope.close(failure)


def _wanted_s(error: Exception) -> float:
    """When the system behind wants to be asked again, if the error says."""
    data = cast("dict[str, Any]", error.data) if isinstance(error, RpcError) else None
    wanted = data.get("retry_after_s") if isinstance(data, dict) else None
    return float(wanted) if isinstance(wanted, int | float) else 0.0


def _whole(subject: Any) -> dict[str, Any]:
    """A subject with every field that hosts always get."""
    found: dict[str, Any] = to_builtins(convert(to_builtins(subject), Subject))
    return found


def _seen(subject: dict[str, Any]) -> Seen:
    rest = {name: value for name, value in subject.items() if name not in TIMES}
    status, native = subject["status"], subject.get("native_status")
    return Seen(encode(subject), encode(rest), status, native, subject["updated_at"])
