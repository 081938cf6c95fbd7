"""Errors: named ones, the author's own, and bugs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from making import custom_app, refused
from msgspec import Raw, Struct
from pydantic import BaseModel, field_validator

from animus_routes import (
    App,
    Context,
    NotFound,
    RpcError,
    Unavailable,
    errors,
)
from animus_routes.testing import TestClient

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


class ShopError(Exception):
    pass


class SoldOutError(ShopError):
    pass


@pytest.mark.parametrize("as_async", [False, True])
def test_exception_handlers_are_found_by_mro(as_async: bool) -> None:
    app = custom_app()

    @app.exception_handler(ShopError)
    def on_shop(ctx: Context, error: ShopError) -> RpcError:
        return NotFound(f"{ctx.method}: {error}")

    @app.exception_handler(SoldOutError)
    def on_sold_out(ctx: Context, error: SoldOutError) -> dict[str, str]:
        return {"sold_out": str(error)}

    @app.exception_handler(LookupError)
    def on_lookup(ctx: Context, error: LookupError) -> None:
        raise Unavailable("later")

    raised = {"shop": ShopError("a"), "sold": SoldOutError("b"), "key": KeyError("c")}

    def fail(which: str) -> None:
        raise raised[which]

    async def fail_async(which: str) -> None:
        raise raised[which]

    app.method("x/do")(fail_async if as_async else fail)
    with TestClient(app) as client:
        error = refused(client, "x/do", {"which": "shop"})
        assert (error.code, error.message) == (-32602, "not found: x/do: a")
        assert client.call("x/do", {"which": "sold"}) == {"sold_out": "b"}
        assert refused(client, "x/do", {"which": "key"}).data == {"category": "unavailable"}


class Unreadable(int):
    def __int__(self) -> int:
        raise ValueError("s3cret")


@pytest.mark.parametrize("mode", ["inline", "pool", "async"])
def test_an_exception_handlers_value_goes_the_way_of_a_result(mode: str) -> None:
    app = App(
        kind="log_storage_backend",
        name="animus-log-storage-test",
        version="1.0.0",
        description="Under test",
    )
    values: list[Any] = [None, Unreadable(3), object()]

    @app.exception_handler(ShopError)
    def on_shop(ctx: Context, error: ShopError) -> Any:
        return values.pop(0)

    def store(entries: list[Any]) -> int:
        raise ShopError

    async def store_async(entries: list[Any]) -> int:
        raise ShopError

    handler = store_async if mode == "async" else store
    app.method("log_storage/store", concurrent=mode == "pool")(handler)
    with TestClient(app) as client:
        # None stands for "all of them", as from the handler itself.
        assert client.call("log_storage/store", {"entries": []}) == {"stored": 0}
        # What cannot be adapted and what cannot be written are bugs, and are answered.
        assert refused(client, "log_storage/store", {"entries": []}).code == -32603
        assert refused(client, "log_storage/store", {"entries": []}).code == -32603


@pytest.mark.parametrize("bug", [ValueError("s3cret"), KeyError("s3cret"), TypeError("s3cret")])
def test_a_bug_says_what_it_is_to_a_host_that_is_a_developers(
    bug: Exception, capfd: pytest.CaptureFixture[str]
) -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(a: int) -> None:
        raise bug

    with TestClient(app) as client:
        error = refused(client, "x/do", {"a": 1})
    said = f"internal error {error.data['error_id']}: {type(bug).__name__}: {bug}"
    assert (error.code, error.message) == (-32603, said)
    assert error.data.keys() == {"category", "error_id"}
    assert error.__cause__ is bug
    told = capfd.readouterr().err
    assert error.data["error_id"] in told
    assert "s3cret" in told


def test_a_validation_error_inside_a_handler_is_a_bug() -> None:
    import msgspec
    from pydantic import TypeAdapter

    app = custom_app()

    @app.method("x/pydantic")
    def with_pydantic() -> None:
        TypeAdapter(int).validate_python("a")

    @app.method("x/msgspec")
    def with_msgspec() -> None:
        msgspec.convert("a", int)

    with TestClient(app) as client:
        assert refused(client, "x/pydantic").code == -32603
        assert refused(client, "x/msgspec").code == -32603


NAMED = [
    (errors.NotFound, -32602, "not_found", "not found: why"),
    (errors.InvalidRequest, -32602, "invalid_request", "why"),
    (errors.PermissionDenied, -32600, "permission_denied", "permission denied: why"),
    (errors.Unavailable, -32603, "unavailable", "backend unavailable: why"),
    (errors.NotSupported, -32001, "not_supported", "why"),
    (errors.QuotaExceeded, -32603, "quota_exceeded", "quota exceeded: why"),
    (errors.AddressInUse, -32603, "address_in_use", "address in use: why"),
    (errors.ModelNotSupported, -32602, "model_not_supported", "model not supported: why"),
    (errors.SessionStartFailed, -32603, "session_start_failed", "session start failed: why"),
    (errors.RunFailed, -32603, "run_failed", "agent run failed: why"),
    (errors.Cancelled, -32002, "cancelled", "why"),
    (errors.Timeout, -32603, "timeout", "why"),
    (errors.Other, -32603, "other", "why"),
]


@pytest.mark.parametrize(("kind", "code", "category", "message"), NAMED)
def test_a_named_error_has_its_code_category_and_prefix(
    kind: type[errors.NamedError], code: int, category: str, message: str
) -> None:
    app = custom_app()

    @app.method("x/do")
    def handler() -> None:
        raise kind("why", {"retry": True, "category": "mine"})

    with TestClient(app) as client:
        error = refused(client, "x/do")
    assert (error.code, error.message) == (code, message)
    assert error.data == {"category": category, "retry": True}


def test_every_named_error_is_in_the_table() -> None:
    assert {row[0] for row in NAMED} == set(errors.NamedError.__subclasses__())


def test_a_named_error_without_words_still_says_something() -> None:
    assert all(str(kind()).split(" (")[0] for kind, *_ in NAMED)


def test_an_error_of_the_authors_own_goes_out_as_it_is() -> None:
    app = custom_app()

    @app.method("x/do")
    def handler() -> None:
        raise RpcError(-32650, "mine", [1, {"a": None}])

    with TestClient(app) as client:
        error = refused(client, "x/do")
    assert (error.code, error.message, error.data) == (-32650, "mine", [1, {"a": None}])


CODES: list[Any] = [2**70, 2**31, -(2**31) - 1, True]


@pytest.mark.parametrize("as_async", [False, True])
@pytest.mark.parametrize("code", CODES)
def test_a_code_that_hosts_cannot_read_is_an_internal_error_and_the_operator_is_told(
    code: Any, as_async: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    app = custom_app()

    def fail() -> None:
        raise RpcError(code, "gone", {"category": "other"})

    async def fail_async() -> None:
        fail()

    app.method("x/do")(fail_async if as_async else fail)
    with TestClient(app) as client:
        error = refused(client, "x/do")
    assert (error.code, error.message, error.data) == (-32603, "gone", {"category": "other"})
    assert "x/do: the code of an error is a 32-bit integer" in capfd.readouterr().err


def test_a_code_that_is_set_afterwards_or_by_an_exception_handler_is_looked_at_too() -> None:
    app = custom_app()

    @app.exception_handler(ShopError)
    def on_shop(ctx: Context, error: ShopError) -> RpcError:
        return RpcError(2**40, str(error))

    @app.method("x/shop")
    def shop() -> None:
        raise ShopError("a")

    @app.method("x/set")
    def set_later() -> None:
        error = NotFound("b")
        error.code = "gone"  # type: ignore[assignment]
        raise error

    with TestClient(app) as client:
        assert refused(client, "x/shop").code == -32603
        assert refused(client, "x/set").code == -32603


def test_an_error_with_text_that_is_not_utf8_keeps_its_data() -> None:
    app = custom_app()

    @app.method("x/do")
    def handler() -> None:
        raise RpcError(-32011, "no bad\udcff", {"category": "other", "path": "bad\udcff"})

    with TestClient(app) as client:
        error = refused(client, "x/do")
    assert (error.code, error.message) == (-32011, "no bad\ufffd")
    assert error.data == {"category": "other", "path": "bad\ufffd"}


@pytest.mark.parametrize("text", ["NaN", '1}\n{"id":77'])
def test_an_errors_data_that_is_raw_json_and_none_is_left_out(text: str) -> None:
    app = custom_app()

    @app.method("x/do")
    def handler() -> None:
        raise RpcError(-32011, "no", {"raw": Raw(text.encode())})

    with TestClient(app) as client:
        error = refused(client, "x/do")
    assert (error.code, error.message, error.data) == (-32011, "no", None)


def _for_ever(value: str) -> str:
    return _for_ever(value)


class RecursingModel(BaseModel):
    fruit: str

    @field_validator("fruit")
    @classmethod
    def known(cls, fruit: str) -> str:
        return _for_ever(fruit)


class RecursingStruct(Struct):
    fruit: str

    def __post_init__(self) -> None:
        _for_ever(self.fruit)


class UnreadableStruct(Struct):
    fruit: str

    def __post_init__(self) -> None:
        msgspec.json.decode(self.fruit)


@pytest.mark.parametrize("model", [RecursingModel, RecursingStruct, UnreadableStruct])
def test_a_bug_in_a_validator_is_not_blamed_on_the_host(
    model: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    app = custom_app()

    def whole(order: Any) -> None:
        pass

    def field(a: int, order: Any) -> None:
        pass

    for handler in (whole, field):
        handler.__annotations__["order"] = model
        app.method(f"x/{handler.__name__}")(handler)
    with TestClient(app) as client:
        assert refused(client, "x/whole", {"fruit": "pear"}).code == -32603
        assert refused(client, "x/field", {"a": 1, "order": {"fruit": "pear"}}).code == -32603
    assert capfd.readouterr().err.count("Traceback") >= 2


def test_an_issue_with_the_params_as_a_whole_has_no_place() -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(a: int) -> None:
        pass

    with TestClient(app) as client:
        message = refused(client, "x/do", [1]).message
    assert message == "invalid params: Expected `object`, got `array`"
