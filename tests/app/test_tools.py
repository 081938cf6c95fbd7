"""MCP tools: names, prose and schemas from functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from making import custom_app, refused
from msgspec import Meta, Struct
from pydantic import BaseModel, Field

from animus_routes import Context, Depends
from animus_routes.testing import TestClient


class PointModel(BaseModel):
    x: int


class PointStruct(Struct):
    x: int


@dataclass
class PointData:
    x: int


def tools(*functions: Any) -> list[dict[str, Any]]:
    app = custom_app()
    for function in functions:
        app.tool()(function)
    with TestClient(app) as client:
        found: list[dict[str, Any]] = client.initialize_result["capabilities"]["mcp_tools"]
        assert [tool["name"] for tool in found] == [
            name
            for name in client.initialize_result["capabilities"]["methods"]
            if name != "health/check"
        ]
    return found


def google(text: str, times: int = 2) -> str:
    """Repeat a text.

    As often as you like.

    Args:
        text: What to repeat.
        times: How often.

    Returns:
        The text, repeated.
    """
    return text * times


def numpy(text: str, times: int = 2) -> str:
    """Repeat a text.

    As often as you like.

    Parameters
    ----------
    text : str
        What to repeat.
    times : int
        How often.
    """
    return text * times


def sphinx(text: str, times: int = 2) -> str:
    """Repeat a text.

    As often as you like.

    :param text: What to repeat.
    :param times: How often.
    """
    return text * times


@pytest.mark.parametrize("function", [google, numpy, sphinx])
def test_a_docstring_of_any_style_describes_the_tool(function: Any) -> None:
    (tool,) = tools(function)
    assert tool == {
        "name": function.__name__,
        "description": "Repeat a text.\n\nAs often as you like.",
        "input_schema": {
            "type": "object",
            "properties": {
                "text": {"type": "string", "description": "What to repeat."},
                "times": {"type": "integer", "default": 2, "description": "How often."},
            },
            "required": ["text"],
        },
    }


def test_a_tool_is_called_by_its_name() -> None:
    app = custom_app()
    app.tool("text/repeat")(google)
    with TestClient(app) as client:
        assert client.call("text/repeat", {"text": "ab"}) == "abab"
        assert refused(client, "text/repeat", {}).code == -32602


def test_context_and_dependencies_are_no_arguments_of_a_tool() -> None:
    def tool(a: int, ctx: Context, db: Annotated[int, Depends(lambda: 1)]) -> None: ...

    assert tools(tool)[0]["input_schema"]["properties"].keys() == {"a"}


def test_a_tool_without_parameters_or_prose_has_an_empty_schema() -> None:
    def tool() -> None: ...

    assert tools(tool) == [{"name": "tool", "input_schema": {"type": "object", "properties": {}}}]


@pytest.mark.parametrize("hint", [PointModel, PointStruct, PointData])
def test_a_model_is_the_schema_where_it_takes_the_whole_params(hint: Any) -> None:
    def tool(point: Any) -> None: ...

    tool.__annotations__["point"] = hint
    schema = tools(tool)[0]["input_schema"]
    assert schema["type"] == "object"
    assert schema["properties"]["x"]["type"] == "integer"
    assert schema["required"] == ["x"]


@pytest.mark.parametrize("hint", [PointModel, PointStruct, PointData])
def test_a_model_among_others_is_a_definition(hint: Any) -> None:
    def tool(point: Any, scale: float) -> None: ...

    tool.__annotations__["point"] = hint
    schema = tools(tool)[0]["input_schema"]
    text = str(schema)
    assert "'x': {" in text
    assert schema["required"] == ["point", "scale"]
    for reference in [part.split("'")[0] for part in text.split("'$ref': '")[1:]]:
        assert reference.rpartition("/")[2] in schema["$defs"]


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (Annotated[int, Meta(ge=1)], {"type": "integer", "minimum": 1}),
        (Annotated[int, Field(ge=1)], {"type": "integer", "minimum": 1}),
        (Literal["a", "b"], {"enum": ["a", "b"]}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (bool | None, {"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
    ],
)
def test_a_hint_of_any_family_has_its_schema(hint: Any, expected: Any) -> None:
    def tool(a: Any, b: int) -> None: ...

    tool.__annotations__["a"] = hint
    assert tools(tool)[0]["input_schema"]["properties"]["a"] == expected


def test_an_open_tool_takes_any_object() -> None:
    def tool(params: dict[str, Any]) -> None: ...

    assert tools(tool)[0]["input_schema"] == {"type": "object"}


def test_a_plugin_without_tools_has_none() -> None:
    app = custom_app()
    app.method("x/do")(google)
    with TestClient(app) as client:
        assert "mcp_tools" not in client.initialize_result["capabilities"]
