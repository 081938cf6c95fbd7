"""The server behind the page: who may talk to it, what it does, and that nothing is left behind it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from inspecting import BOUND_S, EXAMPLES, HOSTILE, SHAPES, Inspector, inspected

from animus_routes.dev.recording import read


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspector]:
    with inspected(SHAPES, cwd=tmp_path_factory.mktemp("project")) as found:
        found.running()
        yield found


# Who may talk to it -----------------------------------------------------------------------------


def test_the_page_is_served_under_its_address_alone(page: Inspector) -> None:
    assert page.get()[0] == 200
    for path in ("/", "/x/", "/static/main.js", page.path.rstrip("/"), f"{page.path[:-2]}x/", "//"):
        assert page.get(path)[0] == 404, path
        assert page.get(path, "POST", Origin=f"http://127.0.0.1:{page.port}")[0] == 404, path


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{port}"]
)
def test_a_name_that_a_stranger_points_here_is_refused(page: Inspector, host: str) -> None:
    for path in ("", "events", "static/main.js", "frames/1"):
        assert page.get(path, Host=host.format(port=page.port))[0] == 421


def test_two_hosts_are_refused(page: Inspector) -> None:
    connection = HTTPConnection("127.0.0.1", page.port, timeout=BOUND_S)
    connection.putrequest("GET", page.path, skip_host=True)
    connection.putheader("Host", f"127.0.0.1:{page.port}")
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status in {400, 421}
    connection.close()


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}"]
)
def test_another_site_can_ask_for_nothing_even_with_the_token(page: Inspector, origin: str) -> None:
    strange = origin.format(port=page.port)
    assert page.ask("restart", Origin=strange)[0] == 403
    assert page.get("events", Origin=strange)[0] == 403


def test_what_acts_needs_the_pages_origin_and_json(page: Inspector) -> None:
    assert page.get("restart", "POST", Content_Type="application/json")[0] == 403
    assert page.get("restart")[0] == 405
    own = f"http://127.0.0.1:{page.port}"
    assert page.get("restart", "POST", Origin=own, Content_Type="text/plain")[0] == 415


def test_a_websocket_is_refused(page: Inspector) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    for path in (page.path, f"{page.path}events", "/"):
        with page.answer(
            path, "GET", None, {**upgrade, **key, "Origin": "http://evil.example"}
        ) as got:
            assert got.status in {403, 404}
            assert got.getheader("Upgrade") is None


def test_every_answer_forbids_what_the_page_does_not_need(page: Inspector) -> None:
    for path in ("", "static/main.js", "frames/1", "/"):
        with page.answer(path, "GET", None, {}) as got:
            policy = got.getheader("Content-Security-Policy") or ""
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "require-trusted-types-for 'script'" in policy
            assert got.getheader("X-Content-Type-Options") == "nosniff"
            assert got.getheader("Referrer-Policy") == "no-referrer"


def test_it_listens_on_the_loopback_alone(page: Inspector) -> None:
    with socket.socket() as outside:
        outside.settimeout(2)
        # Linux answers on all of 127.0.0.0/8, so that this is another address of the machine.
        assert outside.connect_ex(("127.0.0.2", page.port)) != 0


def test_the_token_is_new_each_time(page: Inspector) -> None:
    with inspected(SHAPES) as other:
        assert len(other.path) > 30
        assert other.path != page.path


# What it does -----------------------------------------------------------------------------------


def test_a_call_is_answered_and_its_frames_are_kept_whole(page: Inspector) -> None:
    call = page.call("shape/big", {"size": 300_000})
    assert call["state"] == "answered"
    assert call["ms"] > 0
    whole = page.get(f"frames/{call['answer']}")[1]
    assert json.loads(whole)["result"] == "x" * 300_000
    assert page.get(f"frames/{call['answer']}?most=100")[1] == whole[:100]


def test_a_number_that_no_frame_can_have_is_no_frame(page: Inspector) -> None:
    for number in ("9" * 5000, "9" * 18, "-1", "x", "1.0"):
        assert page.get(f"frames/{number}")[0] == 404, number
    call = page.call("shape/big", {"size": 3})
    whole = page.get(f"frames/{call['answer']}")
    assert page.get(f"frames/{call['answer']}?most={'9' * 5000}") == whole


def test_numbers_keep_their_digits(page: Inspector) -> None:
    text = '{"size": 0, "more": 12345678901234567890123,\n "e": 1.50e3}'
    status, said = page.ask("call", {"method": "shape/big", "params": text})
    assert status == 200
    call = page.call_until(said["call"], lambda call: call["state"] != "waiting")
    assert call["params"] == '{"size":0,"more":12345678901234567890123,"e":1.50e3}'


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("call", {"method": "x", "params": "{"}),
        ("call", {"method": 7}),
        ("call", {}),
        ("raw", {"text": "x", "unknown": 1}),
        ("cancel", {"call": "1"}),
    ],
)
def test_what_cannot_be_meant_is_told(page: Inspector, what: str, body: object) -> None:
    status, said = page.ask(what, body)
    assert status == 422
    assert said["problem"]


def test_raw_text_is_sent_exactly_as_typed(page: Inspector) -> None:
    text = ' {"jsonrpc" : "2.0",  "id":"ä\\u0041", "method":"$/ping"}'
    assert page.ask("raw", {"text": text[:20], "newline": False})[0] == 200
    assert page.ask("raw", {"text": text[20:], "newline": True})[0] == 200
    answer = page.until(
        lambda e: e["kind"] == "frame" and e["dir"] == "out" and e.get("id") == '"ä\\u0041"'
    )
    assert answer["what"] == "result"
    sent = [e for e in _kept(page) if e["dir"] == "in" and e["what"] == "raw"][-2:]
    assert "".join(page.get(f"frames/{e['seq']}")[1] for e in sent) == text + "\n"


def _kept(page: Inspector) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for event in page.events():
        if event["kind"] == "frame":
            found.append(event)
        if event["kind"] == "frame" and event.get("id") == '"ä\\u0041"' and event["dir"] == "out":
            break
    return found


def test_a_late_call_says_so_with_stderr_and_can_be_cancelled(page: Inspector) -> None:
    late = page.call("shape/wait", timeout_s=0.3)
    assert late["state"] == "late"
    page.until(lambda e: e["kind"] == "stderr" and e["text"] == "waiting for paint")
    assert page.ask("cancel", {"call": late["number"]})[0] == 200
    ended = page.call_until(late["number"], lambda call: call["state"] not in {"late", "waiting"})
    assert ended["state"] == "cancelled"


def test_a_session_is_recorded_from_its_handshake_on(page: Inspector) -> None:
    assert page.ask("record", {"on": True})[0] == 200
    record = page.until(lambda e: e["kind"] == "record" and e["record"]["on"])["record"]
    page.running()
    page.call("shape/big", {"size": 3})
    raw = '{"jsonrpc":"2.0","id":"parts","method":"$/ping"}'
    for text, newline in ((raw[:9], False), (raw[9:30], False), (raw[30:], True), ("{", False)):
        assert page.ask("raw", {"text": text, "newline": newline})[0] == 200
    assert page.ask("record", {"on": False})[0] == 200
    assert page.ask("raw", {"text": ""})[0] == 200  # an end for that line, before the next test
    entries = read(Path(record["file"])).entries
    lines = [entry.line or b"" for entry in entries]
    # What is sent in parts is one line; what has no end when the recording ends is told as that.
    assert [entry.unfinished for entry in entries if entry.line == raw.encode()] == [False]
    assert [entry.line for entry in entries if entry.unfinished] == [b"{"]
    assert b'"method":"initialize"' in lines[0]
    assert any(line.endswith(b'"result":"xxx"}') for line in lines)


def test_the_end_of_the_plugin_is_told_and_a_restart_brings_it_back(page: Inspector) -> None:
    page.running()
    call = page.call("shape/die")
    assert call["state"] == "lost"
    assert "exit code 3" in call["message"]
    ended = page.until(lambda e: "status" in e and e["status"]["state"] == "ended")
    assert "exit code 3" in ended["status"]["why"]
    assert page.ask("call", {"method": "shape/big"})[0] == 409
    assert page.ask("restart")[0] == 200
    page.until(lambda e: e["kind"] == "status" and e["status"]["state"] == "running")


def test_a_plugin_that_a_host_refuses_is_told_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("import no_such_module\n", "utf-8")
    with inspected(file, cwd=tmp_path) as page:
        failed = page.until(lambda e: "status" in e and e["status"]["state"] == "failed")
        assert "no_such_module" in failed["status"]["why"]
        file.write_text(SHAPES.read_text("utf-8"), "utf-8")  # the change alone starts it again
        page.until(lambda e: "status" in e and e["status"]["state"] == "running")


HANGS = """

