"""What type checkers say of decorated functions: exactly what they say of the bare ones.

Checked by mypy and pyright with the rest of the tree; nothing here runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Annotated, Any, assert_type

from animus_routes import App, Context, Depends, Router, RpcError
from animus_routes.types.subject import Subject, SubjectFilter, SubjectList

app = App(kind="custom", name="n", version="1.0.0", description="d")
router = Router()


@app.method("a/plain")
def plain(filter: SubjectFilter, limit: int = 3) -> SubjectList:
    return SubjectList(subjects=[])


@router.method("a/async", concurrent=False)
async def asynchronous(id: str) -> Subject | None:
    return None


@app.method("a/stream", notification="a/item")
def stream(ctx: Context) -> Iterator[int]:
    yield 1


@app.method("a/async_stream", notification="a/item")
async def async_stream(ctx: Context) -> AsyncIterator[str]:
    yield ""


@app.tool()
def tool(text: str, *, times: int = 2) -> str:
    return text * times


@app.notification("a/hint")
def hint(level: int) -> None: ...


@app.middleware
def middleware(ctx: Context, call_next: Callable[..., Any]) -> Any:
    return call_next(ctx)


@app.exception_handler(LookupError)
def on_lookup(ctx: Context, error: LookupError) -> RpcError:
    return RpcError(-32602, str(error))


@app.on_initialize
def hook(host_info: dict[str, Any]) -> None: ...


@app.health
def health() -> bool:
    return True


class Store:
    size = 1


def the_store(ctx: Context[Store]) -> Store:
    return ctx.state


@app.method("a/state")
def stateful(own: Annotated[Context[Store], "a note"], limit: int = 1) -> int:
    return own.state.size + limit


@app.health
def stored(ctx: Context[Store | None]) -> str | None:
    return "closed" if ctx.state is None else str(assert_type(ctx.state, Store).size)


def number() -> int:
    return 1


@app.method("a/depends")
def depends(value: Annotated[int, Depends(number)]) -> int:
    return assert_type(value, int)


App(kinds=["queue", "config_source"], name="n", version="1", description="d")
App(kind="queues", name="n", version="1", description="d")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
App(kind="agent_runner", name="n", version="1", description="d")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
App(kind="task_backend", name="n", version="1", description="d")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
App(kinds=["queues"], name="n", version="1", description="d")  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


@app.method("a/state/depends")
def shared(store: Annotated[Store, Depends(the_store)]) -> int:
    return assert_type(store, Store).size


class Backend:
    @app.method("a/method")
    def method(self, id: str) -> bytes:
        return id.encode()


def check(ctx: Context, own: Context[Store], text: str) -> None:
    App(kind=text, name="n", version="1", description="d")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    app.method(text)(plain)
    assert_type(plain(SubjectFilter(), limit=1), SubjectList)
    found: Awaitable[Subject | None] = asynchronous("a")
    assert_type(stream(ctx), Iterator[int])
    assert_type(async_stream(ctx), AsyncIterator[str])
    assert_type(tool("a", times=3), str)
    assert_type(hint(1), None)
    assert_type(on_lookup(ctx, KeyError()), RpcError)
    assert_type(hook({}), None)
    assert_type(health(), bool)
    assert_type(depends(1), int)
    assert_type(Backend().method("a"), bytes)
    assert_type(ctx.cancelled, bool)
    assert_type(ctx.wait(1), bool)
    assert_type(ctx.project_root, str)
    assert_type(app.manifest(), dict[str, Any])
    assert_type(middleware(ctx, lambda _ctx: found), Any)
    ctx.log("warning", "w")
    assert_type(ctx.state, Any)
    assert_type(own.state, Store)
    assert_type(the_store(ctx), Store)
    assert_type(stateful(own, limit=2), int)
    stored(own)
    broad: Context[object] = own
    stream(own)
    the_store(broad)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    str(own.state.length)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    ctx.log("loud", "w")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ctx.notify("vendor/own")
    plain("wrong")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tool("a", 3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
