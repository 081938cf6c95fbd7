"""Nothing of a command gets away, however fast it is and whoever is killed."""

import asyncio
import itertools
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from animus_routes import Unavailable
from animus_routes.batteries import _keep, _processes, keepers
from animus_routes.batteries.keepers import Keeper

STUBBORN = str(Path(__file__).parent / "stubborn.py")
WAIT_S = 20.0
LIFE_S = 60  # of what a test has started, should the test itself be killed
linux = pytest.mark.skipif(not keepers.ADOPTS, reason="elsewhere nobody adopts orphans")

# Each has left its parent behind before anybody could look, and then tells that it is away.
AWAY = {
    "a double fork": f"os.fork() and os._exit(0); os.setsid(); tell(); time.sleep({LIFE_S})",
    "no variables": f"os.setsid(); tell(); os.execve('/bin/sleep', ['sleep', '{LIFE_S}'], {{}})",
    "one after the other": (
        f"tell(); end = time.monotonic() + {LIFE_S}\n"
        "while time.monotonic() < end:\n os.setsid()\n os.fork() and os._exit(0)"
    ),
    "all at once": (
        f"tell(); end = time.monotonic() + {LIFE_S}\n"
        "while time.monotonic() < end:\n os.setsid()\n if os.fork():\n  time.sleep(0.05)\n  os._exit(0)"
    ),
}


class Held:
    """A pipe that a command and all below it hold: its end is theirs."""

    def __init__(self) -> None:
        self._source, self.sink = os.pipe()

    def read(self, within_s: float = WAIT_S) -> bytes:
        assert select.select([self._source], [], [], within_s)[0], "nothing came in time"
        return os.read(self._source, 100)

    def is_over(self, within_s: float = 0) -> bool:
        """Has nobody it any more?"""
        while select.select([self._source], [], [], within_s)[0]:
            if not os.read(self._source, 100):
                return True
        return False

    def let_go(self) -> None:
        os.close(self.sink)

    def close(self) -> None:
        os.close(self._source)


@pytest.fixture
def held() -> Iterator[Held]:
    with closing(Held()) as found:
        yield found


def started(code: str, held: Held, **options: float) -> Keeper:
    keeper = Keeper([sys.executable, "-S", "-c", code], stdout=held.sink, **options)  # type: ignore[arg-type]
    held.let_go()
    keeper.confirm()
    return keeper


def away(how: str, then: str = "") -> str:
    tell = "def tell(): os.write(1, b'away')"
    return (
        f"import os, time\n{tell}\nif os.fork():\n os.wait()\n {then}\nelse:\n exec({AWAY[how]!r})"
    )


@linux
@pytest.mark.parametrize("how", AWAY)
@pytest.mark.parametrize("patience_s", [0, 0.2])
def test_nothing_is_fast_enough_to_get_away(held: Held, how: str, patience_s: float) -> None:
    keeper = started(away(how, f"time.sleep({LIFE_S})"), held)
    assert held.read() == b"away"
    keeper.end(patience_s)
    keeper.wait(lambda: False, WAIT_S)
    assert keeper.is_over
    assert held.is_over()
    assert keeper.exit_code in {-signal.SIGTERM, -signal.SIGKILL}


@linux
@pytest.mark.parametrize("how", AWAY)
def test_nothing_outlives_the_process_that_started_it(held: Held, how: str) -> None:
    code = (
        "import sys, time; from animus_routes.batteries.keepers import Keeper;"
        f"keeper = Keeper([sys.executable, '-S', '-c', {away(how)!r}], stdout=1); keeper.confirm(); time.sleep({LIFE_S})"
    )
    plugin = subprocess.Popen([sys.executable, "-c", code], stdout=held.sink)
    held.let_go()
    assert held.read() == b"away"
    plugin.kill()
    plugin.wait(WAIT_S)
    assert held.is_over(WAIT_S)


@linux
def test_what_left_the_group_may_stay_until_it_is_ended(held: Held) -> None:
    keeper = started(away("a double fork"), held)
    assert held.read() == b"away"
    keeper.wait(lambda: keeper.exit_code is not None, WAIT_S)
    keeper.end_group(patience_s=0)
    keeper.wait(lambda: keeper.is_alone, WAIT_S)
    assert (keeper.exit_code, keeper.is_alone, keeper.is_over) == (0, True, False)
    keeper.end(patience_s=0)
    keeper.wait(lambda: False, WAIT_S)
    assert held.is_over()


