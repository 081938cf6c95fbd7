"""Start workflows by Slack: mentions of an app, messages to it, messages in channels. By Socket Mode.

    triggers:
      - id: ask
        type: plugin
        config: {on: [mention, dm]}

SLACK_APP_TOKEN is the app-level token (`xapp-...`, scope `connections:write`); the app subscribes to
`app_mention`, and to `message.im` or `message.channels` for `dm` and `message`. Nothing has to be
reachable from outside. A trigger's `config` has `on`, which is `mention` and `dm` if left out, and
`channels`, ids of those that count. If a host does not tell the plugin its triggers, they come from
SLACK_TRIGGERS: `{"ask": {"on": ["mention"]}}`; without that either, every mention and direct message is
an event of no trigger that asks for a task. SLACK_FILTER_CHANNELS holds for all of them.

What is said by bots, edited or deleted starts nothing. A message is on disk before Slack is told that
it has arrived, is told once however often Slack sends it, and until the host acknowledges it.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from animus_routes import App, Context, Depends, Env, InvalidRequest, PermissionDenied, Unavailable
from animus_routes.batteries.api import NETWORK
from animus_routes.batteries.outbox import Outbox
from animus_routes.batteries.upstream import retry_after_s
from animus_routes.errors import NamedError
from animus_routes.structs.plugin import TriggerEvent, TriggerWatchParams
from animus_routes.structs.trigger import TriggerSchema

import msgspec
from msgspec import Meta, Struct, field

On = Literal["mention", "dm", "message"]
STEADY_S: Final = 10.0  # a connection that lasted as long is replaced at once
LONGEST_PAUSE_S: Final = 60.0
LONGEST_WAIT_S: Final = 3600.0  # for what Slack says
STATUS: Final = re.compile(r"status: (\d{3})")
SUBTYPES: Final = frozenset({None, "file_share", "me_message", "thread_broadcast"})  # people's
# What asking again does not change; of the rest, any may pass.
FINAL: Final = frozenset(
    {
        "access_denied",
        "account_inactive",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "forbidden_team",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
        "two_factor_setup_required",
    }
)


class Wanted(Struct, forbid_unknown_fields=True):
    """One trigger's `config`."""

    on: list[On] = field(default_factory=lambda: ["mention", "dm"])
    channels: list[str] = field(default_factory=list)


class Settings(Struct):
    """What the environment says."""

    app_token: Annotated[
        str, Env("SLACK_APP_TOKEN", "The app-level token, xapp-...", sensitive=True)
    ]
    triggers: Annotated[
        dict[str, Any], Env("SLACK_TRIGGERS", "JSON: each trigger's id with its config")
    ] = {}
    channels: Annotated[
        list[str], Env("SLACK_FILTER_CHANNELS", "Ids of the channels that count; all if unset")
    ] = []
    api: Annotated[str, Env("SLACK_API_BASE")] = "https://slack.com/api/"
    ping_s: Annotated[
        float,
        Meta(gt=0),
        Env("SLACK_PING_S", "Seconds between looks at the connection; 5 if unset"),
    ] = 5.0


# ---- events -------------------------------------------------------------------------------------


def triggers(params: TriggerWatchParams, settings: Settings) -> dict[str | None, Wanted]:
    """What each trigger wants, as the host says, or else the environment.

    Raises:
        InvalidRequest: It cannot be understood.
    """
    given: Any = {trigger.id: trigger.config or {} for trigger in params.triggers} or params.config
    try:
        found = msgspec.convert(given or settings.triggers, dict[str, Wanted])
    except msgspec.ValidationError as problem:
        raise InvalidRequest(f"config: {problem}") from None
    return {trigger: wanted for trigger, wanted in found.items()} or {None: Wanted()}  # noqa: C416


def kind_of(payload: dict[str, Any]) -> On | None:
    """What a person has done; None for whatever starts nothing."""
    event = payload["event"]
    if event.get("subtype") not in SUBTYPES or event.get("bot_id") or not event.get("user"):
        return None
    bots = [one.get("user_id") for one in payload.get("authorizations") or () if one.get("is_bot")]
    if event["user"] in bots:
        return None
    if event["type"] == "app_mention":
        return "mention"
    if event["type"] != "message":
        return None
    if event.get("channel_type") == "im":
        return "dm"
    # Of a mention in a channel whose messages are subscribed, too, Slack tells twice.
    is_mention = any(f"<@{bot}>" in event.get("text", "") for bot in bots)
    return "mention" if is_mention else "message"


