"""Where a wire type does more than its schema can say."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec
import pydantic
import pytest
from msgspec import UNSET
from pydantic_core import to_json
from wire_payloads import (
    BUNDLES,
    FAMILIES,
    ROOT,
    decode,
    encode,
    is_refused,
    names,
    python_type,
    schema_accepts,
    through,
)

from animus_routes.structs import _struct
from animus_routes.structs import provider as struct_provider
from animus_routes.structs import subject as structs
from animus_routes.types import provider as model_provider
from animus_routes.types import subject as types

family = pytest.mark.parametrize("family", FAMILIES)
SUBJECT: dict[str, Any] = {"id": "task:1", "kind": "task", "title": "hello"}
NOON = "2026-01-31T12:00:00Z"


def subject_class(family: str, name: str = "Subject") -> Any:
    return python_type(family, "subject", name)


# Absent, null and value


@family
@pytest.mark.parametrize("patch", [{}, {"assignee": None}, {"assignee": "me"}])
def test_a_patch_tells_an_absent_assignee_from_a_null_one(family: str, patch: Any) -> None:
    came_in = decode(family, "subject", "SubjectPatch", patch)
    assert came_in.assignee == patch.get("assignee", UNSET)
    assert encode(came_in) == patch
    assert encode(subject_class(family, "SubjectPatch")(**patch)) == patch


@family
def test_an_assignee_may_be_given_as_unset(family: str) -> None:
    assert encode(subject_class(family, "SubjectPatch")(assignee=UNSET)) == {}


@family
def test_a_null_in_custom_survives(family: str) -> None:
    patch = {"custom": {"points": None, "deep": {"kept": None}}}
    assert through(family, "subject", "SubjectPatch", patch) == patch


@family
def test_an_empty_list_of_labels_in_a_patch_is_written(family: str) -> None:
    assert through(family, "subject", "SubjectPatch", {"labels": []}) == {"labels": []}
    assert through(family, "subject", "SubjectPatch", {"labels": None}) == {}


@family
@pytest.mark.parametrize("value", [True, False])
def test_supports_mcp_is_written_when_given(family: str, value: object) -> None:
    manifest: dict[str, Any] = dict.fromkeys(
        ("name", "version", "plugin_kind", "description", "protocol_version"), "x"
    ) | {"capabilities": []}
    given = manifest | {"supports_mcp": value}
    assert through(family, "plugin", "PluginManifest", given) == given
    assert (
        through(family, "plugin", "PluginManifest", manifest | {"supports_mcp": None}) == manifest
    )


# Vocabularies


@family
@pytest.mark.parametrize(
    ("module", "name", "field"),
    [
        ("plugin", "TriggerEvent", "action_hint"),
        ("plugin", "TriggerAckParams", "status"),
        ("provider", "InteractionRequestedParams", "kind"),
        ("workflow_journal", "JournalRun", "status"),
    ],
)
def test_an_open_vocabulary_keeps_unknown_words(
    family: str, module: str, name: str, field: str
) -> None:
    bases: dict[str, dict[str, Any]] = {
        "TriggerEvent": {"event_id": "e", "payload": None},
        "TriggerAckParams": {"event_id": "e"},
        "InteractionRequestedParams": {"interaction_id": "i", "session_id": "s", "payload": {}},
        "JournalRun": {"workflow_id": "w", "blob": 1},
    }
    given = bases[name] | {field: "never-heard-of"}
    assert through(family, module, name, given) == given


# Names


@family
@pytest.mark.parametrize(
    ("module", "name", "rest"),
    [
        ("config", "ConfigModel", {"version": 1, "config": {}}),
        (
            "notifier",
            "DaemonEventRecord",
            {"id": "i", "seq": 1, "timestamp": NOON, "event_type": "e", "data": None},
        ),
    ],
)
def test_schema_is_schema_in_python_only(
    family: str, module: str, name: str, rest: dict[str, Any]
) -> None:
    made = python_type(family, module, name)(schema_="v2", **rest)
    assert made.schema_ == "v2"
    assert encode(made) == {"schema": "v2", **rest}
    assert decode(family, module, name, {"schema": "v2", **rest}).schema_ == "v2"
    assert is_refused(family, module, name, {"schema_2": "v2", **rest})


@family
def test_the_two_trigger_events_are_different_types(family: str) -> None:
    plugin = python_type(family, "plugin", "TriggerEvent")
    trigger = python_type(family, "trigger", "TriggerEvent")
    assert plugin is not trigger
    assert encode(plugin(event_id="e")) == {"event_id": "e", "payload": None}
    assert is_refused(family, "trigger", "TriggerEvent", {"event_id": "e"})
    flat = {"id": "i", "occurred_at": NOON, "kind": "k", "payload": None}
    assert through(family, "trigger", "TriggerEvent", flat) == flat


# References in their older form


@family
@pytest.mark.parametrize("module", ["queue", "workflow_runner"])
@pytest.mark.parametrize(
    ("old", "flat"),
    [
        ({"Task": {"id": "t1"}}, {"kind": "animus.task", "id": "t1"}),
        ({"Requirement": {"id": "r1"}}, {"kind": "animus.requirement", "id": "r1"}),
        (
            {"Custom": {"title": "nightly", "description": "tidy up"}},
            {"kind": "custom", "id": "nightly", "title": "nightly", "description": "tidy up"},
        ),
        (
            {"Custom": {"title": "nightly", "description": None}},
            {"kind": "custom", "id": "nightly", "title": "nightly"},
        ),
    ],
)
def test_an_older_reference_is_read_and_written_flat(
    family: str, module: str, old: Any, flat: Any
) -> None:
    dispatch = {"workflow_ref": "w", "trigger_source": "s", "requested_at": NOON}
    assert through(family, module, "SubjectRef", old) == flat
    assert through(family, module, "SubjectDispatch", dispatch | {"subject": old}) == (
        dispatch | {"subject": flat}
    )
    assert through(family, module, "SubjectRef", flat) == flat


@family
@pytest.mark.parametrize(
    "bad",
    [
        {"Task": {}},
        {"Task": {"id": 5}},
        {"Task": "t1"},
        {"Subject": {"id": "t1"}},
        {"Custom": {"description": "no title"}},
        {},
    ],
)
def test_a_reference_to_nothing_is_refused(family: str, bad: Any) -> None:
    assert is_refused(family, "queue", "SubjectRef", bad)


@family
@pytest.mark.parametrize("empty", [None, {}])
def test_empty_metadata_of_a_reference_is_left_out_and_reads_as_empty(
    family: str, empty: Any
) -> None:
    flat = {"kind": "issue", "id": "i1"}
    assert through(family, "queue", "SubjectRef", flat | {"metadata": empty}) == flat
    assert decode(family, "queue", "SubjectRef", flat).metadata == {}
    kept = flat | {"metadata": {"a": None}}
    assert through(family, "queue", "SubjectRef", kept) == kept


@family
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("queue", "SubjectDispatch"),
        ("workflow_runner", "SubjectDispatch"),
        ("workflow_runner", "WorkflowExecuteRequest"),
        ("workflow_runner", "WorkflowPhaseRunRequest"),
    ],
)
def test_an_actor_is_an_optional_field(family: str, module: str, name: str) -> None:
    actor = python_type(family, module, "Actor")(user_id="u", claims=["admin"])
    assert encode(actor) == {"user_id": "u", "claims": ["admin"]}
    assert "actor" in {field.name for field in fields_of(module, name)}


def fields_of(module: str, name: str) -> Any:
    return next(one for one in BUNDLES[module].definitions if one.name == name).fields  # type: ignore[union-attr]


# Unknown keys that are data

RUN = {"prompt": "p", "cwd": "c", "approvals": {"bash": None}, "extra": 1, "": 2, "tools": ["x"]}


def test_a_run_request_struct_keeps_unknown_keys() -> None:
    came_in = _struct.decode_open(struct_provider.AgentRunRequest, json.dumps(RUN).encode())
    assert came_in.prompt == "p"
    assert came_in.tools == ["x"]
    assert came_in.extra == {"approvals": {"bash": None}, "extra": 1, "": 2}
    assert json.loads(_struct.encode_open(came_in)) == RUN


def test_a_run_request_struct_without_unknown_keys_needs_nothing_special() -> None:
    made = struct_provider.AgentRunRequest(prompt="p", cwd="c")
    assert json.loads(_struct.encode_open(made)) == encode(made) == {"prompt": "p", "cwd": "c"}


def test_a_run_request_struct_lets_its_own_fields_win() -> None:
    made = struct_provider.AgentRunRequest(prompt="p", cwd="c", extra={"prompt": "q", "x": 1})
    assert json.loads(_struct.encode_open(made)) == {"prompt": "p", "cwd": "c", "x": 1}


@pytest.mark.parametrize("raw", [b'{"prompt": 1, "cwd": "c"}', b"[]", b'{"prompt": "p"}', b"{"])
def test_a_run_request_struct_refuses_what_does_not_fit(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        _struct.decode_open(struct_provider.AgentRunRequest, raw)


def test_a_run_request_model_keeps_unknown_keys() -> None:
    assert encode(model_provider.AgentRunRequest.model_validate(RUN)) == RUN


# Unions


@family
def test_an_arm_of_a_union_fills_in_its_own_tag(family: str) -> None:
    made = python_type(family, "provider", "AgentOutput")(session_id="s", text="t")
    assert made.kind == "output"
    assert encode(made) == {"kind": "output", "session_id": "s", "text": "t", "is_final": False}


@family
def test_a_union_is_read_as_the_arm_that_its_tag_names(family: str) -> None:
    event = {"kind": "completed", "phase_id": "p", "status": "s", "ts": NOON}
    came_in = decode(family, "workflow_runner", "PhaseEvent", event)
    assert type(came_in) is python_type(family, "workflow_runner", "PhaseCompleted")


# Models in the hands of an author


class Report(pydantic.BaseModel):
    """An author's own model."""

    subject: types.Subject
    note: str | None = None


