"""The start-up report on decorators: how they are written, twice, and over what."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from making import custom_app, full_app, subject_app

from animus_routes import App, ConfigurationError, Context, Depends, Router
from animus_routes.handlers.signature import name_of
from animus_routes.structs import plugin as wire
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


def report(app: App) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        app.check()
    return caught.value.problems


def here(function: Callable[..., Any]) -> str:
    file = __file__.replace(f"{Path.cwd()}/", "")
    return f"{file}:{function.__code__.co_firstlineno}"


def plain(ctx: Context, other: Any) -> Any: ...


def fits_health() -> None: ...


@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        ("method", 'name the wire method: @app.method("group/verb")'),
        ("tool", "@app.tool needs its parentheses: write @app.tool()"),
        ("notification", 'name the notification: @app.notification("group/verb")'),
        ("exception_handler", "name the exception: @app.exception_handler(SomeError)"),
    ],
)
def test_a_decorator_without_its_parentheses_is_told_and_leaves_the_function(
    decorator: str, said: str
) -> None:
    app = custom_app()
    assert getattr(app, decorator)(plain) is plain
    assert report(app) == [f"{here(plain)}: {said}"]


def test_a_handler_without_a_name_may_be_the_one_that_is_missing() -> None:
    app = subject_app()
    app.method(fits_health)  # type: ignore[arg-type]
    (problem,) = report(app)
    assert problem.endswith('name the wire method: @app.method("group/verb")')


@pytest.mark.parametrize(
    ("decorator", "function"),
    [("middleware", plain), ("health", fits_health), ("on_initialize", fits_health)],
)
@pytest.mark.parametrize(("given", "named"), [((), {}), (("x", 3), {}), ((), {"every": 3})])
def test_a_decorator_with_parentheses_that_it_does_not_need_is_told(
    decorator: str, function: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    app = custom_app()
    assert getattr(app, decorator)(*given, **named)(function) is function
    (problem,) = report(app)
    place = "tests/app/test_decorators.py:"
    said = f"@app.{decorator} takes no parentheses: write @app.{decorator} alone"
    assert problem.startswith(place)
    assert problem.endswith(said)


@pytest.mark.parametrize("decorator", ["middleware", "health", "on_initialize"])
@pytest.mark.parametrize("given", [None, "x", 3.5])
def test_what_is_no_function_is_told_and_a_function_that_follows_is_kept(
    decorator: str, given: Any
) -> None:
    app = custom_app()
    assert getattr(app, decorator)(given)(fits_health) is fits_health
    problem = report(app)[0]
    assert problem.startswith("tests/app/test_decorators.py:")
    assert problem.endswith(f": @app.{decorator}: {given!r} is not a function")


@pytest.mark.parametrize(
    ("decorator", "given", "said"),
    [
        ("method", (), 'name the wire method: @app.method("group/verb")'),
        ("method", ("x/do", "x/other"), 'name the wire method: @app.method("group/verb")'),
        ("notification", (), 'name the notification: @app.notification("group/verb")'),
        ("exception_handler", (), "name the exception: @app.exception_handler(SomeError)"),
        (
            "exception_handler",
            (KeyError, ValueError),
            "name the exception: @app.exception_handler(SomeError)",
        ),
    ],
)
def test_a_decorator_without_what_it_needs_is_told_and_leaves_the_function(
    decorator: str, given: tuple[Any, ...], said: str
) -> None:
    app = custom_app()
    assert getattr(app, decorator)(*given)(plain) is plain
    (problem,) = report(app)
    assert problem.startswith("tests/app/test_decorators.py:")
    assert problem.endswith(f": {said}")


def test_a_decorator_takes_what_it_needs_by_keyword() -> None:
    app = custom_app()
    app.method(name="x/do", concurrent=True)(lambda: 1)
    app.notification(name="x/seen")(lambda: None)
    app.exception_handler(error=ValueError)(plain)
    app.check()
    assert list(app.exception_handlers) == [ValueError]


def test_what_is_misused_on_a_router_says_router() -> None:
    app, router = custom_app(), Router()
    decorators: Any = router
    decorators.method(plain)
    decorators.tool(plain)
    decorators.middleware()(plain)
    decorators.health(None)
    app.include(router)
    words = [problem.partition(": ")[2] for problem in report(app)]
    assert words == [
        'name the wire method: @router.method("group/verb")',
        "@router.tool needs its parentheses: write @router.tool()",
        "@router.middleware takes no parentheses: write @router.middleware alone",
        "@router.health: None is not a function",
    ]


@pytest.mark.parametrize("given", [3, str, (ValueError, KeyError), None])
def test_an_exception_handler_of_no_exception_is_told(given: Any) -> None:
    app = custom_app()
    app.exception_handler(given)(plain)
    (problem,) = report(app)
    assert "name the exception: @app.exception_handler(SomeError)" in problem
    assert problem.startswith("tests/app/test_decorators.py:")


def test_a_second_health_check_is_told_with_both_places() -> None:
    app = custom_app()

    def other() -> None: ...

    app.health(fits_health)
    app.health(other)
    (problem,) = report(app)
    assert problem.startswith(f"{here(other)}: @app.health '")
    assert problem.endswith(f"there is one already, 'fits_health' at {here(fits_health)}")


def test_a_second_handler_of_an_exception_is_told_with_both_places() -> None:
    app = custom_app()

    def other(ctx: Context, error: ValueError) -> None: ...

    app.exception_handler(ValueError)(plain)
    app.exception_handler(KeyError)(plain)
    app.exception_handler(ValueError)(other)
    (problem,) = report(app)
    assert problem.startswith(f"{here(other)}: @app.exception_handler(ValueError) '")
    assert problem.endswith(f"there is one already, 'plain' at {here(plain)}")


def test_the_health_check_of_an_object_beside_the_apps_own_is_told() -> None:
    class Backend:
        def next(self) -> None: ...

        def health(self) -> None: ...

    app = full_app()
    app.health(fits_health)
    app.include(Backend())
    (problem,) = report(app)
    assert f"there is one already, 'fits_health' at {here(fits_health)}" in problem


def nothing() -> None: ...


def one(ctx: Context) -> None: ...


def three(self: Any, ctx: Context, call_next: Any) -> None: ...


def keyword_only(ctx: Context, call_next: Any, *, strict: bool) -> None: ...


def by_keyword(*, ctx: Context, call_next: Any) -> None: ...


class Wraps:
    def method(self, ctx: Context, call_next: Any) -> Any:
        return call_next(ctx)

    def __call__(self, ctx: Context, call_next: Any) -> Any:
        return call_next(ctx)


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        (nothing, "()"),
        (one, "(ctx)"),
        (three, "(self, ctx, call_next)"),
        (Wraps.method, "(self, ctx, call_next)"),
        (keyword_only, "(ctx, call_next, *, strict)"),
        (by_keyword, "(*, ctx, call_next)"),
        (partial(plain, other=3), "(ctx)"),
    ],
)
def test_what_cannot_be_called_with_what_it_gets_is_told(
    function: Callable[..., Any], takes: str
) -> None:
    app = custom_app()
    app.middleware(function)
    app.exception_handler(ValueError)(function)
    wraps, rescues = report(app)
    assert "@app.middleware '" in wraps
    assert wraps.endswith(f"is called with (ctx, call_next), but takes {takes}")
    assert "@app.exception_handler(ValueError) '" in rescues
    assert rescues.endswith(f"is called with (ctx, error), but takes {takes}")


def test_an_exception_handler_that_is_no_function_is_told() -> None:
    app: Any = custom_app()
    app.exception_handler(ValueError)(3)
    (problem,) = report(app)
    assert problem.startswith("tests/app/test_decorators.py:")
    assert problem.endswith(": @app.exception_handler(ValueError): 3 is not a function")


class Auth:
    def __init__(self, key: str = "") -> None: ...

    def __call__(self, ctx: Context, call_next: Any) -> Any: ...


class Uncallable: ...


def generates(ctx: Context, other: Any) -> Iterator[int]:
    yield 1


async def generates_async(ctx: Context, other: Any) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("decorator", ["middleware", "exception_handler(ValueError)", "health"])
@pytest.mark.parametrize(
    ("function", "said"),
    [
        (Auth, "'Auth': it is a class: give an instance, Auth()"),
        (Uncallable, "'Uncallable': it is a class, not a function"),
        (dict, "'dict': it is a class, not a function"),
        (len, "'len': it is not a Python function"),
        (generates, "'generates': it is a generator: write a plain function that returns "),
        (generates_async, "'generates_async': it is a generator: write a plain function that "),
    ],
)
def test_a_hook_that_cannot_work_is_told_in_one_line_with_its_place(
    decorator: str, function: Any, said: str
) -> None:
    app = custom_app()
    name, _, error = decorator.partition("(")
    use: Any = getattr(app, name)(ValueError) if error else getattr(app, name)
    assert use(function) is function
    (problem,) = report(app)
    assert problem.startswith("tests/app/test_decorators.py:")
    assert f": @app.{decorator} {said}" in problem


def greets() -> Iterator[None]:
    yield


def test_a_generator_as_a_hook_of_the_handshake_is_told() -> None:
    app = custom_app()
    app.on_initialize(greets)
    (problem,) = report(app)
    assert problem == (
        f"{here(greets)}: @app.on_initialize 'greets': it is a generator, which would never run: "
        "write a plain function, or lifespan="
    )


def run_through(middleware: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(middleware)
    def run(ctx: Context, call_next: Any) -> Any:
        for _ in middleware(ctx, call_next):
            pass
        return call_next(ctx)

    return run


def test_a_generator_inside_a_decorator_that_runs_it_is_left_alone() -> None:
    app = custom_app()
    app.middleware(run_through(generates))
    app.check()


def test_a_handler_that_is_no_function_has_the_place_of_the_call() -> None:
    app: Any = custom_app()
    app.method("a/b")(None)
    (problem,) = report(app)
    assert problem.startswith("tests/app/test_decorators.py:")
    assert problem.endswith(": 'a/b': None is not a function")


def unhinted_context(ctx):  # type: ignore[no-untyped-def] # noqa: ANN001
    yield ctx


def two_things(app: App, path: str) -> Iterator[None]:
    yield


def two_unhinted(app, other):  # type: ignore[no-untyped-def] # noqa: ANN001
    yield app, other


def of_settings(settings: dict[str, Any]) -> Iterator[None]:
    yield


def of_a_path(path: str) -> Iterator[None]:
    yield


def of_a_dependency(found: Annotated[str, Depends(fits_health)]) -> Iterator[None]:
    yield


def without_a_yield(app: App) -> None:
    app.check()


async def without_a_yield_async() -> None: ...


@pytest.mark.parametrize(
    ("lifespan", "said"),
    [
        (unhinted_context, ["gets the app for its parameter 'ctx': write `ctx: Context`"]),
        (two_things, ["has a parameter 'path' that nothing fills: it gets the app or a Context"]),
        (two_unhinted, ["has a parameter 'app' that", "has a parameter 'other' that nothing"]),
        (of_settings, ["has a parameter 'settings' that nothing fills"]),
        (of_a_path, ["has a parameter 'path' that nothing fills"]),
        (of_a_dependency, ["has a parameter 'found' that nothing fills: Depends is for handlers"]),
        (without_a_yield, ["has no `yield`"]),
        (without_a_yield_async, ["has no `yield`"]),
        (lambda: 3, ["has no `yield`"]),
        (partial(without_a_yield, custom_app()), ["has no `yield`"]),
    ],
)
def test_a_lifespan_that_cannot_be_entered_is_told(
    lifespan: Callable[..., Any], said: list[str]
) -> None:
    found = report(custom_app(lifespan=lifespan))
    for problem, part in zip(found, said, strict=True):
        assert problem.startswith("tests/app/test_decorators.py:")
        assert f": the lifespan '{name_of(lifespan)}' {part}" in problem


class Entered:
    def __init__(self, app: App) -> None:
        self.app = app

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


class Enters:
    def enter(self, app: App, ctx: Context, limit: int = 3) -> Iterator[None]:
        yield

    def __call__(self, app: Any) -> Entered:
        return Entered(app)


def makes_inside() -> Any:
    class Inner(Entered): ...

    return Inner


def given_one(entered: Any = Entered) -> Any:
    return entered


@pytest.mark.parametrize(
    "lifespan",
    [
        Entered,
        Enters().enter,
        Enters(),
        contextmanager(Enters().enter),
        partial(Entered),
        lambda app: Entered(app),  # noqa: PLW0108 - the form that is tested
        makes_inside,
        given_one,
    ],
)
def test_a_lifespan_that_may_well_be_one_is_left_alone(lifespan: Callable[..., Any]) -> None:
    custom_app(lifespan=lifespan).check()


def with_default(ctx: Context, call_next: Any, limit: int = 3) -> None: ...


def with_all(*given: Any) -> None: ...


def with_one_and_all(ctx: Context, *given: Any, **named: Any) -> None: ...


def keyword_default(ctx: Context, call_next: Any, *, strict: bool = False) -> None: ...


def positional(ctx: Context, call_next: Any, /) -> None: ...


@pytest.mark.parametrize(
    "function",
    [
        plain,
        with_default,
        with_all,
        with_one_and_all,
        keyword_default,
        positional,
        Wraps(),
        Wraps().method,
        partial(three, None),
        partial(keyword_only, strict=True),
    ],
)
def test_what_can_be_called_with_what_it_gets_is_left_alone(function: Callable[..., Any]) -> None:
    app = custom_app()
    app.middleware(function)
    app.exception_handler(ValueError)(function)
    app.check()


def health_of_params(limit: int) -> None: ...


def test_a_health_check_that_asks_for_params_is_told() -> None:
    app = custom_app()
    app.health(health_of_params)
    (problem,) = report(app)
    assert problem == (
        f"{here(health_of_params)}: @app.health 'health_of_params': parameter 'limit' is neither a "
        "Context nor a Depends, and health/check has no params"
    )


def connection() -> str:
    return "connected"


Connection = Annotated[str, Depends(connection)]


def health_of_defaults(ctx: Context, found: Connection, limit: int = 3) -> str:
    return f"{found} {limit} {ctx.method}"


def health_of_a_default(limit: int = 3) -> str:
    return str(limit)


@pytest.mark.parametrize(
    ("check", "said"),
    [(health_of_defaults, "connected 3 health/check"), (health_of_a_default, "3")],
)
def test_a_health_check_keeps_its_defaults(check: Callable[..., Any], said: str) -> None:
    app = custom_app()
    app.health(check)
    with TestClient(app) as client:
        assert client.call("health/check")["last_error"] == said


def hook_of_unknown(host: dict[str, Any], project: str) -> None: ...


def hook_of_a_slip(host_inf: Any = None) -> None: ...


def hook_of_another_type(protocol_version: int) -> None: ...


FIELDS = "the params are an InitializeParams: protocol_version, host_info, capabilities, "


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (hook_of_unknown, ["unknown field 'host'", f"unknown field 'project'; {FIELDS}"]),
        (hook_of_a_slip, ["did you mean 'host_info'?"]),
        (hook_of_another_type, ["parameter 'protocol_version' is int, the wire's is str"]),
    ],
)
def test_a_hook_that_asks_for_what_no_host_sends_is_told(
    hook: Callable[..., Any], said: list[str]
) -> None:
    app = custom_app()
    app.on_initialize(hook)
    found = report(app)
    for problem, part in zip(found, said, strict=True):
        assert problem.startswith(f"{here(hook)}: @app.on_initialize '{hook.__name__}': ")
        assert part in problem


def test_a_hook_takes_the_params_whole_or_the_field_that_it_names() -> None:
    app, seen = custom_app(), list[Any]()

    @app.on_initialize
    def whole(params: wire.InitializeParams) -> None:
        seen.append(params.host_info.name)

    @app.on_initialize
    def plain_whole(greeting: dict[str, Any]) -> None:
        seen.append(min(greeting))

    @app.on_initialize
    def field(host_info: dict[str, Any]) -> None:
        seen.append(min(host_info))

    @app.on_initialize
    def optional(init_extensions: dict[str, Any]) -> None:
        seen.append(type(init_extensions))

    with TestClient(app):
        assert seen[1:] == ["capabilities", "name", dict]
    assert isinstance(seen[0], str)
