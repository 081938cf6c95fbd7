"""`animus-routes record`: nothing of a conversation changes, everything of it is in the file."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from animus_routes.dev.masking import Masking
from animus_routes.dev.recording import BadRecordingError, Recorder, Recording, read
from animus_routes.dev.sides import new_file
from animus_routes.host import Plugin

BOUND_S = 30
ROUTES = [sys.executable, "-m", "animus_routes"]
BARE = {
    "PATH": os.environ["PATH"]
}  # nothing in it may be secret, so there is no manifest to ask for
SECRET = 'sesame/"öffne" dich 12'

PLUGIN = """
import os

from animus_routes import App

app = App(
    kind="custom",
    name="animus-custom-recorded",
    version="1.0.0",
    description="Under test",
    env_required=[{"name": "RECORDED_TOKEN", "sensitive": True}, "RECORDED_PLACE"],
)


@app.method("recorded/echo")
def echo(params: dict) -> dict:
    return {**params, "token": os.environ.get("RECORDED_TOKEN"), "place": os.environ.get("RECORDED_PLACE")}


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def plugin(tmp_path: Path) -> list[str]:
    file = tmp_path / "recorded.py"
    file.write_text(PLUGIN)
    return [sys.executable, str(file)]


def recorded(
    folder: Path, command: list[str], sent: bytes, *options: str, env: dict[str, str] | None = None
) -> tuple[subprocess.CompletedProcess[bytes], Recording]:
    done = subprocess.run(
        [*ROUTES, "record", "-o", "got.jsonl", *options, "--", *command],
        cwd=folder,
        input=sent,
        capture_output=True,
        timeout=BOUND_S,
        check=False,
        env=env,
    )
    return done, read(folder / "got.jsonl")


def lines_of(recording: Recording, sender: str) -> list[bytes]:
    return [e.line for e in recording.entries if e.sender == sender and e.line is not None]


def test_bytes_of_any_kind_pass_through_and_are_kept(tmp_path: Path) -> None:
    frames = [
        b'{"jsonrpc": "2.0",  "id": 1, "method": "a/b"}\r',
        b"",
        b"not json",
        b'"bad \xff utf-8"',
        b'{"half": ',
        "\ufeff{}".encode(),
        b'{"x": 1e999, "y": 123456789012345678901234567890}',
        b"[" * 3000 + b"]" * 3000,
        b'{"long": "' + b"x" * 3_000_000 + b'"}',
        b'{"no newline": true}',
    ]
    sent = b"\n".join(frames)
    done, recording = recorded(tmp_path, ["cat"], sent)
    assert (done.returncode, done.stdout) == (0, sent)
    kept = [line.strip(b"\r") for line in frames]
    for sender in ("host", "plugin"):
        assert lines_of(recording, sender) == kept
        last = [entry for entry in recording.entries if entry.sender == sender][-2:]
        assert (last[0].unfinished, last[1].closed) == (True, True)
    assert recording.entries[-1].exit_code == 0


def test_times_never_go_back_and_an_answer_follows_its_request(
    tmp_path: Path, plugin: list[str]
) -> None:
    command = [*ROUTES, "record", "-o", "got.jsonl", "--", *plugin]
    with Plugin.start(command, cwd=tmp_path) as process:
        process.initialize()
        for number in range(50):
            assert process.call("recorded/echo", {"n": number})["n"] == number
        requests = [process.request("recorded/echo", {"n": n}) for n in range(50)]
        assert [process.reply(one)["n"] for one in requests] == [*range(50)]
    entries = read(tmp_path / "got.jsonl").entries
    assert [e.at for e in entries] == sorted(e.at for e in entries)
    frames = [(str(e.sender), json.loads(e.line)) for e in entries if e.line is not None]
    seen = [(sender, frame["id"]) for sender, frame in frames if "id" in frame]
    assert len(seen) == len(set(seen)) == 2 * 102
    for sender, request in seen:
        assert sender == "host" or seen.index(("host", request)) < seen.index((sender, request))


