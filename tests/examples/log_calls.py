"""What the tests of log stores store, ask and follow."""

from typing import Any

import pytest

from animus_routes.host import Plugin, PluginTimeoutError

Entry = dict[str, Any]


def entry(name: str, **fields: Any) -> Entry:
    return {
        "id": name,
        "ts": "2026-01-31T09:30:00Z",
        "level": "info",
        "source": "daemon",
        "target": "daemon.main",
        "message": name,
        **fields,
    }


def store(plugin: Plugin, *entries: Entry) -> None:
    assert plugin.call("log_storage/store", {"entries": entries}) == {"stored": len(entries)}


def found(plugin: Plugin, **query: Any) -> list[str]:
    """The ids of all pages, of which each holds what is before the one before it."""
    ids: list[str] = []
    while True:
        page = plugin.call("log_storage/query", query)
        ids[:0] = [entry["id"] for entry in page["entries"]]
        if "next_cursor" not in page:
            return ids
        query["cursor"] = page["next_cursor"]


def tail(plugin: Plugin, **query: Any) -> int:
    request = plugin.request("log_storage/tail", query)
    assert plugin.reply(request) == {"tailing": True}
    return request


def tailed(plugin: Plugin, request: int, count: int) -> list[str]:
    events = [plugin.next_notification("log_storage/event").params for _ in range(count)]
    assert {event["id"] for event in events} == {request}
    return [event["entry"]["id"] for event in events]


def is_quiet(plugin: Plugin) -> bool:
    with pytest.raises(PluginTimeoutError):
        plugin.next_notification("log_storage/event", timeout_s=0.3)
    return True
