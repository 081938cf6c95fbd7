"""Start workflows by webhooks: GitHub, Stripe, Standard Webhooks, Svix, Linear, Jira, or your own.

    triggers:
      - id: pushes
        type: plugin
        config: {scheme: github, events: [push]}

Deliveries for this trigger go to `http://127.0.0.1:7878/pushes`; ANIMUS_WEBHOOK_LISTEN_ADDR names
another address. A proxy brings TLS and the way from outside. Secrets are in the environment alone:
ANIMUS_WEBHOOK_SECRETS='{"pushes": "..."}', of each trigger one or, while it is changed, a list.

A trigger's `config` has `scheme`, which is `github`, `jira`, `linear`, `standard-webhooks`, `stripe` or
`svix`; `generic`, HMAC-SHA256 of the body in hex, in the header `header` after `prefix`; `token`, the
secret itself in `header` after `prefix` (`Authorization: Bearer ...` if those are left out); or `none`,
which takes whatever anybody sends. Further, `path`, if it is not the trigger's id; `events`, names of
those that count; and, for the last three, `event_header` and `id_header`, which have the event's name and
the delivery's id. If a host does not tell the plugin its triggers, they come from ANIMUS_WEBHOOKS:
`{"pushes": {"scheme": "github"}}`.

A delivery is answered with 202 once it is on disk, in the plugin's folder of the project. It is told
until the host acknowledges it, and whoever sends it again within a week is answered and not heard;
of two without an id, the same body is the same delivery. GitHub and Jira sign no time: against what
somebody recorded, there is only TLS.
"""

import hmac
import re
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import parse_qs

from animus_routes import App, Context, Depends, Env, InvalidRequest, Unavailable
from animus_routes.batteries.outbox import Outbox
from animus_routes.batteries.signatures import SCHEMES, Scheme, delivery_id, is_signed
from animus_routes.structs.plugin import TriggerEvent, TriggerWatchParams
from animus_routes.structs.trigger import TriggerSchema
from animus_routes.timestamps import now

import msgspec
from msgspec import Struct, field

if TYPE_CHECKING:  # it loads an HTTP server, which is needed once somebody watches
    from animus_routes.batteries.webhooks import Delivery

Known = Literal["github", "jira", "linear", "standard-webhooks", "stripe", "svix"]
MOST_WAITING: Final = 10_000  # deliveries that no host has acknowledged
MOST_BYTES: Final = 5 * 1024 * 1024
LONGEST_EVENT: Final = 7 * 1024 * 1024  # hosts drop a plugin whose frame passes 8 MiB
ADDRESS: Final = re.compile(r"(?P<host>[^:\s]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")
# Where a sender names the event, and the delivery where no header has its id: a header, or `$` and a
# field of the body.
EVENTS: Final = {
    "github": "x-github-event",
    "jira": "$webhookEvent",
    "linear": "linear-event",
    "standard-webhooks": "$type",
    "stripe": "$type",
    "svix": "$type",
}
IDS: Final = {"stripe": "$id"}
GREETINGS: Final = {("github", "ping")}  # sent when a webhook is set up
FORM: Final = "application/x-www-form-urlencoded"
SECRET: Final = re.compile(r"authorization|cookie|signature|token|secret|key")


class Hook(Struct, forbid_unknown_fields=True):
    """One trigger's `config`."""

    scheme: Known | Literal["generic", "token", "none"]
    path: str = ""
    events: list[str] = field(default_factory=list)
    header: str = ""
    prefix: str | None = None
    event_header: str = ""
    id_header: str = ""

    def own_scheme(self) -> Scheme:
        """What it says of a `generic` sender."""
        header = self.header.lower() or "x-signature"
        return Scheme(header, self.prefix or "", id=self.id_header.lower())


class Settings(Struct):
    """What the environment says."""

    address: Annotated[
        str, Env("ANIMUS_WEBHOOK_LISTEN_ADDR", "Host and port; 127.0.0.1:7878 if unset")
    ] = "127.0.0.1:7878"
    hooks: Annotated[
        dict[str, Any], Env("ANIMUS_WEBHOOKS", "JSON: each trigger's id with its config")
    ] = {}
    secrets: Annotated[
        dict[str, str | list[str]],
        Env("ANIMUS_WEBHOOK_SECRETS", "JSON: each trigger's id with its secret", sensitive=True),
    ] = {}


