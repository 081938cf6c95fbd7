"""What the protocol says of each plugin kind, as data: the one table everything else reads.

A role module holds a `ROLE`: its methods with their wire types, the capabilities that it declares,
and the adaptations that the wire really needs. Nothing outside this package knows a role by name.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from msgspec import Struct

from animus_routes.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    ParamsAdapter = Callable[[dict[str, Any], str | None, "Registered"], dict[str, Any]]
    ResultAdapter = Callable[[Any, dict[str, Any], "Registered"], Any]
    Derived = Callable[["Registered"], Any]

PROTOCOL_VERSION: Final = "1.2.0"


class Registered(Protocol):
    """What a role may ask of the app that it adapts for.

    Attributes:
        subject_kinds: The subject kinds it serves, exact or `x.*`.
    """

    subject_kinds: list[str]

    def figure(self, kind: str, name: str) -> Any:
        """What the app says under this name in its `kind_capabilities`; None if nothing."""
        ...

    def has(self, name: str) -> bool:
        """Is this method served by a handler of the author's?"""
        ...

    def serves(self, subject_kind: str) -> bool:
        """Is this one of the subject kinds, or below a declared `x.*` or `*`?"""
        ...


class ErrorRow(Struct, frozen=True, gc=False):
    """How a role writes a named error differently; None means as the error's class says."""

    code: int | None = None
    category: str | None = None
    prefix: str | None = None


class StreamRow(Struct, frozen=True, gc=False):
    """What a generator's items become.

    Attributes:
        notification: The wire method of an item's notification.
        key: Where the item goes in `{"id": <request id>, <key>: item}`; "" = the item is the
            whole params.
        ack: The answer sent before the first item; None = the answer is what the handler returns.
        adapter: For streams whose items differ: makes the adapter of one call (see `ItemAdapter`).
        error_key: Where the error goes in `{"id": <request id>, <error_key>: error}`, the last
            notification of a stream that fails after its ack; "" if hosts know no such notification.
        fatal: A stream that fails ends the process, so that the host restarts it.
        items: The wire type of an item, `crate.Name`, by the notification that it goes out as.
        adapt_item: Turns another published form of an item into the one that hosts read.
    """

    notification: str
    key: str = "event"
    ack: dict[str, Any] | None = None
    adapter: Callable[[dict[str, Any], Any], ItemAdapter] | None = None
    error_key: str = ""
    fatal: bool = False
    items: Mapping[str, str] = {}
    adapt_item: Callable[[Any], Any] | None = None

    def item_of(self, notification: str, params: Any) -> tuple[str | None, Any]:
        """The wire type of a notification's item, if it is one of this stream's, and the item."""
        if not isinstance(params, dict):
            return self.items.get(notification), params
        found = cast("dict[str, Any]", params)
        if self.error_key and found.keys() == {"id", self.error_key}:
            return None, found  # what broke it
        whole = self.adapter is not None or not self.key
        return self.items.get(notification), found if whole else found.get(self.key)


class ItemAdapter(Protocol):
    """One call of a stream whose items become different notifications.

    Attributes:
        names: What another method may end the call by.
    """

    names: set[str]

    def frame(self, item: Any) -> tuple[str, Any] | None:
        """The wire method and params of one item; None for one that is no notification."""
        ...

    def complete(self, result: Any) -> Any:
        """The answer, from what the handler returned and what it emitted."""

    def farewell(self) -> tuple[str, Any] | None:
        """A last notification before the answer of a cancelled call."""


class Like(Struct, frozen=True, gc=False):
    """The row that another one's params can be written as.

    Attributes:
        name: Its method.
        adapt_params: Writes the params of the other row in its form.
    """

    name: str
    adapt_params: ParamsAdapter


class Together(Struct, frozen=True, gc=False):
    """Methods that mean something to hosts only if all of them are served.

    Attributes:
        methods: Their names.
        whole: Why some of them without the others are a mistake; "" if they are none.
        tokens: What they add to the manifest's capabilities.
        crate_version: The version in `kind_capabilities`, instead of the role's.
        flag: What `kind_capabilities.<kind>.extra` says of them: true, or false without them.
        figures: What it says besides, unless the author says more; less is a mistake.
    """

    methods: tuple[str, ...]
    whole: str = ""
    tokens: tuple[str, ...] = ()
    crate_version: str | None = None
    flag: str = ""
    figures: Mapping[str, int] = {}


