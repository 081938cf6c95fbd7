"""What a parameter's hint, default and alias mean: null, names on the wire, everyday types."""

from __future__ import annotations

import re
import socket
from collections import OrderedDict, defaultdict, deque
from collections.abc import MutableMapping
from fractions import Fraction
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, NewType, TypeVar
from zoneinfo import ZoneInfo

import pytest
from making import custom_app, issues, refused
from msgspec import Meta, Struct
from pydantic import AliasChoices, AliasPath, BaseModel, Field, HttpUrl, RootModel
from typing_extensions import TypeAliasType

from animus_routes import App, ConfigurationError, Context, Depends
from animus_routes.testing import TestClient

# Null, and defaults -----------------------------------------------------------------------------------


class Colour(BaseModel):
    name: str


class Mark:
    pass


MARK = Mark()


def call(app: App, method: str, params: Any) -> Any:
    with TestClient(app) as client:
        return client.call(method, params)


def test_null_for_a_parameter_with_a_default_means_that_it_is_left_out() -> None:
    app = custom_app()

    @app.method("x/plain")
    def plain(id: str, limit: Annotated[int, Meta(ge=1)] = 10, order: str = "up") -> list[Any]:
        return [id, limit, order]

    @app.method("x/async")
    async def later(limit: Annotated[int, Field(ge=1)] = 10, colour: Colour = RED) -> list[Any]:
        return [limit, colour.name]

    @app.method("x/nullable")
    def nullable(limit: int | None = 10, other: int = 1) -> list[Any]:
        return [limit, other]

    @app.method("x/required")
    def required(limit: int, other: int = 1) -> int:
        return limit + other

    with TestClient(app) as client:
        sent = {"id": "a", "limit": None, "order": None}
        assert client.call("x/plain", sent) == ["a", 10, "up"]
        assert client.call("x/async", {"limit": None, "colour": None}) == [10, "red"]
        assert client.call("x/nullable", {"limit": None, "other": None}) == [None, 1]
        assert issues(refused(client, "x/plain", {**sent, "id": None})) == [("id", "type")]
        assert issues(refused(client, "x/plain", {**sent, "order": 1})) == [("order", "type")]
        error = refused(client, "x/required", {"limit": None, "other": None})
        assert issues(error) == [("limit", "type")]


RED = Colour(name="red")


@pytest.mark.parametrize("as_async", [False, True])
def test_every_call_gets_a_default_of_its_own(as_async: bool) -> None:
    app = custom_app()

    def collect(
        more: str = "a",
        tags: list[str] = [],  # noqa: B006 - the subject
        counts: dict[str, list[int]] = {"a": []},  # noqa: B006
        colour: Colour = RED,
        mark: Any = MARK,
    ) -> Any:
        tags.append(more)
        counts["a"].append(1)
        colour.name += more
        return [tags, counts, colour.name, mark is MARK]

    async def collect_async(more: str = "a", tags: list[str] = []) -> Any:  # noqa: B006
        return collect(more, [*tags, "async"])

    def whole(colour: Colour = RED) -> str:
        colour.name += "!"
        return colour.name

    app.method("x/collect")(collect)
    app.method("x/async")(collect_async)
    app.method("x/whole")(whole)
    with TestClient(app) as client:
        for more in ("a", "b"):
            expected = [[more], {"a": [1]}, f"red{more}", True]
            assert client.call("x/collect", {"more": more}) == expected
            assert client.call("x/whole") == "red!"


# Names on the wire ------------------------------------------------------------------------------------


