"""Frames: newline-delimited JSON in, answers and notifications out (spec section 1.1).

The params of a request stay the bytes they came in and go to the codec of the route. So does
every id but a plain positive integer, which is what the host sends: ids go back byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import msgspec
from msgspec import Meta, Raw, Struct

from animus_routes.errors import INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR

MAX_INBOUND_BYTES: Final = 16 * 1024 * 1024  # spec section 1.1
MAX_OUTBOUND_BYTES: Final = 8 * 1024 * 1024  # the host tears the link down above this
MAX_ID_BYTES: Final = 1024 * 1024  # every frame about a request repeats its id
MAX_ERROR_BYTES: Final = MAX_OUTBOUND_BYTES - 2 * MAX_ID_BYTES  # without the id
MAX_TEXT: Final = 10_000  # characters of a message that cannot go out as it is
SCANNED_BYTES: Final = 65_536
ABSENT: Final = Raw(b"")
NULL_ID: Final = Raw(b"null")
NO_PARAMS: Final = Raw(b"{}")

HEAD: Final = b'{"jsonrpc":"2.0","id":'
RESULT: Final = b',"result":'
ERROR: Final = b',"error":'
NOTIFICATION: Final = b'{"jsonrpc":"2.0","method":'
PARAMS: Final = b',"params":'
TAIL: Final = b"}\n"
BOM: Final = b"\xef\xbb\xbf"
OVERSIZED: Final = b"(a line over the cap)"  # known by identity


if TYPE_CHECKING:
    PlainId = int | Raw
else:
    PlainId = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class Request(Struct, gc=False):
    """One inbound frame.

    Attributes:
        method: As on the wire.
        id: A positive integer, or the raw bytes of any other id; 0 = none, a notification.
        params: The raw bytes.
    """

    method: str
    id: PlainId = 0
    params: Raw = NO_PARAMS


class _Odd(Struct, gc=False):
    method: str
    id: Raw = ABSENT
    params: Raw = NO_PARAMS


class _Identified(Struct, gc=False):
    id: Raw = ABSENT


class Response(Struct, gc=False, tag_field="jsonrpc", tag="2.0"):
    """An answer that is written in one pass, together with its result."""

    id: Any
    result: Any


_decode_odd: Final = msgspec.json.Decoder(_Odd).decode
_decode_id: Final = msgspec.json.Decoder(_Identified).decode
decode_plain: Final = msgspec.json.Decoder(Request).decode
encoder: Final = msgspec.json.Encoder()
_whole: Final = msgspec.json.Decoder(Raw).decode
NO_JSON: Final = "the frame is not JSON"
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode_odd(line: bytes) -> Request | None:
    """A request with an unusual id, or behind a byte order mark; None if it is not one at all."""
    try:
        found = _decode_odd(line.removeprefix(BOM))
    except UNREADABLE:
        return None
    request = Request(found.method, 0, found.params)
    if found.id is not ABSENT:
        if not is_id(found.id):
            return None
        request.id = found.id
    return request


class TooLargeError(ValueError):
    """Something so large that hosts would end the link."""

    def __init__(self, what: str, size: int, advice: str = "page it") -> None:
        super().__init__(
            f"{what} has {size} bytes, hosts end the link above {MAX_OUTBOUND_BYTES}: {advice}"
        )


class Splitter:
    """Bytes in any pieces -> whole lines, in time linear in their size.

    A line over the cap is dropped as it arrives and reported once, as `OVERSIZED`.

    Attributes:
        began: The beginning of a line has come, and its end has not.
    """

    __slots__ = ("_dropping", "_parts", "_size", "began")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._dropping = False
        self.began = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without their newlines; blank ones included."""
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines and (self._parts or self._dropping):
            lines[0] = self._complete(lines[0])
        if rest and not self._dropping:
            self._parts.append(rest)
            self._size += len(rest)
            if self._size > MAX_INBOUND_BYTES:
                self._parts.clear()
                self._dropping = True
        self.began = self._dropping or bool(self._parts)
        return lines

    def _complete(self, last: bytes) -> bytes:
        parts, self._parts = self._parts, []
        size, self._size = self._size + len(last), 0
        if self._dropping or size > MAX_INBOUND_BYTES:
            self._dropping = False
            return OVERSIZED
        parts.append(last)
        return b"".join(parts)

    def copy(self) -> Splitter:
        """Another one that goes on from here."""
        other = Splitter()
        other._parts = list(self._parts)
        other._size, other._dropping, other.began = self._size, self._dropping, self.began
        return other

    def rest(self) -> list[bytes]:
        """At the end of input, a last line counts even without its newline."""
        return [self._complete(b"")] if self._parts or self._dropping else []


def refusal(line: bytes) -> tuple[bytes, str] | None:
    """How to answer a line that is not a request.

    Returns:
        The error frame and a line for the log; None for a blank line, or for a frame that looks
        like an answer, since nobody waits for a reply to one.
    """
    if line is OVERSIZED:
        cap = f"the frame is over {MAX_INBOUND_BYTES >> 20} MiB"
        return error_frame(NULL_ID, PARSE_ERROR, cap), cap
    line = line.removeprefix(BOM)
    if not line.strip():
        return None
    try:
        value: object = msgspec.json.decode(line)
    except UNREADABLE as error:
        text = _flaw(line, error)
        shown = NULL_ID if text == NO_JSON else scanned_id(line)
        return error_frame(shown, PARSE_ERROR, text), f"{text}: {_excerpt(line)}"
    fault = _fault(value)
    if fault is None:
        return None
    return error_frame(readable_id(line), INVALID_REQUEST, fault), f"{fault}: {_excerpt(line)}"