class MethodRow(Struct, frozen=True, gc=False):
    """One wire method of a role.

    Attributes:
        name: As on the wire, `group/verb`.
        params: The wire type, `crate.Name`; None = no parameters.
        result: The wire type, `crate.Name`; None = any JSON.
        required: Must a plugin of this kind have it?
        reads: Its calls change nothing in the system behind the plugin; other methods act on it.
        long_running: It never holds up other requests.
        one_way: The host sends it as a notification (and maybe as a request too).
        aliases: The verb is also served as `<subject kind>/<verb>`.
        stream: Set where a generator's items become notifications.
        adapt_params: Turns every form that hosts send into the one the wire type describes. Called
            as `(params, the subject kind of the method's name or None, registered)`.
        adapt_result: Turns the conveniences a handler may return (None, bool, dict, list) into
            the wire's result. Called as `(result, params, registered)`.
        adapts_all: Typed results go through `adapt_result` too.
        default: The answer when the author registered nothing.
        advertised: A default is enough to put the method on the list that hosts read.
        returns: Other wire types that a handler may give as its result hint.
        stops: The params field that names the stream this method ends; the framework ends it,
            with or without a handler of the author's.
        stopped: The answer if there is no handler, from the name and whether it was found.
        served_with: If that method is registered, the framework also serves this one.
        strict: The params are held against the wire type and its rules before any handler sees
            them, whatever its hints are.
        decoded: Hosts decode the result field by field, so one that is not of the wire's own types
            is held against its wire type before it goes out.
        actor: Where in the params the caller's identity stands; "" = nowhere.
        beside: Fields that hosts send beside those of the wire type, but for the identity.
        like: Another row, in whose form a handler gets the params unless it takes this row's own
            type.
    """

    name: str
    params: str | None = None
    result: str | None = None
    required: bool = False
    reads: bool = False
    long_running: bool = False
    one_way: bool = False
    aliases: bool = False
    stream: StreamRow | None = None
    adapt_params: ParamsAdapter | None = None
    adapt_result: ResultAdapter | None = None
    adapts_all: bool = False
    default: Derived | None = None
    advertised: bool = True
    returns: Sequence[str] = ()
    stops: str | None = None
    stopped: Callable[[Any, bool], Any] | None = None
    served_with: str | None = None
    strict: bool = False
    decoded: bool = False
    actor: str = "actor"
    beside: tuple[str, ...] = ()
    like: Like | None = None

    @property
    def verb(self) -> str:
        """The name without its group, such as `list` or `v2/list`."""
        return self.name.partition("/")[2]

    @property
    def sent_beside(self) -> tuple[str, ...]:
        """Fields that may come with those of the wire type: the caller's identity is one."""
        return (*self.beside, "actor") if self.actor == "actor" else self.beside

    @property
    def attribute(self) -> str:
        """What a method of an included object is called, such as `list` or `v2_list`."""
        return self.verb.replace("/", "_")


class Role(Struct, frozen=True):
    """One plugin kind.

    Attributes:
        kind: The wire's `plugin_kind`.
        methods: Its method table; empty for an open role.
        notifications: What the plugin may send besides stream items.
        errors: Rows that differ from the default table, by `NamedError.name`.
        open: Any method name may be registered.
        subjects: The role serves subject kinds, and its manifest names them.
        subject_kind: The kind that params mean where the method's name does not say it.
        tools: Handlers may be published as MCP tools.
        crate_version: The version in `kind_capabilities`, if hosts expect an entry there.
        extra: The wire type of `kind_capabilities.<kind>.extra`; the app's own values override it.
        tokens: What a registered method adds to the manifest's capabilities.
        together: Methods that count only together.
        command: A subcommand of the plugin's own command line with which hosts start it.
    """

    kind: str
    methods: tuple[MethodRow, ...] = ()
    notifications: tuple[str, ...] = ()
    errors: Mapping[str, ErrorRow] = {}
    open: bool = False
    subjects: bool = False
    subject_kind: Callable[[dict[str, Any], Registered], str | None] | None = None
    tools: bool = False
    crate_version: str | None = None
    extra: str | None = None
    tokens: Mapping[str, str] = {}
    together: tuple[Together, ...] = ()
    command: str | None = None

    def method(self, name: str) -> MethodRow | None:
        """The row of a method, or None."""
        return next((row for row in self.methods if row.name == name), None)


