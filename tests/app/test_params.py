"""Params from hints: every family, whole or by field, and what is said when they do not fit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import pytest
from annotated_types import Gt
from making import custom_app, issues, refused
from msgspec import Meta, Struct
from pydantic import BaseModel, ConfigDict, Field, field_validator
from typing_extensions import TypedDict

from animus_routes import ConfigurationError, Context
from animus_routes.structs.log_storage import LogEntry
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal


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


def serve(handler: Callable[..., Any]) -> TestClient:
    app = custom_app()
    app.method("x/do")(handler)
    return TestClient(app)


def answer(handler: Callable[..., Any], params: Any = None) -> Any:
    with serve(handler) as client:
        return client.call("x/do", params)


def found_issues(handler: Callable[..., Any], params: Any = None) -> list[tuple[str, str]]:
    with serve(handler) as client:
        return issues(refused(client, "x/do", params))


def problems(handler: Callable[..., Any]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        serve(handler)
    return str(caught.value)


def take_model(point: PointModel) -> list[Any]:
    return [type(point).__name__, point.x, point.y]


def take_struct(point: PointStruct) -> list[Any]:
    return [type(point).__name__, point.x, point.y]


def take_data(point: PointData) -> list[Any]:
    return [type(point).__name__, point.x, point.y]


def take_dict(point: PointDict) -> list[Any]:
    return [type(point).__name__, point["x"], point["y"]]


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (take_model, "PointModel"),
        (take_struct, "PointStruct"),
        (take_data, "PointData"),
        (take_dict, "dict"),
    ],
)
def test_one_model_of_any_family_takes_the_whole_params(
    handler: Callable[..., Any], name: str
) -> None:
    assert answer(handler, {"x": 1, "y": 2}) == [name, 1, 2]
    ((path, _),) = found_issues(handler, {"x": "one", "y": 2})
    assert path == "x"


@pytest.mark.parametrize("handler", [take_model, take_struct, take_data, take_dict])
def test_a_missing_field_is_named(handler: Callable[..., Any]) -> None:
    assert ("x", "missing") in found_issues(handler, {"y": 1})


def test_several_parameters_are_fields_with_their_defaults() -> None:
    def add(a: int, b: int = 10, *, c: int = 100) -> list[int]:
        return [a, b, c]

    assert answer(add, {"a": 1}) == [1, 10, 100]
    assert answer(add, {"a": 1, "c": 3, "b": 2}) == [1, 2, 3]
    assert found_issues(add, {}) == [("a", "missing")]


def test_a_scalar_alone_is_a_field() -> None:
    def double(number: int) -> int:
        return 2 * number

    assert answer(double, {"number": 4}) == 8
    assert found_issues(double, {"number": "4"}) == [("number", "type")]


def test_positional_only_and_keyword_only_parameters_are_fields() -> None:
    def positional(a: int, /, b: int) -> list[int]:
        return [a, b]

    def keyword(*, a: int) -> int:
        return a

    assert answer(positional, {"b": 2, "a": 1}) == [1, 2]
    assert answer(keyword, {"a": 5}) == 5


def test_positional_only_parameters_go_with_a_context() -> None:
    def handler(a: int, /, ctx: Context, b: int = 2) -> list[Any]:
        return [a, b, ctx.method]

    assert answer(handler, {"a": 1}) == [1, 2, "x/do"]


def test_a_keyword_only_model_is_a_field() -> None:
    def handler(*, point: PointStruct) -> int:
        return point.x

    assert answer(handler, {"point": {"x": 7}}) == 7


def test_a_single_parameter_without_a_hint_gets_the_plain_params() -> None:
    def handler(params):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        return params

    assert answer(handler, {"a": [1]}) == {"a": [1]}
    assert answer(handler) == {}


@pytest.mark.parametrize("hint", [dict, dict[str, Any], Any])
def test_an_open_hint_gets_the_plain_params(hint: Any) -> None:
    def handler(params: Any) -> Any:
        return params

    handler.__annotations__["params"] = hint
    if hint is Any:
        assert answer(handler, {"params": 3}) == 3
    else:
        assert answer(handler, {"a": 1}) == {"a": 1}
        with serve(handler) as client:
            assert issues(refused(client, "x/do", [1])) == [("", "type")]


def test_params_of_null_are_taken_as_absent() -> None:
    def handler(a: int = 1) -> int:
        return a

    with serve(handler) as client:
        client._feed({"jsonrpc": "2.0", "id": 77, "method": "x/do", "params": None}, None)
        assert client.reply(77) == 1


def test_an_optional_model_may_be_left_out() -> None:
    def handler(point: PointStruct | None = None) -> Any:
        return point

    def empty(filter: Filter | None) -> Any:
        return filter

    assert answer(handler) is None
    assert answer(handler, {"x": 1}) == {"x": 1, "y": 0}
    assert answer(empty) == {"limit": 5}


class Filter(Struct):
    limit: int = 5


class Circle(Struct, tag=True):
    radius: int


class Square(Struct, tag=True):
    side: int


def test_a_union_of_models_takes_the_whole_params() -> None:
    def handler(shape: Circle | Square) -> str:
        return type(shape).__name__

    assert answer(handler, {"type": "Square", "side": 1}) == "Square"


def test_a_pydantic_field_and_a_scalar_mix() -> None:
    def handler(point: PointModel, times: int, label: str = "p") -> list[Any]:
        return [point.x * times, label]

    assert answer(handler, {"point": {"x": 2}, "times": 3}) == [6, "p"]
    assert found_issues(handler, {"point": {"x": "a"}, "times": 3}) == [("point.x", "int_parsing")]
    assert found_issues(handler, {"point": {"x": 1}, "times": "a"}) == [("times", "type")]
    assert found_issues(handler, {"times": 1}) == [("point", "missing")]


def test_an_optional_pydantic_field_keeps_its_default() -> None:
    def handler(a: int, point: PointModel | None = None) -> bool:
        return point is None

    assert answer(handler, {"a": 1}) is True
    assert answer(handler, {"a": 1, "point": {"x": 1}}) is False


@pytest.mark.parametrize(
    "hint",
    [
        Annotated[int, Meta(gt=0)],
        Annotated[int, Field(gt=0)],
        Annotated[int, Gt(0)],
    ],
)
def test_constraints_of_every_library_hold(hint: Any) -> None:
    def handler(number: int) -> int:
        return number

    handler.__annotations__["number"] = hint
    assert answer(handler, {"number": 1}) == 1
    ((path, _),) = found_issues(handler, {"number": 0})
    assert path == "number"


def test_a_pydantic_model_inside_a_typed_dict_is_validated() -> None:
    def handler(nested: Nested) -> int:
        return nested["point"].x

    assert answer(handler, {"point": {"x": 4}}) == 4
    assert found_issues(handler, {"point": {}}) == [("point.x", "missing")]


def test_a_literal_is_checked_and_the_value_is_not_repeated() -> None:
    def handler(color: Literal["red", "blue"]) -> str:
        return color

    assert answer(handler, {"color": "red"}) == "red"
    with serve(handler) as client:
        error = refused(client, "x/do", {"color": "s3cret"})
    assert issues(error) == [("color", "enum")]
    assert "s3cret" not in f"{error} {error.data}"


class Light(Enum):
    RED = "red"
    GREEN = "green"


Paint = Annotated[Literal["red", "blue"], Meta(description="A colour")]
REDS: Final = "Expected one of 'blue', 'red'"
LIGHTS: Final = "Expected one of 'red', 'green'"


class Wall(Struct):
    paint: Paint
    lights: list[Light] = []
    rooms: dict[str, list[Paint]] = {}
    inner: Wall | None = None


@pytest.mark.parametrize(
    ("hint", "value", "said"),
    [
        (Paint, "s3cret", ("value", REDS)),
        (Paint | None, "s3cret", ("value", REDS)),
        (Light, "s3cret", ("value", LIGHTS)),
        (tuple[Paint, ...], ["s3cret"], ("value.0", REDS)),
        (Wall, {"paint": "s3cret"}, ("value.paint", REDS)),
        (Wall, {"paint": "red", "lights": ["red", "s3cret"]}, ("value.lights.1", LIGHTS)),
        (Wall, {"paint": "red", "rooms": {"x": ["s3cret"]}}, ("value.rooms.*.0", REDS)),
        (Wall, {"paint": "red", "inner": {"paint": "s3cret"}}, ("value.inner.paint", REDS)),
        (Circle | Square, {"type": "s3cret"}, ("value.type", "Expected one of 'Circle', 'Square'")),
    ],
)
def test_a_refused_word_names_the_words_there_are(
    hint: Any, value: Any, said: tuple[str, str]
) -> None:
    """Among other parameters, and as the whole of the params."""

    def handler(value: Any, other: Literal["x"] = "x") -> None: ...

    handler.__annotations__["value"] = hint
    with serve(handler) as client:
        error = refused(client, "x/do", {"value": value})
    assert [(i["path"], i["message"]) for i in error.data["issues"]] == [said]
    assert "s3cret" not in f"{error} {error.data}"


def test_the_words_of_whole_params_are_named_too() -> None:
    def handler(wall: Wall) -> None: ...

    with serve(handler) as client:
        error = refused(client, "x/do", {"paint": "red", "lights": ["off"]})
    assert error.message == f"invalid params: lights.0: {LIGHTS}"


@pytest.mark.parametrize("given", ["yesterday", "2026-01-31", "2026-01-31T09:30:00"])
def test_a_time_that_is_none_is_told_with_an_example(given: str) -> None:
    def handler(entry: LogEntry, other: int = 0) -> None: ...

    entry = {"id": "1", "level": "info", "source": "cli", "target": "t", "message": "m"}
    with serve(handler) as client:
        error = refused(client, "x/do", {"entry": {**entry, "ts": given}})
    assert error.data["issues"] == [
        {
            "path": "entry.ts",
            "message": "Expected an RFC 3339 date-time such as 2026-01-31T09:30:00Z",
            "code": "date-time",
        }
    ]


def test_pydantic_refusals_do_not_repeat_the_value() -> None:
    with serve(take_model) as client:
        error = refused(client, "x/do", {"x": "s3cret"})
    assert "s3cret" not in f"{error} {error.data}"


def test_paths_are_dotted_in_both_families() -> None:
    def struct(rows: list[PointStruct], table: dict[str, int]) -> None: ...

    def model(rows: list[PointModel], table: dict[str, int]) -> None: ...

    for handler in (struct, model):
        ((path, _),) = found_issues(handler, {"rows": [{"x": 1}, {"x": "a"}], "table": {}})
        assert path == "rows.1.x"
    assert found_issues(struct, {"rows": [], "table": {"k": "v"}}) == [("table.*", "type")]


class Aliased(BaseModel):
    model_config = ConfigDict(validate_by_name=True)

    user_name: str = Field(alias="userName")


def test_an_aliased_field_is_written_as_it_is_read() -> None:
    def handler(user: Aliased) -> Aliased:
        return user

    def inside(user: Aliased) -> list[Aliased]:
        return [user]

    assert answer(handler, {"userName": "ada"}) == {"userName": "ada"}
    assert answer(inside, {"userName": "ada"}) == [{"userName": "ada"}]


class Buggy(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def look_up(cls, value: int) -> int:
        return {1: 1}[value]


def test_a_bug_in_a_validator_is_not_the_callers_fault() -> None:
    def handler(buggy: Buggy) -> int:
        return buggy.x

    with serve(handler) as client:
        assert client.call("x/do", {"x": 1}) == 1
        error = refused(client, "x/do", {"x": 2})
    assert error.code == -32603
    assert error.message == f"internal error {error.data['error_id']}: KeyError: 2"


def test_a_hint_that_cannot_be_resolved_is_reported_with_its_place() -> None:
    def handler(amount: Decimal, count: int) -> None: ...

    report = problems(handler)
    assert "test_params.py:" in report
    assert "'x/do'" in report
    assert "parameter 'amount'" in report
    assert "TYPE_CHECKING" in report
    assert "'count'" not in report


def test_an_unresolvable_hint_of_a_closure_is_reported() -> None:
    captured = 1

    def handler(amount: Decimal) -> int:
        return captured

    assert "parameter 'amount'" in problems(handler)


def test_open_argument_lists_are_reported() -> None:
    def handler(**fields: int) -> None: ...

    assert "*args and **kwargs" in problems(handler)


def test_a_builtin_is_reported() -> None:
    assert problems(print).endswith(": 'x/do': it is not a Python function")


def test_a_field_as_a_default_is_reported_with_the_right_spelling() -> None:
    def handler(a: int = Field(gt=0)) -> int:
        return a

    assert "write `a: Annotated[..., Field(...)]`" in problems(handler)


def test_a_struct_with_a_constraint_of_pydantics_is_reported() -> None:
    def handler(mixed: Mixed) -> None: ...

    assert "the Struct 'Mixed' has constraints of pydantic's making" in problems(handler)


class Mixed(Struct):
    name: Annotated[str, Field(min_length=1)]


class Holding(Struct):
    points: list[PointModel]


def test_a_struct_may_hold_models() -> None:
    def handler(holding: Holding) -> Any:
        assert isinstance(holding.points[0], PointModel)
        return holding

    assert answer(handler, {"points": [{"x": 1}]}) == {"points": [{"x": 1, "y": 0}]}
    with serve(handler) as client:
        assert issues(refused(client, "x/do", {"points": [{"x": "a"}]})) == [("points.0", "value")]


def test_large_numbers_and_floats_come_as_they_are() -> None:
    def handler(a: int, b: float) -> list[Any]:
        return [a, b]

    assert answer(handler, {"a": 2**70, "b": 1}) == [2**70, 1.0]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ([1], "invalid params: Expected `object`, got `array`"),
        ({"x": "one"}, "invalid params: x: Expected `int`, got `str`"),
    ],
)
def test_params_that_are_wrong_as_a_whole_have_no_empty_path_in_the_message(
    params: Any, said: str
) -> None:
    def handler(point: PointStruct) -> None: ...

    with serve(handler) as client:
        assert refused(client, "x/do", params).message == said
