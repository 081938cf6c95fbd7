import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from animus_routes import App, Context, RpcError, Timeout, Unavailable
from animus_routes.batteries import children
from animus_routes.batteries._processes import processes
from animus_routes.batteries.children import Child, ChildFailed, run
from animus_routes.host import PluginProcess
from animus_routes.testing import TestClient

HERE = Path(__file__).parent
STUBBORN = str(HERE / "stubborn.py")
PLUGIN = [sys.executable, str(HERE / "child_plugin.py")]
INSTALLED = {"PYTHONPATH": str(HERE.parents[1])}
WAIT_S = 20.0
NAMES = {"root", "same-group", "own-session", "below-own-session"}
MODES = ["x/inline", "x/pool", "x/stream"]


@contextmanager
def served() -> Iterator[PluginProcess]:
    plugin = PluginProcess.start(PLUGIN, env=INSTALLED)
    try:
        plugin.initialize()
        yield plugin
    finally:
        plugin.kill()


def running(pids: dict[str, int]) -> set[str]:
    """Those that still run."""
    table = processes()
    return {name for name, pid in pids.items() if pid in table and not table[pid].ended}


def gone(pids: dict[str, int], within_s: float = WAIT_S) -> set[str]:
    """What is left of them after a while; nothing as soon as it is nothing."""
    until = time.monotonic() + within_s
    while (left := running(pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def begin(
    plugin: PluginProcess, mode: str, folder: Path, *words: str, **more: Any
) -> tuple[int, dict[str, int]]:
    """A call whose command, with all that is below it, runs: its id, and the numbers by name."""
    options = more.pop("options", {})
    params = {"command": [STUBBORN, str(folder), *words], "options": options, **more}
    request = plugin.request(mode, params)
    plugin.next_notification("x/found", WAIT_S)
    pids = {name: int((folder / name).read_text("utf-8")) for name in NAMES}
    assert len(set(pids.values())) == len(NAMES)
    return request, pids


@pytest.mark.parametrize("words", [(), ("deaf",)], ids=["polite", "deaf"])
@pytest.mark.parametrize("mode", MODES)
def test_a_cancelled_call_leaves_nothing_of_its_command(
    mode: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    with served() as plugin:
        request, pids = begin(plugin, mode, tmp_path, *words)
        asked = time.monotonic()
        plugin.notify("$/cancelRequest", {"id": request})
        if mode != "x/stream":
            with pytest.raises(RpcError, match="cancelled"):
                plugin.reply(request, WAIT_S)
        assert gone(pids) == set()
        if words:  # they had their patience
            assert time.monotonic() - asked >= children.PATIENCE_S
        assert plugin.call("$/ping", timeout_s=WAIT_S) == {}


@pytest.mark.parametrize("mode", ["x/inline", "x/pool"])
def test_a_command_whose_time_is_over_leaves_nothing(mode: str, tmp_path: Path) -> None:
    with served() as plugin:
        options = {"timeout_s": 1.5, "patience_s": 0.2}
        request, pids = begin(plugin, mode, tmp_path, "deaf", options=options)
        with pytest.raises(RpcError, match=r"ran for longer than 1\.5 s") as caught:
            plugin.reply(request, WAIT_S)
        assert caught.value.data["category"] == "timeout"
        assert running(pids) == set()


@pytest.mark.parametrize("mode", ["x/inline", "x/pool"])
def test_a_handler_that_crashes_leaves_nothing(mode: str, tmp_path: Path) -> None:
    with served() as plugin:
        request, pids = begin(
            plugin, mode, tmp_path, "deaf", options={"patience_s": 0.2}, crash=True
        )
        with pytest.raises(RpcError, match="internal error"):
            plugin.reply(request, WAIT_S)
        assert running(pids) == set()


@pytest.mark.parametrize("words", [(), ("deaf",)], ids=["polite", "deaf"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("end", ["end of input", "exit", "SIGTERM", "SIGINT", "SIGHUP"])
def test_the_end_of_the_plugin_leaves_nothing(
    end: str, mode: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    with served() as plugin:
        _, pids = begin(plugin, mode, tmp_path, *words)
        if end == "end of input":
            plugin.close_stdin()
        elif end == "exit":
            plugin.notify("exit")
        else:
            import os

            os.kill(plugin.pid, signal.Signals[end])
        plugin.wait(WAIT_S)
        assert gone(pids) == set()


@pytest.mark.parametrize("mode", MODES)
def test_a_shutdown_does_not_wait_for_a_patience(mode: str, tmp_path: Path) -> None:
    with served() as plugin:
        _, pids = begin(plugin, mode, tmp_path, "deaf")
        assert plugin.call("shutdown", timeout_s=WAIT_S) == {}
        assert gone(pids) == set()


def test_the_end_while_a_patience_runs_is_not_held_up(tmp_path: Path) -> None:
    with served() as plugin:
        request, pids = begin(plugin, "x/pool", tmp_path, "deaf", options={"patience_s": 50.0})
        plugin.notify("$/cancelRequest", {"id": request})
        plugin.close_stdin()
        plugin.wait(WAIT_S)
        assert gone(pids) == set()


def test_what_a_command_leaves_in_its_group_does_not_hold_the_call(tmp_path: Path) -> None:
    with served() as plugin:
        request, pids = begin(plugin, "x/pool", tmp_path, "ends")
        assert plugin.reply(request, WAIT_S) == 0
        assert gone({name: pids[name] for name in ("root", "same-group")}) == set()
        # A daemon that left on purpose stays, as after any command.
        for name in ("own-session", "below-own-session"):
            import os

            os.kill(pids[name], signal.SIGKILL)


# In process: what it says ---------------------------------------------------------------------------


def called(work: Any) -> Any:
    """What a handler returns that is given a context."""
    app = App(kind="custom", name="animus-children", version="1.0.0", description="Runs commands")
    found: list[Any] = []

    @app.method("x/call", concurrent=True)
    def call(ctx: Context) -> None:
        found.append(work(ctx))

    with TestClient(app, timeout_s=WAIT_S) as client:
        client.call("x/call")
    return found[0]


def python(code: str, ctx: Context, **options: Any) -> Child:
    return run([sys.executable, "-c", code], ctx, **options)


def test_lines_come_as_they_are_written() -> None:
    code = "import sys; print('one'); print('two', flush=True); sys.stdin.read(); print('three', end='')"

    def work(ctx: Context) -> list[str]:
        with python(code, ctx, stdin="ends") as child:
            return list(child.lines())

    assert called(work) == ["one", "two", "three"]


def test_text_that_is_not_utf8_and_odd_ends_of_lines_are_read() -> None:
    code = r"import sys; sys.stdout.buffer.write(b'a\r\n\n\xff\nb\rc\n')"

    def work(ctx: Context) -> list[str]:
        with python(code, ctx) as child:
            return list(child.lines())

    assert called(work) == ["a", "", "\N{REPLACEMENT CHARACTER}", "b\rc"]


def test_a_line_that_is_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "LINE_BYTES", 100_000)
    code = "print('x' * 300_000); print('y')"

    def work(ctx: Context) -> list[int]:
        with python(code, ctx) as child:
            return [len(line) for line in child.lines()]

    assert called(work) == [100_000, 1]


def test_a_program_that_does_not_wait_for_its_pipe_loses_nothing_up_to_a_mib() -> None:
    code = (
        "import os, sys; sys.stdin.read(); os.set_blocking(1, False);"
        " os._exit(os.write(1, b'x' * 1_000_000) != 1_000_000)"
    )

    def work(ctx: Context) -> tuple[list[int], int]:
        with python(code, ctx, stdin="go") as child:
            return [len(line) for line in child.lines()], child.wait()

    assert called(work) == ([1_000_000], 0)


def test_a_line_of_json_may_be_longer_and_what_is_none_is_told() -> None:
    code = r"""print('{"a": "' + 9_000_000 * 'x' + '"}'); print(); print('warning'); print('["\\ud83d!"]')"""
    told: list[bytes] = []

    def work(ctx: Context) -> list[Any]:
        with python(code, ctx) as child:
            return list(child.json_lines(line_bytes=10_000_000, skipped=told.append))

    assert called(work) == [{"a": 9_000_000 * "x"}, ["?!"]]
    assert told == [b"warning"]


def test_only_json_is_decoded_and_the_rest_is_there_for_the_message() -> None:
    code = "print('warning'); print('{\"a\": 1}'); print('[2'); print(3); raise SystemExit(4)"

    def work(ctx: Context) -> Any:
        with python(code, ctx) as child:
            found = list(child.json_lines())
            with pytest.raises(ChildFailed) as caught:
                child.check()
            return found, str(caught.value), caught.value.exit_code

    found, message, code_given = called(work)
    assert found == [{"a": 1}, 3]
    assert "ended with exit code 4: [2" in message
    assert code_given == 4


def test_the_end_of_stderr_is_kept_and_does_not_hold_the_command() -> None:
    code = "import sys; sys.stderr.write('x' * 300_000 + 'the reason'); raise SystemExit(2)"

    def work(ctx: Context) -> Any:
        with python(code, ctx) as child, pytest.raises(ChildFailed, match="the reason") as caught:
            child.check()
        return len(caught.value.stderr), child.exit_code

    assert called(work) == (children.TAIL_BYTES, 2)


def test_a_signal_is_named() -> None:
    def work(ctx: Context) -> None:
        with (
            python("import os; os.kill(os.getpid(), 9)", ctx) as child,
            pytest.raises(ChildFailed, match="was ended by SIGKILL"),
        ):
            child.check()

    called(work)


def test_a_command_that_does_not_read_its_stdin_is_no_failure() -> None:
    def work(ctx: Context) -> int:
        with python("pass", ctx, stdin="x" * 1_000_000) as child:
            return child.wait()

    assert called(work) == 0


@pytest.mark.parametrize("options", [{}, {"cwd": "/no/such/folder"}])
def test_a_command_that_cannot_be_started_says_so(options: dict[str, Any]) -> None:
    program = sys.executable if options else "no-such-program"

    def work(ctx: Context) -> None:
        with pytest.raises(Unavailable, match=f"cannot start '{program}': No such file"):
            run([program], ctx, **options).__enter__()

    called(work)


def test_leaving_the_block_early_ends_the_command_and_a_call_may_end_it_itself() -> None:
    def work(ctx: Context) -> Any:
        with python("import time; print(1, flush=True); time.sleep(60)", ctx) as child:
            next(child.json_lines())
        left = child.exit_code
        with python("import time; time.sleep(60)", ctx) as child:
            return left, child.end()

    assert called(work) == (-signal.SIGTERM, -signal.SIGTERM)


def test_a_time_that_is_over_is_told_to_whoever_waits() -> None:
    def work(ctx: Context) -> None:
        with python("import time; time.sleep(60)", ctx, timeout_s=0.1) as child:
            with pytest.raises(Timeout):
                child.wait()
            with pytest.raises(Timeout):
                list(child.lines())

    called(work)


def test_many_commands_at_once_do_not_end_each_other() -> None:
    def work(ctx: Context) -> list[int]:
        with python("import time; time.sleep(60)", ctx) as long:
            codes = []
            for _ in range(5):
                with python("pass", ctx) as short:
                    codes.append(short.wait())
            assert long.exit_code is None
        return codes

    assert called(work) == [0] * 5


def test_an_async_handler_runs_a_command_beside_the_loop_and_never_on_it() -> None:
    app = App(kind="custom", name="animus-children", version="1.0.0", description="Runs commands")

    def lines(ctx: Context) -> list[str]:
        with python("print('beside')", ctx) as child:
            return list(child.lines())

    @app.method("x/beside")
    async def beside(ctx: Context) -> list[str]:
        return await asyncio.to_thread(lines, ctx)

    @app.method("x/on")
    async def on(ctx: Context) -> list[str]:
        return lines(ctx)

    with TestClient(app, timeout_s=WAIT_S) as client:
        assert client.call("x/beside") == ["beside"]
        with pytest.raises(RpcError) as caught:
            client.call("x/on")
    assert "await asyncio.to_thread(...)" in str(caught.value.__cause__)