class Door:
    """Takes the deliveries for one trigger.

    Args:
        trigger: Its id.
        hook: Its config.
        secrets: Any of which a sender may have.

    Raises:
        InvalidRequest: There is no secret, or none that the scheme can use; or nothing tells the events
            that are to count from others.
    """

    def __init__(self, trigger: str, hook: Hook, secrets: list[str]) -> None:
        self.trigger = trigger
        self.hook = hook
        self.secrets = [secret for secret in secrets if secret]
        self.path = "/" + (hook.path or trigger).strip("/")
        self.scheme = SCHEMES.get(hook.scheme) or hook.own_scheme()
        self.names = EVENTS.get(hook.scheme) or hook.event_header.lower()
        if hook.events and not self.names:
            raise InvalidRequest(
                f"trigger '{trigger}': `events` needs `event_header`, the header that has the event's"
                f" name: `scheme` '{hook.scheme}' knows none"
            )
        if hook.scheme != "none" and not self.secrets:
            raise InvalidRequest(
                f"trigger '{trigger}': ANIMUS_WEBHOOK_SECRETS has no secret for it, and `scheme` is"
                f" '{hook.scheme}'"
            )
        try:
            is_signed(self.scheme, self.secrets, {}, b"")
        except ValueError as problem:
            raise InvalidRequest(f"trigger '{trigger}': {problem}") from None

    def knows(self, delivery: "Delivery") -> bool:
        """Does the sender have the secret?"""
        if self.hook.scheme == "none":
            return True
        if self.hook.scheme != "token":
            return is_signed(self.scheme, self.secrets, delivery.headers, delivery.body)
        prefix = self.hook.prefix or ("" if self.hook.header else "Bearer ")
        told = delivery.headers.get(self.hook.header.lower() or "authorization", "")
        token = told.removeprefix(prefix).encode("utf-8", "replace")
        found = [hmac.compare_digest(token, secret.encode()) for secret in self.secrets]
        return told.startswith(prefix) and any(found)

    def hides(self, header: str) -> bool:
        """Is it nobody's business in a workflow?"""
        return header in {self.scheme.header, self.hook.header.lower()} or bool(
            SECRET.search(header)
        )

    def event(self, delivery: "Delivery") -> TriggerEvent | None:
        """What the host is told; None for what does not count.

        Raises:
            ValueError: The body is no text.
        """
        scheme, headers = self.hook.scheme, delivery.headers
        body = content(delivery.body, headers.get("content-type", ""))
        name = told_by(self.names, headers, body)
        if (scheme, name) in GREETINGS or (self.hook.events and name not in self.hook.events):
            return None
        where = IDS.get(scheme, self.hook.id_header.lower())
        unique = delivery_id(self.scheme, headers) or told_by(where, headers, body)
        payload = {
            "kind": "webhook",
            "event": name,
            "body": body,
            "headers": {key: value for key, value in headers.items() if not self.hides(key)},
            "method": delivery.method,
            "path": delivery.path,
            "query": delivery.query,
            "received_at": now(),
        }
        unsigned = headers if scheme in {"token", "none"} else {}
        return TriggerEvent(
            event_id=f"webhook:{self.path}/{unique or sha256(delivery.body).hexdigest()[:32]}",
            trigger_id=self.trigger,
            payload=payload,
            subject_id=unsigned.get("x-animus-subject-id"),
            action_hint=unsigned.get("x-animus-action-hint"),
        )


def content(body: bytes, kind: str) -> Any:
    """A body as JSON, or its text as `raw`; `{}` if there is none.

    A form with the one field `payload`, as GitHub sends by default, is what that field holds.
    """
    text = body.decode()
    if kind.partition(";")[0].strip().lower() == FORM:
        form = parse_qs(text, keep_blank_values=True)
        text = form["payload"][0] if [*form] == ["payload"] else text
    with suppress(msgspec.DecodeError, RecursionError):
        return msgspec.json.decode(text) if text.strip() else {}
    return {"raw": body.decode()}


def told_by(where: str, headers: Any, body: Any) -> str | None:
    """What a header says, or a field of the body."""
    found = headers.get(where)
    if where.startswith("$") and isinstance(body, dict):
        found = body.get(where[1:])  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return found if isinstance(found, str) and found else None