def events(
    payload: Any, wanted: dict[str | None, Wanted], channels: list[str]
) -> list[TriggerEvent]:
    """One event for each trigger that wants a message.

    Raises:
        KeyError, TypeError, ValueError: It is none as Slack describes them.
    """
    kind = kind_of(payload)
    if kind is None:
        return []
    event = payload["event"]
    team, channel, ts = payload["team_id"], event["channel"], event["ts"]
    seconds, _, fraction = ts.partition(".")  # six decimals, more than a float has
    at = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    more = {"kind": f"slack.{kind}", "team_id": team, "occurred_at": f"{at}.{fraction or 0}Z"}
    name = f"slack:{team}/{channel}/{ts}"
    return [
        TriggerEvent(
            event_id=name if trigger is None else f"{name}@{trigger}",
            trigger_id=trigger,
            action_hint="create_task" if trigger is None else None,
            payload={**event, **more},
        )
        for trigger, wants in wanted.items()
        if kind in wants.on
        and (not wants.channels or channel in wants.channels)
        and (not channels or channel in channels)
    ]


# ---- the connection -----------------------------------------------------------------------------


class Link:
    """A connection to Slack, and the next one, until there is a reason for none.

    Attributes:
        over: Set when there is one.
        problem: It, or what keeps Slack from being reached now.
    """

    def __init__(self, settings: Settings, receive: Callable[[Any], object]) -> None:
        self.settings = settings
        self.receive = receive
        self.over = threading.Event()
        self.problem: NamedError | None = None
        self._client: Any = None
        self._quick = 0
        self._opened_at = -STEADY_S
        threading.Thread(target=self._connect, name="slack", daemon=True).start()

    @property
    def is_open(self) -> bool:
        return self._client is not None and self._client.is_connected()

    def end(self, problem: NamedError | None) -> None:
        """Connect no more; what is open is closed, which takes the library a few seconds."""
        self.problem = problem
        self.over.set()
        if self._client is not None and not self._client.closed:
            self._client.closed = True
            threading.Thread(target=self._client.close, daemon=True).start()

    def _connect(self) -> None:
        from slack_sdk.socket_mode.builtin import SocketModeClient
        from slack_sdk.web import WebClient

        logger = logging.getLogger("slack")
        logger.setLevel(logging.WARNING)
        logger.addFilter(self._hears)
        web = WebClient(base_url=self.settings.api.rstrip("/") + "/", timeout=10, logger=logger)
        client: Any = SocketModeClient(
            self.settings.app_token,
            web_client=web,
            logger=logger,
            ping_interval=self.settings.ping_s,
            concurrency=2,
        )
        # Every connection is asked for here, and every frame comes by there, before the library acts.
        client.issue_new_wss_url = self._ask
        enqueue = client.enqueue_message
        client.enqueue_message = lambda text: enqueue(text) if self._looks_on(text) else None
        client.socket_mode_request_listeners.append(self._take)
        client.on_error_listeners.append(self._breaks)
        self._client = client
        if self.over.is_set():
            self.end(self.problem)
        else:
            with suppress(ConnectionError):
                client.connect()

    def _hears(self, record: logging.LogRecord) -> bool:
        """Keep to itself what the library logs, which is every retry; its one word on a handshake is this."""
        status = STATUS.search(record.getMessage())
        if status is not None:
            self.problem = Unavailable(f"Slack answered {status[1]} instead of a WebSocket")
        return False

    def _breaks(self, problem: Exception) -> None:
        self.problem = Unavailable(f"Slack's WebSocket: {problem}")

    def _looks_on(self, text: str) -> bool:
        """Is it a frame for the library?"""
        said: dict[str, Any] = {}
        with suppress(msgspec.DecodeError, RecursionError):
            said = msgspec.json.decode(text, type=dict[str, Any])
        if (said.get("type"), said.get("reason")) == ("disconnect", "link_disabled"):
            self.end(PermissionDenied("Slack: Socket Mode is switched off for this app"))
        return "type" in said and not self.over.is_set()

    def _ask(self) -> str:
        """The address of a new connection, asked for again and again, with pauses.

        Raises:
            ConnectionError: There is to be none.
        """
        from slack_sdk.errors import SlackApiError

        is_steady = time.monotonic() - self._opened_at >= STEADY_S
        self._quick = 0 if is_steady else self._quick + 1
        while not self.over.wait(
            min(2.0 ** (self._quick - 2), LONGEST_PAUSE_S) * (self._quick > 1)
        ):
            self._opened_at, pause_s = time.monotonic(), 0.0
            try:
                answer = self._client.web_client.apps_connections_open(
                    app_token=self.settings.app_token
                )
                address: str = answer["url"]
            except SlackApiError as problem:
                said = str(problem.response.get("error") or problem.response.status_code)
                if said in FINAL:
                    self.end(PermissionDenied(f"Slack: {said}, for the token SLACK_APP_TOKEN"))
                    break
                self.problem = Unavailable(f"Slack answered {said}")
                pause_s = min(retry_after_s(problem.response.headers) or 0, LONGEST_WAIT_S)
            except Exception as problem:  # noqa: BLE001 - whatever is answered: the next time, it may pass
                told = f"{problem}" or type(problem).__name__
                self.problem = Unavailable(f"Slack cannot be reached: {told}")
            else:
                self.problem = None
                return address
            self._quick = max(self._quick, 1) + 1
            self.over.wait(pause_s)
        raise ConnectionError("there is no connection any more")

    def _take(self, client: Any, request: Any) -> None:
        """Have an envelope kept, then say so; Slack sends again what was not confirmed in 3 s."""
        if request.type != "events_api":
            return
        try:
            self.receive(request.payload)
        except Unavailable as problem:
            self.problem = problem
        else:
            client.send_socket_mode_response({"envelope_id": request.envelope_id})


