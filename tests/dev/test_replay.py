"""`animus-routes replay`: the host's side again, in its order, and what differs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from animus_routes.dev.differences import NOTHING, differences
from animus_routes.dev.paths import Paths
from animus_routes.dev.recording import Recorder
from animus_routes.host import Plugin

BOUND_S = 60
ROUTES = [sys.executable, "-m", "animus_routes"]

PLUGIN = """
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from animus_routes import App, Context, NotFound

app = App(kind="custom", name="animus-custom-notes", version="1.0.0", description="Under test")
NOTES: dict[str, dict] = {}


@app.method("notes/add")
def add(text: str) -> dict:
    id = uuid.uuid4().hex
    NOTES[id] = {"id": id, "text": text, "at": uuid.uuid4().hex}
    return NOTES[id]


@app.method("notes/get")
def get(id: str) -> dict:
    if id not in NOTES:
        raise NotFound("note")
    return NOTES[id]


@app.method("notes/place")
def place(folder: str) -> dict:
    return {"is_here": Path(folder) == Path.cwd(), "folder": folder}


@app.method("notes/slow", concurrent=True)
def slow(ctx: Context, seconds: float) -> dict:
    ctx.wait(seconds)
    ctx.notify("notes/done", {"id": uuid.uuid4().hex, "seconds": seconds})
    return {"count": len(NOTES)}


@app.method("notes/count")
def count() -> dict:
    return {"count": len(NOTES)}


@app.method("notes/tell")
def tell(ctx: Context, words: list) -> dict:
    for word in words:
        ctx.notify("notes/word", {"session_id": "s", "word": word})
    return {}


@app.method("notes/end")
def end() -> dict:
    os._exit(3)


if __name__ == "__main__":
    app.run()
"""


def written(folder: Path) -> Path:
    (folder / "notes.py").write_text(PLUGIN)
    (folder / "project").mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path)


def record(folder: Path) -> Plugin:
    command = [*ROUTES, "record", "-o", str(folder / "got.jsonl"), "--"]
    return Plugin.start(
        [*command, sys.executable, str(folder / "notes.py")], cwd=folder / "project"
    )


def replay(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ROUTES, "replay", "got.jsonl", "notes.py", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )


def change(folder: Path, old: str, new: str) -> None:
    text = (folder / "notes.py").read_text()
    assert old in text
    (folder / "notes.py").write_text(text.replace(old, new))


@pytest.fixture
def session(recorded: Path, folder: Path) -> Path:
    """A copy of what was recorded."""
    shutil.copy(recorded / "got.jsonl", folder)
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is made anew on each run, a folder, answers out of order, and a stream."""
    folder = written(tmp_path_factory.mktemp("recorded"))
    with record(folder) as plugin:
        plugin.initialize()
        slow = plugin.request("notes/slow", {"seconds": 0.2})
        plugin.call("notes/count")
        plugin.reply(slow)
        added = plugin.call("notes/add", {"text": "a"})["id"]
        assert plugin.call("notes/get", {"id": added})["text"] == "a"
        assert plugin.call("notes/place", {"folder": str(folder / "project")})["is_here"]
        plugin.call("notes/tell", {"words": ["one", "two"]})
    return folder


ANEW = ("--anew", "result.id", "--ignore", "**.at", "--ignore", "params.id")


