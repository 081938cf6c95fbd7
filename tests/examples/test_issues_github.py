"""GitHub's issues, over a real process and a server that is held against GitHub's own description."""

import json
from pathlib import Path
from typing import Any

import pytest
from example_host import refused, run, served
from github_calls import COMMAND, MAP, ids, listed, update, variables
from github_server import TOKEN, Answer, GitHub, error

from animus_routes.host import Plugin

pytest_plugins = ["github_fixtures"]

# Reading -------------------------------------------------------------------------------------------


def test_an_issue_is_a_subject(plugin: Plugin, there: GitHub) -> None:
    there.add(title="Parent")
    labels = ["bug", "priority:high"]
    there.add(title="Crash", body="It *crashes*", labels=labels, assignees=["ada", "kim"])
    there.repos["o/r"][1]["sub_issues_summary"] = {
        "total": 1,
        "completed": 0,
        "percent_completed": 0,
    }
    there.repos["o/r"][2]["parent_issue_url"] = there.repos["o/r"][1]["url"]
    found = plugin.call("github/get", {"id": "github:o/r#2"})
    at = {name: found.pop(name) for name in ("created_at", "updated_at")}
    assert at["created_at"] == there.repos["o/r"][2]["created_at"]
    assert found == {
        "id": "github:o/r#2",
        "kind": "github",
        "title": "Crash",
        "description": "It *crashes*",
        "status": "ready",
        "native_status": "open",
        "priority": 3,
        "labels": labels,
        "assignee": "ada",
        "parent": "github:o/r#1",
        "url": "https://github.example/o/r/issues/2",
        "custom": {
            "repository": "o/r",
            "number": 2,
            "author": "ada",
            "assignees": ["ada", "kim"],
            "comments": 0,
            "locked": False,
        },
    }
    assert plugin.call("github/get", {"id": "github:o/r#1"})["children"] == ["github:o/r#2"]
    assert plugin.call("subject/get", {"id": "O/R#2"})["id"] == "github:o/r#2"


@pytest.mark.parametrize(
    ("fields", "native", "status"),
    [
        ({}, "open", "ready"),
        ({"labels": ["In-Progress"]}, "in-progress", "in-progress"),
        ({"labels": ["in-progress", "blocked"]}, "blocked", "blocked"),
        ({"labels": ["in review"]}, "in review", "in-progress"),
        ({"state": "closed", "state_reason": None}, "closed:completed", "done"),
        ({"state": "closed", "labels": ["blocked"]}, "closed:completed", "done"),
        ({"state": "closed", "state_reason": "not_planned"}, "closed:not_planned", "cancelled"),
        ({"state": "closed", "state_reason": "duplicate"}, "closed:duplicate", "cancelled"),
        ({"state_reason": "reopened"}, "open", "ready"),
    ],
)
def test_a_status_is_read(
    plugin: Plugin, there: GitHub, fields: dict[str, Any], native: str, status: str
) -> None:
    there.add(**fields)
    (found,) = listed(plugin)
    assert (found["native_status"], found["status"]) == (native, status)
    assert ids(listed(plugin, native_status=native, status=[status])) == ["o/r#1"]
    other = "blocked" if status != "blocked" else "done"
    assert listed(plugin, status=[other]) == []


