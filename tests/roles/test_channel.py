"""Channels: the wire rules, and what is decided about messages (newer 3.7)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from animus_routes import App, ConfigurationError, NotFound, RpcError
from animus_routes.batteries import channels
from animus_routes.errors import InvalidRequest
from animus_routes.structs import channel as structs
from animus_routes.testing import TestClient
from animus_routes.types import channel as types

SCOPE = {"tenant_id": "t-1", "connection_id": "wa-1"}
BASE: dict[str, Any] = {"schema": "animus.channel.v1", "scope": SCOPE}
MESSAGE: dict[str, Any] = {
    **BASE,
    "message_id": "m-1",
    "peer_id": "+1555",
    "occurred_at": "2026-11-25T12:00:00Z",
    "text": "Hello?",
}
SEND: dict[str, Any] = {**BASE, "delivery_id": "d-1", "peer_id": "+1555", "text": "Done."}
STATUS: dict[str, Any] = {**BASE, "delivery_id": "d-1"}
PARAMS = {"receive": MESSAGE, "send": SEND, "status": STATUS}


def served(**gives: Any) -> App:
    """A channel whose methods give these; those that are left out give what hosts take."""
    app = App(kind="channel_backend", name="c", version="1.0.0", description="d")
    for verb in PARAMS:
        app.method(f"channel/{verb}")(giving(gives.get(verb, "unknown")))
    return app


def giving(given: Any) -> Any:
    def handler(params: dict[str, Any]) -> Any:
        return given

    return handler


def answer(verb: str, gives: Any) -> Any:
    with TestClient(served(**{verb: gives})) as client:
        return client.call(f"channel/{verb}", PARAMS[verb])


def refusal(verb: str, params: Any, gives: Any = None) -> RpcError:
    with TestClient(served(**{verb: gives})) as client, pytest.raises(RpcError) as caught:
        client.call(f"channel/{verb}", params)
    return caught.value


# The wire -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [structs, types])
def test_the_frame_of_a_send_is_answered_with_its_delivery(family: Any) -> None:
    accepted = {**STATUS, "state": "accepted", "provider_message_id": "p-9"}
    assert answer("send", {"state": "accepted", "provider_message_id": "p-9"}) == accepted
    typed = family.ChannelDelivery(
        scope=family.ChannelScope(**SCOPE),
        delivery_id="d-1",
        state="accepted",
        provider_message_id="p-9",
    )
    assert answer("send", typed) == accepted
    assert answer("status", "delivered") == {**STATUS, "state": "delivered"}


@pytest.mark.parametrize(("gives", "duplicate"), [(None, False), (False, False), (True, True)])
def test_a_message_is_new_or_a_duplicate(gives: Any, duplicate: bool) -> None:
    wire = {"schema": "animus.channel.v1", "duplicate": duplicate}
    assert answer("receive", gives) == wire
    assert answer("receive", structs.ChannelReceiveResult(duplicate=duplicate)) == wire
    assert answer("receive", types.ChannelReceiveResult(duplicate=duplicate)) == wire


def test_a_delivery_that_nobody_knows_is_not_found() -> None:
    with TestClient(served(status=None)) as client, pytest.raises(NotFound, match="d-1"):
        client.call("channel/status", STATUS)


@pytest.mark.parametrize(
    "gives",
    [
        "sent",
        {"state": "read", "delivery_id": "d-2"},
        {"state": "read", "scope": {**SCOPE, "tenant_id": "t-2"}},
    ],
)
def test_a_delivery_of_something_else_is_the_authors_mistake(gives: Any) -> None:
    assert refusal("send", SEND, gives).code == -32603


@pytest.mark.parametrize(
    ("verb", "change", "path"),
    [
        ("receive", {"message_id": ""}, "message_id"),
        ("receive", {"occurred_at": "now"}, "occurred_at"),
        ("receive", {"schema": "animus.channel.v2"}, "schema"),
        ("receive", {"scope": {**SCOPE, "tenant_id": " "}}, "scope.tenant_id"),
        ("send", {"delivery_id": ""}, "delivery_id"),
        ("send", {"text": None}, "text"),
        ("status", {"scope": {"tenant_id": "t-1"}}, "scope.connection_id"),
    ],
)
def test_a_message_that_cannot_be_one_is_refused(verb: str, change: Any, path: str) -> None:
    refused = refusal(verb, PARAMS[verb] | change)
    assert refused.code == -32602
    assert [issue["path"] for issue in refused.data["issues"]] == [path]


@pytest.mark.parametrize("verb", PARAMS)
@pytest.mark.parametrize("extra", [{"actor": {"user_id": "kim"}}, {"agent_id": "a"}])
def test_what_a_provider_adds_is_refused(verb: str, extra: dict[str, Any]) -> None:
    assert refusal(verb, PARAMS[verb] | extra).code == -32602


def test_the_schema_says_what_is_served() -> None:
    with TestClient(served()) as client:
        assert client.call("channel/schema", {}) == {
            "schema": "animus.channel.v1",
            "providers": [],
            "supports_text": True,
            "supports_media": False,
            "supports_templates": False,
            "supports_delivery_status": True,
            "supports_durable_receive": False,
        }
        assert "kind_capabilities" not in client.initialize_result
    app = served()

    @app.method("channel/schema")
    def schema() -> dict[str, Any]:
        return {"providers": ["sms"], "supports_durable_receive": True}

    with TestClient(app) as client:
        found = client.call("channel/schema")
    assert (found["providers"], found["supports_durable_receive"]) == (["sms"], True)
    assert found["supports_text"] is True


@pytest.mark.parametrize("missing", PARAMS)
def test_every_method_is_required(missing: str) -> None:
    app = served()
    app.registrations[:] = [r for r in app.registrations if r.name != f"channel/{missing}"]
    with pytest.raises(ConfigurationError, match=f"'channel/{missing}' is required"):
        app.check()


# What is decided ----------------------------------------------------------------------------------


def message(family: Any, **changes: Any) -> Any:
    fields = {name: value for name, value in MESSAGE.items() if name not in {"schema", "scope"}}
    scope = family.ChannelScope(**SCOPE)
    return family.ChannelMessage(schema_="animus.channel.v1", scope=scope, **{**fields, **changes})


@pytest.mark.parametrize("family", [structs, types])
def test_a_message_is_taken_once_and_another_of_its_id_is_a_conflict(family: Any) -> None:
    first = message(family)
    assert not channels.is_duplicate(first, None)
    kept = channels.content_of(first)
    assert channels.is_duplicate(message(structs), kept)
    for change in ({"text": "Other"}, {"peer_id": "+1666"}):
        with pytest.raises(InvalidRequest, match="'m-1' is the id of a message with other content"):
            channels.is_duplicate(message(family, **change), kept)


def test_messages_of_two_connections_have_two_keys() -> None:
    assert channels.key_of(message(structs)) == ("t-1", "wa-1", "m-1")
    scope = structs.ChannelScope(tenant_id="t-1", connection_id="wa-2")
    status = structs.ChannelStatusParams(
        schema_="animus.channel.v1", scope=scope, delivery_id="d-1"
    )
    assert channels.key_of(status) == ("t-1", "wa-2", "d-1")


WAY: list[channels.State] = ["queued", "sending", "accepted", "delivered", "read"]


def test_a_delivery_never_goes_back() -> None:
    for older, newer in itertools.combinations(WAY, 2):
        assert channels.advanced(older, newer) == newer
        assert channels.advanced(newer, older) == newer
    for state in WAY[:-1]:
        assert channels.advanced(state, "failed") == "failed"
        assert channels.advanced("failed", state) == "failed"
    assert channels.advanced("read", "failed") == "read"
    assert [state for state in channels.ORDER if channels.is_final(state)] == ["read", "failed"]


@pytest.mark.parametrize("told", ["accepted", "delivered", "read", "failed"])
def test_what_nobody_knows_is_settled_by_news_and_not_sent_again(told: channels.State) -> None:
    assert channels.advanced("sending", "unknown") == "unknown"
    assert channels.advanced("unknown", "sending") == "unknown"
    assert channels.advanced("unknown", "queued") == "unknown"
    assert channels.advanced("unknown", told) == told
