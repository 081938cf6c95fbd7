"""No garbage is collected until serving begins; then the collector is as its author had it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine_host import INSTALLED, WAIT_S

from animus_routes.host import Plugin, host_environment

PLUGIN = """
import gc
from animus_routes import App

seen = [gc.get_threshold()[0], gc.isenabled()]
{author}
app = App(kind="custom", name="animus-custom-gc", version="0.1.0", description="x")
runs = []
gc.callbacks.append(lambda phase, info: runs.append(info["generation"]))
kept = [[] for _ in range(100_000)]
during = len(runs)


@app.method("x/gc")
def collector() -> dict:
    state = [gc.isenabled(), *gc.get_threshold()]
    return {{"seen": seen, "during": during, "state": state, "frozen": gc.get_freeze_count() > 0}}


if __name__ == "__main__":
    app.run()
"""


@pytest.mark.parametrize(
    ("author", "state", "frozen"),
    [
        ("", [], False),
        ("gc.disable()", [False], False),
        ("gc.set_threshold(5000, 20, 30)", [True, 5000, 20, 30], False),
        ("gc.set_threshold(0)", [True, 0], False),
        ("gc.freeze()", [], True),
    ],
)
def test_the_collector_is_as_its_author_had_it(
    tmp_path: Path, author: str, state: list[Any], frozen: bool
) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN.format(author=author))
    code = "import gc; print([gc.isenabled(), *gc.get_threshold()])"
    fresh = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    plain = json.loads(fresh.stdout.replace("True", "true"))
    with Plugin.start([sys.executable, "plugin.py"], cwd=tmp_path, env=INSTALLED) as plugin:
        plugin.initialize()
        found = plugin.call("x/gc")
    wanted = state or plain
    assert found["state"][: len(wanted)] == wanted
    assert found["seen"][1] is True
    assert found["frozen"] is frozen
    if author in {"", "gc.disable()"}:
        assert found["during"] == 0


def test_a_program_that_does_not_serve_keeps_its_collector(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN.format(author="print(seen, gc.get_threshold()[0])"))
    command = [sys.executable, "-c", "import plugin"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=host_environment((), INSTALLED),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    seen, threshold = done.stdout.strip().rsplit(" ", 1)
    assert seen == f"[{threshold}, True]", done.stderr