# ---- the plugin ---------------------------------------------------------------------------------


class Slack:
    """What has arrived, and the connection, once the host watches."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.link: Link | None = None


def lifespan(ctx: Context) -> Iterator[Slack]:
    slack = Slack(Outbox(ctx.data_dir / "messages.sqlite3"))
    yield slack
    slack.outbox.close()


app = App(
    kind="trigger_backend",
    name="animus-trigger-slack",
    version="0.1.0",
    description="Starts workflows by mentions and messages in Slack",
    lifespan=lifespan,
    settings=Settings,
    env_required=NETWORK,
)


def connection(ctx: Context[Slack], settings: Settings) -> Iterator[Link]:
    wanted = triggers(msgspec.convert(ctx.params, TriggerWatchParams), settings)

    def receive(payload: Any) -> None:
        try:
            found = events(payload, wanted, settings.channels)
        except (KeyError, TypeError, ValueError) as problem:
            ctx.log("warn", f"an event of Slack's is left out: {problem!r}")
            return
        if found:
            ctx.state.outbox.add_all((event.event_id, event) for event in found)

    link = ctx.state.link = Link(settings, receive)
    yield link
    link.end(None)


@app.method("trigger/watch")
def watch(
    ctx: Context[Slack], link: Annotated[Link, Depends(connection)]
) -> Iterator[TriggerEvent]:
    yield from ctx.state.outbox.follow(ctx, until=link.over)
    if link.problem is not None and not ctx.cancelled:
        raise link.problem  # a refusal: starting again would not help, and health tells it from now on


@app.method("trigger/ack")
def acknowledge(event_id: str, status: str | None = None, *, ctx: Context[Slack]) -> bool:
    """A host that is shutting down has not accepted the event, so it is sent again."""
    return status != "shutdown" and ctx.state.outbox.acknowledge(event_id)


@app.method("trigger/schema")
def schema() -> TriggerSchema:
    kinds = ["slack.mention", "slack.dm", "slack.message"]
    return TriggerSchema(kinds=kinds, supports_resume=True, supports_dedup=True)


@app.health
def health(ctx: Context[Slack | None]) -> str | None:
    """Can what arrives be kept, and does it arrive?"""
    if ctx.state is None:
        return None
    link = ctx.state.link
    if link is not None and link.over.is_set() and link.problem:
        raise link.problem
    if link is not None and not link.is_open:
        return link.problem.message if link.problem else "not connected to Slack yet"
    return ctx.state.outbox.check()


if __name__ == "__main__":
    app.run()
