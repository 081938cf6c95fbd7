"""What a host may expect for a line that it has sent, worked out from the line alone.

The protocol is written down here a second time, over the standard library's JSON: a plugin is held
against it, and nothing of the framework takes part.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

PARSE, INVALID, MISSING, PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
CANCELLED: Final = -32002
BOM: Final = b"\xef\xbb\xbf"
NULL: Final = "null"
MOST_ROWS: Final = 50
REQUIRED: Final = ("id", "kind", "title")
ID_LIKE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*')

Frame = dict[str, Any]


class Number(str):
    """A number as it was written."""

    __slots__ = ()


@dataclass
class Expected:
    """One answer.

    Attributes:
        ids: The ids that it may have, as `key_of` writes them.
        codes: The errors that it may be.
        is_result: Whether a result is right; None if there may be none.
        rows: How many items come before it; None where that is not known.
        may_be_absent: Nobody can tell whether it is due.
    """

    ids: set[str]
    codes: set[int]
    is_result: Callable[[Any], bool] | None = None
    rows: int | None = None
    may_be_absent: bool = False

    def accepts(self, frame: Frame) -> bool:
        if key_of(frame["id"]) not in self.ids:
            return False
        if "error" in frame:
            return int(frame["error"]["code"]) in self.codes
        return self.is_result is not None and self.is_result(plain(frame["result"]))


def refused(constant: str) -> None:
    raise ValueError(constant)


def read(text: str) -> Any:
    """JSON whose numbers stay as they were written."""
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refused)


def plain(value: Any) -> Any:
    """The same with numbers."""
    if isinstance(value, Number):
        return json.loads(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def key_of(request_id: Any) -> str:
    """An id for comparing: numbers as they were written, texts as what they mean."""
    if isinstance(request_id, Number):
        return request_id
    return NULL if request_id is None else json.dumps(request_id)


def is_id(value: Any) -> bool:
    return value is None or isinstance(value, str)


def cancelled(line: bytes) -> str | None:
    """The id that a line cancels."""
    try:
        frame = read(line.removeprefix(BOM).decode())
    except ValueError:
        return None
    if isinstance(frame, dict) and frame.get("method") == "$/cancelRequest":
        params = frame.get("params")
        return key_of(params.get("id")) if isinstance(params, dict) else None
    return None


def expected(line: bytes) -> Expected | None:
    """The answer to a line; None if there has to be none."""
    line = line.removeprefix(BOM)
    if not line.strip():
        return None
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return unreadable(line.decode(errors="replace"))
    try:
        frame = read(text)
    except ValueError:
        return Expected({NULL}, {PARSE})
    if is_odd(frame):
        return unreadable(text)
    return expected_of(frame)


def unreadable(text: str) -> Expected:
    """Text that no decoder takes as a whole: what is asked may be seen all the same, or not."""
    seen = {NULL}
    for found in ID_LIKE.findall(text):
        try:
            seen.add(key_of(read(found)))
        except ValueError:
            continue
    codes = {PARSE, INVALID, PARAMS, MISSING, INTERNAL}
    return Expected(seen, codes, lambda _: True, may_be_absent='"id"' not in text)


def is_odd(value: Any) -> bool:
    """Does it have half a character, or a number beyond all bounds?"""
    if isinstance(value, Number):
        return abs(float(value)) == float("inf")
    if isinstance(value, str):
        return any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, dict):
        return any(is_odd(name) or is_odd(inner) for name, inner in value.items())
    return isinstance(value, list) and any(map(is_odd, value))


def expected_of(frame: Any) -> Expected | None:
    if not isinstance(frame, dict):
        return Expected({NULL}, {INVALID})
    method, own = frame.get("method"), frame.get("id")
    shown = {key_of(own) if is_id(own) else NULL}
    if not isinstance(method, str) or isinstance(method, Number):
        is_answer = "method" not in frame and ("result" in frame or "error" in frame)
        return None if is_answer else Expected(shown, {INVALID})
    if "id" not in frame:
        return None
    return answer(method, shown, frame.get("params")) if is_id(own) else Expected(shown, {INVALID})


def answer(method: str, shown: set[str], params: Any) -> Expected:
    """The answer to a request."""
    if method in CONTROL:
        return Expected(shown, set(), CONTROL[method])
    if method in UNSEEN:
        return Expected(shown, {UNSEEN[method]})
    if method not in METHODS:
        return Expected(shown, {MISSING})
    if params is not None and not isinstance(params, dict):
        return Expected(shown, {PARAMS})
    return METHODS[method](shown, plain(params or {}))


# The app `plugins/answering.py` ---------------------------------------------------------------------


def right(ids: set[str], value: Any) -> Expected:
    return Expected(ids, set(), lambda found: found == value and type(found) is type(value))


def perhaps(ids: set[str]) -> Expected:
    """Values that one family takes for another type, and the other one does not."""
    return Expected(ids, {PARAMS}, lambda _: True)


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def add(ids: set[str], params: Frame) -> Expected:
    if "a" not in params:
        return Expected(ids, {PARAMS})
    a, b = params["a"], params.get("b", 0)
    return right(ids, a + b) if is_int(a) and is_int(b) else perhaps(ids)


def join(ids: set[str], params: Frame) -> Expected:
    words, by = params.get("words"), params.get("by", " ")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return Expected(ids, {PARAMS})
    return right(ids, by.join(words)) if isinstance(by, str) else perhaps(ids)


def refuse(ids: set[str], _params: Frame) -> Expected:
    return Expected(ids, {PARAMS})


def slow(ids: set[str], params: Frame) -> Expected:
    if "ms" not in params:
        return Expected(ids, {PARAMS})
    return right(ids, params["ms"]) if is_int(params["ms"]) else perhaps(ids)


def rows(ids: set[str], params: Frame) -> Expected:
    if "n" not in params:
        return Expected(ids, {PARAMS})
    if not is_int(params["n"]):
        return perhaps(ids)
    number = min(max(params["n"], 0), MOST_ROWS)
    return Expected(ids, set(), lambda found: found is None, number)


def same(ids: set[str], params: Frame) -> Expected:
    if any(name not in params for name in REQUIRED):
        return Expected(ids, {PARAMS})
    if any(not isinstance(params[name], str) for name in REQUIRED):
        return Expected(ids, {PARAMS})
    is_plain = set(params) <= {*REQUIRED, "description", "labels"} and all(
        isinstance(params.get(name, wanted()), wanted)
        for name, wanted in (("description", str), ("labels", list))
    )
    if not is_plain or any(not isinstance(label, str) for label in params.get("labels", ())):
        return perhaps(ids)
    return Expected(ids, set(), lambda found: {**found, **params} == found)


# Without parameters, nobody looks at the params.
UNSEEN: Final = {"x/bug": INTERNAL, "x/hang": CANCELLED, "x/endless": CANCELLED}
METHODS: Final[dict[str, Callable[[set[str], Frame], Expected]]] = {
    "x/add": add,
    "x/join": join,
    "x/refuse": refuse,
    "x/slow": slow,
    "x/rows": rows,
    "x/same": same,
}
CONTROL: Final[dict[str, Callable[[Any], bool]]] = {
    "$/ping": lambda found: found == {},
    "health/check": lambda found: found["status"] == "healthy",
}
