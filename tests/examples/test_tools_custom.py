import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from example_host import INSTALLED, TOOLS, refused, run, served

from animus_routes import RpcError
from animus_routes.host import Plugin

WAIT_S = 5.0


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
    for pattern in ("(", "a{99999999999}"):
        refusal = refused(plugin, "search", {"pattern": pattern, "files": "none"})
        assert (refusal.code, refusal.message.startswith("pattern: ")) == (-32602, True)
    assert refused(plugin, "search", {"pattern": "x", "limit": 0}).code == -32602
    assert refused(plugin, "search", {}).code == -32602


def children(pid: int) -> list[int]:
    found = []
    for place in Path("/proc").iterdir():  # a glob trips over one that ends meanwhile
        with suppress(OSError):
            if not place.name.isdecimal():
                continue
            state, parent = (place / "stat").read_text("utf-8").rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(place.name))
    return found


def gone(process: int) -> bool:
    """Does what this descriptor stands for end?"""
    readable, _, _ = select.select([process], [], [], WAIT_S)
    os.close(process)
    return bool(readable)


def stuck(plugin: Plugin, project: Path, pattern: str = "(a+)+$") -> tuple[int | str, int]:
    """A search that never finishes: its request, and a descriptor of the process that runs it."""
    (project / "evil.txt").write_text("a" * 60 + "!\n", "utf-8")
    request = plugin.request("search", {"pattern": pattern, "files": "evil.txt"})
    until = monotonic() + WAIT_S
    while not (found := children(plugin.pid)):
        assert monotonic() < until
        plugin.call("$/ping")
    return request, os.pidfd_open(found[0])


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


@needs_proc
@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a*)*c", r"(?:(?:a|aa)+)+\W\W"])
def test_a_search_that_never_finishes_can_be_cancelled(
    pattern: str, plugin: Plugin, project: Path
) -> None:
    request, process = stuck(plugin, project, pattern)
    assert plugin.call("count", {"text": "x"})["lines"] == 1
    began = monotonic()
    plugin.notify("$/cancelRequest", {"id": request})
    with pytest.raises(RpcError) as refusal:
        plugin.reply(request, 5)
    assert (refusal.value.code, monotonic() - began < 1) == (-32002, True)
    assert gone(process)
    assert len(plugin.call("search", {"pattern": "a+!", "files": "evil.txt"})["hits"]) == 1


@needs_proc
@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "SIGKILL", "stdin", "exit"])
def test_however_the_plugin_ends_a_search_that_never_finishes_ends_too(
    end: str, project: Path
) -> None:
    with served(TOOLS, project) as plugin:
        _, process = stuck(plugin, project)
        if end == "stdin":
            plugin.close_stdin()
        elif end == "exit":
            plugin.notify("exit")
        else:
            os.kill(plugin.pid, getattr(signal, end))
        plugin.wait(3)
        assert gone(process)


@needs_proc
def test_a_process_that_has_nothing_to_search_is_used_again_and_ends_with_the_plugin(
    project: Path,
) -> None:
    with served(TOOLS, project) as plugin:
        plugin.call("search", {"pattern": "x"})
        (first,) = children(plugin.pid)
        plugin.call("search", {"pattern": "x"})
        assert children(plugin.pid) == [first]
        process = os.pidfd_open(first)
        os.kill(first, signal.SIGKILL)
        select.select([process], [], [], WAIT_S)
        assert gone(process)
        assert plugin.call("search", {"pattern": "x"})["files_searched"] == 3
        process = os.pidfd_open(children(plugin.pid)[0])
        plugin.close_stdin()
        assert plugin.wait(3) == 0
        assert gone(process)


def test_a_search_is_given_up_after_some_seconds(plugin: Plugin, project: Path) -> None:
    for number in range(30):
        (project / f"evil{number}.txt").write_text("a" * (24 + number) + "!\n", "utf-8")
    with pytest.raises(RpcError, match="given up") as refusal:
        plugin.call("search", {"pattern": "(a+)+$", "files": "evil*"}, timeout_s=15)
    assert refusal.value.data["category"] == "timeout"


def test_a_search_of_many_files_is_whole_and_in_order(plugin: Plugin, project: Path) -> None:
    names = [f"f{number:03}.txt" for number in range(150)]
    for name in names:
        (project / name).write_text("needle\r\nneedle\n", "utf-8")
    (project / names[99]).write_text("x" * 2_000_000 + "needle", "utf-8")
    params = {"pattern": "NEEDLE", "ignore_case": True, "files": "f*.txt", "limit": 299}
    found = plugin.call("search", params)
    places = [(hit["path"], hit["line"]) for hit in found["hits"]]
    assert places == [(n, line) for n in names for line in (1, 2) if n != names[99] or line == 1]
    assert (found["files_searched"], found["truncated"]) == (150, False)
    found = plugin.call("search", {**params, "limit": 150})
    assert (len(found["hits"]), found["files_searched"], found["truncated"]) == (150, 76, True)


def test_a_name_that_is_not_utf8_is_a_file_like_any_other(plugin: Plugin, project: Path) -> None:
    for name in (b"bad\xff.txt", b"bad\xfe.txt"):
        Path(os.fsdecode(os.fsencode(project) + b"/" + name)).write_text("needle\n", "utf-8")
    found = plugin.call("search", {"pattern": "needle", "files": "*.txt"})
    assert [(hit["path"], hit["line"]) for hit in found["hits"]] == [("bad\ufffd.txt", 1)] * 2
    assert plugin.call("files/export", {"files": "*.txt"}) == {"files": 2, "characters": 14}
    chunks = [n.params["event"] for n in plugin.notifications if n.method == "files/chunk"]
    assert [(c["path"], c["text"]) for c in chunks] == [("bad\ufffd.txt", "needle\n")] * 2


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
