"""What the page's server is made of, in process: events, calls, what is known of methods."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from inspecting import EXAMPLES

from animus_routes.inspector import feed as feeds
from animus_routes.inspector.calls import Calls
from animus_routes.inspector.feed import Feed
from animus_routes.inspector.methods import cards, document_of

# Events -----------------------------------------------------------------------------------------


def test_only_the_last_events_are_kept_and_their_frames_with_them() -> None:
    feed = Feed()
    call = feed.publish("call", call={})
    first = feed.publish_frame(b"first\n")
    for number in range(feeds.KEPT_EVENTS):
        feed.publish("stderr", text=str(number))
    kept = [event["seq"] for event in feed.since(0, feeds.KEPT_EVENTS + 2)]
    # A flood of lines pushes out lines, and not how a call is.
    assert kept == [call, *range(first + 1, feed.last + 1)]
    assert feed.whole(first) is None
    assert [event["seq"] for event in feed.since(feed.last - 2)] == [feed.last - 1, feed.last]
    assert [event["seq"] for event in feed.since(0, 2)] == [call, first + 1]
    assert [event["seq"] for event in feed.lines(first + 2)] == [first + 1, first + 2]


def test_frames_are_kept_whole_within_a_bound_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "KEPT_BYTES", 25)
    feed = Feed()
    numbers = [feed.publish_frame(b"%d" % n * 10) for n in range(4)]
    assert [feed.whole(number) for number in numbers] == [None, None, b"2" * 10, b"3" * 10]
    large = feed.publish_frame(b"x" * 100)
    assert feed.whole(large) == b"x" * 100


def test_an_event_of_a_frame_has_its_beginning_whatever_it_is() -> None:
    feed = Feed()
    feed.publish_frame("ä".encode() * 5000)
    feed.publish_frame(b"\xff\x00")
    long, odd = feed.since(0)
    assert (long["text"], long["size"]) == ("ä" * feeds.SHOWN_CHARS, 10_000)
    assert odd["text"] == "\\xff\x00"


def test_followers_get_what_threads_publish_and_end_when_it_is_closed() -> None:
    async def follow() -> list[str]:
        feed = Feed()
        seen: list[str] = []
        begun = asyncio.Event()

        async def read() -> None:
            begun.set()
            async for batch in feed.follow(0):
                seen.extend(event["text"] for event in batch)
                if "last" in seen:
                    feed.close()

        reading = asyncio.create_task(read())
        await begun.wait()
        for text in ("one", "two", "last"):
            await asyncio.to_thread(feed.publish, "note", text=text)
        await asyncio.wait_for(reading, 10)
        return seen

    assert asyncio.run(follow()) == ["one", "two", "last"]


# Calls ------------------------------------------------------------------------------------------


def take(calls: Calls, feed: Feed, line: bytes) -> dict[str, Any]:
    told = calls.came(line, time.monotonic())
    calls.answered(line, told, feed.publish_frame(line))
    return told


def states(calls: Calls) -> dict[str, str]:
    return {call["id"]: call["state"] for call in calls.snapshot()}


def test_answers_find_their_calls_by_the_ids_text() -> None:
    feed = Feed()
    calls = Calls(feed)
    for request_id in (b"1", b'"1"', b"1.0"):
        calls.begin("x/y", request_id, b"", 30)
    take(calls, feed, b'{"jsonrpc":"2.0","id":"1","result":null}')
    take(calls, feed, b'{"jsonrpc":"2.0","id":1.0,"error":{"code":-32002,"message":"no"}}')
    assert states(calls) == {"1": "waiting", '"1"': "answered", "1.0": "cancelled"}
    assert take(calls, feed, b'{"jsonrpc":"2.0","id":7,"result":1}') == {
        "what": "result",
        "id": "7",
    }


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"hello", "stray"),
        (b"", "stray"),
        (b"[1]", "stray"),
        (b'{"jsonrpc":"2.0","id":1}', "stray"),
        (b"\xff", "stray"),
        (b"[" * 100_000, "stray"),
        (b'{"method":"x"}', "notification"),
        (b'{"id":1,"error":5}', "error"),
    ],
)
def test_a_line_is_told_for_what_it_is(line: bytes, what: str) -> None:
    feed = Feed()
    calls = Calls(feed)
    calls.begin("x/y", b"1", b"", 30)
    assert take(calls, feed, line)["what"] == what
    assert states(calls)["1"] == ("failed" if what == "error" else "waiting")


def test_notifications_belong_to_the_call_that_their_id_names_or_to_the_newest_of_their_stream() -> (
    None
):
    feed = Feed()
    calls = Calls(feed)
    calls.begin("a/run", b"1", b"", 30, ("a/output",))
    calls.begin("a/run", b"2", b"", 30, ("a/output",))
    assert take(calls, feed, b'{"method":"a/output","params":{"id":1}}')["call"] == 1
    assert take(calls, feed, b'{"method":"a/output","params":{"text":"x"}}')["call"] == 2
    assert take(calls, feed, b'{"method":"a/output","params":[]}')["call"] == 2
    assert "call" not in take(calls, feed, b'{"method":"b/output","params":{}}')


def test_a_late_call_still_takes_its_answer_and_a_stream_goes_on_after_it() -> None:
    feed = Feed()
    calls = Calls(feed)
    late = calls.begin("x/y", b"1", b"", 0.1)
    stream = calls.begin("x/watch", b"2", b"", 30, ("x/changed",), streams=True)
    calls.is_late(late)
    assert states(calls)["1"] == "late"
    for number in (b"1", b"2"):
        take(calls, feed, b'{"id":%b,"result":{}}' % number)
    assert states(calls) == {"1": "answered", "2": "streaming"}
    calls.is_late(late)
    assert states(calls)["1"] == "answered"
    assert take(calls, feed, b'{"method":"x/changed","params":{"id":2}}')["call"] == stream.number
    calls.lose("it has ended")
    assert [call["message"] for call in calls.snapshot()] == ["", "it has ended"]


# Methods ----------------------------------------------------------------------------------------


def test_the_methods_of_a_plugin_in_any_language_are_described_by_the_role_tables() -> None:
    manifest = {
        "plugin_kind": "subject_backend",
        "capabilities": ["subject_kind:task", "task/list", "supports_labels", "$/ping"],
    }
    greeting = {"capabilities": {"methods": ["task/watch", "initialize", "own/method"]}}
    found = {card.name: card for card in cards(manifest, greeting, None)}
    assert list(found) == ["task/watch", "own/method", "task/list", "health/check"]
    listing = found["task/list"]
    assert listing.reads is True
    assert listing.params is not None
    assert listing.params["properties"]["limit"]["description"]
    assert found["task/watch"].stream == ["subject/changed"]
    assert found["own/method"].params == {"type": "object", "additionalProperties": True}
    assert found["health/check"].params is None


@pytest.mark.parametrize(
    "greeting", [{}, {"capabilities": 5}, {"capabilities": {"methods": 7, "mcp_tools": [3, {}]}}]
)
def test_whatever_a_plugin_says_of_itself_breaks_nothing(greeting: dict[str, Any]) -> None:
    names = [card.name for card in cards({"plugin_kind": "no such kind"}, greeting, None)]
    assert names == ["health/check"]


def test_an_app_is_described_in_its_authors_words() -> None:
    document = document_of(str(EXAMPLES / "tools_custom.py"))
    assert document is not None
    found = {card.name: card for card in cards({"plugin_kind": "custom"}, {}, document)}
    search = found["search"]
    assert search.summary.startswith("Search the project's files")
    assert search.params is not None
    assert search.params["properties"]["limit"]["maximum"] == 1000
    assert search.params["required"] == ["pattern"]
    assert json.dumps(search.defs)


def test_what_is_no_app_has_no_document(tmp_path: Path) -> None:
    file = tmp_path / "plain.py"
    file.write_text("print('hello')\n", "utf-8")
    assert document_of(str(file)) is None