@app.on_initialize
def hang() -> None:
    import time

    time.sleep(60)

"""


def test_a_handshake_that_hangs_is_given_up_for_a_change(tmp_path: Path) -> None:
    file = tmp_path / "hangs.py"
    whole = SHAPES.read_text("utf-8")
    file.write_text(whole.replace("\nif __name__", f"{HANGS}if __name__"), "utf-8")
    with inspected(file, cwd=tmp_path) as page:
        page.until(lambda e: e["kind"] == "frame" and e.get("method") == "initialize")
        file.write_text(whole, "utf-8")
        page.until(lambda e: "status" in e and e["status"]["state"] == "running")


def test_checks_run_beside_the_plugin_and_can_be_stopped(tmp_path: Path) -> None:
    with inspected(HOSTILE, cwd=tmp_path) as page:
        page.running()
        assert page.ask("check", {"allow_writes": False})[0] == 200
        assert page.ask("check", {"allow_writes": False})[0] == 422
        found = page.until(lambda e: e["kind"] == "check" and "result" in e)
        assert found["result"]["id"]
        assert page.ask("check/stop")[0] == 200
        done = page.until(
            lambda e: (
                (e["kind"] == "check" and e.get("state") == "done")
                or e.get("check", {}).get("state") == "done"
            )
        )
        assert done.get("problem", done.get("check", {}).get("problem"))


# The command ------------------------------------------------------------------------------------


def test_without_its_packages_the_command_names_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; sys.argv[1:] = ['inspect', 'x.py'];"
        "from animus_routes.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    assert done.returncode == 1
    assert "inspect needs uvicorn: " in done.stderr
    assert "pip install 'animus-routes[inspect]'" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no_such.py"], 1, "no_such.py"),
        (["--project", "no/such"], 2, "no folder no/such"),
        (["--env", "=x"], 2, "write NAME=VALUE"),
        (["--port", "x"], 2, "invalid int"),
    ],
)
def test_what_cannot_be_served_is_told(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    command = [sys.executable, "-m", "animus_routes", "inspect", *words]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(page: Inspector) -> None:
    command = [
        sys.executable,
        "-m",
        "animus_routes",
        "inspect",
        str(SHAPES),
        "--port",
        str(page.port),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert done.returncode == 1
    assert f"port {page.port}: Address already in use" in done.stderr


def test_values_of_variables_are_in_no_processs_arguments(tmp_path: Path) -> None:
    mark, secret = f"values-{os.getpid()}", f"secret-{os.getpid()}"
    command = ("--env", f"SHAPE_SECRET={secret}", SHAPES)
    with inspected(*command, cwd=tmp_path, env={"HOME": mark}) as page:
        page.running()
        assert page.ask("check", {"allow_writes": False})[0] == 200
        page.until(lambda e: e["kind"] == "check" and "result" in e)
        found = _marked(mark)
        assert any("inspector.checking" in command for command in found.values())
        assert [pid for pid, one in found.items() if secret in one] == [page.process.pid]
        plugin = page.until(lambda e: "status" in e and e["status"]["pid"])["status"]["pid"]
        variables = Path(f"/proc/{plugin}/environ").read_bytes().split(b"\0")
        assert f"SHAPE_SECRET={secret}".encode() in variables
        page.ask("check/stop")


STUBBORN = """
import os, signal, subprocess, sys
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if "--manifest" not in sys.argv:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
sys.argv[0] = {hostile!r}
exec(open({hostile!r}).read())
if "--manifest" not in sys.argv:
    import time; time.sleep(60)
