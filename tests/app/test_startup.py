"""The start-up report: everything that is wrong, at once, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from making import custom_app, full_app, subject_app

from animus_routes import App, ConfigurationError, Context, Depends, Router
from animus_routes.structs import subject as structs
from animus_routes.types import subject as models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def report(app: App) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        app.check()
    return caught.value.problems


def here(function: Callable[..., Any]) -> str:
    """Files are named from the working directory, where they are below it."""
    file = __file__.replace(f"{Path.cwd()}/", "")
    return f"{file}:{function.__code__.co_firstlineno}: "


def test_every_problem_is_in_one_report_with_its_place() -> None:
    app = subject_app(description="", subject_kinds=[])
    made = app.where.replace(f"{Path.cwd()}/", "") + ": "
    assert made.startswith(here(subject_app).rpartition("/")[0])

    @app.method("subject/lst")
    def misspelled() -> None: ...

    @app.method("subject/get")
    def first(ident: str) -> None: ...

    @app.method("subject/get")
    def second(id: str) -> None: ...

    @app.method("initialize")
    def lifecycle() -> None: ...

    @app.method("subject/create")
    def wrong_params(params: structs.SubjectFilter) -> None: ...

    @app.tool()
    def tool() -> None: ...

    assert report(app) == [
        made + "App(description=...) is empty: hosts refuse a manifest without it",
        made + "App(subject_kinds=[...]) is missing: hosts route by it, such as ['task']",
        here(misspelled) + "unknown method 'subject/lst'; did you mean 'subject/list'?",
        here(second)
        + f"'subject/get' is registered twice, first at {here(first).removesuffix(': ')}",
        here(lifecycle) + "'initialize' is not for handlers: use @app.on_initialize",
        here(tool) + "tool 'tool': only a plugin of kind 'custom' has MCP tools",
        here(first)
        + "'subject/get': unknown field 'ident'; the params are a SubjectGetRequest: id",
        here(wrong_params)
        + "'subject/create': takes a SubjectFilter, but the params are a SubjectCreateRequest",
    ]


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ({"kind": "subjekt_backend"}, "did you mean 'subject_backend'?"),
        ({"kind": "task_backend"}, "subject_kinds=['task']"),
        ({"kind": "agent_runner"}, "write kind='provider'"),
        ({"kind": None}, "App needs kind= or kinds="),
        ({"kind": None, "kinds": ["custom", "custom"]}, "names a kind twice"),
    ],
)
def test_a_kind_that_cannot_be_is_told_beside_the_other_problems(
    kinds: dict[str, Any], said: str
) -> None:
    app = App(**kinds, name="", version="1.0.0", description="d")

    @app.method("x/do")
    def handler(a: Missing) -> None: ...  # type: ignore[name-defined] # noqa: F821

    found = report(app)
    assert said in found[0]
    assert "App(name=...) is empty" in found[1]
    assert "parameter 'a'" in found[2]


@pytest.mark.parametrize("kind", ["", "a/b", "ta*sk", "x*", "*.x"])
def test_a_subject_kind_that_no_host_could_route_is_told(kind: str) -> None:
    assert any("subject_kinds" in problem for problem in report(full_app(subject_kinds=[kind])))


def test_options_that_have_no_meaning_are_told() -> None:
    assert "no meaning for kind 'custom'" in report(custom_app(subject_kinds=["task"]))[0]
    assert "has to be a number, at least 1" in report(custom_app(concurrency=0))[0]


Handlers = dict[str, Any]


def wrong_scalar(id: int) -> None: ...


def wrong_list(status: str) -> None: ...


def wrong_model(id: str, patch: structs.SubjectFilter) -> None: ...


def wrong_result(id: str) -> structs.SubjectList | None: ...


def scalar_result(id: str) -> str: ...  # type: ignore[empty-body]


def typo_with_default(stauts: list[str] | None = None) -> None: ...


def generator_result(id: str) -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("method", "handler", "said"),
    [
        ("subject/get", wrong_scalar, "parameter 'id' is int, the wire's is str"),
        ("subject/list", wrong_list, "parameter 'status' is str, the wire's is list["),
        (
            "subject/update",
            wrong_model,
            "'patch' is a SubjectFilter, the wire's is SubjectPatch",
        ),
        ("subject/get", wrong_result, "returns SubjectList, but the result is a Subject"),
        ("subject/get", scalar_result, "returns str, but the result is a Subject"),
        ("subject/list", typo_with_default, "unknown field 'stauts'; did you mean 'status'?"),
        (
            "subject/get",
            generator_result,
            "it is a generator, but subject/get is answered once: return",
        ),
    ],
)
def test_a_hint_that_does_not_fit_the_wire_is_told(
    method: str, handler: Callable[..., Any], said: str
) -> None:
    app = full_app()
    app.registrations[:] = [row for row in app.registrations if row.name != method]
    app.method(method)(handler)
    (problem,) = report(app)
    assert problem.startswith(f"{here(handler)}'{method}': ")
    assert said in problem


def more_words(id: str, native_status: str = "", new_id: str | None = None) -> None: ...


def test_a_known_name_with_more_words_is_no_slip() -> None:
    app = full_app()
    app.registrations[:] = [row for row in app.registrations if row.name != "subject/status"]
    app.method("subject/status")(more_words)
    app.check()


def fits_filter(filter: models.SubjectFilter | None) -> list[models.Subject]: ...  # type: ignore[empty-body]


def fits_fields(id: str, patch: models.SubjectPatch) -> models.Subject | None: ...


def fits_plain(id: str, patch: dict[str, Any]) -> dict[str, Any]: ...  # type: ignore[empty-body]


def fits_extra(id: str, beyond_the_schema: int = 3) -> models.Subject: ...  # type: ignore[empty-body]


def fits_any(id: Any) -> Any: ...


@pytest.mark.parametrize(
    ("method", "handler"),
    [
        ("subject/list", fits_filter),
        ("subject/update", fits_fields),
        ("subject/update", fits_plain),
        ("subject/get", fits_extra),
        ("subject/get", fits_any),
    ],
)
def test_a_hint_that_fits_the_wire_is_left_alone(method: str, handler: Callable[..., Any]) -> None:
    app = full_app()
    app.registrations[:] = [row for row in app.registrations if row.name != method]
    app.method(method)(handler)
    app.check()


def test_reserved_names_are_told_in_open_roles_too() -> None:
    app = custom_app()
    app.method("$/mine")(lambda: None)
    app.method("shutdown")(lambda: None)
    found = report(app)
    assert "names that start with $/ belong to the protocol" in found[0]
    assert "use lifespan=" in found[1]


def test_extra_methods_are_beyond_the_table_on_purpose() -> None:
    app = full_app()
    app.method("acme/report", extra=True)(lambda: 1)
    app.check()
    assert "acme/report" in app.manifest()["capabilities"]


async def async_middleware(ctx: Context, call_next: Any) -> Any:
    return await call_next(ctx)


def test_async_middleware_over_a_plain_handler_is_told() -> None:
    app = custom_app()
    app.middleware(async_middleware)
    app.method("x/do")(lambda: 1)
    app.method("x/other")(lambda: 1)
    (problem,) = report(app)
    assert problem == here(async_middleware) + (
        "the async middleware 'async_middleware' cannot wrap a plain handler, such as that of "
        "'x/do': write the middleware as a plain function"
    )


def test_an_async_exception_handler_is_told() -> None:
    app = custom_app()

    @app.exception_handler(ValueError)
    async def on_error(ctx: Context, error: ValueError) -> None: ...

    assert "exception_handler(ValueError): write it as a plain function" in report(app)[0]


def test_hooks_with_unreadable_hints_are_told() -> None:
    app = custom_app()

    @app.on_initialize
    def hook(a: Missing) -> None: ...  # type: ignore[name-defined] # noqa: F821

    @app.health
    def check(a: Missing) -> None: ...  # type: ignore[name-defined] # noqa: F821

    found = report(app)
    assert "@app.on_initialize" in found[0]
    assert "@app.health" in found[1]


def needs_value(value: int) -> int:
    return value


async def async_value() -> int:
    return 1


def in_a_circle(again: Circle) -> int:
    return again


Circle = Annotated[int, Depends(in_a_circle)]


def takes_value(a: Annotated[int, Depends(needs_value)]) -> None: ...


def takes_async(a: Annotated[int, Depends(async_value)]) -> None: ...


def takes_circle(a: Circle) -> None: ...


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (takes_value, "parameter 'value' is neither a Context nor a Depends"),
        (takes_async, "depends on the async function 'async_value': make the handler async too"),
        (takes_circle, "'in_a_circle' depends on itself"),
    ],
)
def test_a_dependency_that_cannot_work_is_told(handler: Callable[..., Any], said: str) -> None:
    app = custom_app()
    app.method("x/do")(handler)
    assert said in report(app)[0]


def test_concurrent_async_handlers_are_told() -> None:
    app = custom_app()
    app.method("x/do", concurrent=True)(async_value)
    assert "async ones always run concurrently" in report(app)[0]


def lone(hint: str) -> Callable[..., Any]:
    """A handler with one parameter that is named nearly like a field, or not at all."""

    def confg(confg: dict[str, Any]) -> None: ...

    def unhinted(stauts): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202

    def other(everything: dict[str, Any]) -> None: ...

    def params(params): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202

    return {"confg": confg, "stauts": unhinted, "everything": other, "params": params}[hint]


def test_a_lone_parameter_without_a_hint_that_is_nearly_a_field_is_told() -> None:
    app = full_app()
    app.registrations[:] = [row for row in app.registrations if row.name != "subject/list"]
    app.method("subject/list")(lone("stauts"))
    (problem,) = report(app)
    assert problem.endswith("'stauts' would get the whole params; did you mean 'status'?")


def test_a_lone_parameter_that_is_nearly_a_field_is_told() -> None:
    app = App(kind="trigger_backend", name="n", version="1.0.0", description="d")
    app.method("trigger/watch")(lone("confg"))
    app.method("trigger/schema")(dict)
    (problem,) = [line for line in report(app) if "'trigger/watch'" in line]
    assert problem.endswith(
        "'trigger/watch': parameter 'confg' would get the whole params; did you mean 'config'?"
    )


@pytest.mark.parametrize("name", ["everything", "params"])
def test_a_lone_parameter_with_a_name_of_its_own_gets_the_whole_params(name: str) -> None:
    app = full_app()
    app.method("subject/create")(lone(name))
    app.check()


class Backend:
    def list(self) -> list[Any]:
        return []


@pytest.mark.parametrize("other", [Backend, Router])
def test_a_class_that_is_included_is_one_line(other: type) -> None:
    app = subject_app()
    app.include(other)
    (problem,) = report(app)
    name = other.__name__
    assert problem.startswith("tests/app/test_startup.py:")
    assert problem.endswith(f"include({name}): it is a class: write include({name}())")


def test_an_object_without_any_verb_is_told() -> None:
    app = full_app()
    app.include(object())
    (problem,) = report(app)
    assert problem.startswith(here(test_an_object_without_any_verb_is_told).partition(":")[0])
    assert "include(object): it has none of the role's methods: list, get" in problem
    with pytest.raises(TypeError, match="include an object in the App"):
        Router().include(object())