def test_nothing_differs_when_what_is_anew_is_named(session: Path) -> None:
    done = replay(session, *ANEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "8 answers, 3 notifications: nothing differs\n"


def test_what_is_anew_is_told_place_by_place(session: Path) -> None:
    done = replay(session)
    assert done.returncode == 1
    assert "notes/add, id 4:\n  - result.id: " in done.stdout
    assert "  + result.at: " in done.stdout
    # The recorded id is none of this run's.
    assert "notes/get, id 5:\n  - result: {" in done.stdout
    assert "  + error: {" in done.stdout
    assert "notes, notification 1:\n  - params.id: " in done.stdout
    assert done.stdout.endswith("8 answers, 3 notifications: 3 differ\n")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"text": text', '"text": text + "!"', '  - result.text: "a"\n  + result.text: "a!"\n'),
        ("for word in words", "for word in words[:1]", "notes, notification 2 of stream 2: did not come"),
        ("for word in words", "for word in reversed(words)", '  + params.word: "two"\n'),
        ("for word in words", "for word in [*words, 3]", "notes, notification 3 of stream 2:\n  + {"),
        ('"is_here": Path', '"new": [1], "is_here": Path', "  + result.new: [1]\n"),
        ("return {}", "import sys; print('x', file=sys.stderr); return []", "  - result: {}\n  + result: []"),
        ("if id not in NOTES", "if os._exit(3)", "the plugin ended with exit code 3; then, it was 0\n"),
        ("app = App(", 'raise ImportError("no such thing")\napp = App(', "initialize, id 1: did not come"),
    ],
)  # fmt: skip
def test_what_has_changed_is_told(session: Path, old: str, new: str, told: str) -> None:
    change(session, old, new)
    done = replay(session, *ANEW, "--timeout", "1")
    assert done.returncode == 1
    assert told in done.stdout
    assert "Traceback" not in done.stderr or "raise ImportError" in done.stderr


def test_a_notification_that_is_not_compared(session: Path) -> None:
    change(session, "for word in words", "for word in reversed(words)")
    assert replay(session, *ANEW, "--ignore", "notes/word").returncode == 0


def test_a_session_that_the_plugin_ended_itself(folder: Path) -> None:
    plugin = record(folder)
    plugin.initialize()
    plugin.request("notes/end")
    assert plugin.wait(BOUND_S) == 3
    plugin.kill()
    assert replay(folder).returncode == 0
    change(folder, "os._exit(3)", "return {}")
    done = replay(folder, "--timeout", "0.5")
    assert done.returncode == 1
    # Whether its host closed the wire was seen or not.
    told = ("is still running; then, it ended with exit code 3", "exit code 0; then, it was 3")
    assert any(text in done.stdout for text in told)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.jsonl", "notes.py"], "none.jsonl: No such file"),
        (["notes.py", "notes.py"], "notes.py is not a recording"),
        (["got.jsonl", "none.py"], "none.py is not there"),
        (["got.jsonl", "notes.py", "--ignore", "text"], "'text' names no place in a frame"),
        (["got.jsonl", "notes.py", "--copy", "none"], "there is no folder none"),
        ([], "required: FILE"),
    ],
)
def test_wrong_usage_exits_with_2(folder: Path, arguments: list[str], said: str) -> None:
    Recorder.create(folder / "got.jsonl", ["x"]).close()
    done = subprocess.run(
        [*ROUTES, "replay", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("recorded", "found", "ignored", "places"),
    [
        ({"a": 1}, {"a": 1.0}, [], []),
        ({"a": 1}, {"a": True}, [], ["a"]),
        ({"a": None}, {}, [], ["a"]),
        ({"result": [{"x": 1}, {"x": 2}]}, {"result": [{"x": 3}]}, [], ["result.0.x", "result.1"]),
        ({"result": [{"x": 1, "y": 1}]}, {"result": [{"x": 2, "y": 2}]}, ["result.*.x"], ["result.0.y"]),
        ({"result": {"a": {"at": 1}}}, {"result": {"a": {"at": 2}}}, ["**.at"], []),
        ({"result": {"a": 1}}, {"result": 5}, ["result"], []),
        ({"params": {"a": 1}}, {"params": {"a": 2}}, ["*.a"], []),
    ],
)  # fmt: skip
def test_differences_are_found_by_place(
    recorded: object, found: object, ignored: list[str], places: list[str]
) -> None:
    told = [".".join(one.place) for one in differences(recorded, found, Paths(ignored))]
    assert told == places


def test_a_difference_is_shown_as_what_has_gone_and_what_has_come() -> None:
    (one,) = differences({"a": NOTHING}, {"a": "x" * 400}, Paths([]))
    (line,) = one.lines()
    assert line == f'  + a: "{"x" * 299}... (402 characters)'
