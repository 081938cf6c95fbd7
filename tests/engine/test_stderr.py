"""stderr: nobody has to read it, and what is read there is whole."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_host import INSTALLED, PLUGINS, WAIT_S

from animus_routes import RpcError
from animus_routes.engine.stderr import KEPT_BYTES, Relay
from animus_routes.host import Plugin, host_environment

LOUD = [sys.executable, str(PLUGINS / "loud.py")]
PIPE_BYTES = 65_536
MUCH = 3 * (PIPE_BYTES + KEPT_BYTES)


class Reader:
    """Reads a pipe on a thread of its own, from the moment it is started."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.text = b""
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> "Reader":
        self.thread.start()
        return self

    def _read(self) -> None:
        while chunk := os.read(self.fd, PIPE_BYTES):
            with self.changed:
                self.text += chunk
                self.changed.notify_all()

    def see(self, line: bytes) -> list[bytes]:
        """Every line so far, once there is this one."""
        with self.changed:
            assert self.changed.wait_for(lambda: line in self.text.split(b"\n")[:-1], WAIT_S)
            return self.text.split(b"\n")[:-1]

    def end(self) -> bytes:
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()
        return self.text


@contextmanager
def loud() -> Iterator[tuple[Plugin, Reader]]:
    """A plugin whose stderr nobody reads until the reader is started."""
    source, sink = os.pipe()
    plugin = Plugin.start(LOUD, env=INSTALLED, stderr=sink)
    os.close(sink)
    reader = Reader(source)
    try:
        plugin.initialize()
        yield plugin, reader
    finally:
        plugin.kill()
        if reader.thread.ident is not None:
            reader.end()
        os.close(source)


@pytest.mark.parametrize("method", ["x/pool", "x/async", "x/stream"])
@pytest.mark.parametrize("how", ["print", "sys", "fd", "child", "fork"])
def test_a_handler_outtalks_a_host_that_reads_no_stderr(method: str, how: str) -> None:
    with loud() as (plugin, reader):
        if method == "x/stream":
            plugin.request(method, {"how": how})
            assert plugin.next_notification("x/item", WAIT_S).params["event"] == "done"
        else:
            assert plugin.call(method, {"how": how}, timeout_s=WAIT_S) == "done"
        plugin.call("x/say", {"text": "before"}, timeout_s=WAIT_S)
        reader.start()
        plugin.call("x/say", {"text": "after"}, timeout_s=WAIT_S)
        lines = reader.see(b"after")
        whole = re.compile(rb"x{1023}|before|after|animus-routes: \d+ lines were dropped here: .*")
        assert [line for line in lines if not whole.fullmatch(line)] == []


@pytest.mark.parametrize("method", ["x/log", "x/bug"])
def test_threads_that_write_at_once_do_not_hang_on_a_full_stderr(method: str) -> None:
    with loud() as (plugin, _):
        params = {"text": "a"} if method == "x/bug" else {"text": "a", "count": 20}
        asked = [plugin.request(method, params) for _ in range(40)]
        for request_id in asked:
            if method == "x/bug":
                with pytest.raises(RpcError, match="internal error"):
                    plugin.reply(request_id, WAIT_S)
            else:
                assert plugin.reply(request_id, WAIT_S) == "logged"


def test_lines_and_tracebacks_of_several_threads_are_not_mixed() -> None:
    with loud() as (plugin, reader):
        reader.start()
        texts = "abcd"
        asked = [
            plugin.request("x/log", {"text": text, "count": 20, "threads": 2}) for text in texts
        ]
        bugs = [plugin.request("x/bug", {"text": text}) for text in texts * 5]
        for request_id in asked:
            plugin.reply(request_id, WAIT_S)
        for request_id in bugs:
            with pytest.raises(RpcError, match="internal error"):
                plugin.reply(request_id, WAIT_S)
        plugin.call("x/say", {"text": "over"}, timeout_s=WAIT_S)
        lines = reader.see(b"over")
        long = [line for line in lines if len(line) > 1000]
        assert len(long) == 4 * 2 * 20 + 4 * 5
        assert all(
            re.search(rb"(?:info|INFO).*: (.)\1{4999}$|ValueError: (.)\2{4999}$", x) for x in long
        )


