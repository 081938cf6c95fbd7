"""A command that has grandchildren in sessions of their own; what runs is told by files.

Usage: stubborn.py FOLDER WORD...; the words: `deaf` ignores SIGTERM, as do the grandchildren then;
`orphans` leaves a grandchild whose parent has ended; `ends` ends at once and leaves them.
"""

import os
import signal
import sys
import time
from pathlib import Path

LIFE_S = 60


def main() -> None:
    folder, words = Path(sys.argv[1]), sys.argv[2:]
    if "deaf" in words:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for name in ("same-group", "own-session"):
        if not os.fork():
            if name == "own-session":
                os.setsid()
                if not os.fork():
                    stay(folder, "below-own-session")
            stay(folder, name)
    wanted = {"same-group", "own-session", "below-own-session"}
    while not wanted <= {path.name for path in folder.iterdir()}:
        time.sleep(0.01)
    (folder / "root").write_text(str(os.getpid()), "utf-8")
    print('{"started": true}', flush=True)
    if "ends" not in words:
        time.sleep(LIFE_S)


def stay(folder: Path, name: str) -> None:
    part = folder / f".{name}"
    part.write_text(str(os.getpid()), "utf-8")
    part.rename(folder / name)
    time.sleep(LIFE_S)
    os._exit(0)


main()
