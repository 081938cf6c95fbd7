"""Results of every family, and what cannot be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from making import custom_app, refused
from msgspec import Struct
from pydantic import BaseModel
from typing_extensions import TypedDict

from animus_routes import App
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable


class PointModel(BaseModel):
    x: int
    y: int = 0


class PointStruct(Struct):
    x: int
    y: int = 0


@dataclass
class PointData:
    x: int
    y: int = 0


class PointDict(TypedDict):
    x: int
    y: int


class Nested(TypedDict):
    point: PointModel


class Fields(dict[str, Any]):
    pass


class Rows(list[Any]):
    pass


class Words(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "for people"


class Number(int):
    pass


class Share(float):
    pass


def serve(handler: Callable[..., Any]) -> TestClient:
    app = custom_app()
    app.method("x/do")(handler)
    return TestClient(app)


def answer(handler: Callable[..., Any], params: Any = None) -> Any:
    with serve(handler) as client:
        return client.call("x/do", params)


def test_results_of_every_family_are_written() -> None:
    results: dict[str, Any] = {
        "model": PointModel(x=1),
        "struct": PointStruct(x=1),
        "data": PointData(x=1),
        "list": [PointModel(x=1), PointStruct(x=2)],
    }

    def handler(which: str) -> Any:
        return results[which]

    with serve(handler) as client:
        for which in ("model", "struct", "data"):
            assert client.call("x/do", {"which": which}) == {"x": 1, "y": 0}
        assert client.call("x/do", {"which": "list"}) == [{"x": 1, "y": 0}, {"x": 2, "y": 0}]


def test_a_result_that_cannot_be_written_is_an_internal_error() -> None:
    def handler() -> Any:
        return object()

    with serve(handler) as client:
        assert refused(client, "x/do").code == -32603
        assert client.call("$/ping") == {}


def test_a_model_that_was_decoded_is_the_authors_own_object() -> None:
    seen: list[Any] = []

    def handler(point: PointModel) -> None:
        seen.append(point)

    answer(handler, {"x": 1})
    assert isinstance(seen[0], PointModel)
    assert msgspec.json.decode(seen[0].model_dump_json()) == {"x": 1, "y": 0}


@dataclass
class Point:
    x: int
    y: int = 2


def test_a_dataclass_goes_back_with_its_defaults() -> None:
    app = custom_app()

    @app.method("same")
    def same(point: Point) -> Point:
        return point

    @app.method("both")
    def both(point: Point, more: list[Point]) -> list[Point]:
        return [point, *more]

    with TestClient(app) as client:
        assert client.call("same", {"x": 1}) == {"x": 1, "y": 2}
        assert client.call("both", {"point": {"x": 1}, "more": [{"x": 3}]})[0] == {"x": 1, "y": 2}


def test_a_subclass_of_a_plain_type_takes_part_in_what_its_base_may_leave_out() -> None:
    app = App(
        kind="subject_backend", name="n", version="1.0.0", description="d", subject_kinds=["task"]
    )
    row = {"id": "1", "kind": "task", "title": "t"}
    app.method("subject/get")(lambda id: Fields(row))
    app.method("subject/list")(lambda: Rows([Fields(row)]))
    with TestClient(app) as client:
        found = client.call("subject/get", {"id": "1"})
        assert found["status"] == "ready"
        assert found.keys() >= {"created_at", "updated_at"}
        assert client.call("subject/list")["subjects"][0]["status"] == "ready"


def test_a_subclass_of_a_scalar_is_written_as_the_scalar() -> None:
    assert answer(lambda: Words("x")) == "x"
    assert answer(lambda: [Words("x"), Number(3), Share(0.5)]) == ["x", 3, 0.5]
