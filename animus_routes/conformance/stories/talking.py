"""Conversations, keyed messages and channels: what is said once is kept once (newer 3.4, 3.7)."""

from __future__ import annotations

from typing import Any, Final

from animus_routes.conformance.outcomes import Skipped, expect
from animus_routes.conformance.overlay import CONVERSATIONS, USER
from animus_routes.conformance.rows import serves
from animus_routes.conformance.shapes import object_of
from animus_routes.conformance.stories.play import NOW, Play, story
from animus_routes.errors import INVALID_PARAMS

Params = dict[str, Any]
CHANNEL: Final = "animus.channel.v1"
STATES: Final = ("queued", "sending", "accepted", "delivered", "read", "failed", "unknown")


def message(seq: int, role: str = "user") -> Params:
    """One message of a conversation."""
    return {"seq": seq, "role": role, "content": f"number {seq}", "recorded_at": NOW}


def of(play: Play, **more: Any) -> Params:
    """The params of a call about the story's conversation."""
    return {**CONVERSATIONS, "id": play.name, **more}


def begun(play: Play) -> None:
    """A conversation of the story's own."""
    play.call("conversation/create", of(play, owner=USER))
    play.wrote(f"the conversation {play.name}")


def ended(play: Play) -> None:
    """It is deleted again."""
    if serves(play.bench, "conversation/delete"):
        play.call("conversation/delete", of(play))
        play.wrote("nothing of it is left: its conversation is deleted")


def _life(play: Play) -> None:
    begun(play)
    for seq in (1, 2):
        play.call("conversation/append_message", of(play, message=message(seq)))
    with play.another() as other:
        found = other.call("conversation/load_messages", of(play))["messages"]
        expect(
            [one["seq"] for one in found] == [1, 2],
            f"the messages 1, 2 come back as {found!r:.200}",
        )
    listed = play.call("conversation/list", CONVERSATIONS)["conversations"]
    expect(play.name in {one["id"] for one in listed}, "conversation/list does not give it")
    meta = object_of(play.call("conversation/load_meta", of(play)).get("meta"))
    expect(meta.get("id") == play.name, f"conversation/load_meta gives {meta!r:.200}")
    _compared(play, meta)
    other_user: Params = {
        **CONVERSATIONS,
        "actor": {"user_id": f"{USER}-2", "claims": [], "tenant_id": "t-2"},
    }
    strange: Params = {**other_user, "tenant_id": "t-2", "as_user": f"{USER}-2", "id": play.name}
    answer = play.ask("conversation/load_meta", strange)
    expect(
        answer.error is not None or object_of(answer.result).get("meta") is None,
        "a user of another tenant is given the conversation",
    )
    ended(play)
    if serves(play.bench, "conversation/delete"):
        answer = play.ask("conversation/load_meta", of(play))
        gone = answer.error is not None or object_of(answer.result).get("meta") is None
        expect(gone, "after conversation/delete, it is still there")


def _compared(play: Play, meta: Params) -> None:
    revision = meta.get("revision")
    if not isinstance(revision, int) or not serves(play.bench, "conversation/save_meta"):
        return
    change = {**meta, "title": "renamed"}
    params = {key: value for key, value in of(play).items() if key != "id"}
    play.call("conversation/save_meta", {**params, "meta": change, "expected_revision": revision})
    found = object_of(play.call("conversation/load_meta", of(play)).get("meta"))
    expect(found.get("title") == "renamed", f"saved as renamed, its title is {found.get('title')}")
    play.refused(
        "conversation/save_meta",
        {**params, "meta": change, "expected_revision": revision},
        "with a revision that is past",
    )


