import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from msgspec import Struct

from animus_routes import App, RpcError, Unavailable
from animus_routes.host import Plugin
from animus_routes.structs import plugin as structs
from animus_routes.structs import trigger as trigger_structs
from animus_routes.testing import TestClient
from animus_routes.types import plugin as types

ROOT = Path(__file__).resolve().parents[2]
TRIGGERS = [sys.executable, str(Path(__file__).parent / "plugins" / "triggers.py")]
EVENT = {"event_id": "e", "trigger_id": "t", "payload": {"a": 1}}
BINDING = {"id": "t", "workflow_ref": "w", "config": {"path": "/x"}}


def backend(handler: Callable[..., Any], **more: Callable[..., Any]) -> App:
    """An app with `trigger/watch`, and others by their verbs."""
    app = App(kind="trigger_backend", name="t", version="1.0.0", description="Under test")
    app.method("trigger/watch")(handler)
    for verb, function in more.items():
        app.method(f"trigger/{verb}")(function)
    return app


def watched(handler: Callable[..., Any], count: int = 1, params: Any = None) -> list[Any]:
    """The first events of a watch, as their params."""
    with TestClient(backend(handler)) as client, client.stream("trigger/watch", params) as events:
        assert events.ack == {"watching": True}
        return [next(events) for _ in range(count)]


def yields_dict() -> Iterator[dict[str, Any]]:
    yield EVENT


def yields_struct() -> Iterator[structs.TriggerEvent]:
    yield structs.TriggerEvent(event_id="e", trigger_id="t", payload={"a": 1})


def yields_model() -> Iterator[types.TriggerEvent]:
    yield types.TriggerEvent(event_id="e", trigger_id="t", payload={"a": 1})


async def yields_async() -> AsyncIterator[structs.TriggerEvent]:
    await asyncio.sleep(0)
    yield structs.TriggerEvent(event_id="e", trigger_id="t", payload={"a": 1})


def returns_iterator() -> Iterator[structs.TriggerEvent]:
    return yields_struct()


@pytest.mark.parametrize(
    "handler",
    [yields_dict, yields_struct, yields_model, yields_async, returns_iterator],
)
def test_every_way_to_write_a_watch_looks_the_same_on_the_wire(handler: Callable[..., Any]) -> None:
    assert watched(handler) == [EVENT]


@pytest.mark.parametrize("family", [structs, types])
def test_keys_that_are_not_set_are_not_sent(family: Any) -> None:
    def handler() -> Iterator[Any]:
        yield family.TriggerEvent(event_id="e", payload={})

    assert watched(handler) == [{"event_id": "e", "payload": {}}]


@pytest.mark.parametrize("family", [structs, types])
@pytest.mark.parametrize(
    "params",
    [{"triggers": [BINDING], "cursor": 7}, {"cursor": 7, "triggers": [{**BINDING, "x": 1}]}],
)
def test_the_params_are_typed_for_the_author(family: Any, params: dict[str, Any]) -> None:
    def handler(params: Any) -> Iterator[dict[str, Any]]:
        (binding,) = params.triggers
        payload = [binding.id, binding.workflow_ref, binding.config, params.cursor]
        yield {"event_id": "e", "payload": payload}

    handler.__annotations__["params"] = family.TriggerWatchParams
    assert watched(handler, params=params)[0]["payload"] == ["t", "w", {"path": "/x"}, 7]


@pytest.mark.parametrize("params", [None, {}, {"cursor": None, "config": None}])
def test_a_host_that_says_nothing_is_understood(params: Any) -> None:
    def handler(params: structs.TriggerWatchParams) -> Iterator[dict[str, Any]]:
        yield {"event_id": "e", "payload": [params.triggers, params.cursor, params.config]}

    assert watched(handler, params=params)[0]["payload"] == [[], None, None]


def test_a_handler_may_take_single_fields() -> None:
    def handler(
        cursor: str | None, triggers: list[structs.TriggerBinding]
    ) -> Iterator[dict[str, Any]]:
        yield {"event_id": f"{cursor} {[binding.id for binding in triggers]}"}

    params = {"cursor": "c", "triggers": [BINDING]}
    assert watched(handler, params=params) == [{"event_id": "c ['t']"}]


def test_a_watch_that_cannot_be_opened_is_an_error_and_no_stream() -> None:
    def handler() -> Iterator[dict[str, Any]]:
        raise Unavailable("no upstream")

    with TestClient(backend(handler)) as client:
        with pytest.raises(RpcError) as refusal:
            client.call("trigger/watch", {})
        assert (refusal.value.code, refusal.value.data) == (-32603, {"category": "unavailable"})
        assert client.notifications == []


