"""Works on an outbox in a process of its own: `outbox_process.py FILE add|ack FIRST COUNT`; tells of each."""

import sys
from pathlib import Path

from animus_routes.batteries.outbox import Outbox


def main() -> None:
    file, work, first, count = sys.argv[1:]
    outbox = Outbox(Path(file))
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(first), int(first) + int(count)):
        name = f"e{number}"
        done = outbox.add(name, {"number": number}) if work == "add" else outbox.acknowledge(name)
        print(name if done else "-", flush=True)


main()
