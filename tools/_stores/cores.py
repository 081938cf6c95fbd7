"""Measure without what the system's scheduler does: a core that sleeps takes long to wake."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_core(server: str | None) -> Iterator[None]:
    """Run this process, a database server, and what they start on one core, where the system can do that.

    A core that sleeps takes longer to wake than many a call takes, and which of two plugins meets one
    may stay the same for minutes on end.
    """
    if sys.platform != "linux":
        yield
        return
    pids = [0] if server is None else [0, postmaster(server)]
    cores = os.sched_getaffinity(0)
    for pid in pids:
        os.sched_setaffinity(pid, {max(cores)})
    try:
        yield
    finally:
        for pid in pids:
            os.sched_setaffinity(pid, cores)


def postmaster(server: str) -> int:
    """The process that starts another one for each connection."""
    import psycopg

    with psycopg.connect(server) as db:
        row = db.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    assert row is not None
    return int(row[0].split()[0])
