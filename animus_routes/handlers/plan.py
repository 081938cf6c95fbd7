"""A signature compiled into the two functions of the call path: decode params, call the handler.

Imported with the first domain request, because the handshake does not need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from msgspec import NODEFAULT, Raw, defstruct
from msgspec.json import Decoder

from animus_routes.engine.frames import NO_PARAMS
from animus_routes.handlers.context import Actor
from animus_routes.handlers.signature import NOTHING
from animus_routes.values import codecs
from animus_routes.values.codecs import Absent, Slot, fields_decoder, optional
from animus_routes.values.hints import (
    accepts_none,
    bare,
    described_by,
    is_open,
    json_type,
    members,
    wire_fields,
)

if TYPE_CHECKING:
    from animus_routes.handlers.context import Context
    from animus_routes.handlers.signature import Parameter, Signature
    from animus_routes.roles import MethodRow

Middlewares = Sequence[Callable[..., Any]]
Call = Callable[[Any, "Context"], Any]
ParamsForm = Callable[[dict[str, Any], "str | None"], dict[str, Any]]
COMPILED: Final = "<animus_routes>"


def adapted(
    decode: Callable[[Raw], Any], adapt: ParamsForm | None, subject_kind: str | None
) -> Callable[[Raw], Any]:
    """A decoder after what the role makes of params that were sent for this kind."""
    if adapt is None:
        return decode
    return lambda raw: decode(Raw(codecs.encode(adapt(codecs.plain(raw), subject_kind))))


def decoder(signature: Signature, row: MethodRow | None) -> Callable[[Raw], Any]:
    """A function from the bytes of params, in the wire type's form, to an object with the fields, or the whole.

    What the row demands of the params is held before that.
    """
    if row is None:
        return _decoder(signature, row)
    has_actor = row.actor == "actor"
    beside = {"actor": Actor | None} if has_actor and _leaves_room(signature) else {}
    decode = _decoder(signature, row, beside)
    if row.strict:
        decode = _held(decode, signature, row)
    return _guarded(decode) if has_actor and not beside else decode


def _leaves_room(signature: Signature) -> bool:
    """Are there fields that are decoded one by one, none of them called `actor`?"""
    names = [name for field in signature.fields for name in field.aliases or (field.name,)]
    return bool(names) and not signature.whole and "actor" not in names


def _guarded(decode: Callable[[Raw], Any]) -> Callable[[Raw], Any]:
    """A decoder of params that refuses a malformed `actor` beside what it decodes."""
    # Skipping what is not asked for costs less than looking for the key, however it is written.
    holder = defstruct("params", [("actor", Actor | None, None)], gc=False)
    beside = Decoder(holder | None).decode

    def decode_guarded(raw: Raw) -> Any:
        found = decode(raw)
        beside(raw)
        return found

    return decode_guarded


def _held(
    decode: Callable[[Raw], Any], signature: Signature, row: MethodRow
) -> Callable[[Raw], Any]:
    """A decoder of params that are the row's wire type, and hold its rules."""
    assert row.params is not None
    wire = described_by(row.params)
    own = bare(signature.fields[0].hint) if signature.whole else None
    if wire.__name__ in [base.__name__ for base in getattr(own, "__mro__", ())]:
        return lambda raw: _checked(decode(raw))
    read = codecs.decoder(wire)

    def decode_held(raw: Raw) -> Any:
        _checked(read(raw))
        return decode(raw)

    return decode_held


def _checked(params: Any) -> Any:
    check = getattr(params, "check", None)
    if check is not None:
        check()
    return params


def _decoder(
    signature: Signature, row: MethodRow | None, beside: Mapping[str, Any] = MappingProxyType({})
) -> Callable[[Raw], Any]:
    fields = signature.fields
    if not fields:
        return _nothing
    if signature.whole:
        field = fields[0]
        if field.hint is NOTHING or is_open(field.hint):
            return codecs.plain
        decode = codecs.decoder(field.hint)
        if not accepts_none(field.hint) and not field.has_default:
            return decode
        return optional(decode, field.default if field.has_default else None)
    wire = _optional_fields(row)
    slots = [Slot(f.name, _hint(f), _default(f, wire), f.aliases) for f in fields]
    return fields_decoder(slots, **beside)


def _nothing(_raw: Raw) -> None:
    return None


def _hint(field: Parameter) -> Any:
    return Any if field.hint is NOTHING else field.hint


def _optional_fields(row: MethodRow | None) -> dict[str, type | None]:
    """The fields that hosts may leave out, and their JSON types, where there is one."""
    beside: dict[str, type | None] = dict.fromkeys(row.sent_beside) if row is not None else {}
    if row is None or row.params is None:
        return beside
    wire = described_by(row.params)
    hints = wire_fields(wire)
    own = {name: json_type(hints[name]) for name in _with_default(wire) if name in hints}
    return beside | own