def test_a_slow_reader_misses_nothing() -> None:
    near, far = os.pipe()
    source, entry = os.pipe()
    threading.Thread(target=Relay(source, far, at_once=False).run, daemon=True).start()
    sent = b"".join(b"%07d\n" % i for i in range(MUCH // 8))

    def write() -> None:
        rest = memoryview(sent)
        while rest:
            rest = rest[os.write(entry, rest) :]
        os.write(entry, b"end\n")

    threading.Thread(target=write, daemon=True).start()
    seen = b""
    while not seen.endswith(b"end\n"):
        seen += os.read(near, 512)
    assert seen == sent + b"end\n"
    for fd in (near, far, source, entry):
        os.close(fd)


def test_what_nobody_reads_is_dropped_in_whole_lines_and_counted() -> None:
    near, far = os.pipe()
    source, entry = os.pipe()
    threading.Thread(target=Relay(source, far, at_once=False).run, daemon=True).start()
    count = MUCH // 8
    for i in range(count):
        os.write(entry, b"%07d\n" % i)
    seen = b""
    while b"were dropped" not in seen:
        seen += os.read(near, PIPE_BYTES)
    os.write(entry, b"end\n")
    while not seen.endswith(b"end\n"):
        seen += os.read(near, PIPE_BYTES)
    lines = seen.split(b"\n")
    numbers = [int(line) for line in lines if line.isdigit()]
    assert all(len(line) == 7 for line in lines if line.isdigit())
    assert numbers == sorted(set(numbers))
    dropped = sum(int(n) for n in re.findall(rb"(\d+) lines were dropped", seen))
    assert dropped == count - len(numbers) > 0
    for fd in (near, far, source, entry):
        os.close(fd)


def run(source: str, folder: Path, *arguments: str, data: bytes = b"") -> tuple[bytes, bytes]:
    """Run a file with nothing but pipes: what came out on stdout and on stderr."""
    file = folder / "plugin.py"
    file.write_text(source)
    done = subprocess.run(
        [sys.executable, str(file), *arguments],
        input=data,
        capture_output=True,
        timeout=WAIT_S,
        check=False,
        cwd=folder,
        env=host_environment((), INSTALLED),
    )
    return done.stdout, done.stderr


APP = """
from animus_routes import App

app = App(kind="custom", name="animus-custom-x", version="0.1.0", description="x")


@app.method("x/a")
def a() -> None: ...
"""
RUN = 'if __name__ == "__main__":\n    app.run()\n'


def test_the_traceback_of_an_import_that_fails_arrives(tmp_path: Path) -> None:
    _, said = run(APP + "print('printed')\n1 / 0\n" + RUN, tmp_path)
    assert b"printed" in said
    assert said.rstrip().endswith(b"ZeroDivisionError: division by zero")


def test_the_last_words_of_a_process_arrive(tmp_path: Path) -> None:
    late = "import atexit, sys\natexit.register(lambda: sys.stderr.write('at exit\\n'))\n"
    _, said = run(late + APP + "print('no newline', end='')\n" + RUN, tmp_path)
    assert b"no newline" in said
    assert b"at exit" in said
    assert b"settled" not in said
    assert b"\0" not in said


REPLACED = {
    "detached": "import codecs, sys\nsys.stdout = codecs.getwriter('utf-8')(sys.stdout.detach())\n",
    "closed": "import sys\nsys.stdout.close()\n",
    "missing": "import sys\nsys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None\n",
    "text": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, write_through=False)\n",
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("how", REPLACED)
def test_a_plugin_starts_whatever_stands_in_the_place_of_stdout(
    tmp_path: Path, how: str, first: bool
) -> None:
    noise = "try: print('printed')\nexcept ValueError: pass\n"
    lines = REPLACED[how] + noise
    source = (lines + APP if first else APP + lines) + RUN
    out, said = run(source, tmp_path, "--manifest")
    assert out.count(b"\n") == 1
    assert b'"animus-custom-x"' in out
    assert b"Traceback" not in said
    if how in {"detached", "text"}:
        assert b"printed" in said


def test_a_file_gets_everything_directly(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        plugin = Plugin.start(LOUD, env=INSTALLED, stderr=log)
        plugin.initialize()
        plugin.call("x/pool", {"how": "print"}, timeout_s=WAIT_S)
        here = Path(f"/proc/{plugin.pid}/fd/2").stat().st_ino
        plugin.shutdown()
    assert here == (tmp_path / "log").stat().st_ino
    assert (tmp_path / "log").read_text().count("x" * 1023 + "\n") == 400
