"""The page's server: its files, one stream of events to it, and what it asks for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from animus_routes import __version__
from animus_routes.inspector.calls import BAD_JSON
from animus_routes.inspector.plugin import NotRunning

if TYPE_CHECKING:
    from starlette.requests import Request

    from animus_routes.inspector.desk import Desk

STATIC: Final = Path(__file__).resolve().parent / "static"
TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
TEXT: Final = "text/plain; charset=utf-8"
LONGEST_TIMEOUT_S: Final = 3600.0
LONGEST_NUMBER: Final = 18  # digits

Answer = Callable[["Request"], Awaitable[Response]]
Take = Callable[["Desk", Any], Awaitable[Any]]


class CallAsked(msgspec.Struct, forbid_unknown_fields=True):
    """A request to send; `params` is JSON text, and None is none."""

    method: str
    params: str | None = None
    timeout_s: float = 30.0
    one_way: bool = False


class RawAsked(msgspec.Struct, forbid_unknown_fields=True):
    """Text to send as it is, and the newline that ends a frame, if it is wanted."""

    text: str
    newline: bool = True


class CancelAsked(msgspec.Struct, forbid_unknown_fields=True):
    """The number of the call to cancel."""

    call: int


class SwitchAsked(msgspec.Struct, forbid_unknown_fields=True):
    """On or off."""

    on: bool


class CheckAsked(msgspec.Struct, forbid_unknown_fields=True):
    """May the checks try what acts on the system behind the plugin?"""

    allow_writes: bool = False


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No fields."""


class BadAskError(Exception):
    """What the page asks for cannot be done; the message is for its user."""


async def _call(desk: Desk, asked: CallAsked) -> Any:
    params = b"" if asked.params is None else _on_one_line(asked.params)
    if asked.one_way:
        await desk.inspected.notify(asked.method, params)
        return {}
    timeout_s = min(max(asked.timeout_s, 0.1), LONGEST_TIMEOUT_S)
    call = await desk.inspected.call(asked.method, params, timeout_s=timeout_s)
    return {"call": call.number}


def _on_one_line(text: str) -> bytes:
    """JSON without the white space between its tokens; numbers stay as they were written."""
    try:
        given = text.encode()
        msgspec.json.decode(given)
        return msgspec.json.format(given, indent=-1)
    except (*BAD_JSON, UnicodeEncodeError) as error:
        raise BadAskError(f"the params are not JSON: {error}") from None


async def _raw(desk: Desk, asked: RawAsked) -> Any:
    data = asked.text.encode("utf-8", "surrogatepass") + (b"\n" if asked.newline else b"")
    await desk.inspected.raw(data)
    return {}


async def _cancel(desk: Desk, asked: CancelAsked) -> Any:
    await desk.inspected.cancel(asked.call)
    return {}


async def _restart(desk: Desk, _asked: Nothing) -> Any:
    desk.restart()
    return {}


async def _stop(desk: Desk, _asked: Nothing) -> Any:
    desk.spawn(desk.inspected.stop())
    return {}


async def _watch(desk: Desk, asked: SwitchAsked) -> Any:
    desk.watch.turn(on=asked.on)
    return {}


async def _record(desk: Desk, asked: SwitchAsked) -> Any:
    if asked.on:
        desk.restart(records=True)
    else:
        desk.inspected.recordings.end()
    return {}


async def _check(desk: Desk, asked: CheckAsked) -> Any:
    if not desk.checks.start(allow_writes=asked.allow_writes):
        raise BadAskError("the checks run already")
    return {}


async def _stop_check(desk: Desk, _asked: Nothing) -> Any:
    await desk.checks.stop()
    return {}


# What the page may ask for: the form of it, and who does it.
TAKES: Final[dict[str, tuple[type[msgspec.Struct], Take]]] = {
    "call": (CallAsked, _call),
    "raw": (RawAsked, _raw),
    "cancel": (CancelAsked, _cancel),
    "restart": (Nothing, _restart),
    "stop": (Nothing, _stop),
    "watch": (SwitchAsked, _watch),
    "record": (SwitchAsked, _record),
    "check": (CheckAsked, _check),
    "check/stop": (Nothing, _stop_check),
}


def web(desk: Desk) -> Starlette:
    """The server behind the guard."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        async with desk:
            yield

    routes = [
        Route("/", _file("index.html")),
        *(Route(f"/static/{path.name}", _file(path.name)) for path in sorted(STATIC.iterdir())),
        Route("/events", _events(desk)),
        Route("/frames/{number}", _frame(desk)),
        *(
            Route(f"/{name}", _taken(desk, form, take), methods=["POST"])
            for name, (form, take) in TAKES.items()
        ),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _file(name: str) -> Answer:
    content, kind = (STATIC / name).read_bytes(), TYPES[Path(name).suffix]

    async def answer(_request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer


def _events(desk: Desk) -> Answer:
    async def lines() -> AsyncIterator[bytes]:
        last = desk.feed.last
        snapshot = {**desk.snapshot(), "seq": last, "version": __version__}
        yield _event("snapshot", snapshot)
        yield _event("events", desk.feed.lines(last))
        async for batch in desk.feed.follow(last):
            yield _event("events", batch) if batch else b":\n\n"

    async def answer(_request: Request) -> Response:
        return StreamingResponse(lines(), media_type="text/event-stream")

    return answer


def _event(name: str, data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


def _frame(desk: Desk) -> Answer:
    async def answer(request: Request) -> Response:
        number = _number(request.path_params["number"])
        found = None if number is None else desk.feed.whole(number)
        if found is None:
            return Response("this frame is no longer kept\n", 404, media_type=TEXT)
        cut = found[: _number(request.query_params.get("most", ""))]
        headers = {"x-frame-bytes": str(len(found))}
        if "save" in request.query_params:
            headers["content-disposition"] = 'attachment; filename="frame.json"'
        return Response(cut, headers=headers, media_type=TEXT)

    return answer


def _number(text: str) -> int | None:
    """A number that an address has; None if it has none that could be meant."""
    return int(text) if text.isdecimal() and len(text) <= LONGEST_NUMBER else None


def _taken(desk: Desk, form: type[msgspec.Struct], take: Take) -> Answer:
    async def answer(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"problem": "the body has to be JSON"}, 415)
        try:
            asked: Any = msgspec.json.decode(await request.body(), type=form)
            return JSONResponse(await take(desk, asked))
        except (*BAD_JSON, BadAskError) as error:
            return JSONResponse({"problem": str(error)}, 422)
        except NotRunning as error:
            return JSONResponse({"problem": str(error)}, 409)

    return answer
