"""What can be a handler: methods, callable objects, partials, decorated functions."""

from __future__ import annotations

import asyncio
import functools
from functools import partial, wraps
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from making import custom_app

from animus_routes import Depends
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def serve(handler: Callable[..., Any]) -> TestClient:
    app = custom_app()
    app.method("x/do")(handler)
    return TestClient(app)


def answer(handler: Callable[..., Any], params: Any = None) -> Any:
    with serve(handler) as client:
        return client.call("x/do", params)


class Backend:
    def method(self, a: int) -> int:
        return a + 1

    def __call__(self, a: int) -> int:
        return a + 2

    @staticmethod
    def static(a: int) -> int:
        return a + 3

    @classmethod
    def of_class(cls, a: int) -> int:
        return a + 4


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Decorated:
    @logged
    def method(self, a: int) -> int:
        return a + 5


@logged
def decorated(a: int) -> int:
    return a + 6


def base(a: int, b: int, c: int) -> list[int]:
    return [a, b, c]


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (Backend().method, 11),
        (Backend(), 12),
        (Backend.static, 13),
        (Backend.of_class, 14),
        (Decorated().method, 15),
        (decorated, 16),
    ],
)
def test_methods_callables_and_decorated_functions_serve(
    handler: Callable[..., Any], expected: int
) -> None:
    assert answer(handler, {"a": 10}) == expected


@pytest.mark.parametrize(
    ("handler", "params", "expected"),
    [
        (partial(base, 1), {"b": 2, "c": 3}, [1, 2, 3]),
        (partial(base, b=2), {"a": 1, "c": 3}, [1, 2, 3]),
        (partial(partial(base, 1), c=3), {"b": 2}, [1, 2, 3]),
        (partial(base, a=1), {"b": 2, "c": 3}, [1, 2, 3]),
    ],
)
def test_a_partial_asks_for_what_it_does_not_carry(
    handler: Callable[..., Any], params: dict[str, int], expected: list[int]
) -> None:
    assert answer(handler, params) == expected


def test_an_async_wrapper_makes_a_plain_function_async() -> None:
    def through_async(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    assert answer(through_async(base), {"a": 1, "b": 2, "c": 3}) == [1, 2, 3]


def test_a_plain_wrapper_of_an_async_function_is_awaited() -> None:
    async def handler(a: int) -> int:
        return a

    assert answer(logged(handler), {"a": 1}) == 1


# What a decorator makes of a handler ------------------------------------------------------------------


def run_to_the_end(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run(function(*args, **kwargs))

    return wrapper


def collected(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return list(function(*args, **kwargs))

    return wrapper


def passed_on(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def as_task(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return asyncio.get_running_loop().create_task(function(*args, **kwargs))

    return wrapper


def on_a_thread(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return asyncio.to_thread(function, *args, **kwargs)

    return wrapper


class Awaitable:
    """A callable object of an async library around a plain function."""

    def __init__(self, function: Any) -> None:
        self.function = function
        functools.update_wrapper(self, function)

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.function, *args, **kwargs)


def plain_one(a: int) -> int:
    return a


async def async_one(a: int) -> int:
    await asyncio.sleep(0)
    return a


def generated(a: int) -> Iterator[int]:
    yield from range(a)


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (run_to_the_end(async_one), 3),
        (passed_on(run_to_the_end(async_one)), 3),
        (functools.partial(run_to_the_end(async_one)), 3),
        (collected(generated), [0, 1, 2]),
        (passed_on(plain_one), 3),
        (passed_on(async_one), 3),
        (as_task(async_one), 3),
        (on_a_thread(plain_one), 3),
        (Awaitable(plain_one), 3),
        (passed_on(Awaitable(plain_one)), 3),
    ],
)
def test_a_decorated_handler_is_what_a_call_of_it_gives(handler: Any, expected: Any) -> None:
    app = custom_app()
    app.method("x/do")(handler)

    async def depending(a: int, found: Any) -> Any:
        return found

    depends = Depends(partial(handler, 3))
    depending.__annotations__["found"] = Annotated[Any, depends]
    app.method("x/context")(depending)
    with TestClient(app) as client:
        for _ in range(3):
            assert client.call("x/do", {"a": 3}) == expected
            assert client.call("x/context", {"a": 1}) == expected


@pytest.mark.parametrize("handler", [run_to_the_end(async_one), collected(generated)])
def test_a_plain_handler_may_depend_on_what_a_decorator_makes_plain(handler: Any) -> None:
    app = custom_app()

    def depending(found: Any) -> Any:
        return found

    depending.__annotations__["found"] = Annotated[Any, Depends(partial(handler, 2))]
    app.method("x/do")(depending)
    with TestClient(app) as client:
        assert client.call("x/do") in (2, [0, 1])


def test_a_generator_that_is_passed_on_is_a_stream() -> None:
    app = custom_app()
    app.method("x/do", notification="x/item")(passed_on(generated))

    with TestClient(app) as client:
        client.call("x/do", {"a": 2})
        assert [found.params["event"] for found in client.notifications] == [0, 1]
