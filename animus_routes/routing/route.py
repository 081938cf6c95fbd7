"""One wire method with what serves it, as the engine runs it (see `engine.ports.Route`)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, structs

from animus_routes.engine.frames import HEAD, RESULT, TAIL, Response, id_bytes
from animus_routes.roles import SEVERAL, StreamRow
from animus_routes.values import codecs
from animus_routes.values.hints import WRITTEN_WELL, is_generated, is_model, is_pydantic, members

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from msgspec import Raw

    from animus_routes.engine.ports import Mode, Stream
    from animus_routes.handlers.signature import Signature
    from animus_routes.roles import MethodRow, Registered, Role
    from animus_routes.routing.router import Registration


class Classes(dict[type, bool]):
    """Is a class one of these, or below one? Asked once a class, then it is a lookup."""

    def __init__(self, *bases: type) -> None:
        super().__init__()
        self._bases = bases

    def __missing__(self, cls: type) -> bool:
        found = self[cls] = issubclass(cls, self._bases)
        return found


PLAIN: Final = (type(None), int, str, dict, *SEVERAL)
ANY_PLAIN: Final = Classes(*PLAIN)
ANYTHING: Final = Classes(object)


def answer_any(request_id: int | Raw, result: Any, out: bytearray) -> None:
    """Append an answer whose result msgspec writes, pydantic objects inside it included."""
    if WRITTEN_WELL[result.__class__]:
        with suppress(Exception):  # what follows mends it, or says what is wrong
            out += codecs.encode_ready(Response(request_id, result)) + b"\n"
            return
    out += b"".join((HEAD, id_bytes(request_id), RESULT, codecs.encode(result), TAIL))


def answer_pydantic(request_id: int | Raw, result: Any, out: bytearray) -> None:
    """Append an answer whose result is declared as a pydantic model."""
    write = codecs.json_writer(result) or codecs.encode
    try:
        body = write(result)
    except Exception:  # noqa: BLE001 - as above
        body = codecs.encode(result)
    out += b"".join((HEAD, id_bytes(request_id), RESULT, body, TAIL))


def as_it_is(raw: Raw) -> Raw:
    """The params, not decoded."""
    return raw


def nothing(_params: Raw) -> None:
    """Nobody wrote a handler."""


def no_false_actor(params: Raw) -> None:
    """Refuse params with a malformed `actor`, before they have ended anything."""
    from animus_routes.handlers.actors import read_actor

    read_actor(codecs.lenient(params), "actor")


class Route(Struct, kw_only=True, eq=False):
    """One wire method, made whole by `handled`, `bare` or `internal`.

    Attributes:
        role: The role whose table has the method; None for the framework's own.
        row: Its row in the table; None for a name of the author's.
        subject_kind: The one that is called, for `<kind>/<verb>`.
        signature: The handler as it was read; `decode` and `call` are made of it at the first
            call, so that a plugin pays only for the methods that are called.
        middlewares: What wraps the call, outermost first.
        adapt_params: What the row makes of params before they are decoded, and of the kind.
        decode_wire: `decode` without that; None before the first call.
        timeout_s: How long a call may take, before it is answered and cancelled.
    """

    name: str
    decode: Callable[[Raw], Any]
    call: Callable[..., Any]
    answer: Callable[[int | Raw, Any, bytearray], None]
    owner: str | None = None
    role: Role | None = None
    row: MethodRow | None = None
    subject_kind: str | None = None
    signature: Signature | None = None
    middlewares: Sequence[Callable[..., Any]] = ()
    mode: Mode = "inline"
    contextual: bool = False
    bare: bool = False
    one_way: bool = False
    stops: str | None = None
    stopped: Callable[[Any, bool], Any] | None = None
    refuse: Callable[[Raw], object] | None = None
    stream: Stream | None = None
    adapt: Callable[[Any, Raw], Any] | None = None
    adapts: Mapping[type, bool] = ANY_PLAIN
    adapt_params: Callable[[dict[str, Any], str | None], dict[str, Any]] | None = None
    ready: type | None = None
    decode_wire: Callable[[Raw], Any] | None = None
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        if self.signature is not None and self.decode_wire is None:
            self.decode = self.call = self._first_decode

    def _first_decode(self, raw: Raw) -> Any:
        self._compile()
        return self.decode(raw)

    def _compile(self) -> None:
        from animus_routes.handlers.plan import adapted, caller, decoder

        assert self.signature is not None
        self.call = caller(self.signature, self.middlewares)
        if self.timeout_s is not None and self.mode == "inline":
            from animus_routes.handlers.timing import bounded

            self.call = bounded(self.call, self.name, self.timeout_s)
        self.decode_wire = decoder(self.signature, self.row)
        self.decode = adapted(self.decode_wire, self.adapt_params, self.subject_kind)

    def called(self, name: str, subject_kind: str) -> Route:
        """The same handler under another name, for a kind below a declared `x.*` or `*`.

        What is made of the signature is shared: hosts may name any number of kinds.
        """
        from animus_routes.handlers.plan import adapted

        if self.decode_wire is None:
            self._compile()
        assert self.decode_wire is not None
        decode = adapted(self.decode_wire, self.adapt_params, subject_kind)
        return structs.replace(self, name=name, subject_kind=subject_kind, decode=decode)


def refusing(route: Route, refuse: Callable[..., Any]) -> Route:
    """A route that answers every call with what `refuse` raises, whatever the params."""
    return structs.replace(
        route,
        decode=as_it_is,
        decode_wire=as_it_is,
        call=refuse,
        adapt_params=None,
        adapt=None,
        signature=None,
        mode="inline",
        contextual=False,
        stream=None,
        timeout_s=None,
    )


def handled(
    name: str,
    role: Role,
    row: MethodRow | None,
    registration: Registration,
    signature: Signature,
    *,
    subject_kind: str | None,
    registered: Registered,
    concurrency: int,
    middlewares: Sequence[Callable[..., Any]],
) -> Route:
    """The route of a handler.

    Args:
        name: As the host calls it.
        role: Whose table has the method, or the app's first.
        row: The method's row; None for a name of the author's.
        registration: How the handler was registered.
        signature: The handler, read.
        subject_kind: See `Route`.
        registered: What the app serves, for the role's adapters.
        concurrency: How many plain handlers the app runs at once.
        middlewares: What wraps the call.
    """
    adapt, adapts = _adapter(row, registered), _adapted(row, signature)
    items = _items(row, registration)
    return Route(
        name=name,
        decode=nothing,
        call=nothing,
        answer=answer_pydantic if is_pydantic(signature.returns) else answer_any,
        owner=role.kind,
        role=role,
        row=row,
        subject_kind=subject_kind,
        signature=signature,
        middlewares=middlewares,
        mode=_mode(row, registration, signature, items, concurrency),
        timeout_s=registration.timeout_s,
        contextual=signature.contextual or bool(middlewares),
        one_way=registration.one_way or (row is not None and row.one_way),
        **_ending(row),
        stream=_stream(items, signature) if items is not None else None,
        adapt=adapt,
        adapt_params=_params_adapter(row, registered),
        adapts=adapts,
        ready=_ready(signature.returns, adapts if adapt is not None else None),
    )


def _ending(row: MethodRow | None) -> dict[str, Any]:
    """What a route has to know to end a stream, if its method does that."""
    if row is None or row.stops is None:
        return {}
    refuse = no_false_actor if row.actor == "actor" else None
    return {"stops": row.stops, "stopped": row.stopped, "refuse": refuse}


def _items(row: MethodRow | None, registration: Registration) -> StreamRow | None:
    if registration.items_as is not None:
        return StreamRow(registration.items_as)
    return row.stream if row is not None else None


def bare(role: Role, row: MethodRow) -> Route:
    """A route that the engine serves: the end of a watch."""
    return Route(
        name=row.name,
        decode=nothing,
        call=nothing,
        answer=answer_any,
        owner=role.kind,
        role=role,
        row=row,
        bare=True,
        one_way=row.one_way,
        **_ending(row),
    )


def internal(
    name: str, call: Callable[..., Any], *, mode: Mode = "inline", contextual: bool = False
) -> Route:
    """A route of the framework's own, which takes the raw params: lifecycle and health."""
    return Route(
        name=name,
        decode=as_it_is,
        call=call,
        answer=answer_any,
        mode=mode,
        contextual=contextual,
    )


