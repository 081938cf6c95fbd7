import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from example_host import INSTALLED, TOOLS, refused, run, served

from animus_routes.host import Plugin


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("import os\n\n\ndef Main(): pass\n", "utf-8")
    (tmp_path / "notes.md").write_text("# Notes\nmain point\n", "utf-8")
    (tmp_path / "package.json").write_text('{"items": [{"a/b": 1}, null], "~": 2}', "utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("main\n", "utf-8")
    return tmp_path


@pytest.fixture
def plugin(project: Path) -> Iterator[Plugin]:
    with served(TOOLS, project) as plugin:
        yield plugin


def test_the_manifest_is_a_custom_plugins(tmp_path: Path) -> None:
    code, document, errors = run([*TOOLS, "--manifest"], tmp_path, env=INSTALLED)
    assert (code, errors) == (0, "")
    assert json.loads(document)["plugin_kind"] == "custom"


def test_tools_are_published_with_what_their_docstrings_say(plugin: Plugin) -> None:
    assert plugin.initialize_result is not None
    tools = {t["name"]: t for t in plugin.initialize_result["capabilities"]["mcp_tools"]}
    assert set(tools) == {"search", "compare", "look_up", "count"}
    assert tools["search"]["description"].startswith("Search the project's files")
    described = {name: tool["input_schema"]["properties"] for name, tool in tools.items()}
    assert "regular expression" in described["search"]["pattern"]["description"]
    assert described["search"]["limit"]["maximum"] == 1000
    assert described["compare"]["before"]["description"] == "The old text."
    assert described["look_up"]["path"]["description"].startswith("The JSON file")
    assert "ctx" not in described["count"]
    assert tools["search"]["input_schema"]["required"] == ["pattern"]


def test_search_finds_lines_and_stays_out_of_hidden_stores(plugin: Plugin) -> None:
    found = plugin.call("search", {"pattern": "main", "ignore_case": True})
    places = [(hit["path"], hit["line"], hit["column"]) for hit in found["hits"]]
    assert sorted(places) == [("notes.md", 2, 1), ("src/a.py", 4, 5)]
    assert (found["files_searched"], found["truncated"]) == (3, False)
    assert plugin.call("search", {"pattern": "o", "files": "*.md", "limit": 1})["truncated"] is True
    assert plugin.call("search", {"pattern": "import", "files": "src/*.py"})["files_searched"] == 1


def test_a_bad_pattern_or_limit_is_the_callers_mistake(plugin: Plugin) -> None:
    assert "pattern" in refused(plugin, "search", {"pattern": "("}).message
    assert refused(plugin, "search", {"pattern": "x", "limit": 0}).code == -32602
    assert refused(plugin, "search", {}).code == -32602


def test_compare_counts_and_shows_what_differs(plugin: Plugin) -> None:
    answer = plugin.call("compare", {"before": "a\nb\n", "after": "a\n-- c\n", "name": "x"})
    assert (answer["same"], answer["added"], answer["removed"]) == (False, 1, 1)
    assert "--- a/x\n+++ b/x\n" in answer["diff"]
    assert plugin.call("compare", {"before": "a", "after": "a"})["diff"] == ""


def test_look_up_follows_a_json_pointer(plugin: Plugin) -> None:
    file = {"path": "package.json"}
    assert plugin.call("look_up", {**file, "pointer": "/items/0/a~1b"}) == 1
    assert plugin.call("look_up", {**file, "pointer": "/items/1"}) is None
    assert plugin.call("look_up", {**file, "pointer": "/~0"}) == 2
    assert plugin.call("look_up", file)["~"] == 2
    for pointer in ("/items/2", "/items/-1", "/items/01", "/none", "/~0/deeper"):
        refusal = refused(plugin, "look_up", {**file, "pointer": pointer})
        assert refusal.data["category"] == "not_found"
    assert refused(plugin, "look_up", {**file, "pointer": "items"}).code == -32602
    assert "not JSON" in refused(plugin, "look_up", {"path": "notes.md"}).message


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/hostname", "src/../../outside.txt"])
def test_no_tool_leaves_the_project(plugin: Plugin, path: str) -> None:
    assert "leaves the project" in refused(plugin, "count", {"path": path}).message
    assert "leaves the project" in refused(plugin, "look_up", {"path": path}).message


def test_count_takes_a_text_or_a_file(plugin: Plugin) -> None:
    counted = {"lines": 2, "words": 4, "characters": 19, "longest_line": 10}
    assert plugin.call("count", {"path": "notes.md"}) == counted
    assert plugin.call("count", {"text": "# Notes\nmain point\n"}) == counted
    for params in ({}, {"text": "x", "path": "notes.md"}):
        assert refused(plugin, "count", params).data["category"] == "invalid_request"


def test_export_streams_every_file_before_its_reply(plugin: Plugin) -> None:
    request = plugin.request("files/export", {"files": "*.md", "chunk_characters": 8})
    reply = plugin.reply(request)
    chunks = [n.params for n in plugin.notifications if n.method == "files/chunk"]
    progress = [n.params for n in plugin.notifications if n.method == "$/progress"]
    assert {chunk["id"] for chunk in chunks} == {request}
    assert "".join(chunk["event"]["text"] for chunk in chunks) == "# Notes\nmain point\n"
    assert [chunk["event"]["offset"] for chunk in chunks] == [0, 8, 16]
    assert progress == [{"id": request, "value": {"files": 1, "of": 1}}]
    assert reply == {"files": 1, "characters": 19}
