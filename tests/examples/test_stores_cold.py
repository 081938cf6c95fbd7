"""A host starts these stores for a single call, so what a first answer imports is kept small."""

import sys
from pathlib import Path
from typing import Final

import pytest
from _stores.cold import CALLS
from example_host import EXAMPLES, served

PROFILED: Final = {"PYTHONPROFILEIMPORTTIME": "1"}
# Each takes milliseconds, and what it is for can be had without it.
DEAR: Final = {"pathlib", "urllib.parse", "platform", "inspect", "psycopg2"}


def imported(name: str, method: str, params: object, folder: Path) -> set[str]:
    """The modules that a process has imported after the first answer of its store."""
    binding = {"project_binding": {"project_root": str(folder)}}
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    with served(command, folder, env=PROFILED, init_extensions=binding) as plugin:
        plugin.call(method, params)
        assert plugin.shutdown() == 0
    return {line.rpartition("|")[2].strip() for line in plugin.stderr_text().splitlines()}


@pytest.mark.parametrize("name", CALLS)
def test_a_first_answer_imports_nothing_dear(name: str, tmp_path: Path) -> None:
    (tmp_path / ".animus").mkdir()
    hello = imported("hello", "task/list", {}, tmp_path)
    method, params = CALLS[name]
    store = imported(name, method, params, tmp_path)
    assert "sqlite3" in store - hello
    assert DEAR & (store - hello) == set()
