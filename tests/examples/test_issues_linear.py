"""issues_linear over a real process, and a Linear on the loopback that holds both to its schema."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from example_apps import example
from example_host import EXAMPLES, refused, served
from graphql import parse, validate
from linear_points import MOST_POINTS, points
from linear_server import SCHEMA, TOKEN, Linear, Row, linear
from tracker_faults import meanwhile, written

from animus_routes.host import Plugin

COMMAND = [sys.executable, str(EXAMPLES / "issues_linear.py")]
LINK = {"id": "l", "title": "PR", "url": "https://x.test/1", "sourceType": "github"}
ATTACHED = {
    "id": "l",
    "kind": "url",
    "uri": "https://x.test/1",
    "title": "PR",
    "metadata": {"source": "github"},
}


def variables(workspace: Linear, **more: str) -> dict[str, str]:
    return {"LINEAR_API_URL": workspace.url, "LINEAR_API_TOKEN": TOKEN, **more}


@contextmanager
def plugged(workspace: Linear, **more: str) -> Iterator[Plugin]:
    with served(COMMAND, Path(), env=variables(workspace, **more)) as plugin:
        yield plugin
        assert workspace.violations == []
        assert TOKEN not in written(plugin)


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Linear, Plugin]]:
    """A workspace and a plugin for tests that each have a team of their own."""
    with linear() as workspace, plugged(workspace) as plugin:
        yield workspace, plugin


@pytest.fixture
def workspace() -> Iterator[Linear]:
    with linear() as found:
        yield found


def ids(found: Any) -> list[str]:
    return [subject["id"] for subject in found["subjects"]]


def every_id(plugin: Plugin, **query: Any) -> list[str]:
    """Of all pages of a list."""
    seen: list[str] = []
    while True:
        page = plugin.call("linear/list", query)
        seen += ids(page)
        if "next_cursor" not in page:
            return seen
        query["cursor"] = page["next_cursor"]


# ---- what is asked ------------------------------------------------------------------------------


def documents() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in vars(example("issues_linear")).items():
        for part in value.values() if isinstance(value, dict) else [value]:
            if isinstance(part, str) and part.startswith(("query ", "mutation ")):
                found[f"{name} {len(found)}"] = part
    return found


@pytest.mark.parametrize("name", documents())
def test_a_document_is_linears_and_is_cheap_enough(name: str) -> None:
    text = documents()[name]
    document = parse(text)
    assert validate(SCHEMA, document) == []
    largest = {"first": example("issues_linear").MAX_PAGE}
    assert points(SCHEMA, document, largest) <= MOST_POINTS


# ---- list ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filtered() -> Iterator[Plugin]:
    status_map = '{"Waiting": "Blocked", "Triage": "cancelled", "QA": {"status": "in_progress", "dispatch_label": "qa"}}'
    with linear() as workspace:
        team, other = workspace.team("ENG"), workspace.team("OPS")
        for name in ("Waiting", "QA"):
            fields = {"name": name, "type": "started", "position": 7, "color": "#000000"}
            workspace.states.append({"id": f"state-{name}", "team": team, **fields})
        ada, bob = (
            workspace.user("Ada Lovelace", "ada@acme.test"),
            workspace.user("Bob", "b@x.test"),
        )
        red, blue = workspace.label("red"), workspace.label("blue", team)

        def add(title: str, state: str, **fields: Any) -> Row:
            return workspace.issue(team, title, state=workspace.state(team, state), **fields)

        add("todo", "Todo", labels=[red], assignee=ada)
        add("backlog", "Backlog", labels=[red, blue])
        add("started", "In Progress", labels=[blue], assignee=bob)
        add("review", "In Review", attachments=[LINK])
        add("waiting", "Waiting")
        add("qa", "QA")
        add("done", "Done", assignee=ada)
        add("cancelled", "Canceled")
        add("triage", "Triage")
        workspace.issue(other, "elsewhere")
        trashed = add("trashed", "Todo")
        trashed["trashed"] = True
        more = {"LINEAR_TEAM_ID": "ENG", "LINEAR_STATUS_MAP": status_map}
        with plugged(workspace, **more) as plugin:
            yield plugin


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({}, "todo backlog started review waiting qa done cancelled triage"),
        ({"kind": ["linear"]}, "todo backlog started review waiting qa done cancelled triage"),
        ({"status": ["ready"]}, "todo backlog"),
        ({"status": ["in-progress"]}, "started review qa"),
        ({"status": ["blocked"]}, "waiting"),
        ({"status": ["done", "blocked"]}, "waiting done"),
        ({"status": ["cancelled"]}, "cancelled triage"),
        ({"status": ["ready", "cancelled"]}, "todo backlog cancelled triage"),
        ({"native_status": "In Review"}, "review"),
        ({"native_status": "in review"}, ""),
        ({"native_status": "QA", "status": ["ready"]}, ""),
        ({"dispatch_label": "code-review"}, "review"),
        ({"dispatch_label": "qa"}, "qa"),
        ({"dispatch_label": "nothing"}, ""),
        ({"assignee": ["ada@acme.test"]}, "todo done"),
        ({"assignee": ["Bob", "ada@acme.test"]}, "todo started done"),
        ({"assignee": ["nobody"]}, ""),
        ({"labels_any": ["red", "blue"]}, "todo backlog started"),
        ({"labels_all": ["red", "blue"]}, "backlog"),
        ({"labels_any": ["blue"], "labels_all": ["red"], "status": ["ready"]}, "backlog"),
        ({"has_attachment_kind": "url"}, "review"),
        ({"has_attachment_kind": "document"}, ""),
        ({"updated_since": "2020-01-01T00:00:00Z", "status": ["done"]}, "done"),
        ({"updated_since": "2040-01-01T00:00:00Z"}, ""),
    ],
    ids=str,
)
def test_every_filter_is_linears_work(filtered: Plugin, query: Row, titles: str) -> None:
    found = filtered.call("linear/list", query)["subjects"]
    assert sorted(subject["title"] for subject in found) == sorted(titles.split())
    assert filtered.call("linear/list", {"filter": query})["subjects"] == found


def test_another_kind_is_nobodys(filtered: Plugin) -> None:
    assert filtered.call("subject/list", {"filter": {"kind": ["jira"]}})["subjects"] == []


def test_a_subject_has_everything(shared: tuple[Linear, Plugin]) -> None:
    workspace, plugin = shared
    team = workspace.team("ALL")
    parent = workspace.issue(team, "above")
    issue = workspace.issue(
        team,
        "whole",
        description="Some *text*",
        priority=2.0,
        parent=parent,
        project={"id": "p", "name": "Rockets"},
        assignee=workspace.user("Zoe", "zoe@acme.test"),
        labels=[workspace.label("green")],
        attachments=[LINK],
        estimate=3,
        dueDate="2026-12-24",
    )
    workspace.issue(team, "below", parent=issue)
    said = {"id": "c", "body": "Is it?", "createdAt": issue["createdAt"], "user": {"name": "Zoe"}}
    issue["comments"].append(said)
    found = plugin.call("linear/get", {"id": "linear:ALL-2"})
    state = issue["state"]
    assert found == {
        "id": "linear:ALL-2",
        "kind": "linear",
        "title": "whole",
        "description": "Some *text*",
        "status": "ready",
        "native_status": "Todo",
        "status_metadata": {
            name: state[name] for name in ("id", "name", "color", "position", "type")
        },
        "priority": 3,
        "assignee": "zoe@acme.test",
        "labels": ["green"],
        "parent": "linear:ALL-1",
        "children": ["linear:ALL-3"],
        "attachments": [ATTACHED],
        "url": issue["url"],
        "created_at": issue["createdAt"],
        "updated_at": issue["updatedAt"],
        "custom": {
            "linear_uuid": issue["id"],
            "linear_state_type": "unstarted",
            "linear_state_name": "Todo",
            "linear_team": "ALL",
            "linear_project": "Rockets",
            "branch_name": "ada/all-2",
            "estimate": 3.0,
            "due_date": "2026-12-24",
            "comments": [{"author": "Zoe", "at": issue["createdAt"], "text": "Is it?"}],
        },
    }
    brief = plugin.call("linear/get", {"id": "ALL-2", "projection": "summary"})
    assert brief.keys() < found.keys()
    assert "description" not in brief
    assert brief["labels"] == ["green"]
    listed = plugin.call("linear/list", {"labels_all": ["green"], "projection": "summary"})
    assert listed["subjects"] == [brief]
    assert "projection" in refused(plugin, "linear/list", {"projection": "x"}).message


def test_an_issue_is_found_by_every_name_it_has(shared: tuple[Linear, Plugin]) -> None:
    workspace, plugin = shared
    issue = workspace.issue(workspace.team("OLD"), "moved")
    issue["previous"], issue["identifier"] = ["OLD-1"], "NEW-9"
    for name in ("linear:NEW-9", "NEW-9", "linear:OLD-1", f"linear:{issue['id']}"):
        assert plugin.call("linear/get", {"id": name})["id"] == "linear:NEW-9"
    assert "not found" in refused(plugin, "linear/get", {"id": "linear:NEW-77"}).message
    for strange in ("jira:NEW-9", "linear:", "7", "linear:NEW-9 OR 1", "linear:a/b"):
        error = refused(plugin, "linear/get", {"id": strange})
        assert (error.code, "linear:ENG-123" in error.message) == (-32602, True)


def test_what_lists_do_not_have_is_not_there_for_other_calls(
    filtered: Plugin, workspace: Linear
) -> None:
    team = workspace.team("OPS")
    rockets = {"id": "0b6c1d9a-0000-4000-8000-000000000001", "name": "Rockets"}
    workspace.issue(team, "elsewhere")
    inside = workspace.issue(team, "inside", project=rockets)["identifier"]
    with plugged(workspace, LINEAR_PROJECT_ID=rockets["id"]) as other:
        assert is_there(other, inside)
        for plugin, said in ((filtered, "LINEAR_TEAM_ID"), (other, "LINEAR_PROJECT_ID")):
            for method, params in (
                ("get", {}),
                ("get", {"projection": "summary"}),
                ("status", {"status": "done"}),
                ("update", {"patch": {"title": "x"}}),
                ("delete", {}),
                ("create", {"title": "x", "parent": "OPS-1"}),
            ):
                error = refused(plugin, f"linear/{method}", {"id": "OPS-1", **params})
                assert (error.data["category"], said in error.message) == ("not_found", True)


def is_there(plugin: Plugin, name: str) -> bool:
    brief = {"projection": "summary"}
    found = [plugin.call("linear/get", {"id": name, **more}) for more in ({}, brief)]
    return all(one["id"] == f"linear:{name}" for one in found)


def test_connections_are_read_to_their_end(shared: tuple[Linear, Plugin]) -> None:
    workspace, plugin = shared
    team = workspace.team("BIG")
    issue = workspace.issue(team, "parent", labels=[workspace.label(f"l{n}") for n in range(60)])
    for number in range(60):
        workspace.issue(team, f"child {number}", parent=issue)
    for number in range(60):
        said = {"id": f"c{number}", "body": f"{number}", "createdAt": workspace.tick()}
        issue["comments"].insert(0, said)  # the newest come first
    found = plugin.call("linear/get", {"id": "BIG-1"})
    assert len(found["labels"]) == len(found["children"]) == 60
    assert [one["text"] for one in found["custom"]["comments"]] == [str(n) for n in range(60)]


def test_pages_lose_nothing_and_double_nothing_while_others_work(workspace: Linear) -> None:
    team = workspace.team("ENG")
    for number in range(1000):
        workspace.issue(team, f"issue {number}")
    before = [issue["identifier"] for issue in workspace.issues]
    turn = iter(range(1, 1000))

    def others() -> None:
        """Between two pages: somebody changes, creates and trashes issues, read or not."""
        number = next(turn)
        for place in (number * 37 % 1000, number * 411 % 1000):
            workspace.change(workspace.issues[place], title=f"changed {number}")
        workspace.issue(team, f"new {number}")
        workspace.issues[number * 97 % 1000]["trashed"] = True

    workspace.page_read = others
    with plugged(workspace) as plugin:
        seen = every_id(plugin, limit=60, projection="summary")
    trashed = {issue["identifier"] for issue in workspace.issues if issue.get("trashed")}
    assert len(seen) == len(set(seen))
    assert {f"linear:{name}" for name in before if name not in trashed} <= set(seen)
    assert workspace.asked.count("List") == 17


# ---- changes ------------------------------------------------------------------------------------


def test_create_says_everything_at_once(shared: tuple[Linear, Plugin]) -> None:
    workspace, plugin = shared
    workspace.team("ONE")
    error = refused(plugin, "linear/create", {"title": "where?"})
    assert "LINEAR_TEAM_ID" in error.message
    with plugged(workspace, LINEAR_TEAM_ID=workspace.teams[-1]["id"]) as one:
        workspace.user("Cleo", "cleo@acme.test")
        workspace.label("known")
        workspace.label("taken", workspace.teams[0])
        parent = one.call("linear/create", {"title": "above"})["id"]
        made = one.call(
            "linear/create",
            {
                "title": "new",
                "body": "text",
                "status": "in_progress",
                "priority": "p0",
                "labels": ["known", "fresh", "taken", "known"],
                "assignee": "Cleo",
                "parent": parent,
                "custom": {"estimate": 2, "due_date": "2026-12-24"},
            },
        )
    assert (made["status"], made["native_status"], made["priority"]) == (
        "in-progress",
        "In Progress",
        4,
    )
    assert (made["labels"], made["assignee"]) == (["known", "fresh", "taken"], "cleo@acme.test")
    assert (made["parent"], made["description"]) == (parent, "text")
    assert made["custom"]["estimate"] == 2
    sent = workspace.inputs[-1]
    assert sent["priority"] == 1
    assert sent["teamId"] == workspace.teams[-1]["id"]
    teams = {one["name"]: one["team"] for one in workspace.labels if one["name"] == "fresh"}
    assert teams["fresh"] is workspace.teams[-1]


@pytest.fixture(scope="module")
def creating() -> Iterator[tuple[Linear, Plugin]]:
    with linear() as workspace:
        workspace.user("Twin", "twin1@acme.test")
        workspace.user("Twin", "twin2@acme.test")
        workspace.label("group", group=True)
        workspace.team("ENG")
        with plugged(workspace) as plugin:
            yield workspace, plugin


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"assignee": "nobody"}, "'nobody' is nobody"),
        ({"assignee": "Twin"}, "twin1@acme.test, twin2@acme.test"),
        ({"priority": 9}, "priority: 9"),
        ({"custom": {"colour": "red"}}, "'colour'"),
        ({"parent": "linear:ENG-99"}, "not found"),
        ({"status": "blocked"}, "LINEAR_STATUS_MAP"),
        ({"labels": ["group"]}, "duplicate label name"),
        ({"title": ""}, "title should not be empty"),
    ],
    ids=str,
)
def test_what_cannot_be_created_is_said(
    creating: tuple[Linear, Plugin], fields: Row, said: str
) -> None:
    workspace, plugin = creating
    error = refused(plugin, "linear/create", {"title": "x", **fields})
    assert error.code == -32602
    assert said in error.message
    assert workspace.issues == []


def test_an_update_is_one_change(shared: tuple[Linear, Plugin]) -> None:
    workspace, plugin = shared
    team = workspace.team("UPD")
    dora = workspace.user("Dora", "dora@acme.test")
    issue = workspace.issue(team, "old", assignee=dora, dueDate="2026-01-01")
    patch = {
        "title": "new",
        "description": "text",
        "priority": "high",
        "status": "done",
        "assignee": None,
        "comment": "It is *done*.",
        "custom": {"due_date": None},
    }
    found = plugin.call("linear/update", {"id": "UPD-1", "patch": patch})
    assert (found["title"], found["description"], found["priority"]) == ("new", "text", 3)
    assert (found["status"], "assignee" in found) == ("done", False)
    assert "due_date" not in found["custom"]
    assert [one["body"] for one in issue["comments"]] == ["It is *done*."]
    assert workspace.asked[-3:] == ["Before", "Update", "Comment"]
    back = plugin.call("linear/update", {"id": "UPD-1", "patch": {"assignee": "DORA"}})
    assert back["assignee"] == "dora@acme.test"
    asked = len(workspace.asked)
    plugin.call("linear/update", {"id": "UPD-1", "patch": {"status": "done"}})
    plugin.call("linear/update", {"id": "UPD-1", "patch": {}})
    assert workspace.asked[asked:] == ["Before", "Before"]


def test_labels_of_two_changes_at_once_are_all_there(shared: tuple[Linear, Plugin]) -> None:
    workspace, plugin = shared
    team = workspace.team("LAB")
    one, two, three = (workspace.label(name, team) for name in ("one", "two", "three"))
    issue = workspace.issue(team, "labelled", labels=[one, two])

    def somebody() -> None:
        issue["labels"] = [label for label in issue["labels"] if label is not two] + [three]

    # It has read the issue and asked for the labels; then somebody changes them.
    workspace.faults.extend([lambda _: False, lambda _: False, meanwhile(somebody)])
    patch = {"labels_add": ["four", "one"], "labels_remove": ["five"]}
    found = plugin.call("linear/update", {"id": "LAB-1", "patch": patch})
    workspace.faults.clear()
    assert sorted(found["labels"]) == ["four", "one", "three"]
    assert "labelIds" not in workspace.inputs[-1]
    assert "removedLabelIds" not in workspace.inputs[-1]
    found = plugin.call("linear/update", {"id": "LAB-1", "patch": {"labels_remove": ["one", "x"]}})
    assert sorted(found["labels"]) == ["four", "three"]
    replaced = {"labels": ["a", "b"], "labels_add": ["c"], "labels_remove": ["a"]}
    found = plugin.call("linear/update", {"id": "LAB-1", "patch": replaced})
    assert sorted(found["labels"]) == ["b", "c"]


def test_a_label_that_two_make_at_once_is_one(shared: tuple[Linear, Plugin]) -> None:
    workspace, plugin = shared
    team = workspace.team("TWO")
    workspace.issue(team, "x")
    first = meanwhile(lambda: workspace.label("both", team))
    workspace.faults.extend([lambda _: False, lambda _: False, first])
    found = plugin.call("linear/update", {"id": "TWO-1", "patch": {"labels_add": ["both"]}})
    assert found["labels"] == ["both"]


def test_a_status_may_be_one_of_the_five_words_or_the_teams(
    shared: tuple[Linear, Plugin],
) -> None:
    workspace, plugin = shared
    workspace.issue(workspace.team("STA"), "moves")

    def move(status: str) -> tuple[str, str]:
        found = plugin.call("linear/status", {"id": "linear:STA-1", "status": status})
        return found["status"], found["native_status"]

    assert move("in_progress") == ("in-progress", "In Progress")  # the first on the board
    assert move("in review") == ("in-progress", "In Review")
    assert move("in-progress") == ("in-progress", "In Review")  # it is that already
    assert move("cancelled") == ("cancelled", "Canceled")
    assert move("ready") == ("ready", "Todo")
    error = refused(plugin, "linear/status", {"id": "STA-1", "status": "blocked"})
    assert "'Todo' (ready)" in error.message
    assert "LINEAR_STATUS_MAP" in error.message
    patch = {"native_status": "Done"}
    assert plugin.call("linear/update", {"id": "STA-1", "patch": patch})["status"] == "done"


def test_next_is_the_oldest_of_the_most_urgent(workspace: Linear) -> None:
    team = workspace.team("ENG")
    with plugged(workspace) as plugin:
        assert plugin.call("linear/next") is None
        workspace.issue(team, "no priority")
        workspace.issue(team, "low", priority=4)
        workspace.issue(team, "done", priority=1, state=workspace.state(team, "Done"))
        high = workspace.issue(team, "high", priority=2)
        workspace.issue(team, "high, later", priority=2)
        assert plugin.call("linear/next")["title"] == "high"
        high["state"] = workspace.state(team, "In Progress")
        assert plugin.call("linear/next")["title"] == "high, later"


def test_a_delete_moves_to_the_trash(shared: tuple[Linear, Plugin]) -> None:
    workspace, plugin = shared
    issue = workspace.issue(workspace.team("DEL"), "goes")
    assert plugin.call("linear/delete", {"id": "linear:DEL-1"}) == {"ok": True}
    assert issue["trashed"]
    for method in ("get", "delete", "update"):
        error = refused(plugin, f"linear/{method}", {"id": "DEL-1", "patch": {"title": "x"}})
        assert "trash" in error.message


def test_the_schema_has_every_state_of_the_board(filtered: Plugin) -> None:
    schema = filtered.call("linear/schema")
    hints = {hint["native_status"]: hint for hint in schema["status_dispatch_hints"]}
    assert hints["In Review"]["dispatch_label"] == "code-review"
    assert (hints["QA"]["maps_to"], hints["QA"]["dispatch_label"]) == ("in-progress", "qa")
    assert hints["Waiting"]["maps_to"] == "blocked"
    assert schema["native_status_values"][:2] == ["Todo", "Backlog"]
    assert schema["supports_pagination"]
    assert schema["supports_delete"]
    assert schema["supports_watch"]