def _with_default(wire: Any) -> list[str]:
    """The fields of a wire type that need not be given, in either family, as they are sent."""
    models: dict[str, Any] | None = getattr(wire, "__pydantic_fields__", None)
    if models is not None:
        optional = {name: field for name, field in models.items() if not field.is_required()}
        return [field.serialization_alias or name for name, field in optional.items()]
    names: tuple[str, ...] = wire.__struct_encode_fields__
    required = len(names) - len(wire.__struct_defaults__)
    return [
        name
        for name, default in zip(names[required:], wire.__struct_defaults__, strict=True)
        if default is not NODEFAULT
    ]


def _default(field: Parameter, optional: dict[str, type | None]) -> Any:
    """The author's default, or else the wire's own if hosts may leave the field out."""
    if field.has_default:
        return field.default
    name = field.wire_name
    return NODEFAULT if name not in optional else absent(field.hint, optional[name])


def absent(hint: Any, sent: type | None) -> Any:
    """What a parameter without a default receives if an optional wire field is left out.

    Returns:
        None, an empty list, object or model; `NODEFAULT` if the hint accepts none of them.
    """
    if hint is NOTHING or accepts_none(hint):
        return None
    found = members(hint)
    if sent is list and found == [list]:
        return []
    if found == [dict]:
        return {}
    if sent is dict and len(found) == 1:
        decode = codecs.decoder(bare(hint))
        try:
            decode(NO_PARAMS)
        except Exception:  # noqa: BLE001 - it has required fields, or cannot be made at all
            return NODEFAULT
        return Absent(decode)
    return NODEFAULT


def caller(signature: Signature, middlewares: Middlewares) -> Callable[..., Any]:
    """A function from decoded params (and a context, if needed) to the handler's result."""
    if not signature.contextual and not middlewares:
        return _judged(signature, compiled(signature, "values"))
    call = _async_call(signature) if signature.is_async else _plain_call(signature)
    if middlewares:
        from animus_routes.handlers.middleware import wrapped

        return wrapped(call, middlewares, is_async=signature.is_async)
    return call


def _judged(signature: Signature, call: Callable[..., Any]) -> Callable[..., Any]:
    """Behind a plain decorator, what a call gives is known when it is made."""
    if signature.certain:
        return call
    from animus_routes.handlers.wrappers import finished, settled

    return settled(call) if signature.is_async else finished(call)


def compiled(signature: Signature, arguments: str) -> Callable[..., Any]:
    """The handler's call as one expression, made for just this signature.

    Args:
        signature: The handler, read.
        arguments: What the call is given: `values`, decoded; also `ctx`; also `made`, what the
            dependencies gave, by name. With `values` alone the handler is called by position.
    """
    passed: list[str] = []
    fields = {field.name for field in signature.fields}
    by_name = arguments != "values"
    for parameter in signature.parameters:
        name = parameter.name
        if name in signature.contexts:
            value = "ctx"
        elif name in signature.dependencies:
            value = f"made[{name!r}]"
        elif name in fields:
            value = "values" if signature.whole else f"values.{name}"
        else:  # it keeps its default
            by_name = True
            continue
        named = parameter.by_keyword or (by_name and not parameter.positional_only)
        passed.append(f"{name}={value}" if named else value)
    source = f"lambda {arguments}: function({', '.join(passed)})"
    # The names are those of the function's own parameters. The file's name is for tracebacks.
    code = compile(source, COMPILED, "eval")
    call: Callable[..., Any] = eval(code, {"function": signature.function})  # noqa: S307
    return call


def _plain_call(signature: Signature) -> Call:
    if not signature.dependencies:
        return _judged(signature, compiled(signature, "values, ctx"))
    from animus_routes.handlers.injection import made

    call = _judged(signature, compiled(signature, "values, ctx, made"))

    def call_with_made(values: Any, ctx: Context) -> Any:
        return call(values, ctx, made(signature.dependencies, ctx))

    return call_with_made


def _async_call(signature: Signature) -> Call:
    call = _judged(signature, compiled(signature, "values, ctx, made"))

    async def call_without(values: Any, ctx: Context) -> Any:
        found = call(values, ctx, None)
        return await found if hasattr(found, "__await__") else found

    if not signature.dependencies:
        return call_without
    from animus_routes.handlers.injection import made_async

    async def call_with_made(values: Any, ctx: Context) -> Any:
        found = call(values, ctx, await made_async(signature.dependencies, ctx))
        return await found if hasattr(found, "__await__") else found

    return call_with_made