def test_a_parameters_alias_is_its_name_on_the_wire() -> None:
    app = custom_app()

    @app.method("x/alone")
    def alone(from_: Annotated[str, Field(alias="from")]) -> str:
        return from_

    @app.tool()
    async def beside(
        from_: Annotated[str, Field(validation_alias="from", min_length=1)] = "here",
        kind: Annotated[str, Field(validation_alias=AliasChoices("class", "klass"))] = "c",
    ) -> list[str]:
        """Tell.

        Args:
            from_: Where from.
        """
        return [from_, kind]

    @app.method("x/model")
    def model(colour: Annotated[Colour, Field(alias="color")]) -> str:
        return colour.name

    with TestClient(app) as client:
        assert client.call("x/alone", {"from": "a"}) == "a"
        assert issues(refused(client, "x/alone", {"from_": "a"})) == [("from", "missing")]
        assert client.call("beside", {}) == ["here", "c"]
        assert client.call("beside", {"from": "a", "klass": "b"}) == ["a", "b"]
        assert client.call("beside", {"klass": "b", "class": "d"}) == ["here", "d"]
        assert client.call("beside", {"from": None, "klass": None}) == ["here", "c"]
        (issue,) = refused(client, "beside", {"from": ""}).data["issues"]
        assert issue["path"] == "from"
        assert client.call("x/model", {"color": {"name": "red"}}) == "red"
        (tool,) = client.initialize_result["capabilities"]["mcp_tools"]
    assert tool["input_schema"]["properties"].keys() == {"from", "class"}
    assert tool["input_schema"]["properties"]["from"]["description"] == "Where from."


@pytest.mark.parametrize(
    "field", [Field(validation_alias=AliasPath("a", 0)), Field(alias='a"b'), Field(alias="other")]
)
def test_an_alias_that_cannot_be_is_refused_at_start(field: Any) -> None:
    app = custom_app()

    def handler(from_: Any, other: str = "") -> None:
        pass

    handler.__annotations__["from_"] = Annotated[str, field]
    app.method("x/do")(handler)
    with pytest.raises(ConfigurationError, match=r"test_hints\.py:\d+: 'x/do': (the alias|two)"):
        app.check()


# By what the hint's JSON is ---------------------------------------------------------------------------


class TaskId(RootModel[str]):
    pass


class Prices(RootModel[dict[str, int]]):
    pass


class Point(Struct, array_like=True):
    x: int
    y: int


class Place(RootModel[Colour]):
    pass


@pytest.mark.parametrize(
    ("hint", "params", "is_field"),
    [
        (TaskId, {"it": "a"}, True),
        (TaskId | None, {"it": "a"}, True),
        (Point, {"it": [1, 2]}, True),
        (TaskId | Prices, {"it": "a"}, True),
        (NewType("Id", TaskId), {"it": "a"}, True),
        (RootModel[list[Colour]], {"it": [{"name": "red"}]}, True),
        (Prices, {"apple": 3}, False),
        (Place, {"name": "red"}, False),
        (NewType("Named", Colour), {"name": "red"}, False),
        (MutableMapping[str, int], {"apple": 3}, False),
        (OrderedDict[str, int], {"apple": 3}, False),
        (defaultdict[str, int], {"apple": 3}, False),
    ],
)
def test_only_what_is_an_object_takes_the_whole_params(
    hint: Any, params: dict[str, Any], is_field: bool
) -> None:
    app = custom_app()

    def handler(it: Any) -> Any:
        return it

    handler.__annotations__["it"] = hint
    app.method("x/do")(handler)
    assert call(app, "x/do", params) == (params["it"] if is_field else params)


# Aliases of types -------------------------------------------------------------------------------------

T = TypeVar("T")
ColourAlias = TypeAliasType("ColourAlias", "Colour")
Again = TypeAliasType("Again", ColourAlias)
Seven = TypeAliasType("Seven", Annotated[int, Depends(lambda: 7)])
Ctx = TypeAliasType("Ctx", Context)
Several = TypeAliasType("Several", list[T], type_params=(T,))
Pair = TypeAliasType("Pair", dict[str, T] | None, type_params=(T,))
Json = TypeAliasType("Json", "dict[str, Json] | str")


