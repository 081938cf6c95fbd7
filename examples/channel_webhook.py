"""A channel over a provider with a small HTTP interface: `POST <url>/messages`.

What comes in is kept before the host is answered, so that nothing is lost and nothing is taken twice.
What goes out is kept before it goes over the network: a delivery that was sent and not answered for is
`unknown`, and is never sent again by itself. Both are in `.animus/channel.sqlite3` of the project.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from animus_routes import App, Context, Depends
from animus_routes.batteries import channels
from animus_routes.structs import channel as wire

TIMEOUT_S = 10.0
BUSY_S = 5.0
KEY = "tenant_id = ? AND connection_id = ? AND id = ?"
TABLES = """
CREATE TABLE IF NOT EXISTS inbox (
    tenant_id TEXT, connection_id TEXT, id TEXT, content TEXT NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, id)
);
CREATE TABLE IF NOT EXISTS outbox (
    tenant_id TEXT, connection_id TEXT, id TEXT, content TEXT NOT NULL,
    state TEXT NOT NULL, provider_id TEXT, error_code TEXT,
    PRIMARY KEY (tenant_id, connection_id, id)
);
"""


class Outbox:
    """Messages that came in, and deliveries on their way; any number of processes may use it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        self._db.executescript(TABLES)

    @contextmanager
    def turn(self) -> Iterator[sqlite3.Connection]:
        """One transaction that no other process gets between."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def take(self, message: wire.ChannelMessage) -> bool:
        """Keep a message; was it here before?"""
        key = channels.key_of(message)
        with self.turn() as db:
            kept = db.execute(f"SELECT content FROM inbox WHERE {KEY}", key).fetchone()
            if channels.is_duplicate(message, kept and kept[0]):
                return True
            content = channels.content_of(message)
            db.execute("INSERT INTO inbox VALUES (?, ?, ?, ?)", (*key, content))
            return False

    def intend(self, send: wire.ChannelSendParams) -> bool:
        """Keep a delivery before it is sent; is it new?"""
        key = channels.key_of(send)
        with self.turn() as db:
            kept = db.execute(f"SELECT content FROM outbox WHERE {KEY}", key).fetchone()
            if channels.is_duplicate(send, kept and kept[0]):
                return False
            row = (*key, channels.content_of(send), "sending", None, None)
            db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            return True

    def tell(self, key: tuple[str, str, str], state: channels.State, **known: str | None) -> None:
        """Note what became of a delivery; older news changes nothing."""
        with self.turn() as db:
            (old,) = db.execute(f"SELECT state FROM outbox WHERE {KEY}", key).fetchone()
            if channels.advanced(old, state) != old:
                news = (state, known.get("provider_id"), known.get("error_code"), *key)
                db.execute(
                    "UPDATE outbox SET state = ?, provider_id = coalesce(?, provider_id), "
                    f"error_code = ? WHERE {KEY}",
                    news,
                )

    def delivery(self, asked: Any) -> wire.ChannelDelivery | None:
        """What is known of a delivery. One whose process died while sending is `unknown`."""
        found = self._db.execute(
            f"SELECT state, provider_id, error_code FROM outbox WHERE {KEY}", channels.key_of(asked)
        ).fetchone()
        if found is None:
            return None
        state, provider_id, error_code = found
        return wire.ChannelDelivery(
            scope=asked.scope,
            delivery_id=asked.delivery_id,
            state="unknown" if state == "sending" else state,
            provider_message_id=provider_id,
            error_code=error_code,
        )


def post(send: wire.ChannelSendParams) -> dict[str, Any]:
    """Hand a message to the provider, whose own key for it is the delivery's id."""
    body = {"to": send.peer_id, "text": send.text, "key": send.delivery_id}
    request = Request(  # noqa: S310 - the operator's own URL
        os.environ["CHANNEL_WEBHOOK_URL"].rstrip("/") + "/messages",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
        return found


def the_outbox(ctx: Context) -> Outbox:
    return Outbox(Path(ctx.project_root) / ".animus" / "channel.sqlite3")


Shared = Annotated[Outbox, Depends(the_outbox)]

app = App(
    kind="channel_backend",
    name="animus-channel-webhook",
    version="0.1.0",
    description="Messages over a provider's HTTP interface",
    env_required=[
        {"name": "CHANNEL_WEBHOOK_URL", "description": "The provider's base URL", "required": True}
    ],
)


@app.method("channel/schema")
def schema() -> dict[str, Any]:
    return {"providers": ["webhook"], "supports_durable_receive": True}


@app.method("channel/receive")
def receive(message: wire.ChannelMessage, outbox: Shared) -> bool:
    return outbox.take(message)


@app.method("channel/send")
def send(params: wire.ChannelSendParams, outbox: Shared) -> wire.ChannelDelivery | None:
    key = channels.key_of(params)
    if outbox.intend(params):
        try:
            outbox.tell(key, "accepted", provider_id=str(post(params)["id"]))
        except HTTPError as refused:
            outbox.tell(key, "failed", error_code=f"http_{refused.code}")
        except (URLError, OSError, ValueError, KeyError):
            outbox.tell(key, "unknown")  # it may have got there
    return outbox.delivery(params)


@app.method("channel/status")
def status(params: wire.ChannelStatusParams, outbox: Shared) -> wire.ChannelDelivery | None:
    return outbox.delivery(params)


if __name__ == "__main__":
    app.run()