def _mode(
    row: MethodRow | None,
    registration: Registration,
    signature: Signature,
    items: StreamRow | None,
    concurrency: int,
) -> Mode:
    if signature.is_async:
        return "async"
    lasting = row is not None and row.long_running
    if lasting or items is not None or signature.is_generator:
        return "thread"
    return "pool" if registration.concurrent or concurrency > 1 else "inline"


def _params_adapter(
    row: MethodRow | None, registered: Registered
) -> Callable[[dict[str, Any], str | None], dict[str, Any]] | None:
    adapt = row.adapt_params if row is not None else None
    return (
        None
        if adapt is None
        else lambda params, subject_kind: adapt(params, subject_kind, registered)
    )


def _stream(items: StreamRow, signature: Signature) -> Stream:
    from animus_routes.routing.streaming import StreamFormat

    return StreamFormat(items, signature)


def _adapter(row: MethodRow | None, registered: Registered) -> Callable[[Any, Raw], Any] | None:
    if row is None or (row.adapt_result is None and not row.decoded):
        return None
    adapt, wire = row.adapt_result, row.result if row.decoded else None

    def adapted(result: Any, params: Raw) -> Any:
        try:
            found = result if adapt is None else adapt(result, codecs.plain(params), registered)
            if wire is None or is_generated(type(found)):
                return found
            from animus_routes.routing.decoded import as_decoded

            return as_decoded(found, wire)
        except Exception as error:
            from animus_routes.routing.misfit import say_what

            say_what("returned", result, row.result, error)
            raise

    return adapted


def _adapted(row: MethodRow | None, signature: Signature) -> Mapping[type, bool]:
    """An author's own types take part in the conveniences, the wire's need none."""
    if row is None or (row.adapt_result is None and not row.decoded):
        return ANY_PLAIN
    if row.adapts_all:
        return ANYTHING
    own = [part for part in members(signature.returns) if is_model(part)]
    own = [part for part in own if not is_generated(part)]
    return Classes(*PLAIN, *own) if own else ANY_PLAIN


def _ready(returns: Any, adapts: Mapping[type, bool] | None) -> type | None:
    """What a handler declares to return, if the engine can write it without another look."""
    if not isinstance(returns, type) or is_pydantic(returns):
        return None
    if adapts is not None and adapts[returns]:
        return None
    return returns if WRITTEN_WELL[returns] else None
