"""What can be a handler: methods, callable objects, partials, decorated functions."""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import pytest
from making import custom_app

from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable


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
