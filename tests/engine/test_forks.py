"""A child that an author's code forks ends where that code comes back, and touches nothing else."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_host import INSTALLED, PLUGINS, SEEN_S, WAIT_S

from animus_routes.host import Plugin

FORKS = [sys.executable, str(PLUGINS / "forks.py")]
# Where it forks, and what has to be asked for so that it does.
PLACES = {
    "inline": "x/inline",
    "late": "x/late",
    "validator": "x/model",
    "serializer": "x/model",
    "dependency": "x/inline",
    "generator dependency": "x/inline",
    "clean-up": "x/inline",
    "middleware": "x/inline",
    "middleware after": "x/inline",
    "exception handler": "x/raises",
    "pool": "x/pool",
    "stream": "x/stream",
    "stream goes on": "x/stream",
    "async": "x/async",
    "awaits": "x/awaits",
    "async dependency": "x/async",
    "async clean-up": "x/async",
    "async stream": "x/astream",
    "async stream goes on": "x/astream",
    "notification": "x/told",
    "health": "health/check",
    "hook": "",
    "async hook": "",
    "lifespan enters": "",
    "lifespan exits": "",
}
# How the child comes back, and the exit code of that.
WAYS = {
    "returns": 0,
    "slowly": 0,
    "raises": 1,
    "exits": 3,
    "exits with a text": 1,
    "forks again": 0,
}
# Here a text is written for the child by what runs it: it ends with 0 or 1.
BY_MIDDLEWARE = {"middleware", "middleware after"}


@contextmanager
def forks(folder: Path, **env: str) -> Iterator[Plugin]:
    plugin = Plugin.start(FORKS, cwd=folder, env={**INSTALLED, **env})
    try:
        plugin.initialize(timeout_s=WAIT_S)
        yield plugin
    finally:
        plugin.kill()


def noted(folder: Path) -> list[str]:
    return (folder / "noted").read_text().splitlines()


def run_through(folder: Path, plugin: Plugin, place: str) -> None:
    """Have it fork, then check that the plugin is whole and ends."""
    method = PLACES[place]
    if place == "notification":
        plugin.notify(method)
    elif method:
        if place == "awaits":  # a call of somebody else's, in the middle of its work
            plugin.request("x/other")
        plugin.call(method, {"text": "a"} if method == "x/model" else None, timeout_s=WAIT_S)
    assert plugin.call("x/late", timeout_s=WAIT_S)
    start = time.monotonic()
    plugin.close_stdin()
    assert plugin.wait(WAIT_S) == 0
    assert time.monotonic() - start < SEEN_S
    assert plugin.protocol_errors == []
    assert noted(folder).count("parent: lifespan left") == 1


def done_by_child(folder: Path, place: str) -> set[str]:
    """What ran in the child after its own code had come back."""
    own = {"middleware after"} if place in BY_MIDDLEWARE else set[str]()
    lines = {line.removeprefix("child: ") for line in noted(folder) if line.startswith("child")}
    return lines - own


@pytest.mark.parametrize("place", PLACES)
def test_a_child_that_comes_back_ends_and_runs_nothing_of_its_parents(
    tmp_path: Path, place: str
) -> None:
    with forks(tmp_path, AT=place) as plugin:
        run_through(tmp_path, plugin, place)
        assert "Traceback" not in plugin.stderr_text()
    assert "parent: a child ended with 0" in noted(tmp_path)
    assert done_by_child(tmp_path, place) == set()


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("place", ["inline", "late", "pool", "stream", "async", "lifespan exits"])
def test_however_the_child_comes_back_it_ends(tmp_path: Path, place: str, how: str) -> None:
    with forks(tmp_path, AT=place, HOW=how) as plugin:
        run_through(tmp_path, plugin, place)
        said = plugin.stderr_text()
        assert ("ValueError: in the child" in said) is (how == "raises")
        assert "Traceback" not in said
    assert f"parent: a child ended with {WAYS[how]}" in noted(tmp_path)
    # What the child itself has around the place where it forks is its own.
    assert done_by_child(tmp_path, place) <= {"stream left", "middleware after"}
    if how == "returns":
        assert done_by_child(tmp_path, place) == set()


@pytest.mark.parametrize("place", ["lifespan enters", "lifespan exits"])
def test_a_fork_in_an_async_lifespan_is_like_any_other(tmp_path: Path, place: str) -> None:
    with forks(tmp_path, AT=place, ASYNC_LIFE="1") as plugin:
        run_through(tmp_path, plugin, place)
    assert "parent: a child ended with 0" in noted(tmp_path)
    assert done_by_child(tmp_path, place) == set()


def test_children_of_multiprocessing_run_to_their_end(tmp_path: Path) -> None:
    with forks(tmp_path) as plugin:
        assert plugin.call("x/multiprocessing", timeout_s=WAIT_S) == 0
        assert plugin.call("x/thread_forks", timeout_s=WAIT_S) == "[0]"
        plugin.close_stdin()
        assert plugin.wait(WAIT_S) == 0
    assert (tmp_path / "worked").exists()
    assert noted(tmp_path).count("parent: lifespan left") == 1
