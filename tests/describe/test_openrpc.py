"""`animus-routes schema` describes an app as OpenRPC 1.4 has it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pydantic
import pytest
from described import NAMES, REPO, example
from jsonschema import (  # type: ignore[import-untyped]
    Draft7Validator,
    Draft202012Validator,
)
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from animus_routes import App, Context
from animus_routes.describe.openrpc import document

META = json.loads((REPO / "tests/data/openrpc/schema.json").read_text("utf-8"))
BOUND_S = 60


@cache
def validator() -> Draft7Validator:
    """The meta-schema; what it refers to elsewhere is the meta-schema of JSON Schema, answered here."""
    draft: dict[str, Any] = {k: v for k, v in Draft7Validator.META_SCHEMA.items() if k != "$id"}
    refers = {"JSONSchemaObject": {"properties": {"$ref": {"type": "string"}}}}
    draft["definitions"] = {**draft["definitions"], **refers}
    schemas = Resource.from_contents(draft, default_specification=DRAFT7)
    names = ("https://meta.json-schema.tools", "https://meta.json-schema.tools/")
    registry: Registry[Any] = Registry().with_resources([(name, schemas) for name in names])
    return Draft7Validator(META, registry=registry)


def every(value: Any, key: str) -> Iterator[Any]:
    """What stands under a key, anywhere."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for item in value.values():
            yield from every(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from every(item, key)


def held(found: dict[str, Any]) -> dict[str, Any]:
    """A document that is valid, whose references lead somewhere, and whose schemas are schemas."""
    errors = [f"{list(e.absolute_path)}: {e.message}" for e in validator().iter_errors(found)]
    assert errors == []
    for reference in every(found, "$ref"):
        room, _, name = reference.removeprefix("#/components/").partition("/")
        assert name in found["components"][room], reference
    names = [method["name"] for method in found["methods"]]
    assert len(names) == len(set(names))
    for schema in [*every(found, "schema"), *found["components"]["schemas"].values()]:
        Draft202012Validator.check_schema(schema)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_described(name: str) -> None:
    app = example(name)
    found = held(document(app))
    assert found["info"]["title"] == app.name
    assert {method["name"] for method in found["methods"]} >= set(app.registry.handlers)
    told = app.manifest()["capabilities"]
    assert {m["name"] for m in found["methods"] if not m.get("x-notification")} <= set(told)


class Text(msgspec.Struct):
    text: str


class Point(pydantic.BaseModel):
    x: float


class Elsewhere:
    class Text(msgspec.Struct):
        """Another type of the same name."""

        other: int


app = App(kind="custom", name="animus-custom-described", version="1.0.0", description="d")


@app.method("draw/point")
def draw(
    at: Point,
    text: Annotated[str, msgspec.Meta(max_length=3)],
    other: Elsewhere.Text,
    times: int = 2,
) -> Point:
    """Draw a point.

    It stays until the end.

    Args:
        at: Where.
        text: What stands beside it.
        other: Another one.
        times: How often.

    Raises:
        NotFound: There is nothing to draw on.
        Unavailable: The pen is dry.
        ValueError: Never.
    """
    raise NotImplementedError


@app.method("draw/all", notification="draw/drawn")
def draw_all(ctx: Context) -> Iterator[Text]:
    yield Text("")


@app.notification("draw/clear")
def clear() -> None:
    """Forget everything."""


@app.method("draw/none")
def nothing() -> None: ...


def test_an_authors_own_methods_are_described_in_his_words() -> None:
    found = held(document(app))
    methods = {method["name"]: method for method in found["methods"]}
    point = methods["draw/point"]
    assert (point["summary"], point["description"]) == ("Draw a point.", "It stays until the end.")
    assert [(p["name"], p["required"]) for p in point["params"]] == [
        ("at", True),
        ("text", True),
        ("other", True),
        ("times", False),
    ]
    params = {p["name"]: p for p in point["params"]}
    assert params["times"]["schema"] == {"type": "integer", "default": 2}
    assert params["text"] == {
        "name": "text",
        "description": "What stands beside it.",
        "required": True,
        "schema": {"type": "string", "maxLength": 3},
    }
    assert point["result"]["schema"]["title"] == "Point"
    schemas = found["components"]["schemas"]
    kept = [s["properties"] for name, s in schemas.items() if name.startswith("Text")]
    assert sorted(next(iter(properties)) for properties in kept) == ["other", "text"]
    named = [reference["$ref"].rpartition("/")[2] for reference in point["errors"]]
    assert named[-2:] == ["not_found", "unavailable"]
    assert found["components"]["errors"]["not_found"]["code"] == -32602
    assert point["x-source"].startswith("test_openrpc.py:")


def test_streams_and_notifications_are_extensions() -> None:
    found = held(document(app))
    methods = {method["name"]: method for method in found["methods"]}
    (sent,) = methods["draw/all"]["x-stream"]["notifications"]
    assert sent["name"] == "draw/drawn"
    item = found["components"]["schemas"][sent["item"]["$ref"].rpartition("/")[2]]
    assert list(item["properties"]) == ["text"]
    assert methods["draw/clear"]["x-notification"] is True
    assert "result" not in methods["draw/clear"]
    assert methods["draw/clear"]["summary"] == "Forget everything."
    assert methods["draw/none"]["result"]["schema"] == {"type": "null"}
    found = held(document(example("tasks_sqlite")))
    watch = next(method for method in found["methods"] if method["name"] == "subject/watch")
    assert watch["x-stream"]["key"] == "event"
    assert watch["x-stream"]["notifications"][0]["name"] == "subject/changed"
    assert found["x-notifications"][0]["item"] == watch["x-stream"]["notifications"][0]["item"]
    listed = next(method for method in found["methods"] if method["name"] == "task/list")
    assert listed["x-alias-of"] == "subject/list"
    assert listed["x-reads"] is listed["x-required"] is True


def test_no_command_prints_anything_but_the_document(tmp_path: Path) -> None:
    source = (REPO / "examples" / "hello.py").read_text("utf-8")
    (tmp_path / "hello.py").write_text(f"print('noise')\n{source}")
    (tmp_path / "wrong.py").write_text(source.replace("subject/get", "subject/gett"))
    for file, code in (("hello.py", 0), ("wrong.py", 1)):
        done = subprocess.run(
            [sys.executable, "-m", "animus_routes", "schema", file],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
        assert done.returncode == code, done.stderr
        if code:
            assert (done.stdout, "unknown method 'subject/gett'" in done.stderr) == ("", True)
        else:
            held(json.loads(done.stdout))