@linux
def test_a_keeper_that_is_killed_takes_its_command_along(held: Held) -> None:
    keeper = started(f"import time; time.sleep({LIFE_S})", held)
    keeper.process.kill()
    keeper.wait(lambda: False, WAIT_S)
    assert (keeper.is_over, keeper.exit_code) == (True, None)
    assert held.is_over(WAIT_S)


def test_the_time_of_a_command_is_bounded(held: Held) -> None:
    keeper = started(f"import time; time.sleep({LIFE_S})", held, timeout_s=0.1)
    keeper.wait(lambda: False, WAIT_S)
    assert (keeper.is_late, keeper.exit_code) == (True, -signal.SIGTERM)


def test_a_signal_that_the_keeper_ignores_ends_its_command(held: Held) -> None:
    keeper = started(f"import time; time.sleep({LIFE_S})", held)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        keeper.process.send_signal(number)
    os.killpg(keeper.pid, signal.SIGHUP)
    keeper.wait(lambda: False, WAIT_S)
    assert keeper.exit_code == -signal.SIGHUP


@pytest.mark.parametrize(
    ("name", "value"), [("ADOPTS", False), ("IS_FROZEN", True)], ids=["elsewhere", "one program"]
)
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of the fork, since 3.12
def test_other_sessions_are_ended_wherever_it_runs(
    name: str, value: bool, tmp_path: Path, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepers, name, value)
    keeper = Keeper([sys.executable, STUBBORN, str(tmp_path), "deaf"], stdout=held.sink)
    held.let_go()
    keeper.confirm()
    assert held.read().startswith(b'{"started": true}')
    keeper.end(patience_s=0.1)
    keeper.wait(lambda: False, WAIT_S)
    assert (keeper.is_over, keeper.exit_code) == (True, -signal.SIGKILL)
    assert held.is_over()


def test_a_parent_is_told_before_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    # A shell whose command ends first goes on to its next one, or says "Terminated".
    ours = os.getpid()
    line = [ours, *(1_000_000 - step for step in range(50))]
    table = {
        pid: _processes.Seen(parent, pid, pid, "1", False)
        for parent, pid in itertools.pairwise(line)
    }
    shuffled = dict(sorted(table.items()))
    listed = [(pid, seen.parent, seen.group) for pid, seen in shuffled.items()]
    monkeypatch.setattr(_keep, "listed", lambda _known=(): iter([*listed, (ours, 1, ours)]))
    monkeypatch.setattr(_processes, "processes", lambda: shuffled)
    below = _keep.Adopted.look(_keep.Adopted.__new__(_keep.Adopted))
    assert [*below] == line[1:]
    assert [*_processes.Tree(line[1]).look()] == line[1:]


def test_async_code_waits_without_holding_up_the_loop(held: Held) -> None:
    async def work() -> list[int | None]:
        codes = [f"raise SystemExit({n})" for n in range(3)]
        all_of_them = [Keeper([sys.executable, "-S", "-c", code]) for code in codes]
        await asyncio.gather(*(k.until(lambda: False) for k in all_of_them))
        return [keeper.exit_code for keeper in all_of_them]

    assert asyncio.run(asyncio.wait_for(work(), WAIT_S)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("command", "cwd", "said"),
    [
        ("no-such-program", None, "No such file or directory"),
        ("/bin", None, "Permission denied"),
        ("true", "/no/such/folder", "No such file or directory: /no/such/folder"),
        ("nul\0l", None, "execve: embedded null character in path"),
    ],
)
def test_why_a_command_does_not_start_is_said(command: str, cwd: str | None, said: str) -> None:
    keeper = Keeper([command], cwd=cwd)
    with pytest.raises(Unavailable) as caught:
        keeper.confirm()
    assert caught.value.message == f"cannot start '{command}': {said}"
    keeper.wait(lambda: False, WAIT_S)
    assert keeper.is_over