@pytest.mark.parametrize(
    ("hint", "params", "is_field"),
    [
        (ColourAlias, {"name": "red"}, False),
        (Again, {"name": "red"}, False),
        (Again | None, {"name": "red"}, False),
        (Annotated[Again, "mark"], {"name": "red"}, False),
        (Pair[int], {"apple": 3}, False),
        (Several[int], {"it": [1]}, True),
        (Several[Again], {"it": [{"name": "red"}]}, True),
        (dict[str, Again], {"a": {"name": "red"}}, False),
    ],
)
def test_an_alias_means_what_it_stands_for(
    hint: Any, params: dict[str, Any], is_field: bool
) -> None:
    app = custom_app()

    def handler(it: Any, c: Ctx, seven: Seven) -> Any:
        return [it, c.method, seven]

    handler.__annotations__ |= {"it": hint, "c": Ctx, "seven": Seven, "return": Json}
    app.method("x/do")(handler)
    expected = params["it"] if is_field else params
    assert call(app, "x/do", params) == [expected, "x/do", 7]


def test_an_alias_that_refers_to_itself_is_refused_at_start() -> None:
    app = custom_app()

    def handler(it: Any) -> None:
        pass

    handler.__annotations__["it"] = Json
    app.method("x/do")(handler)
    with pytest.raises(ConfigurationError, match="the type alias 'Json' refers to itself"):
        app.check()


# Everyday types ---------------------------------------------------------------------------------------


class Name(str):
    __slots__ = ()


class Bill(Struct):
    file: Path
    url: HttpUrl


@pytest.mark.parametrize(
    ("hint", "sent"),
    [
        (Path, "/a"),
        (Path | None, "/a"),
        (list[PurePosixPath], ["/a"]),
        (dict[str, Path], {"a": "b"}),
        (IPv4Address, "127.0.0.1"),
        (Fraction, "1/3"),
        (re.Pattern[str], "a+"),
        (ZoneInfo, "UTC"),
        (Name, "a"),
        (deque[int], [1, 2]),
        (HttpUrl, "http://a.example/b"),
        (list[HttpUrl], ["http://a.example/b"]),
        (Bill, {"file": "/a", "url": "http://a.example/b"}),
        (object, [1, {"a": None}]),
        (object | None, "a"),
        (dict[str, object], {"a": [1], "b": None}),
        (list[object], [1, "a", {}]),
        (tuple[object, ...], [1, "a"]),
    ],
)
def test_everyday_types_are_read_and_written(hint: Any, sent: Any) -> None:
    app = custom_app()

    def handler(it: Any, limit: int = 1) -> Any:
        return {"it": it}

    handler.__annotations__["it"] = hint
    app.method("x/do")(handler)
    assert call(app, "x/do", {"it": sent}) == {"it": sent}


@pytest.mark.parametrize(
    ("hint", "sent"),
    [
        (Path, 1),
        (IPv4Address, "a"),
        (Fraction, "1/0"),
        (ZoneInfo, "No/Where"),
        (Bill, {"file": "a", "url": 1}),
    ],
)
def test_what_does_not_fit_an_everyday_type_is_refused(hint: Any, sent: Any) -> None:
    app = custom_app()

    def handler(it: Any, limit: int = 1) -> None:
        pass

    handler.__annotations__["it"] = hint
    app.method("x/do")(handler)
    with TestClient(app) as client:
        assert refused(client, "x/do", {"it": sent}).code == -32602


def test_a_hint_that_nothing_is_decoded_into_is_refused_at_start() -> None:
    class Holder(Struct):
        peers: list[socket.socket]

    app = custom_app()

    def handler(it: Any, limit: int = 1) -> None:
        pass

    for hint in (socket.socket, list[socket.socket], Holder, range):
        handler.__annotations__["it"] = hint
        app.method(f"x/{len(app.registrations)}")(partial(handler, limit=2))
        with pytest.raises(ConfigurationError, match="nothing there becomes a `"):
            app.check()