def test_a_model_is_written_in_wire_form_wherever_it_stands() -> None:
    subject = types.Subject(**SUBJECT, status="done", created_at=NOON, updated_at=NOON)
    wire = SUBJECT | {"status": "done", "created_at": NOON, "updated_at": NOON}
    report = Report(subject=subject)
    assert json.loads(report.model_dump_json()) == {"subject": wire, "note": None}
    assert json.loads(to_json({"any": [subject]})) == {"any": [wire]}
    assert subject.model_dump() == wire
    schema_field = python_type("types", "config", "ConfigModel")(schema_="s", version=1, config={})
    assert json.loads(to_json([schema_field])) == [{"schema": "s", "version": 1, "config": {}}]


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_every_model_has_a_json_schema(mode: Any) -> None:
    made = 0
    for module, name in names(object):
        adapter: Any = pydantic.TypeAdapter(python_type("types", module, name))
        schema = adapter.json_schema(mode=mode)
        made += bool(schema)
        if name == "Subject":
            assert schema["properties"]["created_at"]["format"] == "date-time"
            assert "ready" in schema["properties"]["status"]["enum"]
    assert made > 170


def test_structs_and_models_agree_on_a_whole_list() -> None:
    payload = {
        "subjects": [SUBJECT | {"status": "done", "created_at": NOON, "updated_at": NOON}] * 3,
        "fetched_at": NOON,
        "next_cursor": "c",
    }
    raw = msgspec.json.encode(msgspec.convert(payload, structs.SubjectList))
    assert types.SubjectList.model_validate(payload).model_dump_json().encode() == raw
    assert schema_accepts("subject", "SubjectList", json.loads(raw))


