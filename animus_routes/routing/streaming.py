"""How the items of a stream are written: all in the same way, or each as its role says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from animus_routes.engine.frames import (
    NOTIFICATION,
    PARAMS,
    TAIL,
    TooLargeError,
    encoder,
    id_bytes,
    id_key,
    notification_frame,
)
from animus_routes.errors import Mistake
from animus_routes.handlers.signature import NOTHING, Signature
from animus_routes.values import codecs
from animus_routes.values.hints import WRITTEN_WELL, is_object, is_pydantic

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from animus_routes.engine.ports import Encode, StreamCall
    from animus_routes.roles import ItemAdapter, StreamRow


class StreamFormat:
    """A stream's ack and how one call of it writes its items (see `engine.ports.Stream`)."""

    def __init__(self, stream: StreamRow, signature: Signature) -> None:
        self.stream = stream
        self.ack: bytes | None = None if stream.ack is None else encoder.encode(stream.ack)
        self.fatal = stream.fatal
        returns = signature.returns
        item = get_args(returns)[0] if returns is not NOTHING and get_args(returns) else None
        self.encode: Encode = encode_typed if is_pydantic(item) else codecs.encode
        self.ready = item if _is_ready(item) else None
        if stream.adapt_item is not None:
            self.encode, self.ready = _adapting(stream.adapt_item), None

    def open(self, request_id: int | Raw, params: Raw) -> StreamCall:
        """One call."""
        if self.stream.adapter is None:
            return EventStreamCall(self, request_id)
        number = id_key(request_id)[1] if request_id else None
        return AdaptedStreamCall(self.stream.adapter(codecs.lenient(params), number))


class EventStreamCall:
    """Items that all become the same notification: `{"id": <request id>, <key>: item}`."""

    def __init__(self, form: StreamFormat, request_id: int | Raw) -> None:
        self._stream = form.stream
        self._id = id_bytes(request_id)
        value = id_key(request_id)[1] if request_id else None
        # As the value that it is, however it was written; a number also as it was written.
        self.names: set[str] = set() if value is None else {str(value)}
        if not isinstance(value, str | None):
            self.names.add(self._id.decode())
        self.around = self._around(self._stream.key)
        self.encode: Encode = form.encode
        self.write: Encode = codecs.encode_ready
        self.ready = form.ready

    def complete(self, result: Any) -> Any:
        """A handler that is not a generator may leave the ack to the framework."""
        if result is None:
            return self._stream.ack
        if self._stream.ack is not None and not is_object(type(result)):
            raise Mistake(
                f"returned a {type(result).__name__}: a stream yields its items, or sends them "
                "with ctx.emit"
            )
        return result

    def farewell(self) -> bytes:
        """Nothing."""
        return b""

    def failure_frame(self, error: bytes) -> bytes:
        """The stream's last notification, if the protocol has one for an error."""
        if not self._stream.error_key:
            return b""
        prefix, suffix = self._around(self._stream.error_key)
        return prefix + error + suffix

    def _around(self, key: str) -> tuple[bytes, bytes]:
        """A notification's bytes before and after the value of `key`."""
        prefix = NOTIFICATION + encoder.encode(self._stream.notification) + PARAMS
        if not key:
            return prefix, TAIL
        return prefix + b'{"id":' + self._id + b"," + encoder.encode(key) + b":", b"}" + TAIL


def _is_ready(item: Any) -> bool:
    """Is this declared class of items written as it is, without a look at each of them?"""
    return isinstance(item, type) and not is_pydantic(item) and WRITTEN_WELL[item]


def _adapting(adapt: Callable[[Any], Any]) -> Encode:
    """Items that come in more than one form."""

    def encode_adapted(item: Any) -> bytes:
        return codecs.encode(adapt(item))

    return encode_adapted


def encode_typed(item: Any) -> bytes:
    """An item that is declared as a pydantic model, and usually is one."""
    write = codecs.json_writer(item)
    return codecs.encode(item) if write is None else write(item)


class AdaptedStreamCall:
    """Items that a role's `ItemAdapter` turns into notifications, each into its own."""

    def __init__(self, adapter: ItemAdapter) -> None:
        self.names = adapter.names
        self.around: tuple[bytes, bytes] = (b"", b"")
        self.ready: type | None = None
        self._adapter = adapter

    def encode(self, item: Any) -> bytes:
        """A whole frame: each may be another notification."""
        try:
            found = self._adapter.frame(item)
        except Exception as error:
            from animus_routes.routing.misfit import say_what

            say_what("yielded", item, None, error)
            raise
        return b"" if found is None else notification_frame(found[0], codecs.encode(found[1]))

    write = encode

    def complete(self, result: Any) -> Any:
        """The answer, as the role makes it."""
        return self._adapter.complete(result)

    def farewell(self) -> bytes:
        """The role's last notification, if it has one."""
        found = self._adapter.farewell()
        if found is None:
            return b""
        try:
            return notification_frame(found[0], codecs.encode(found[1]))
        except TooLargeError:  # a session's name that no host sends
            return b""

    def failure_frame(self, _error: bytes) -> bytes:
        """Nothing: these streams have no ack, so the answer itself reports the error."""
        return b""