# Acknowledgements ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        (None, {"event_id": "e", "acked": True}),
        (True, {"event_id": "e", "acked": True}),
        (False, {"event_id": "e", "acked": False}),
        ({"event_id": "x", "acked": True}, {"event_id": "x", "acked": True}),
    ],
)
def test_an_acknowledgement_as_a_request_is_answered(result: Any, answer: dict[str, Any]) -> None:
    def ack(params: structs.TriggerAckParams) -> Any:
        return result

    with TestClient(backend(yields_dict, ack=ack)) as client:
        assert client.call("trigger/ack", {"event_id": "e"}) == answer


@pytest.mark.parametrize("status", ["queued", "unmatched", "shutdown", "of the future", None])
def test_an_acknowledgement_as_a_notification_brings_its_status(status: str | None) -> None:
    seen: list[tuple[str, str | None]] = []

    def ack(event_id: str, status: str | None = None) -> None:
        seen.append((event_id, status))

    params = {"event_id": "e", **({"status": status} if status else {})}
    with TestClient(backend(yields_dict, ack=ack)) as client:
        client.notify("trigger/ack", params)
        assert client.call("health/check")["status"] == "healthy"
    assert seen == [("e", status)]


def test_an_async_acknowledgement_is_taken_too() -> None:
    async def ack(event_id: str) -> bool:
        await asyncio.sleep(0)
        return event_id == "e"

    with TestClient(backend(yields_dict, ack=ack)) as client:
        assert client.call("trigger/ack", {"event_id": "e"})["acked"] is True
        assert client.call("trigger/ack", {"event_id": "x"})["acked"] is False


def test_an_acknowledgement_without_an_event_id_is_refused() -> None:
    def ack(params: structs.TriggerAckParams) -> None:
        """Never called."""

    with TestClient(backend(yields_dict, ack=ack)) as client, pytest.raises(RpcError) as refusal:
        client.call("trigger/ack", {"status": "queued"})
    assert refusal.value.code == -32602
    assert refusal.value.data["issues"][0]["path"] == "event_id"


def test_a_backend_without_acknowledgements_says_so_and_ignores_them() -> None:
    with TestClient(backend(yields_dict)) as client:
        with pytest.raises(RpcError) as refusal:
            client.call("trigger/ack", {"event_id": "e"})
        client.notify("trigger/ack", {"event_id": "e", "status": "queued"})
        assert client.call("health/check")["status"] == "healthy"
    assert (refusal.value.code, refusal.value.data) == (-32001, {"category": "not_supported"})


# Registered and advertised ------------------------------------------------------------------------


def acks(params: structs.TriggerAckParams) -> None:
    """Nothing."""


def says_more() -> trigger_structs.TriggerSchema:
    return trigger_structs.TriggerSchema(
        kinds=["tick"], supports_resume=True, supports_dedup=True, supports_ack=True
    )


@pytest.mark.parametrize(
    ("more", "schema"),
    [
        ({}, ([], False, False, False)),
        ({"ack": acks}, ([], False, False, True)),
        ({"schema": says_more}, (["tick"], True, True, False)),
        ({"schema": lambda: {"kinds": ["tick"]}, "ack": acks}, (["tick"], False, False, True)),
        ({"schema": says_more, "ack": acks}, (["tick"], True, True, True)),
    ],
)
def test_the_schema_never_disagrees_with_what_is_registered(
    more: dict[str, Any], schema: tuple[Any, ...]
) -> None:
    names = ("kinds", "supports_resume", "supports_dedup", "supports_ack")
    with TestClient(backend(yields_dict, **more)) as client:
        assert client.call("trigger/schema") == dict(zip(names, schema, strict=True))


@pytest.mark.parametrize("more", [{}, {"ack": acks}])
def test_methods_are_advertised_exactly_when_they_are_served(more: dict[str, Any]) -> None:
    app = backend(yields_dict, **more)
    methods = {"trigger/watch", "trigger/schema", "health/check", *(f"trigger/{m}" for m in more)}
    with TestClient(app) as client:
        capabilities = client.initialize_result["capabilities"]
    assert set(capabilities["methods"]) == set(app.manifest()["capabilities"]) == methods
    assert capabilities["streaming"] is True


# Over a process -----------------------------------------------------------------------------------