@pytest.mark.parametrize(
    ("query", "found", "pushed"),
    [
        ({}, ["o/r#1", "o/r#2", "o/r#3", "o/r#5", "o/two#1"], {"state": "all"}),
        ({"status": ["ready", "blocked"]}, ["o/r#1", "o/r#2", "o/two#1"], {"state": "open"}),
        ({"status": ["blocked"]}, ["o/r#2"], {"state": "open", "labels": "blocked"}),
        ({"status": ["done", "cancelled"]}, ["o/r#3"], {"state": "closed"}),
        ({"status": ["done", "ready"]}, ["o/r#1", "o/r#3", "o/two#1"], {"state": "all"}),
        ({"labels_all": ["bug", "ui"]}, ["o/r#2"], {"labels": "bug,ui"}),
        ({"labels_any": ["bug"]}, ["o/r#1", "o/r#2"], {"labels": "bug"}),
        ({"labels_any": ["ui", "docs"]}, ["o/r#2", "o/two#1"], {}),
        ({"labels_all": ["a,b"]}, ["o/r#5"], {}),
        ({"assignee": ["kim"]}, ["o/r#1"], {"assignee": "kim"}),
        ({"assignee": ["ada", "kim"]}, ["o/r#1", "o/two#1"], {}),
        ({"assignee": ["*"]}, [], {}),
        ({"native_status": "in review"}, ["o/r#5"], {"labels": "in review", "state": "open"}),
        ({"dispatch_label": "code-review"}, ["o/r#5"], {"labels": "in review"}),
        ({"updated_since": "2026-01-01T01:00:00+01:00"}, None, {"since": "2026-01-01T00:00:00Z"}),
        ({"kind": ["github"]}, None, {}),
    ],
)
def test_a_filter_is_met(
    plugin: Plugin, there: GitHub, query: Any, found: list[str] | None, pushed: dict[str, str]
) -> None:
    there.add(labels=["bug"], assignees=["kim"])
    there.add(labels=["bug", "ui", "blocked"])
    there.add(state="closed")
    there.add(pull_request=dict.fromkeys(("diff_url", "html_url", "patch_url", "url"), "x"))
    there.add(labels=["a,b", "in review"])
    there.add("o/two", labels=["docs"], assignees=["ada"])
    for kept in (query, {"filter": query}):
        whole = plugin.call("github/list", kept)
        assert found is None or ids(whole["subjects"]) == found
    asked = there.asked[0].target.replace("%3A", ":").replace("%2C", ",").replace("+", " ")
    for name, value in pushed.items():
        assert f"{name}={value}" in asked
    assert "sort=created&direction=asc&per_page=100" in asked


@pytest.mark.parametrize(
    "query", [{"status": ["done"], "native_status": "open"}, {"has_attachment_kind": "document"}]
)
def test_what_nothing_can_meet_is_not_asked_for(
    plugin: Plugin, there: GitHub, query: dict[str, Any]
) -> None:
    there.add()
    assert listed(plugin, **query) == []
    assert there.asked == []


def test_next_is_the_most_urgent_and_then_the_oldest(plugin: Plugin, there: GitHub) -> None:
    assert plugin.call("github/next") is None
    there.add(labels=["priority:low"])
    there.add(labels=["priority:critical", "blocked"])
    there.add(labels=["priority:high"])
    there.add("o/two", labels=["priority:high"])
    assert plugin.call("github/next")["id"] == "github:o/r#3"


def test_a_projection_leaves_out_texts(plugin: Plugin, there: GitHub) -> None:
    there.add(body="long")
    (short,) = plugin.call("github/list", {"projection": "summary"})["subjects"]
    assert {"description", "custom"}.isdisjoint(short)
    assert listed(plugin)[0]["description"] == "long"


def test_the_schema_says_what_there_is(plugin: Plugin) -> None:
    found = plugin.call("github/schema")
    flags = ("supports_create", "supports_watch", "supports_pagination", "supports_delete")
    assert [found[name] for name in flags] == [True, True, True, False]
    assert found["native_status_values"][:3] == [*MAP]
    assert found["status_dispatch_hints"][2]["dispatch_label"] == "code-review"
    assert found["custom_fields"][0]["values"] == ["o/r", "o/two"]


@pytest.mark.parametrize(
    "id", ["1", "github:", "github:o/r", "github:o/r#x", "linear:ENG-1", "x:o/r#1"]
)
def test_an_id_of_another_form_is_refused_with_the_right_one(plugin: Plugin, id: str) -> None:
    problem = refused(plugin, "github/get", {"id": id})
    assert problem.data["category"] == "invalid_request"
    assert "github:owner/repo#789" in problem.message


def test_what_is_not_there_is_not_found_and_says_why(plugin: Plugin, there: GitHub) -> None:
    there.add("o/two")
    there.add(pull_request=dict.fromkeys(("diff_url", "html_url", "patch_url", "url"), "x"))
    there.moved["o/r", 7] = f"{there.url}/repos/o/two/issues/1"
    said = {
        "o/r#99": "the token may not see it",
        "o/r#1": "it is a pull request",
        "o/r#7": "it is 'github:o/two#1' now",
        "x/y#1": "x/y is not in GITHUB_REPOS",
    }
    for name, why in said.items():
        problem = refused(plugin, "github/get", {"id": f"github:{name}"})
        assert (problem.data["category"], why in problem.message) == ("not_found", True), name
    del there.repos["o/two"]
    assert "may not see its issues" in refused(plugin, "github/list").message


