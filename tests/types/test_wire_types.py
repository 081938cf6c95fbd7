"""Every type of the protocol, in both families, against the schemas."""

from __future__ import annotations

from typing import Any

import pytest
from _codegen.model import Alias, ClosedEnum, Definition, Object, Presence, Shape, Union
from wire_payloads import (
    BUNDLES,
    FAMILIES,
    decode,
    definition,
    encode,
    example,
    invalid,
    is_refused,
    names,
    payload,
    python_type,
    schema_accepts,
    through,
    valid,
    written,
)

EVERY = names(Alias, ClosedEnum, Object, Union)
OBJECTS = names(Object)
family = pytest.mark.parametrize("family", FAMILIES)


def ids(cases: list[tuple[str, str]]) -> list[str]:
    return [".".join(case) for case in cases]


every_type = pytest.mark.parametrize(("module", "name"), EVERY, ids=ids(EVERY))
every_object = pytest.mark.parametrize(("module", "name"), OBJECTS, ids=ids(OBJECTS))


@family
@every_type
def test_valid_json_comes_back_as_the_schema_says(family: str, module: str, name: str) -> None:
    for given in valid(module, name):
        assert through(family, module, name, given) == written(module, name, given)


@every_type
def test_the_schema_agrees_on_what_is_valid(module: str, name: str) -> None:
    if name in BUNDLES[module].schema["$defs"]:
        assert all(schema_accepts(module, name, given) for given in valid(module, name))


@family
@every_type
def test_invalid_json_is_refused(family: str, module: str, name: str) -> None:
    cases = list(invalid(module, name))
    accepted = [what for what, given in cases if not is_refused(family, module, name, given)]
    assert cases
    assert accepted == []


@every_type
def test_the_schema_agrees_on_what_is_invalid(module: str, name: str) -> None:
    beyond_the_schema = ("too low", "too high", "date-time", "a line end")  # as Python reads `$`
    if name in BUNDLES[module].schema["$defs"]:
        accepted = [
            what
            for what, given in invalid(module, name)
            if schema_accepts(module, name, given) and not any(x in what for x in beyond_the_schema)
        ]
        assert accepted == []


def raw_objects(one: Definition, module: str) -> dict[str, Any]:
    """The schema of an object, straight from the bundle, arms of unions included."""
    defs = BUNDLES[module].schema["$defs"]
    if one.name in defs:
        return dict(defs[one.name])
    arms = [arm for schema in defs.values() for arm in schema.get("oneOf", [])]
    return next(dict(arm) for arm in arms if arm.get("title") == one.name)


def empty_values(schema: dict[str, Any]) -> list[Any]:
    """Those values of a property at which it may be left out."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if "anyOf" in schema or isinstance(kind, list) or kind is None:
        return [None, {}] if schema.get("x-omit-empty") else [None]
    empty: dict[str, Any] = {"array": [], "object": {}, "boolean": False, "string": ""}
    return [empty[str(kind)]]


@family
@every_object
def test_a_field_is_left_out_at_its_default_only_if_the_schema_lets_it(
    family: str, module: str, name: str
) -> None:
    one = definition(module, name)
    schema = raw_objects(one, module)
    minimal = payload(module, name, full=False)
    for key, part in schema.get("properties", {}).items():
        if "const" in part or part.get("x-absent-is-not-null"):
            continue
        if key in schema.get("required", []):
            assert key in through(family, module, name, minimal)
        elif "default" in part:
            assert through(family, module, name, minimal)[key] == part["default"]
            given = minimal | {key: part["default"]}
            assert through(family, module, name, given)[key] == part["default"]
        else:
            for value in empty_values(part):
                assert key not in through(family, module, name, minimal | {key: value})


@family
def test_required_any_json_may_be_null_and_is_written_all_the_same(family: str) -> None:
    seen = set()
    for module, name in OBJECTS:
        one = definition(module, name)
        assert isinstance(one, Object)
        for field in one.fields:
            if field.type.shape is Shape.ANY and field.presence is Presence.REQUIRED:
                given = payload(module, name, full=False) | {field.name: None}
                assert through(family, module, name, given)[field.name] is None
                seen.add(f"{module}.{name}.{field.name}")
    assert seen == {
        "config.ConfigModel.config",
        "environment.ExecJournal.payload",
        "memory_store.MemoryQueryResult.value",
        "memory_store.PutMemoryRequest.value",
        "notifier.DaemonEventRecord.data",
        "notifier.NotifierLifecycleEvent.data",
        "provider.AgentToolCall.arguments",
        "provider.AgentToolResult.output",
        "trigger.TriggerEvent.payload",
        "workflow_runner.PhaseResultSnapshot.outcome",
        "workflow_runner.PhaseResultSnapshot.metadata",
        "workflow_runner.WorkflowExecuteResult.post_success",
        "workflow_runner.WorkflowPhaseRunResult.outcome",
        "workflow_runner.WorkflowPhaseRunResult.metadata",
        "workflow_journal.JournalRun.blob",
        "workflow_journal.CheckpointSaveParams.blob",
    }


@every_object
def test_a_model_keeps_unknown_keys(module: str, name: str) -> None:
    if object_of((module, name)).closed:
        return  # what it refuses is among what is invalid
    given = payload(module, name, full=True) | {"x-unknown": {"kept": [None, 1]}}
    assert through("types", module, name, given) == given


@every_object
def test_a_struct_drops_unknown_keys(module: str, name: str) -> None:
    if object_of((module, name)).closed:
        return
    given = payload(module, name, full=True)
    assert through("structs", module, name, given | {"x-unknown": 1}) == given


@family
@every_object
def test_an_object_made_by_keyword_is_written_as_if_it_had_come_in(
    family: str, module: str, name: str
) -> None:
    one = definition(module, name)
    assert isinstance(one, Object)
    arguments = {field.attr: field_value(family, module, name, field.name) for field in one.fields}
    made = python_type(family, module, name)(**arguments)
    assert encode(made) == payload(module, name, full=True)


def field_value(family: str, module: str, name: str, key: str) -> Any:
    whole = decode(family, module, name, payload(module, name, full=True))
    return getattr(whole, f"{key}_" if key == "schema" else key)


@family
@pytest.mark.parametrize("module", BUNDLES)
def test_both_families_have_the_names_of_the_schema(family: str, module: str) -> None:
    defined = {one.name for one in BUNDLES[module].definitions}
    exported = set(python_type(family, module, "__all__"))
    assert exported == defined >= set(BUNDLES[module].schema["$defs"])


def test_the_number_of_fields_is_that_of_the_bundles() -> None:
    fields = [field for case in OBJECTS for field in object_of(case).fields]
    omitted = [field for field in fields if field.presence is Presence.OMITTED]
    assert len(fields) > 600
    assert len(omitted) > 238


def object_of(case: tuple[str, str]) -> Object:
    one = definition(*case)
    assert isinstance(one, Object)
    return one


@family
@every_object
def test_no_default_is_shared_between_two_objects(family: str, module: str, name: str) -> None:
    minimal = payload(module, name, full=False)
    first, second = (decode(family, module, name, minimal) for _ in range(2))
    for field in object_of((module, name)).fields:
        value = getattr(first, field.attr)
        if isinstance(value, list | dict):
            assert value is not getattr(second, field.attr)


def test_an_example_differs_from_every_default() -> None:
    for module, name in OBJECTS:
        for field in object_of((module, name)).fields:
            if field.type.shape is Shape.REF and field.filled and field.name == "schema":
                continue  # there is one word for it
            assert example(module, field.type, full=True) != field.default