# Loading

PROBE = """
import sys
{statement}
print(*sorted(set(sys.modules)))
"""


def modules_after(statement: str) -> set[str]:
    code = PROBE.format(statement=statement)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=30,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("package", "not_yet"),
    [("types", {"pydantic", "msgspec"}), ("structs", {"pydantic", "typing_extensions"})],
)
def test_a_family_loads_nothing_until_a_module_is_asked_for(
    package: str, not_yet: set[str]
) -> None:
    loaded = modules_after(f"import animus_routes.{package}")
    assert not not_yet & loaded
    assert not {one for one in loaded if one.startswith(f"animus_routes.{package}.")}
    asked = modules_after(f"import animus_routes.{package} as family; family.queue.QueueStats")
    assert f"animus_routes.{package}.queue" in asked
    assert f"animus_routes.{package}.subject" not in asked


def test_a_struct_module_loads_msgspec_and_no_more() -> None:
    bare = modules_after("import msgspec")
    added = modules_after("import animus_routes.structs.subject") - bare
    assert {one for one in added if not one.startswith("animus_routes")} <= {"gc", "time"}


@pytest.mark.parametrize("package", FAMILIES)
def test_a_family_lists_its_modules(package: str) -> None:
    loaded = __import__(f"animus_routes.{package}", fromlist=["x"])
    assert set(loaded.__all__) == set(BUNDLES)
    assert set(BUNDLES) <= set(dir(loaded))
    with pytest.raises(AttributeError, match="no_such_crate"):
        loaded.no_such_crate  # noqa: B018