def test_a_repository_that_was_renamed_is_the_same(plugin: Plugin, there: GitHub) -> None:
    there.renamed["o/r"], there.repos = "o/new", {"o/new": {}, "o/two": {}}
    there.add("o/new")
    (found,) = plugin.call("github/list", {"limit": 1})["subjects"]
    assert plugin.call("github/get", {"id": found["id"]})["title"] == found["title"]
    assert update(plugin, 1, title="T", labels_add=["a"], comment="Hi")["labels"] == ["a"]
    assert plugin.call("github/create", {"title": "New"})["title"] == "New"
    assert sorted(there.repos["o/new"]) == [1, 2]


# Writing -------------------------------------------------------------------------------------------


def test_an_issue_is_created_with_all_that_it_has(plugin: Plugin, there: GitHub) -> None:
    there.add()
    made = plugin.call(
        "github/create",
        {
            "title": "New",
            "body": "Text",
            "status": "in-progress",
            "priority": "p1",
            "labels": ["bug"],
            "assignee": "kim",
            "parent": "github:o/r#1",
        },
    )
    assert (made["id"], made["status"], made["priority"]) == ("github:o/r#2", "in-progress", 3)
    assert made["labels"] == ["bug", "priority:high", "in-progress"]
    assert (made["assignee"], made["parent"]) == ("kim", "github:o/r#1")
    other = {"title": "Done", "status": "cancelled", "custom": {"repository": "O/two"}}
    closed = plugin.call("github/create", other)
    assert (closed["id"], closed["native_status"]) == ("github:o/two#1", "closed:not_planned")


def test_what_github_leaves_out_is_said(tmp_path: Path, there: GitHub) -> None:
    there.may_push = False
    with served(COMMAND, tmp_path, env=variables(there)) as plugin:
        made = plugin.call("github/create", {"title": "New", "labels": ["bug"]})
        assert "labels" not in made
        plugin.shutdown()
        assert "GitHub left out labels" in plugin.stderr_text()


@pytest.mark.parametrize(
    ("method", "part", "status"),
    [
        ("POST", "issues/1/sub_issues", "done"),
        ("PATCH", "issues/2", "ready"),
        ("GET", "issues/2", "done"),
    ],
)
def test_what_was_created_is_no_error_whatever_fails_then(
    plugin: Plugin, there: GitHub, method: str, part: str, status: str
) -> None:
    there.add()

    def fails(asked: str, target: str, _body: Any) -> Answer | None:
        is_it = asked == method and target.endswith(part)
        return error(404, "Not Found") if is_it else None

    there.respond = fails
    given = {"title": "New", "status": "done", "parent": "github:o/r#1"}
    made = plugin.call("github/create", given)
    assert (made["id"], made["title"], made["status"]) == ("github:o/r#2", "New", status)
    assert sorted(there.repos["o/r"]) == [1, 2]
    assert "parent_issue_url" in there.repos["o/r"][2] or method == "POST"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"parent": "o/r#9"}, "issue 'github:o/r#9'"),
        ({"assignee": "nobody"}, "'nobody' cannot be assigned in o/r"),
        ({"priority": 9}, "no label for 9"),
        ({"custom": {"number": 1}}, "custom.number"),
        ({"custom": {"milestone": "x"}}, "custom.milestone"),
        ({"custom": {"repository": "x/y"}}, "x/y is not in GITHUB_REPOS"),
        ({"parent": "1"}, "github:owner/repo#789"),
        ({"title": ""}, "Validation Failed: title missing_field"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    plugin: Plugin, there: GitHub, fields: dict[str, Any], said: str
) -> None:
    assert said in refused(plugin, "github/create", {"title": "New", **fields}).message
    assert there.repos["o/r"] == {}


STATES = ("ready", "in-progress", "blocked", "done", "cancelled")


