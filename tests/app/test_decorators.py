"""The start-up report on decorators: how they are written, twice, and over what."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from making import custom_app, full_app, subject_app

from animus_routes import App, ConfigurationError, Context, Depends
from animus_routes.structs import plugin as wire
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable


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
@pytest.mark.parametrize(("given", "named"), [((), {}), (("x",), {}), ((), {"every": 3})])
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
    assert report(app) == ["@app.exception_handler(ValueError): 3 is not a function"]


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
