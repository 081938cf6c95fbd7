"""A PostgreSQL server of the tests' own, or the reason why there is none."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

GIVEN = "ANIMUS_TEST_POSTGRES_URL"
SPEED = "-c fsync=off -c synchronous_commit=off -c listen_addresses="
ACCOUNT = "postgres"


def tool(name: str) -> Path | None:
    """A server tool; distributions keep them beside the server, off the path."""
    server = shutil.which("postgres")
    beside = [Path(server).resolve().parent] if server else []
    places = [*beside, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return next((place / name for place in places if (place / name).exists()), None)


def run(account: str | None, *command: str | Path) -> None:
    done = subprocess.run(
        command,
        user=account,
        cwd=tempfile.gettempdir(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a server that nobody else uses, for as long as the context is open."""
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    if given := os.environ.get(GIVEN):
        yield given
        return
    initdb, pg_ctl = tool("initdb"), tool("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip(f"there is no PostgreSQL server here and no {GIVEN}")
    account = ACCOUNT if os.geteuid() == 0 else None  # the server refuses to be run by root
    place = Path(tempfile.mkdtemp(prefix="animus-pg-"))
    try:
        if account is not None:
            shutil.chown(place, account)
        data, log = place / "data", place / "log"
        run(account, initdb, "--auth=trust", f"--username={ACCOUNT}", "--no-sync", "-D", data)
        options = f"{SPEED} -c unix_socket_directories={place}"
        run(account, pg_ctl, "start", "-w", "-D", data, "-l", log, "-o", options)
        try:
            yield f"postgresql://{ACCOUNT}@/postgres?host={place}"
        finally:
            run(account, pg_ctl, "stop", "-w", "-m", "immediate", "-D", data)
    finally:
        shutil.rmtree(place)
