"""What the host's command line, its daemon and agents write into subjects, over real pipes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from animus_routes import RpcError
from animus_routes.host import Plugin

SUBJECTS = [sys.executable, str(Path(__file__).parent / "plugins" / "subjects.py")]
LEVELS = [("p0", 4), ("p1", 3), ("p2", 2), ("p3", 1), ("P0", 4), ("critical", 4), ("High", 3)]
LEVELS += [("medium", 2), ("low", 1), ("none", 0), ("3", 3), ("0", 0)]
STATUSES = [("in_progress", "in-progress"), ("In-Progress", "in-progress"), ("DONE", "done")]
STATUSES += [("IN_PROGRESS", "in-progress"), ("ready", "ready"), (" Blocked ", "blocked")]


def started(*flags: str) -> Iterator[Plugin]:
    with Plugin.start([*SUBJECTS, *flags]) as plugin:
        plugin.initialize()
        yield plugin


@pytest.fixture(scope="module", params=[[], ["--pydantic"]], ids=["structs", "types"])
def tasks(request: pytest.FixtureRequest) -> Iterator[Plugin]:
    yield from started(*request.param)


@pytest.fixture(scope="module", params=[[], ["--pydantic"]], ids=["structs", "types"])
def both(request: pytest.FixtureRequest) -> Iterator[Plugin]:
    """Tasks and bugs."""
    yield from started("--two", *request.param)


def given(plugin: Plugin, method: str, params: Any = None) -> Any:
    """What the handler says that it was given."""
    found = plugin.call(method, params)
    return (found["subjects"][0] if "subjects" in found else found)["custom"]


@pytest.mark.parametrize(("word", "level"), LEVELS)
def test_priorities_are_taken_in_the_words_of_the_hosts_help(
    tasks: Plugin, word: str, level: int
) -> None:
    assert given(tasks, "task/create", {"title": "t", "priority": word})["priority"] == level
    patch = {"id": "task:1", "patch": {"priority": word}}
    assert given(tasks, "task/update", patch)["priority"] == level


def test_a_priority_in_no_such_words_is_refused_with_all_of_them(tasks: Plugin) -> None:
    for params, path in (
        ({"title": "t", "priority": "p4"}, "priority"),
        ({"title": "t", "priority": "urgent"}, "priority"),
        ({"title": "t", "priority": "9" * 5000}, "priority"),
    ):
        with pytest.raises(RpcError) as caught:
            tasks.call("task/create", params)
        assert caught.value.code == -32602
        assert caught.value.message == (
            f"invalid params: {path}: Expected 0..4 or one of none, low, medium, high, critical, "
            "p0, p1, p2, p3"
        )


@pytest.mark.parametrize(("word", "status"), STATUSES)
def test_statuses_are_taken_in_any_case_with_either_dash(
    tasks: Plugin, word: str, status: str
) -> None:
    one = {"id": "task:1", "status": word}
    assert given(tasks, "task/create", {"title": "t", "status": word})["status"] == status
    assert given(tasks, "task/status", one)["status"] == status
    assert given(tasks, "subject/status", one)["status"] == status
    assert given(tasks, "task/update", {"id": "task:1", "patch": one})["status"] == status
    for asked in ({"status": [word]}, {"filter": {"status": [word]}}):
        assert given(tasks, "task/list", asked)["status"] == [status]
    watch = tasks.request("subject/watch", {"filter": {"status": [word]}})
    assert tasks.reply(watch) == {"watching": True}
    changed = tasks.next_notification("subject/changed").params
    assert changed["event"]["subject"]["custom"]["filter"]["status"] == [status]
    tasks.notify("subject/unwatch", {"watch_id": str(watch)})


def test_an_unknown_status_is_refused_with_the_wires_words(tasks: Plugin) -> None:
    for method, params in (
        ("task/list", {"status": ["open"]}),
        ("task/status", {"id": "task:1", "status": "open"}),
        ("task/create", {"title": "t", "status": "open"}),
        ("task/update", {"id": "task:1", "patch": {"status": "open"}}),
    ):
        with pytest.raises(RpcError, match="'in-progress'") as caught:
            tasks.call(method, params)
        assert caught.value.code == -32602


@pytest.mark.parametrize("id", ["task:1", "1", "TASK_1", "p0", "in_progress", "bug:2"])
def test_ids_come_as_they_are(tasks: Plugin, id: str) -> None:
    for verb, more in (("get", {}), ("status", {"status": "done"}), ("update", {"patch": {}})):
        found = tasks.call(f"task/{verb}", {"id": id, **more})
        assert (found["id"], found["custom"]["id"]) == (id, id)


@pytest.mark.parametrize(
    ("method", "params", "kind"),
    [
        ("subject/create", {"title": "t", "kind": "bug"}, "bug"),
        ("subject/list", {"filter": {"kind": ["bug"]}}, "bug"),
        ("subject/list", {"kind": ["bug"]}, "bug"),
        ("subject/list", {"kind": "bug"}, "bug"),
        ("subject/list", {"kind": ["bug", "task"]}, None),
        ("subject/list", {}, None),
        ("subject/get", {"id": "bug:7"}, "bug"),
        ("subject/get", {"id": "https://x/7"}, None),
        ("subject/get", {"id": "7"}, None),
        ("subject/update", {"id": "task:7", "patch": {}}, "task"),
        ("subject/status", {"id": "bug:7", "status": "done"}, "bug"),
        ("subject/next", {"kind": "task"}, "task"),
        ("bug/get", {"id": "task:7"}, "bug"),
        ("subject/list", {"kind": ["bug", "epic"]}, "bug"),
        ("subject/list", {"kind": ["epic", "saga"]}, None),
    ],
)
def test_the_kind_of_a_canonical_method_is_what_its_params_say(
    both: Plugin, method: str, params: dict[str, Any], kind: str | None
) -> None:
    assert given(both, method, params)["kind"] == kind


def test_the_only_kind_is_what_a_canonical_method_means(tasks: Plugin) -> None:
    for method, params in (
        ("subject/get", {"id": "7"}),
        ("subject/list", {}),
        ("subject/next", {}),
        ("subject/create", {"title": "t"}),
    ):
        found = tasks.call(method, params)
        subject = found["subjects"][0] if "subjects" in found else found
        assert (subject["kind"], subject["custom"]["kind"]) == ("task", "task")


def test_create_and_next_get_their_kind(tasks: Plugin, both: Plugin) -> None:
    assert given(tasks, "subject/create", {"title": "t"})["new_kind"] == "task"
    assert given(tasks, "subject/next", {})["next_kind"] == "task"
    assert given(both, "bug/create", {"title": "t"})["new_kind"] == "bug"
    assert given(both, "subject/create", {"title": "t", "kind": "bug"})["new_kind"] == "bug"
    assert given(both, "subject/next", {})["next_kind"] is None


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        ({}, ["task", "bug"]),
        ({"kind": []}, ["task", "bug"]),
        ({"kind": ["bug", "epic"]}, ["bug"]),
        ({"kind": ["task", "bug"]}, ["task", "bug"]),
        ({"kind": ["epic"]}, ["epic"]),  # not an empty list, which would mean all
    ],
)
def test_a_filter_asks_for_kinds_that_are_served(
    both: Plugin, asked: dict[str, Any], kinds: list[str]
) -> None:
    assert given(both, "subject/list", asked)["kinds"] == kinds
    assert given(both, "subject/list", {"filter": asked})["kinds"] == kinds
    assert given(both, "bug/list", asked)["kinds"] == ["bug"]


def watched(plugin: Plugin, method: str, params: Any) -> Any:
    """What the handler of a watch says that it was given."""
    watch = plugin.request(method, params)
    assert plugin.reply(watch) == {"watching": True}
    changed = plugin.next_notification("subject/changed").params
    plugin.notify("subject/unwatch", {"watch_id": str(watch)})
    return changed["event"]["subject"]["custom"]


@pytest.mark.parametrize(
    ("method", "params", "kind", "kinds"),
    [
        ("subject/watch", {"filter": {"kind": ["bug", "epic"]}}, "bug", ["bug"]),
        ("subject/watch", {"filter": {"kind": ["task", "bug"]}}, None, ["task", "bug"]),
        ("subject/watch", {"filter": {"kind": ["epic"]}}, "epic", ["epic"]),
        ("subject/watch", {"filter": {"kind": []}}, None, ["task", "bug"]),
        ("subject/watch", {"filter": {}}, None, ["task", "bug"]),
        ("subject/watch", {"kind": "bug", "filter": {}}, "bug", ["bug"]),
        ("subject/watch", {"kind": "bug", "filter": {"kind": ["task"]}}, "bug", ["bug"]),
        ("subject/watch", {"kind": "bug"}, "bug", None),
        ("subject/watch", {}, None, None),
        ("bug/watch", {"filter": {"kind": ["task"]}}, "bug", ["bug"]),
        ("bug/watch", {}, "bug", None),
    ],
)
def test_a_watch_asks_for_kinds_that_are_served(
    both: Plugin, method: str, params: dict[str, Any], kind: str | None, kinds: list[str] | None
) -> None:
    found = watched(both, method, params)
    assert (found["kind"], found["watch_kind"]) == (kind, kind)
    assert (found["filter"] and found["filter"]["kinds"]) == kinds


def test_a_watch_of_the_only_kind_gets_it(tasks: Plugin) -> None:
    found = watched(tasks, "subject/watch", {"filter": {}})
    assert (found["watch_kind"], found["filter"]["kinds"]) == ("task", ["task"])
    assert watched(tasks, "subject/watch", {})["watch_kind"] == "task"


@pytest.mark.parametrize("method", ["subject/watch", "subject/next", "subject/create"])
def test_a_kind_that_is_no_text_is_refused(tasks: Plugin, method: str) -> None:
    with pytest.raises(RpcError, match="kind: ") as caught:
        tasks.call(method, {"title": "t", "kind": 5})
    assert caught.value.code == -32602
