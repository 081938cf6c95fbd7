"""Conversations that hypothesis makes: frames that fit, frames with a mistake, and bytes of any sort."""

import json
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

SHOWN: Final = 400  # bytes of a line that a report shows
TOKENS: Final = (
    b"{", b"}", b"[", b"]", b'"', b"\\", b":", b",", b"null", b"true", b"1e400", b"NaN", b"-0", b"\xff",
    b"\x00", b"\r", b"\n", b" ", b"\xef\xbb\xbf", b"\\ud800", b"\\u0000", b'"id":', b'"method":',
)  # fmt: skip
TEXTS: Final = st.text(max_size=12)
ODD_IDS: Final = st.sampled_from(
    ["1.0", "-0", "0", "1e3", "null", "true", "[]", "{}", '"a\\u0062"', "18446744073709551616"]
)


class Talk(NamedTuple):
    """What is sent: lines, and where the stream of bytes is cut.

    Attributes:
        lines: Each with its newline.
        cuts: Places in all of it; at a negative one the rest waits until the plugin has read.
    """

    lines: list[bytes]
    cuts: list[int]

    def __repr__(self) -> str:
        shown = "".join(f"\n  {line[:SHOWN]!r}" for line in self.lines)
        return f"Talk(cuts={self.cuts}){shown}"


def params() -> st.SearchStrategy[tuple[str, Any]]:
    """A method and params that fit it."""
    numbers = st.integers(-(2**70), 2**70)
    subject = st.fixed_dictionaries(
        {"id": TEXTS, "kind": TEXTS, "title": TEXTS},
        optional={
            "description": st.text(min_size=1, max_size=20),
            "labels": st.lists(TEXTS, min_size=1, max_size=3),
        },
    )
    words = st.lists(TEXTS, max_size=5) | st.builds(
        lambda text, times: [text * times], TEXTS, st.sampled_from([100, 20_000])
    )
    return st.one_of(
        st.tuples(st.just("x/add"), st.fixed_dictionaries({"a": numbers}, optional={"b": numbers})),
        st.tuples(
            st.just("x/join"), st.fixed_dictionaries({"words": words}, optional={"by": TEXTS})
        ),
        st.tuples(st.just("x/same"), subject),
        st.tuples(st.just("x/slow"), st.fixed_dictionaries({"ms": st.integers(0, 12)})),
        st.tuples(st.just("x/rows"), st.fixed_dictionaries({"n": st.integers(0, 30)})),
        st.tuples(st.just("x/refuse"), st.fixed_dictionaries({"id": TEXTS})),
        st.tuples(st.sampled_from(["x/bug", "$/ping", "health/check", "x/none"]), st.just({})),
    )


def wrong() -> st.SearchStrategy[Any]:
    """Params that fit hardly any method."""
    scalar = st.none() | st.booleans() | st.integers() | TEXTS
    return st.one_of(scalar, st.lists(scalar, max_size=2), st.dictionaries(TEXTS, scalar))


@st.composite
def spoilt(draw: st.DrawFn, given: Any) -> Any:
    """Params with one field left out, or of another type."""
    name = draw(st.sampled_from(sorted(given))) if given else None
    if name is None:
        return draw(wrong())
    if draw(st.booleans()):
        return {field: value for field, value in given.items() if field != name}
    return {**given, name: draw(wrong())}


@st.composite
def frames(draw: st.DrawFn, number: int) -> bytes:
    """A request, a notification or a cancellation."""
    kind = draw(st.sampled_from(["request"] * 8 + ["spoilt"] * 3 + ["note", "cancel", "odd id"]))
    method, given = draw(params())
    own = str(number) if draw(st.booleans()) else f'"n{number}"'
    if kind == "cancel":
        target = draw(st.integers(0, number))
        return b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%d}}' % target
    if kind == "spoilt":
        given = draw(spoilt(given))
    if kind == "odd id":
        own = draw(ODD_IDS)
    ascii_only = draw(st.booleans())
    fields = [f'"method":{json.dumps(method)}', '"jsonrpc":"2.0"']
    if kind != "note":
        fields.append(f'"id":{own}')
    if given or draw(st.booleans()):
        fields.append(f'"params":{json.dumps(given, ensure_ascii=ascii_only)}')
    text = ",".join(draw(st.permutations(fields)))
    return f"{{{text}}}".encode(errors="surrogatepass")


@st.composite
def mutated(draw: st.DrawFn, line: bytes) -> bytes:
    """A line with a few bytes changed, put in, left out or said twice."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line)))
        how = draw(st.sampled_from(["flip", "put in", "leave out", "twice", "cut off"]))
        if how == "flip" and at < len(line):
            line = line[:at] + bytes([line[at] ^ 1 << draw(st.integers(0, 7))]) + line[at + 1 :]
        elif how == "put in":
            line = line[:at] + draw(st.sampled_from(TOKENS)) + line[at:]
        elif how == "leave out":
            line = line[:at] + line[at + draw(st.integers(1, 8)) :]
        elif how == "twice":
            line = line[:at] + line[max(at - draw(st.integers(1, 30)), 0) :]
        else:
            line = line[:at]
    return line


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    """Several frames, cut anywhere."""
    lines = []
    for number in range(draw(st.integers(1, 14))):
        line = draw(frames(number))
        how = draw(st.integers(0, 9))
        if how == 0:
            line = draw(st.binary(max_size=40))
        elif how <= 3:
            line = draw(mutated(line))
        lines.append(line + draw(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b" \n"])))
    size = sum(map(len, lines))
    cuts = draw(st.lists(st.integers(-size, size), max_size=8))
    return Talk(lines, sorted(cuts, key=abs))