@contextmanager
def triggers(*arguments: str, frames: list[Any] | None = None) -> Iterator[Plugin]:
    seen: list[Any] = [] if frames is None else frames
    with Plugin.start(
        [*TRIGGERS, *arguments],
        env={"PYTHONPATH": str(ROOT)},
        on_frame=lambda line: seen.append(json.loads(line)),
    ) as plugin:
        plugin.initialize()
        yield plugin


def binding(**config: Any) -> dict[str, Any]:
    return {"triggers": [{"id": "t", "config": config}]}


def test_the_ack_comes_first_and_no_event_is_lost() -> None:
    frames: list[dict[str, Any]] = []
    with triggers(frames=frames) as plugin:
        request = plugin.request("trigger/watch", binding(count=20_000))
        assert plugin.reply(request) == {"watching": True}
        found = [plugin.next_notification("trigger/event").params for _ in range(20_000)]
    assert [event["event_id"] for event in found] == [f"t-{n}" for n in range(20_000)]
    order = [frame.get("method") or frame["id"] for frame in frames]
    assert order.index(request) < order.index("trigger/event")


def test_an_acknowledgement_is_handled_while_the_watch_goes_on() -> None:
    with triggers() as plugin:
        plugin.call("trigger/watch", binding(count=1))
        event_id = plugin.next_notification("trigger/event").params["event_id"]
        plugin.notify("trigger/ack", {"event_id": event_id, "status": "queued"})
        assert plugin.call("trigger/ack", {"event_id": "x"})["acked"] is True
    assert "acknowledged t-0 queued" in plugin.stderr_text()
    assert "acknowledged x None" in plugin.stderr_text()
    assert plugin.unclaimed_ids == []


def test_a_broken_upstream_ends_the_process_after_what_it_sent() -> None:
    frames: list[dict[str, Any]] = []
    with triggers(frames=frames) as plugin:
        plugin.call("trigger/watch", binding(count=3, then="break"))
        for _ in range(3):
            plugin.next_notification("trigger/event")
        plugin.wait(10)
        assert "the upstream is gone" in plugin.stderr_text()
        assert "closed" in plugin.stderr_text()
    events = [f["params"] for f in frames if f.get("method") == "trigger/event"]
    assert [event.get("event_id") for event in events] == ["t-0", "t-1", "t-2", None]
    assert events[-1]["error"]["message"].startswith("internal error ")


def test_an_author_may_keep_the_process_when_the_upstream_breaks() -> None:
    with triggers("--stay") as plugin:
        request = plugin.request("trigger/watch", binding(count=1, then="break"))
        assert plugin.reply(request) == {"watching": True}
        assert plugin.next_notification("trigger/event").params["event_id"] == "t-0"
        broken = plugin.next_notification("trigger/event").params
        assert broken.keys() == {"id", "error"}
        assert (broken["id"], broken["error"]["code"]) == (request, -32603)
        deadline = monotonic() + 10
        while "the upstream is gone" not in plugin.stderr_text():
            assert plugin.call("$/ping") == {}
            assert monotonic() < deadline
        assert plugin.call("trigger/ack", {"event_id": "e"})["acked"] is True
        assert plugin.shutdown() == 0


@pytest.mark.parametrize("end", ["shutdown", "eof"])
def test_the_end_of_the_host_ends_the_watch(end: str) -> None:
    with triggers() as plugin:
        plugin.call("trigger/watch", binding(count=1))
        plugin.next_notification("trigger/event")
        if end == "shutdown":
            assert plugin.shutdown() == 0
        else:
            plugin.close_stdin()
            assert plugin.wait(5) == 0
        assert "closed" in plugin.stderr_text()


def takes_config(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {**EVENT, "payload": config}


class Config(Struct):
    path: str


def takes_own_config(config: Config) -> Iterator[dict[str, Any]]:
    yield {**EVENT, "payload": {"path": config.path}}


@pytest.mark.parametrize("handler", [takes_config, takes_own_config])
def test_a_lone_parameter_named_like_a_field_of_any_json_is_that_field(
    handler: Callable[..., Any],
) -> None:
    (event,) = watched(handler, params={"trigger_id": "t", "config": {"path": "/x"}})
    assert event["payload"] == {"path": "/x"}


def test_a_lone_parameter_of_another_name_is_the_params_as_a_whole() -> None:
    def takes_params(params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {**EVENT, "payload": params}

    given = {"trigger_id": "t", "config": {"path": "/x"}}
    assert watched(takes_params, params=given)[0]["payload"]["config"] == {"path": "/x"}