def test_secrets_are_masked_in_the_file_and_never_on_the_wire(
    tmp_path: Path, plugin: list[str]
) -> None:
    env = {**os.environ, "RECORDED_TOKEN": SECRET, "RECORDED_PLACE": "garden"}
    command = [*ROUTES, "record", "-o", "got.jsonl", "--mask", "**.api_key", "--", *plugin]
    params = {"said": f"it is {SECRET}!", "api_key": {"a": 1}, "list": [{"api_key": 7}]}
    with Plugin.start(command, cwd=tmp_path, env=env) as process:
        process.initialize()
        expected = {**params, "token": SECRET, "place": "garden"}
        assert process.call("recorded/echo", params) == expected
        escaped = "".join(f"\\u{ord(c):04x}" for c in SECRET)
        head = '{"jsonrpc":"2.0","id":9,"method":"recorded/echo","params":{"x":"'
        process.send_raw(f'{head}{escaped}"}}}}\n'.encode())
        assert process.reply(9)["x"] == SECRET
        process.send_raw(f"no frame, and {SECRET}\n".encode())
        process.call("$/ping")
    text = (tmp_path / "got.jsonl").read_text()
    assert "sesame" not in text
    assert "\\u0073\\u0065" not in text
    recording = read(tmp_path / "got.jsonl")
    assert recording.header.masked_variables == ["RECORDED_TOKEN"]
    (answer,) = [
        json.loads(line)["result"]
        for line in lines_of(recording, "plugin")
        if b'"garden"' in line and b"list" in line
    ]
    assert answer == {
        "said": "it is ***!",
        "api_key": "***",
        "list": [{"api_key": "***"}],
        "token": "***",
        "place": "garden",
    }


def test_without_a_manifest_names_that_sound_secret_are_masked(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "MY_API_KEY": "sesame", "PLACE": "garden"}
    done, recording = recorded(tmp_path, ["sh", "-c", "cat"], b"sesame in the garden\n", env=env)
    assert done.stdout == b"sesame in the garden\n"
    assert lines_of(recording, "host") == [b"*** in the garden"]
    assert b"MY_API_KEY is masked" in done.stderr


SAID = b'{"params":{"password":"sesame"},"x":%s}'


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (SAID % b"NaN", b'{"params":{"password":"***"},"x":NaN}'),
        (SAID % rb'"\ud800"', rb'{"params":{"password":"***"},"x":"\ud800"}'),
        (SAID % b'"a\tb"', rb'{"params":{"password":"***"},"x":"a\tb"}'),
        (SAID % '"ö"'.encode(), '{"params":{"password":"***"},"x":"ö"}'.encode()),
        (b'{"params":{"passwords":"open"},"x":NaN}', b'{"params":{"passwords":"open"},"x":NaN}'),
        (b'{"params":{"password":"sesame"', None),
        (b'{"params":{"password":"sesame"},"params":1}', None),
        (b'{"params":{"password":"sesame \xff"}}', None),
        (b'{"params":{"password":"sesame"},"x":' + b"[" * 5000 + b"]" * 5000 + b"}", None),
        (b'{"params":{"password":"sesame"},"x":' + b"[" * 700 + b"]" * 700 + b"}", b""),
    ],
)
def test_a_field_is_masked_in_whatever_somebody_takes_for_json(
    tmp_path: Path, line: bytes, kept: bytes | None
) -> None:
    fd, path = new_file(tmp_path / "x.jsonl")
    with Recorder(fd, ["p"], Masking(["params.password"])) as recorder:
        recorder.line("host", line)
        recorder.line("plugin", b"")
    assert b"sesame" not in path.read_bytes()
    (entry, empty) = read(path).entries
    assert empty.line == b""
    if kept is None:
        assert entry.text == f"*** {len(line)} bytes that were not JSON, withheld"
        assert entry.withheld == len(line)
    elif kept:
        assert (entry.line, entry.withheld) == (kept, 0)


def test_a_line_that_was_no_json_does_not_become_a_frame_when_it_is_masked(tmp_path: Path) -> None:
    fd, path = new_file(tmp_path / "x.jsonl")
    with Recorder(fd, ["p"], Masking(["params.password"])) as recorder:
        recorder.line("host", SAID % b'"a\tb"')
        recorder.line("host", SAID % b"1e999")
        recorder.line("host", SAID % b"1")
    broken, infinite, good = read(path).entries
    assert broken.text is not None
    assert infinite.text is not None
    assert json.loads(bytes(good.frame))["params"] == {"password": "***"}


def test_a_secret_is_masked_in_json_that_is_none_for_everybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECORDED_PASS", "sesame")
    masking = Masking(variables=["RECORDED_PASS"])
    assert masking.line(rb'{"a":"\u0073esame","x":NaN}') == b'{"a":"***","x":NaN}'
    assert masking.line(b"sesame {") == b"*** {"


