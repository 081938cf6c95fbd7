"""A class-based plugin as the process that a host starts, in a folder of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from animus_routes import RpcError
from animus_routes.host import Plugin

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = {"PYTHONPATH": str(ROOT)}
SCRIPT = """
from animus_routes.compat import PluginKind, Subject, SubjectListResult, define_plugin
print("printed after it")

class Books:
    def list(self, params, ctx):
        print("printed by a method")
        book = Subject(id="book:1", kind=ctx.kind, title="Emma", status="ready",
                       created_at="", updated_at="")
        return SubjectListResult(subjects=[book], fetched_at="")

    def get(self, params, ctx): ...

    def create(self, params, ctx):
        return {"id": "book:2", "kind": ctx.kind, "title": params.title, "custom": params}

define_plugin(kind=PluginKind.SUBJECT_BACKEND, impl=Books(), name="books", version="0.1.0",
              description="Books as a class", subject_kinds=["book"],
              env_required=["BOOKS_TOKEN"]).run()
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    path = tmp_path / "books.py"
    path.write_text(SCRIPT, "utf-8")
    return [sys.executable, str(path)]


def test_a_host_gets_blanks_filled_and_sees_no_print(command: list[str]) -> None:
    with Plugin.start(command, env=INSTALLED) as plugin:
        plugin.initialize()
        for method in ("book/list", "subject/list"):
            page = plugin.call(method, {})
            (book,) = page["subjects"]
            assert (book["kind"], book["title"], book["status"]) == ("book", "Emma", "ready")
            assert min(book["created_at"], book["updated_at"], page["fetched_at"]) > "2026"
        with pytest.raises(RpcError, match="not found"):
            plugin.call("book/get", {"id": "book:1"})
        assert plugin.protocol_errors == []
    assert "printed by a method" in plugin.stderr_text()


def test_params_that_a_method_hands_back_are_written_as_they_came(command: list[str]) -> None:
    with Plugin.start(command, env=INSTALLED) as plugin:
        plugin.initialize()
        created = plugin.call("book/create", {"title": "Persuasion", "labels": ["a"]})
    assert created["custom"] == {"title": "Persuasion", "labels": ["a"], "kind": "book"}


def test_the_manifest_is_one_document(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*command, "--manifest"],
        env=INSTALLED,
        cwd=tmp_path,
        capture_output=True,
        timeout=20,
        check=True,
    )
    manifest = json.loads(done.stdout)
    assert (manifest["name"], manifest["plugin_kind"]) == ("books", "subject_backend")
    assert manifest["env_required"] == [
        {"name": "BOOKS_TOKEN", "required": True, "sensitive": False}
    ]
