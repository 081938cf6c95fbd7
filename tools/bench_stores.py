"""Measure what a call of the storing examples costs as their stores grow, over real pipes.

    python tools/bench_stores.py [--rows 1000 100000] [--only TEXT] [--parts flat cold deletes ...]
                                 [--databases sqlite postgresql] [--seconds N] [--json FILE]

Four parts: `flat`, every method on a small and on a large store; `cold`, from the start of a process
to its first answer; `deletes`, what others wait for while much is deleted; `processes`, one and four
of them on one store. A figure that misses its
bound is measured twice more, and the middle one of three counts. PostgreSQL is a server of this
program's own, with a local socket. The tables in short, at the end, are those of docs/benchmarks.md.
"""

import argparse
import json
import platform
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("tests", "tools")]

from _stores import summary
from _stores.cold import cold
from _stores.deletes import deletes
from _stores.flat import flat
from _stores.places import Places
from _stores.processes import processes
from sql_databases import postgres

PARTS: Final = {"flat": flat, "cold": cold, "deletes": deletes, "processes": processes}
ROWS: Final = (1_000, 100_000)
SECONDS: Final = 10


def table(part: str, rows: list[dict[str, Any]]) -> str:
    """One part as Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row if name != "measured"))
    cells = [[shown(row.get(name, "")) for name in names] for row in rows]
    return f"### {part}\n\n{summary.table('|'.join(names), cells)}"


def shown(cell: object) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the storing examples.")
    parser.add_argument("--rows", type=int, nargs=2, default=ROWS)
    parser.add_argument("--only", default="", help="examples or methods whose name has this")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    kinds = ["sqlite", "postgresql"]
    parser.add_argument("--databases", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="a run of `processes`")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="animus-stores-")))
        server = stack.enter_context(postgres()) if "postgresql" in options.databases else None
        places = Places(folder, server, tuple(options.databases))
        for part in options.parts:
            found[part] = PARTS[part](places, options)
            print(table(part, found[part]), end="\n\n", flush=True)
    if options.json:
        about = {"python": platform.python_version(), "rows": list(options.rows)}
        options.json.write_text(json.dumps({**about, **found}, indent=1) + "\n", "utf-8")
    print("## In short\n")
    for part, rows in found.items():
        print(summary.PARTS[part](rows), end="\n\n")
    missed = [row for rows in found.values() for row in rows if row["met"] == "**MISSED**"]
    print(f"{len(missed)} of {sum(map(len, found.values()))} figures missed a bound")
    return bool(missed)


if __name__ == "__main__":
    raise SystemExit(main())