@pytest.mark.parametrize("before", STATES)
def test_a_status_is_written_from_every_other(plugin: Plugin, there: GitHub, before: str) -> None:
    there.add(labels=["bug"])
    native = {"ready": "open", "in-progress": "in-progress", "done": "closed:completed"}
    native |= {"blocked": "blocked", "cancelled": "closed:not_planned"}
    for status in STATES:
        for method, params in (
            ("github/status", {"status": status}),
            ("github/update", {"patch": {"status": status}}),
        ):
            plugin.call("github/status", {"id": "github:o/r#1", "status": before})
            found = plugin.call(method, {"id": "github:o/r#1", **params})
            assert (found["status"], found["native_status"]) == (status, native[status])
            own = {"in review", "in-progress", "blocked"}.intersection(found["labels"])
            assert own <= {native[status]}
            assert "bug" in found["labels"]


def test_a_word_of_githubs_own_is_a_status(plugin: Plugin, there: GitHub) -> None:
    there.add()
    for native in ("closed:duplicate", "in-progress", "in review", "open"):
        found = plugin.call("github/status", {"id": "github:o/r#1", "status": native})
        assert found["native_status"] == native
    problem = refused(plugin, "github/status", {"id": "github:o/r#1", "status": "waiting"})
    assert "closed:not_planned" in problem.message


def test_every_field_is_updated(plugin: Plugin, there: GitHub) -> None:
    there.add(labels=["a", "b", "priority:low"], assignees=["ada"])
    found = update(
        plugin,
        1,
        title="T",
        description="D",
        labels_add=["c", "A/b c"],
        labels_remove=["a", "never"],
        priority=4,
        assignee="kim",
        comment="Hi",
    )
    assert (found["title"], found["description"], found["priority"]) == ("T", "D", 4)
    assert found["labels"] == ["b", "c", "A/b c", "priority:critical"]
    assert (found["assignee"], found["custom"]["assignees"]) == ("kim", ["kim"])
    assert found["custom"]["comments"] == 1
    found = update(plugin, 1, labels_remove=["A/b c"], labels_add=["b"], assignee=None, priority=0)
    assert found["labels"] == ["b", "c"]
    assert "assignee" not in found
    assert update(plugin, 1, labels=["x"])["labels"] == ["x"]
    assert update(plugin, 1)["labels"] == ["x"]


def test_what_github_cannot_do_is_not_served(plugin: Plugin, there: GitHub) -> None:
    there.add()
    problem = refused(plugin, "github/delete", {"id": "github:o/r#1"})
    assert (problem.code, problem.data["category"]) == (-32001, "unsupported")


def test_labels_that_others_set_meanwhile_are_kept(plugin: Plugin, there: GitHub) -> None:
    there.add(labels=["old"])

    def meanwhile(method: str, target: str, body: Any) -> Answer | None:
        if (method, target) == ("POST", "/repos/o/r/issues/1/labels"):
            there.respond = lambda *_: None
            there.change(1, labels=[*there.names(1), "theirs"])
        return None

    there.respond = meanwhile
    found = update(plugin, 1, labels_add=["ours"], labels_remove=["old"])
    assert found["labels"] == ["theirs", "ours"]
    assert not there.told("PATCH")


def test_the_same_assignee_is_not_taken_away(plugin: Plugin, there: GitHub) -> None:
    there.add(assignees=["kim"])
    assert update(plugin, 1, assignee="kim")["assignee"] == "kim"
    problem = refused(plugin, "github/update", {"id": "github:o/r#1", "patch": {"assignee": "x"}})
    assert "cannot be assigned" in problem.message


def test_it_starts_without_its_variables_and_names_them(tmp_path: Path) -> None:
    code, manifest, _ = run([*COMMAND, "--manifest"], tmp_path)
    assert (code, json.loads(manifest)["plugin_kind"]) == (0, "subject_backend")
    with served(COMMAND, tmp_path) as plugin:
        assert "GITHUB_TOKEN and GITHUB_REPOS are not set" in refused(plugin, "github/list").message
        assert plugin.call("health/check")["status"] == "unhealthy"
    for name, value in (("GITHUB_REPOS", "owner"), ("GITHUB_STATUS_MAP", '{"x": "y"}')):
        env = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOS": "o/r", name: value}
        with served(COMMAND, tmp_path, env=env) as plugin:
            assert name in refused(plugin, "github/list").message