def _flaw(line: bytes, error: Exception) -> str:
    r"""What keeps a line from being read.

    If it would be JSON but for its text, for bytes that are not UTF-8 or an escape such as `\ud800`,
    which stands for half a character, it shows its id. What decoders say differs with their release.
    """
    if isinstance(error, RecursionError):
        return "the frame is nested too deeply"
    try:
        line.decode()
    except UnicodeDecodeError:
        flaw = "the frame is not UTF-8"
    else:
        flaw = "the frame has half of a surrogate pair"
        if b"\\u" not in line:
            return NO_JSON
    import json

    try:
        json.loads(line.decode(errors="replace"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return NO_JSON
    return flaw


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _fault(value: object) -> str | None:
    """Why a JSON value is not a request; None for an answer."""
    if isinstance(value, list):
        return "batches are not part of this protocol: send one object per line"
    if not isinstance(value, dict):
        return "a frame has to be a JSON object"
    frame = cast("dict[str, Any]", value)
    if isinstance(frame.get("method"), str):
        return f"an id has to be a string, a number or null, of at most {MAX_ID_BYTES >> 20} MiB"
    if "method" not in frame and ("result" in frame or "error" in frame):
        return None
    return "a request needs a `method` that is a string"


def readable_id(line: bytes) -> Raw:
    """The id of a frame that is otherwise wrong; null if it has none that can be sent back."""
    try:
        found = _decode_id(line).id
    except UNREADABLE:
        return NULL_ID
    return found if is_id(found) else NULL_ID


def scanned_id(line: bytes) -> Raw:
    """The id of an object that no decoder can read as a whole; null if none is found.

    Whoever sent it waits for an answer with that id. Only keys of the outermost object count,
    and only its beginning is searched.
    """
    import re

    # Possessive, and a string need not end: no byte is looked at twice.
    token = rb'"(?:[^"\\]|\\.)*+"?|[{}\[\]:]|[-+.\w]++'
    depth, found, key, value = 0, NULL_ID, b"", False
    for match in re.finditer(token, line[:SCANNED_BYTES], re.DOTALL):
        text = match[0]
        if match.end() == SCANNED_BYTES:
            break  # it may go on
        if text in b"{[":
            depth += 1
        elif text in b"}]":
            depth -= 1
        elif depth == 1 and text == b":":
            value = True
            continue
        elif depth == 1 and value and key == b'"id"':
            found = Raw(text)
        elif depth == 1:
            key = text
        value = False
    return found if is_id(found) else NULL_ID


def is_id(raw: Raw) -> bool:
    """A JSON-RPC id is a string, a number or null, and has to be one that can be sent back."""
    first = bytes(raw)[:1]
    if not first or first in b"{[tf" or len(raw) > MAX_ID_BYTES:
        return False
    try:
        msgspec.json.decode(raw)
    except UNREADABLE:
        return False
    return True


def id_key(request_id: int | Raw) -> tuple[type, Any]:
    """An id as a dictionary key: `1`, `1.0` and `"1"` are three ids."""
    value: object = request_id if isinstance(request_id, int) else msgspec.json.decode(request_id)
    return (type(value), value)


def id_bytes(request_id: int | Raw) -> bytes:
    """An id as it arrived."""
    return b"%d" % request_id if isinstance(request_id, int) else bytes(request_id)


def error_frame(request_id: int | Raw, code: int, message: str, data: Any = None) -> bytes:
    """An error answer."""
    body = error_object(code, message, data)
    return b"".join((HEAD, id_bytes(request_id), ERROR, body, TAIL))


def error_object(code: int, message: str, data: Any = None) -> bytes:
    """The error object of an answer; if `data` cannot be encoded, only that is left out."""
    error: dict[str, Any] = {"code": int(code) if is_code(code) else INTERNAL_ERROR}
    error["message"] = str(message)
    if data is not None:
        error["data"] = data
    try:
        body = one_value(encode(error))
    except Exception:  # noqa: BLE001 - whatever an author put there, the host waits for an answer
        body = b""
    if not body or len(body) > MAX_ERROR_BYTES:
        body = encode({"code": error["code"], "message": error["message"][:MAX_TEXT]})
    return body


def is_code(code: object) -> bool:
    """Can hosts read it as the code of an error, a 32-bit integer?"""
    return isinstance(code, int) and not isinstance(code, bool) and -(2**31) <= code < 2**31


def encode(value: Any) -> bytes:
    """JSON of what msgspec writes by itself; text that is not UTF-8 is made readable."""
    try:
        return encoder.encode(value)
    except UnicodeEncodeError:
        from animus_routes.engine.text import mended

        return encoder.encode(mended(value))


def one_value(body: bytes) -> bytes:
    """JSON that somebody else may have written, as the one line that a frame has room for.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: It is not one JSON value.
    """
    _whole(body)
    if not body.isascii():
        body.decode()
    return body if body.find(10) < 0 else msgspec.json.format(body, indent=-1)


def result_frame(request_id: int | Raw, body: bytes) -> bytes:
    """An answer around an encoded result."""
    return b"".join((HEAD, id_bytes(request_id), RESULT, body, TAIL))


def late_health(request: Request, reason: str) -> bytes:
    """The answer to a health check in place of the author's, which is held up."""
    found = {"status": "degraded", "last_error": reason}
    return result_frame(request.id, encoder.encode(found))


def notification_frame(method: str, body: bytes) -> bytes:
    """A notification around encoded params.

    Raises:
        TooLargeError: Hosts would end the link for it.
    """
    frame = b"".join((NOTIFICATION, encode(method), PARAMS, body, TAIL))
    if len(frame) > MAX_OUTBOUND_BYTES:
        raise TooLargeError("the notification", len(frame), "send it in parts")
    return frame


def _excerpt(line: bytes) -> str:
    return repr(line[:80]) + ("..." if len(line) > 80 else "")