def doors(params: TriggerWatchParams, settings: Settings) -> dict[str, Door]:
    """Each trigger's door by its path, as the host describes it, or else the environment.

    Raises:
        InvalidRequest: There is none, or one of them cannot be understood.
    """
    given: Any = {trigger.id: trigger.config or {} for trigger in params.triggers} or params.config
    try:
        hooks = msgspec.convert(given or settings.hooks, dict[str, Hook])
    except msgspec.ValidationError as problem:
        raise InvalidRequest(f"config: {problem}") from None
    if not hooks:
        raise InvalidRequest(
            'the host names no triggers: set ANIMUS_WEBHOOKS, such as {"pushes": {"scheme": "github"}}'
        )
    found: dict[str, Door] = {}
    for trigger, hook in hooks.items():
        secrets = settings.secrets.get(trigger, [])
        door = Door(trigger, hook, [secrets] if isinstance(secrets, str) else secrets)
        if door.path in found:
            raise InvalidRequest(f"'{trigger}' and '{found[door.path].trigger}' have one path")
        found[door.path] = door
    return found


class Receiver:
    """Takes deliveries into the outbox."""

    def __init__(self, found: dict[str, Door], outbox: Outbox) -> None:
        self.doors = found
        self.outbox = outbox

    def __call__(self, delivery: "Delivery") -> int:
        """The status to answer with."""
        door = self.doors.get("/" + delivery.path.strip("/"))
        if door is None:
            return 404
        if delivery.method != "POST":
            return 405
        return self.take(door, delivery) if door.knows(delivery) else 401

    def take(self, door: Door, delivery: "Delivery") -> int:
        try:
            event = door.event(delivery)
            if event is None:
                return 204
            if len(msgspec.json.encode(event)) > LONGEST_EVENT:
                return 413
            if self.outbox.count() >= MOST_WAITING:
                return 503
            self.outbox.add(event.event_id, event)
        except ValueError:
            return 400
        except Unavailable:
            return 503
        return 202


# ---- the plugin ---------------------------------------------------------------------------------


def lifespan(ctx: Context) -> Iterator[Outbox]:
    outbox = Outbox(ctx.data_dir / "deliveries.sqlite3")
    yield outbox
    outbox.close()


app = App(
    kind="trigger_backend",
    name="animus-trigger-webhook",
    version="0.1.0",
    description="Starts workflows by signed webhooks",
    lifespan=lifespan,
    settings=Settings,
)


def listener(ctx: Context[Outbox], settings: Settings) -> Iterator[str]:
    """Listen while the host watches; opened before that is acknowledged."""
    from animus_routes.batteries.webhooks import listening

    found = doors(msgspec.convert(ctx.params, TriggerWatchParams), settings)
    address = ADDRESS.fullmatch(settings.address)
    if address is None:
        raise InvalidRequest(
            "ANIMUS_WEBHOOK_LISTEN_ADDR: a host and a port, such as 127.0.0.1:7878"
        )
    host, port = address["host"].strip("[]"), int(address["port"])
    receive = Receiver(found, ctx.state)
    try:
        with listening(receive, port=port, host=host, most_bytes=MOST_BYTES) as listened:
            ctx.log("info", f"webhooks for {', '.join(found)} at http://{host}:{listened}")
            yield host
    except (OSError, OverflowError) as problem:
        raise Unavailable(f"{settings.address} cannot be listened on: {problem}") from problem


@app.method("trigger/watch")
def watch(ctx: Context[Outbox], _host: Annotated[str, Depends(listener)]) -> Iterator[TriggerEvent]:
    yield from ctx.state.follow(ctx)


@app.method("trigger/ack")
def acknowledge(event_id: str, status: str | None = None, *, ctx: Context[Outbox]) -> bool:
    """A host that is shutting down has not accepted the event, so it is sent again."""
    return status != "shutdown" and ctx.state.acknowledge(event_id)


@app.method("trigger/schema")
def schema() -> TriggerSchema:
    return TriggerSchema(kinds=["webhook"], supports_resume=True, supports_dedup=True)


@app.health
def health(ctx: Context[Outbox | None]) -> str | None:
    """Can what arrives be kept?"""
    return None if ctx.state is None else ctx.state.check()


if __name__ == "__main__":
    app.run()
