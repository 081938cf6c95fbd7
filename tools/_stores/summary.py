"""What the page on benchmarks shows of a measurement: a row a store, and each that missed its bound."""

from statistics import median
from typing import Any, Final

Row = dict[str, Any]
MISSED: Final = "**MISSED**"


def table(head: str, rows: list[list[str]]) -> str:
    """Markdown; a column whose name ends with a space has numbers."""
    names = head.split("|")
    line = "|".join("---:" if name.endswith(" ") else "---" for name in names)
    return "\n".join(
        [f"| {' | '.join(name.strip() for name in names)} |", f"|{line}|"]
        + [f"| {' | '.join(row)} |" for row in rows]
    )


def flat(rows: list[Row]) -> str:
    stores = dict.fromkeys((row["store"], row["database"]) for row in rows)
    found = []
    for store, database in stores:
        own = [row for row in rows if (row["store"], row["database"]) == (store, database)]
        small, large, ratio = (
            median(row[name] for row in own) for name in ("small ms", "large ms", "ratio")
        )
        missed = [f"{row['method']} ({row['ratio']:.2f})" for row in own if row["met"] == MISSED]
        line = [store, database, f"{len(own)}", f"{small:.2f} → {large:.2f}", f"{ratio:.2f}"]
        found.append([*line, ", ".join(missed) or "none"])
    head = "store|database|methods |medians, small → large, ms |median ratio |missed 1.5"
    return table(head, found)


def cold(rows: list[Row]) -> str:
    found = []
    for row in rows:
        bound = f"<= {row['bound']}: {row['met']}" if row["bound"] else ""
        ms, ratio = f"{row['first answer ms']:.0f}", "{:.2f}".format(row["of hello's"])
        found.append([row["store"], ms, ratio, bound])
    return table("first answer of a process|ms |of hello's |bound", found)


def deletes(rows: list[Row]) -> str:
    found = []
    for row in rows:
        longest = (f"{row[f'longest {when} ms']:.0f}" for when in ("without", "beside"))
        store = f"{row['store']}, {row['database']}"
        found.append([store, f"{row['delete s']:.1f}", row["who waits"], *longest, row["met"]])
    named = "delete of 100,000 rows (journal, memory: of half)"
    head = f"{named}|s |who waits|longest without, ms |longest beside, ms |<= 50 ms longer"
    return table(head, found)


def processes(rows: list[Row]) -> str:
    found = []
    for row in rows:
        numbers = [f"{row['waiting']:,}", f"{row['processes']}", f"{row['a second']:.0f}"]
        times = [f"{row[name]:.0f}" for name in ("p99.9 ms", "longest ms")]
        found.append([row["database"], *numbers, f"{row['largest share']:.2f}", *times, row["met"]])
    counts = "lease and completion|waiting |processes |a second |largest share "
    return table(f"{counts}|p99.9, ms |longest, ms |bounds", found)


PARTS: Final = {"flat": flat, "cold": cold, "deletes": deletes, "processes": processes}