"""


@pytest.mark.parametrize(
    ("victim", "number"),
    [
        ("animus_routes inspect", signal.SIGKILL),
        ("animus_routes inspect", signal.SIGTERM),
        ("animus_routes inspect", signal.SIGINT),
        ("animus_routes inspect", signal.SIGHUP),
        ("animus_routes.inspector ", signal.SIGKILL),
        ("animus_routes.inspector ", signal.SIGTERM),
    ],
)
def test_nothing_is_left_however_the_page_ends(
    tmp_path: Path, victim: str, number: signal.Signals
) -> None:
    plugin = tmp_path / "stubborn.py"
    plugin.write_text(STUBBORN.format(hostile=str(HOSTILE)), "utf-8")
    mark = f"inspected-{os.getpid()}-{victim}-{number}"
    with inspected(f"{sys.executable} {plugin}", cwd=tmp_path, env={"HOME": mark}) as page:
        page.running()
        assert page.ask("check", {"allow_writes": False})[0] == 200
        found = _marked(mark)
        assert len(found) >= 5
        os.kill(next(pid for pid, command in found.items() if victim in command), number)
        page.process.wait(BOUND_S)
        deadline = time.monotonic() + BOUND_S
        while _marked(mark) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert _marked(mark) == {}


def _marked(mark: str) -> dict[int, str]:
    """The processes that have the mark as their HOME, which hosts pass on, and their commands."""
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        try:
            variables = (folder / "environ").read_bytes() if folder.name.isdecimal() else b""
            if f"HOME={mark}".encode() in variables.split(b"\0"):
                command = (folder / "cmdline").read_text("utf-8")
                found[int(folder.name)] = command.replace("\0", " ")
        except OSError:
            continue
    return found


def test_an_example_is_described_in_the_words_of_the_protocol(tmp_path: Path) -> None:
    with inspected(EXAMPLES / "tasks_sqlite.py", cwd=tmp_path) as page:
        cards = {card["name"]: card for card in page.running()["cards"]}
        create = cards["task/create"]["params"]
        assert create["properties"]["title"]["description"] == "Short human-readable title."
        assert cards["task/list"]["reads"] is True
        assert cards["subject/watch"]["streams"] is True
