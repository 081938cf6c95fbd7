"""Results of every family, and what cannot be written."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from making import custom_app, refused
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, HttpUrl, SecretStr
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


@dataclass
class Named:
    name: str


class NamedStruct(Struct):
    name: str


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


class Measured(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")
    value: float
    name: str = ""


HALF = "bad\udcff.md"
WHOLE = "bad\ufffd.md"
NO_JSON = ["", '{"a": 1', "1 2", "NaN", '1,"id":77', '1}\n{"jsonrpc":"2.0","id":77,"result":1']


@pytest.mark.parametrize("text", NO_JSON)
def test_raw_json_that_is_none_is_an_internal_error(text: str) -> None:
    app = custom_app()
    raw = msgspec.Raw(text.encode())
    app.method("x/alone")(lambda: raw)
    app.method("x/inside")(lambda: {"found": [raw, 1]})

    with TestClient(app) as client:
        for method in ("x/alone", "x/inside"):
            assert refused(client, method).code == -32603


def test_raw_json_goes_out_as_it_is_in_one_line() -> None:
    app = custom_app()
    app.method("x/one")(lambda: msgspec.Raw(b'{"n": 1.50}'))
    app.method("x/two")(lambda: [msgspec.Raw(b'{"n":\n1.50}')])

    with TestClient(app) as client:
        assert client.call("x/one") == {"n": 1.5}
        assert client.call("x/two") == [{"n": 1.5}]


def test_raw_json_that_is_not_utf8_is_an_internal_error() -> None:
    app = custom_app()
    app.method("x/do")(lambda: msgspec.Raw(b'"\xff"'))

    with TestClient(app) as client:
        assert refused(client, "x/do").code == -32603


@pytest.mark.parametrize("number", ["inf", "-inf", "nan"])
def test_a_model_cannot_write_what_is_no_json(number: str) -> None:
    app = custom_app()
    found = Measured(value=float(number), name="a")

    @app.method("x/model")
    def model() -> Measured:
        return found

    app.method("x/inside")(lambda: {"found": [found]})

    with TestClient(app) as client:
        assert client.call("x/model") == {"value": None, "name": "a"}
        assert client.call("x/inside") == {"found": [{"value": None, "name": "a"}]}


def test_text_that_is_not_utf8_becomes_readable_in_values_of_every_family() -> None:
    app = custom_app()
    values: dict[str, Any] = {
        "text": HALF,
        "key": {HALF: [HALF]},
        "words": Words(HALF),
        "tuple": (HALF, 1),
        "model": Measured(value=1.0, name=HALF),
        "dataclass": Named(HALF),
        "struct": NamedStruct(HALF),
        "mixed": [Measured(value=1.0, name=HALF), NamedStruct(HALF)],
    }

    @app.method("x/get")
    def get(which: str) -> Any:
        return values[which]

    @app.method("x/model")
    def model() -> Measured:
        return Measured(value=1.0, name=HALF)

    measured = {"value": 1.0, "name": WHOLE}
    expected = {
        "text": WHOLE,
        "key": {WHOLE: [WHOLE]},
        "words": WHOLE,
        "tuple": [WHOLE, 1],
        "model": measured,
        "dataclass": {"name": WHOLE},
        "struct": {"name": WHOLE},
        "mixed": [measured, {"name": WHOLE}],
    }
    with TestClient(app) as client:
        assert {which: client.call("x/get", {"which": which}) for which in values} == expected
        assert client.call("x/model") == measured


def test_two_halves_of_a_character_become_it() -> None:
    app = custom_app()
    app.method("x/do")(lambda: "\ud83d\ude00 \ude00")

    with TestClient(app) as client:
        assert client.call("x/do") == "\U0001f600 \ufffd"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (PurePosixPath("/a"), "/a"),
        (PurePosixPath("bad\udcff"), "bad\ufffd"),
        ({"a": 1}.values(), [1]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.items(), [["a", 1]]),
        (range(3), [0, 1, 2]),
        (deque([1, 2]), [1, 2]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (IPv4Address("127.0.0.1"), "127.0.0.1"),
        (Fraction(1, 3), "1/3"),
        (HttpUrl("http://a.example/b"), "http://a.example/b"),
        (SecretStr("hunter2"), "**********"),
    ],
)
def test_everyday_values_are_written_at_any_depth(value: Any, written: Any) -> None:
    app = custom_app()
    app.method("x/alone")(lambda: value)
    app.method("x/inside")(lambda: {"found": [value]})

    @app.method("x/stream", notification="x/item")
    def stream() -> Any:
        yield value

    with TestClient(app) as client:
        assert client.call("x/alone") == written
        assert client.call("x/inside") == {"found": [written]}
        client.call("x/stream")
        assert [found.params["event"] for found in client.notifications] == [written]