def test_a_number_that_is_a_secret_is_masked_too() -> None:
    os.environ["RECORDED_PIN"] = "123456"
    try:
        masking = Masking(variables=["RECORDED_PIN"])
        assert masking.line(b'{"pin": 123456, "n": 12}') == b'{"pin":"***","n":12}'
        assert masking.line(b'{"pin" : 1234}') == b'{"pin" : 1234}'
    finally:
        del os.environ["RECORDED_PIN"]


@pytest.mark.parametrize("place", ["api_key", "params..x", "", "results.x"])
def test_a_place_that_is_none_is_wrong_usage(tmp_path: Path, place: str) -> None:
    done = subprocess.run(
        [*ROUTES, "record", "--mask", place, "--", "cat"],
        cwd=tmp_path,
        capture_output=True,
        timeout=BOUND_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert b"names no place in a frame" in done.stderr
    assert [*tmp_path.iterdir()] == []


def test_the_manifest_passes_through_and_makes_no_file(tmp_path: Path, plugin: list[str]) -> None:
    command = [*ROUTES, "record", "-o", "got.jsonl", "--", *plugin, "--manifest"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, timeout=BOUND_S, check=True, env={}
    )
    assert json.loads(done.stdout)["name"] == "animus-custom-recorded"
    assert not (tmp_path / "got.jsonl").exists()


@pytest.mark.parametrize("command", ["python -m tasks", "sh plugin -m db", "sh plugin --help me"])
def test_options_that_are_not_the_last_word_are_the_plugins_own(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "tasks.py").write_text("print('said')")
    (tmp_path / "plugin").write_text("echo said")
    env = {**BARE, "PYTHONPATH": str(tmp_path)}
    words = command.replace("python", sys.executable).split()
    done, recording = recorded(tmp_path, words, b"", env=env)
    assert (done.returncode, done.stdout) == (0, b"said\n")
    assert lines_of(recording, "plugin") == [b"said"]


def test_the_module_of_a_plugin_is_asked_for_its_manifest_and_makes_no_file(
    tmp_path: Path, plugin: list[str]
) -> None:
    command = [*ROUTES, "record", "-o", "got.jsonl", "--", sys.executable, "-m", "recorded"]
    done = subprocess.run(
        [*command, "--manifest"],
        cwd=tmp_path,
        capture_output=True,
        timeout=BOUND_S,
        check=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert json.loads(done.stdout)["name"] == "animus-custom-recorded"
    assert not (tmp_path / "got.jsonl").exists()


def test_every_run_has_a_file_of_its_own(tmp_path: Path) -> None:
    for number in range(3):
        recorded(tmp_path, ["sh", "-c", f"echo {number}; exit {number}"], b"")
    found = [read(tmp_path / f"got{end}.jsonl").entries for end in ("", "-2", "-3")]
    assert [entries[-1].exit_code for entries in found] == [0, 1, 2]
    assert (tmp_path / "got.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("script", "code"), [("exit 7", 7), ("kill -9 $$", -9), ("kill -15 $$", -15)]
)
def test_it_ends_as_the_plugin_does(tmp_path: Path, script: str, code: int) -> None:
    done, recording = recorded(tmp_path, ["sh", "-c", f"echo said; {script}"], b"")
    assert (done.returncode, done.stdout) == (code, b"said\n")
    assert recording.entries[-1].exit_code == code


def test_signals_reach_the_plugin_once(tmp_path: Path) -> None:
    # By a wake-up descriptor: a handler that is due just before a read would wait for the read's end.
    program = (
        "import os, select, signal\n"
        "woken, wake = os.pipe()\n"
        "os.set_blocking(wake, False)\n"
        "signal.set_wakeup_fd(wake)\n"
        "for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):\n"
        "    signal.signal(number, lambda *_: None)\n"
        "print('ready', flush=True)\n"
        "got = []\n"
        "while 0 not in select.select([0, woken], [], [])[0]:\n"
        "    got += os.read(woken, 1)\n"
        "    print(got[-1], flush=True)\n"
        "print(got, flush=True)\n"
    )
    command = [*ROUTES, "record", "-o", "got.jsonl", "--", sys.executable, "-c", program]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
            assert process.stdout.readline() == f"{int(number)}\n"
        process.stdin.close()
        assert process.stdout.read() == "[15, 2, 1]\n"
        assert process.wait(BOUND_S) == 0


def ended(pid: int) -> bool:
    deadline = time.monotonic() + BOUND_S
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
    return False


def test_a_killed_recorder_leaves_whole_lines_and_no_plugin(
    tmp_path: Path, plugin: list[str]
) -> None:
    command = [*ROUTES, "record", "-o", "got.jsonl", "--", *plugin]
    process = Plugin.start(command, cwd=tmp_path)
    try:
        process.initialize()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for number in range(200):
            process.request("recorded/echo", {"n": number, "long": "x" * 5000})
        process.call("recorded/echo")
    finally:
        process.kill()
    assert len(children) == 1
    assert ended(int(children[0]))
    recording = read(tmp_path / "got.jsonl")
    assert len(lines_of(recording, "host")) > 2
    assert recording.entries[-1].exit_code is None


def test_a_killed_recorder_leaves_nothing_of_a_plugin_that_hangs(tmp_path: Path) -> None:
    deaf = "trap '' TERM HUP; sleep 600 & echo $$ $!; while :; do sleep 1; done"
    with subprocess.Popen(
        [*ROUTES, "record", "-o", "got.jsonl", "--", "sh", "-c", deaf],
        cwd=tmp_path,
        env=BARE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        below = process.stdout.readline().split()
        process.kill()
    assert len(below) == 2
    assert all(ended(int(pid)) for pid in below)


def test_a_program_that_cannot_be_started_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / "plugin").write_text("#!/no/such/interpreter\n")
    (tmp_path / "plugin").chmod(0o755)
    done = subprocess.run(
        [*ROUTES, "record", "-o", "got.jsonl", "--", "./plugin"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 1
    assert b"cannot start './plugin': No such file" in done.stderr
    assert not (tmp_path / "got.jsonl").exists()


def test_a_side_that_is_closed_is_closed_for_the_other_one(tmp_path: Path) -> None:
    """A plugin learns that its host reads no more, and a host that its plugin does not."""
    program = "import os, select; p = select.poll(); p.register(1, 0); p.poll(); os._exit(5)"
    command = [*ROUTES, "record", "-o", "got.jsonl", "--"]
    with subprocess.Popen(
        [*command, sys.executable, "-c", program],
        cwd=tmp_path,
        env=BARE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(BOUND_S) == 5
    deaf = "import os, time; os.close(0); os.write(1, b'closed'); time.sleep(60)"
    with subprocess.Popen(
        [*command, sys.executable, "-c", deaf],
        cwd=tmp_path,
        env=BARE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read(6) == b"closed"
        poller = select.poll()
        poller.register(process.stdin.fileno(), 0)
        assert poller.poll(BOUND_S * 1000)
        process.terminate()
        assert process.wait(BOUND_S) == -signal.SIGTERM


def test_a_full_disk_does_not_end_the_conversation(tmp_path: Path) -> None:
    done = subprocess.run(
        [*ROUTES, "record", "-o", "/dev/full", "--", "cat"],
        cwd=tmp_path,
        input=b"a\nb\n",
        capture_output=True,
        timeout=BOUND_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"a\nb\n")
    assert done.stderr.count(b"cannot be written: No space left") == 1
    assert b"8 lines are missing" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["record"], 2, "record what?"),
        (["record", "--", "no-such-command"], 2, "no-such-command is not there"),
        (["record", "-o", "no/such/folder/x", "--", "cat"], 1, "no/such/folder/x: No such file"),
        (["record", "--what", "--", "cat"], 2, "unrecognized arguments: --what"),
    ],
)
def test_what_cannot_be_recorded_is_told(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = subprocess.run(
        [*ROUTES, *arguments],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_last_line_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    fd, path = new_file(tmp_path / "x.jsonl")
    with Recorder(fd, ["p"]) as recorder:
        recorder.line("host", b"{}")
        recorder.line("plugin", b"{}")
    path.write_bytes(path.read_bytes()[:-5])
    assert lines_of(read(path), "host") == [b"{}"]
    assert lines_of(read(path), "plugin") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no whole line"),
        ('{"a": 1}\n', "its first line"),
        ('{"animus_recording":9,"command":[],"cwd":"","started_at":""}\n', "has format 9"),
        ('{"animus_recording":1,"command":[],"cwd":"","started_at":""}\n{"x":1}\n', "line 2"),
    ],
)
def test_a_file_that_is_no_recording_is_told_where(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(BadRecordingError, match=said):
        read(tmp_path / "x.jsonl")


def test_a_plugin_does_not_wait_for_what_its_recorder_needs() -> None:
    code = (
        "import sys; import animus_routes.cli.record, animus_routes.dev.keeping, animus_routes.dev.relay, "
        "animus_routes.dev.paths; print([n for n in ('pydantic', 'asyncio', 'animus_routes.host', "
        "'animus_routes.app') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=BOUND_S, check=True
    )
    assert done.stdout == "[]\n"