def _operation(play: Play) -> None:
    begun(play)
    key = {**CONVERSATIONS, "conversation_id": play.name, "caller_key": play.name}
    ask = {**key, "request_hash": "sha256:1"}
    claim = object_of(_began(play, ask, "acquired").get("claim"))
    _began(play, ask, "in_progress")
    _began(play, {**ask, "request_hash": "sha256:2"}, "conflict")
    lease = {**key, **{name: claim[name] for name in ("operation_id", "lease_token")}}
    stale = play.call("conversation/operation_renew", {**lease, "lease_token": "another"})
    expect(not stale["changed"], "a lease is renewed by another token than its own")
    message_of = {"caller_key": play.name, "operation_id": lease["operation_id"]}
    fence = {**message_of, "lease_token": lease["lease_token"]}
    play.call("conversation/operation_accept_user", {**lease, "user_seq": 1})
    for seq, role in ((1, "user"), (2, "assistant")):
        params = of(play, message=message(seq, role), operation_fence=fence)
        play.call("conversation/append_message", params)
    done = {**lease, "status": "completed", "assistant_seq": 2}
    play.call("conversation/operation_terminalize", done)
    replay = _began(play, ask, "replay")
    operation = object_of(replay.get("operation"))
    expect(
        operation.get("status") == "completed",
        f"a key that is done is replayed as {operation.get('status')}",
    )
    expect("lease_token" not in str(replay), "a replay shows the token of the lease")
    ended(play)


def _began(play: Play, params: Params, wanted: str) -> Params:
    found: Params = play.call("conversation/operation_begin", params)
    expect(
        found["outcome"] == wanted,
        f"conversation/operation_begin says {found['outcome']}, and not {wanted}",
    )
    return found


def scope(play: Play) -> Params:
    """The connection that is tried; the author names a real one with --values channel/send."""
    for given in play.bench.options.values.get("channel/send", ()):
        found = object_of(object_of(given).get("scope"))
        if found:
            return found
    return {"tenant_id": "animus-check", "connection_id": "animus-check"}


def known(play: Play, method: str, params: Params) -> Any:
    """The first call's result; without a connection of the author's there is nothing to try."""
    answer = play.ask(method, params)
    if answer.code == INVALID_PARAMS and "channel/send" not in play.bench.options.values:
        raise Skipped(f"which connection? --values names the scope of channel/send ({answer})")
    return play.result(method, answer)


def _received(play: Play) -> None:
    incoming = {
        "schema": CHANNEL,
        "scope": scope(play),
        "message_id": play.name,
        "peer_id": "+15550100",
        "occurred_at": NOW,
        "text": "hello",
    }
    first = known(play, "channel/receive", incoming)
    play.wrote(f"the incoming message {play.name}")
    expect(not first["duplicate"], "a new message is a duplicate")
    again = play.call("channel/receive", incoming)
    expect(again["duplicate"], "a message that comes again is no duplicate")
    answer = play.ask("channel/receive", {**incoming, "text": "other"})
    expect(
        answer.error is not None, "the same message with another text is taken: it is a conflict"
    )


def _sent(play: Play) -> None:
    outgoing = {
        "schema": CHANNEL,
        "scope": scope(play),
        "delivery_id": play.name,
        "peer_id": "+15550100",
        "text": "hello from a test",
    }
    known(play, "channel/send", outgoing)
    play.wrote(f"an outgoing message, the delivery {play.name}")
    play.call("channel/send", outgoing)
    asked = {name: outgoing[name] for name in ("schema", "scope", "delivery_id")}
    found = play.call("channel/status", asked)
    expect(found["delivery_id"] == play.name, f"channel/status tells of {found['delivery_id']}")
    expect(found["state"] in STATES, f"its state is {found['state']}, which is none")
    answer = play.ask("channel/send", {**outgoing, "text": "other"})
    expect(answer.error is not None, "one delivery with two texts is taken: it is a conflict")


OPERATION: Final = ("begin", "renew", "accept_user", "terminalize")

STORIES: Final = (
    story(
        "conversation",
        "Messages are kept in order, for their own tenant, until they are deleted",
        "host 4.12: a new process for each call; newer 3.4.1: expected_revision",
        _life,
        *(
            f"conversation/{verb}"
            for verb in ("create", "append_message", "load_messages", "load_meta", "list")
        ),
    ),
    story(
        "keyed-message",
        "A message with a key is sent once, and replayed",
        "newer 3.4.2: begin, in_progress, conflict, replay",
        _operation,
        "conversation/create",
        "conversation/append_message",
        *(f"conversation/operation_{verb}" for verb in OPERATION),
    ),
    story(
        "received",
        "An incoming message is taken once, and a conflict is refused",
        "newer 3.7: identity is (scope, message_id)",
        _received,
        "channel/receive",
    ),
    story(
        "sent",
        "An outgoing message is sent once, and a conflict is refused",
        "newer 3.7: delivery_id is the idempotency key",
        _sent,
        "channel/send",
        "channel/status",
    ),
)