# kind -> the module of this package that holds its ROLE.
KINDS: Final[Mapping[str, str]] = {
    kind: kind
    for kind in (
        "subject_backend",
        "provider",
        "trigger_backend",
        "log_storage_backend",
        "transport_backend",
        "web_ui",
        "queue",
        "workflow_runner",
        "durable_store",
        "memory_store",
        "notifier",
        "config_source",
        "workflow_journal",
        "conversation_store",
        "environment",
        "channel_backend",
        "custom",
    )
}

REFUSED: Final[Mapping[str, str]] = {
    "task_backend": "a retired kind: write kind='subject_backend' with subject_kinds=['task']",
    "agent_runner": "a retired kind, removed in protocol v0.5.11: write kind='provider'",
}


def agreeing(
    name: str,
    result: str,
    schema: Derived,
    flags: Derived,
    *,
    required: bool = True,
    aliases: bool = False,
) -> MethodRow:
    """A `*/schema` method: derived where nobody wrote one, and never at odds with what is served.

    Args:
        name: The method.
        result: Its wire type.
        schema: What to answer without a handler, in addition to the flags.
        flags: What follows from the registered methods, whatever a handler says.
        required: As in the role's table.
        aliases: As in the role's table.
    """

    def declared(result: Any, _params: dict[str, Any], registered: Registered) -> Any:
        from animus_routes.values.codecs import to_builtins

        given: dict[str, Any] = to_builtins(result) or {}
        return {**schema(registered), **given, **flags(registered)}

    return MethodRow(
        name,
        result=result,
        required=required,
        reads=True,
        aliases=aliases,
        adapt_result=declared,
        adapts_all=True,
        default=lambda _registered: {},
    )


# What stands for a list where a handler may return one.
NONE: Final[dict[str, object]] = {}
SEVERAL: Final = cast(
    "tuple[type[Any], ...]",
    (list, tuple, set, frozenset, deque, type(NONE.values()), type(NONE.keys())),
)


def listed(key: str, **rest: Any) -> ResultAdapter:
    """A result adapter: a list is everything there is under `key`, None is nothing.

    Args:
        key: Where the list goes in the wire's result.
        rest: What else the result has.
    """

    def adapt(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
        if result is None or isinstance(result, SEVERAL):
            return {key: items_of(result), **rest}
        found: Any = result
        if isinstance(result, dict):
            has_key(found, key)
        return found

    return adapt


def items_of(result: Collection[Any] | None) -> list[Any]:
    """The items that a handler returned as a list.

    Raises:
        Mistake: It is a list with something beside it.
    """
    if isinstance(result, tuple) and result and isinstance(result[0], list | tuple):
        raise Mistake(
            f"returned a tuple of {len(result)}, the first a list: return the list alone, or the "
            "method's result type with everything in its fields"
        )
    return list(result or ())


def has_key(result: dict[str, Any], key: str) -> None:
    """A dict that stands for a list has it under a key.

    Raises:
        Mistake: It has not.
    """
    if key not in result:
        keyed = result and all(not isinstance(v, str | int | None) for v in result.values())
        advice = f"`{key}` is a list: return list(found.values())" if keyed else "return a list"
        names = ", ".join(f"'{name}'" for name in list(result)[:3]) or "nothing"
        raise Mistake(f"returned a dict without `{key}`, with {names}: {advice}")


def role(kind: str) -> Role:
    """The role of a plugin kind.

    Raises:
        KeyError: There is no such role; the argument says why.
    """
    if kind not in KINDS:
        from animus_routes.errors import unknown

        raise KeyError(REFUSED.get(kind) or unknown("plugin kind", kind, KINDS))
    module = __import__(f"animus_routes.roles.{KINDS[kind]}", fromlist=["ROLE"])
    found: Role = module.ROLE
    return found
