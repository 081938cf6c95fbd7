"""issues_jira over a real process, and a Jira on the loopback that is as strict as its documentation."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, served
from jira_server import EMAIL, TOKEN, Jira, Row, jira
from tracker_faults import meanwhile, written

from animus_routes.host import Plugin

COMMAND = [sys.executable, str(EXAMPLES / "issues_jira.py")]


def variables(site: Jira, **more: str) -> dict[str, str]:
    fixed = {"JIRA_EMAIL": EMAIL, "JIRA_API_TOKEN": TOKEN, "JIRA_PROJECTS": "ENG"}
    return {"JIRA_URL": site.url, **fixed, **more}


@contextmanager
def plugged(site: Jira, **more: str) -> Iterator[Plugin]:
    with served(COMMAND, Path(), env=variables(site, **more)) as plugin:
        yield plugin
        assert site.violations == []
        assert TOKEN not in written(plugin)


@pytest.fixture
def site() -> Iterator[Jira]:
    with jira() as found:
        yield found


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Jira, Plugin]]:
    with jira() as found:
        found.user("Ada", "ada@acme.test")
        found.user("Bob")
        found.user("Twin")
        found.user("twin")
        found.projects["ENG"] = 0
        with plugged(found) as plugin:
            yield found, plugin


def every_id(plugin: Plugin, **query: Any) -> list[str]:
    """Of all pages of a list."""
    seen: list[str] = []
    while True:
        page = plugin.call("jira/list", query)
        seen += [subject["id"] for subject in page["subjects"]]
        if "next_cursor" not in page:
            return seen
        assert page["subjects"], "an empty page with a cursor"
        query["cursor"] = page["next_cursor"]


# ---- list ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filtered() -> Iterator[Plugin]:
    status_map = '{"Selected": "Blocked", "Nowhere": "done", "Archived": {"status": "cancelled", "dispatch_label": "old"}}'
    with jira() as site:
        ada, bob = site.user("Ada", "ada@acme.test"), site.user('Bob "the" \\ Builder')
        site.issue("ENG", "todo", labels=["red"], assignee=ada)
        site.issue("ENG", "selected", status="Selected", labels=["red", "blue"])
        site.issue("OPS", "started", status="In Progress", assignee=bob, labels=['od"d'])
        site.issue("OPS", "review", status="In Review")
        site.issue("ENG", "blocked", status="Blocked")
        site.issue("ENG", "done", status="Done", resolution={"name": "Done"}, assignee=ada)
        site.issue("ENG", "dropped", status="Done", resolution={"name": "Won't Do"})
        site.issue("ENG", "archived", status="Archived", resolution={"name": "Done"})
        site.issue("SEC", "secret")
        with plugged(site, JIRA_PROJECTS="ENG, OPS", JIRA_STATUS_MAP=status_map) as plugin:
            yield plugin


EVERY = "todo selected started review blocked done dropped archived"


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({}, EVERY),
        ({"kind": ["jira"]}, EVERY),
        ({"status": ["ready"]}, "todo"),
        ({"status": ["in-progress"]}, "started review"),
        ({"status": ["blocked"]}, "selected blocked"),
        ({"status": ["done"]}, "done"),
        ({"status": ["cancelled"]}, "dropped archived"),
        ({"status": ["done", "cancelled"]}, "done dropped archived"),
        ({"native_status": "In Review"}, "review"),
        ({"native_status": "Nowhere"}, ""),
        ({"native_status": "Done", "status": ["cancelled"]}, "dropped"),
        ({"dispatch_label": "code-review"}, "review"),
        ({"dispatch_label": "old"}, "archived"),
        ({"dispatch_label": "nothing"}, ""),
        ({"assignee": ["ada@acme.test"]}, "todo done"),
        ({"assignee": ['Bob "the" \\ Builder', "Ada"]}, "todo started done"),
        ({"assignee": ["nobody"]}, ""),
        ({"assignee": ["5b10a2844c20165700ede000"]}, "todo done"),
        ({"labels_any": ["red", "blue"]}, "todo selected"),
        ({"labels_any": ["no such"]}, ""),
        ({"labels_all": ["red", "blue"]}, "selected"),
        ({"labels_all": ['od"d']}, "started"),
        ({"has_attachment_kind": "file"}, ""),
        ({"updated_since": "2020-01-01T00:00:00Z", "status": ["done"]}, "done"),
        ({"updated_since": "2040-01-01T00:00:00Z"}, ""),
    ],
    ids=str,
)
def test_every_filter_is_jiras_work_or_done_afterwards(
    filtered: Plugin, query: Row, titles: str
) -> None:
    found = filtered.call("jira/list", query)["subjects"]
    assert [subject["title"] for subject in found] == titles.split()
    assert filtered.call("jira/list", {"filter": query})["subjects"] == found


def test_a_time_is_exact_though_jql_knows_minutes_alone(site: Jira) -> None:
    site.issue("ENG", "before")
    moment = site.issue("ENG", "then")["fields"]["updated"]
    site.issue("ENG", "after")
    with plugged(site) as plugin:
        since = f"{moment[:-2]}:{moment[-2:]}"
        assert every_id(plugin, updated_since=since) == ["jira:ENG-2", "jira:ENG-3"]
        assert every_id(plugin, updated_since=since, limit=1) == ["jira:ENG-2", "jira:ENG-3"]


def test_a_page_is_looked_for_until_something_matches(site: Jira) -> None:
    for number in range(30):
        site.issue("ENG", f"{number}", status="Done", resolution={"name": "Done"})
    site.issue("ENG", "dropped", status="Done", resolution={"name": "Duplicate"})
    with plugged(site) as plugin:
        assert every_id(plugin, status=["cancelled"], limit=5) == ["jira:ENG-31"]
        error = refused(plugin, "jira/list", {"cursor": "nonsense"})
        assert (error.code, "cursor" in error.message) == (-32602, True)


def test_pages_lose_nothing_and_double_nothing_while_others_work(site: Jira) -> None:
    for number in range(1000):
        site.issue("ENG", f"issue {number}")
    before = [*site.issues]
    turn = iter(range(1, 1000))
    gone: set[str] = set()

    def others() -> None:
        """Between two pages: somebody changes, creates and removes issues, read or not."""
        number = next(turn)
        for place in (number * 37 % 1000, number * 411 % 1000):
            if before[place] not in gone:
                site.change(before[place], summary=f"changed {number}")
        site.issue("ENG", f"new {number}")
        lost = before[number * 97 % 1000]
        site.issues.pop(lost)
        gone.add(lost)
        site.index()

    site.page_read = others
    with plugged(site) as plugin:
        seen = every_id(plugin, limit=60, projection="summary")
    assert len(seen) == len(set(seen))
    assert {f"jira:{key}" for key in before if key not in gone} <= set(seen)


def test_a_search_that_is_late_knows_what_was_written_here(site: Jira) -> None:
    site.issue("ENG", "there")
    site.lag = True
    with plugged(site) as plugin:
        made = plugin.call("jira/create", {"title": "new"})
        listed = plugin.call("jira/list", {})["subjects"]
        assert [one["title"] for one in listed] == ["there", "new"]
        plugin.call("jira/status", {"id": made["id"], "status": "in-progress"})
        assert every_id(plugin, status=["in-progress"]) == [made["id"]]


def test_nobody_is_told_of_as_an_empty_list(site: Jira) -> None:
    site.issue("ENG", "there")
    site.anonymous = True
    with plugged(site) as plugin:
        error = refused(plugin, "jira/list", {})
        assert (error.code, "authenticated" in error.message) == (-32600, True)


# ---- one issue ----------------------------------------------------------------------------------


def test_a_subject_has_everything(site: Jira) -> None:
    ada = site.user("Ada", "ada@acme.test")
    site.issue("ENG", "above")
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": "Some text"}]}
    fields: Row = {
        "description": {"type": "doc", "version": 1, "content": [paragraph]},
        "assignee": ada,
        "labels": ["green"],
        "priority": {"id": "1", "name": "Highest"},
        "parent": {"key": "ENG-1"},
        "subtasks": [{"key": "ENG-3"}],
        "duedate": "2026-12-24",
    }
    site.issue("ENG", "whole", status="In Review", **fields)["fields"]["updated"] = (
        "2026-11-26T03:00:00.500-0500"
    )
    with plugged(site, JIRA_PROJECTS="eng, OPS") as plugin:
        found = plugin.call("jira/get", {"id": "jira:eng-2"})
        brief = plugin.call("jira/get", {"id": "ENG-2", "projection": "summary"})
        assert "jira:PROJ-456" in refused(plugin, "jira/get", {"id": "linear:ENG-2"}).message
        assert "not found" in refused(plugin, "jira/get", {"id": "ENG-9"}).message
        new = site.move("ENG-2", "OPS")
        assert plugin.call("jira/get", {"id": "jira:ENG-2"})["id"] == f"jira:{new}"
    assert found.pop("created_at").endswith("Z")
    assert found == {
        "id": "jira:ENG-2",
        "kind": "jira",
        "title": "whole",
        "description": "Some text",
        "status": "in-progress",
        "native_status": "In Review",
        "priority": 4,
        "assignee": "ada@acme.test",
        "labels": ["green"],
        "parent": "jira:ENG-1",
        "children": ["jira:ENG-3"],
        "url": f"{site.url}/browse/ENG-2",
        "updated_at": "2026-11-26T08:00:00.500Z",
        "custom": {
            "jira_id": "20001",
            "jira_status_category": "indeterminate",
            "issue_type": "Task",
            "assignee_account_id": ada["accountId"],
            "due_date": "2026-12-24",
        },
    }
    assert "description" not in brief
    assert brief["labels"] == ["green"]


def test_what_lists_do_not_have_is_not_there_for_other_calls(filtered: Plugin) -> None:
    for method, params in (
        ("get", {"id": "SEC-1"}),
        ("status", {"id": "SEC-1", "status": "done"}),
        ("update", {"id": "SEC-1", "patch": {"title": "x"}}),
        ("update", {"id": "ENG-1", "patch": {"parent": "SEC-1"}}),
        ("create", {"title": "x", "parent": "SEC-1"}),
    ):
        error = refused(filtered, f"jira/{method}", params)
        assert error.data["category"] == "not_found"
        assert "'jira:SEC-1': SEC is not in JIRA_PROJECTS" in error.message


def test_a_project_that_has_another_key_now_is_the_same(site: Jira) -> None:
    site.issue("ENG", "there")
    new, site.renamed["ENG"] = site.move("ENG-1", "NEW"), "NEW"
    with plugged(site) as plugin:
        for key in ("ENG-1", new):
            assert plugin.call("jira/get", {"id": key})["id"] == f"jira:{new}"


def test_no_projects_are_refused_by_name(site: Jira) -> None:
    with plugged(site, JIRA_PROJECTS=",") as plugin:
        assert "JIRA_PROJECTS" in refused(plugin, "jira/create", {"title": "x"}).message


def test_create_says_everything(shared: tuple[Jira, Plugin]) -> None:
    _, plugin = shared
    parent = plugin.call("jira/create", {"title": "above"})["id"]
    made = plugin.call(
        "jira/create",
        {
            "title": "new",
            "body": "# Why\n\n- **one**\n- two",
            "status": "in_progress",
            "priority": "p0",
            "labels": ["a", "b", "a"],
            "assignee": "BOB",
            "parent": parent,
            "custom": {"due_date": "2026-12-24"},
        },
    )
    assert (made["status"], made["native_status"]) == ("in-progress", "In Progress")
    assert (made["labels"], made["assignee"], made["priority"]) == (["a", "b"], "Bob", 4)
    assert (made["parent"], made["description"]) == (parent, "# Why\n\n- **one**\n- two")
    assert made["custom"]["due_date"] == "2026-12-24"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"assignee": "nobody"}, "'nobody' is nobody"),
        ({"assignee": "Twin"}, "5b10a2844c20165700ede002, 5b10a2844c20165700ede003"),
        ({"priority": 9}, "priority: 9"),
        ({"labels": ["two words"]}, "no spaces"),
        ({"custom": {"colour": "red"}}, "'colour'"),
        ({"parent": "jira:ENG-999"}, "does not exist"),
        ({"title": " "}, "summary"),
    ],
    ids=str,
)
def test_what_cannot_be_created_is_said(
    shared: tuple[Jira, Plugin], fields: Row, said: str
) -> None:
    site, plugin = shared
    before = len(site.issues)
    error = refused(plugin, "jira/create", {"title": "x", **fields})
    assert error.code == -32602
    assert said in error.message
    assert len(site.issues) == before


def test_a_status_that_cannot_be_had_makes_no_second_issue(shared: tuple[Jira, Plugin]) -> None:
    site, plugin = shared
    before = len(site.issues)
    made = plugin.call("jira/create", {"title": "x", "status": "cancelled", "labels": ["l"]})
    assert (made["status"], made["labels"]) == ("cancelled", ["l"])
    site.needs_resolution = True
    made = plugin.call("jira/create", {"title": "x", "status": "done"})
    site.needs_resolution = False
    assert (made["status"], made["custom"]["resolution"]) == ("done", "Done")
    assert len(site.issues) == before + 2


def test_an_update_is_one_change(shared: tuple[Jira, Plugin]) -> None:
    site, plugin = shared
    name = plugin.call("jira/create", {"title": "old", "labels": ["one", "two"], "assignee": "Ada"})
    key = name["id"].removeprefix("jira:")

    def somebody() -> None:
        site.change(key, labels=["one", "three"])

    # It has read the issue; then somebody changes the labels.
    site.faults.extend([lambda _: False, meanwhile(somebody)])
    asked = len(site.asked)
    patch = {
        "title": "new",
        "description": "",
        "priority": "low",
        "assignee": None,
        "labels_add": ["four", "one"],
        "labels_remove": ["five"],
        "comment": "It is *so*:\n\n```\ncode\n```",
        "custom": {"due_date": None},
    }
    found = plugin.call("jira/update", {"id": key, "patch": patch})
    assert sorted(found["labels"]) == ["four", "one", "three"]
    assert (found["title"], found["priority"], "assignee" in found) == ("new", 1, False)
    assert site.comments[-1][1]["content"][1]["type"] == "codeBlock"
    assert site.asked[asked:] == [f"GET /issue/{key}", f"PUT /issue/{key}", f"GET /issue/{key}"]
    replaced = {"labels": ["a", "b"], "labels_add": ["c"], "labels_remove": ["a"]}
    assert plugin.call("jira/update", {"id": key, "patch": replaced})["labels"] == ["b", "c"]
    asked = len(site.asked)
    plugin.call("jira/update", {"id": key, "patch": {"status": "ready"}})
    assert site.asked[asked:] == [f"GET /issue/{key}"]


def test_a_status_changes_by_a_transition(shared: tuple[Jira, Plugin]) -> None:
    _, plugin = shared
    name = plugin.call("jira/create", {"title": "moves"})["id"]

    def move(status: str) -> tuple[str, str]:
        found = plugin.call("jira/status", {"id": name, "status": status})
        return found["status"], found["native_status"]

    assert move("in_progress") == ("in-progress", "In Progress")
    assert move("in review") == ("in-progress", "In Review")
    assert move("in-progress") == ("in-progress", "In Review")  # it is that already
    error = refused(plugin, "jira/status", {"id": name, "status": "blocked"})
    assert "from 'In Review' to blocked; Jira offers 'In Progress', 'Done'" in error.message
    patch = {"status": "blocked", "title": "never"}
    assert "blocked" in refused(plugin, "jira/update", {"id": name, "patch": patch}).message
    assert plugin.call("jira/get", {"id": name})["title"] == "moves"
    assert move("cancelled") == ("cancelled", "Done")  # by its resolution
    assert move("ready") == ("ready", "To Do")
    assert move("done") == ("done", "Done")


def test_next_is_the_most_urgent_and_then_the_oldest(site: Jira) -> None:
    with plugged(site) as plugin:
        site.issue("ENG", "blocked", status="Blocked", priority={"name": "Highest"})
        assert plugin.call("jira/next") is None
        site.issue("ENG", "medium")
        site.issue("ENG", "high", priority={"name": "High"})
        site.issue("ENG", "high, later", priority={"name": "High"})
        assert plugin.call("jira/next")["title"] == "high"


def test_the_schema_has_every_status(filtered: Plugin) -> None:
    schema = filtered.call("jira/schema")
    hints = {hint["native_status"]: hint for hint in schema["status_dispatch_hints"]}
    assert hints["In Review"]["dispatch_label"] == "code-review"
    assert (hints["Archived"]["maps_to"], hints["Selected"]["maps_to"]) == ("cancelled", "blocked")
    assert (schema["supports_watch"], schema["supports_delete"]) == (True, False)
    assert refused(filtered, "jira/delete", {"id": "ENG-1"}).code == -32001


def test_an_oauth_token_is_sent_as_one(site: Jira) -> None:
    site.issue("ENG", "there")
    with plugged(site, JIRA_EMAIL="") as plugin:
        assert every_id(plugin) == ["jira:ENG-1"]
