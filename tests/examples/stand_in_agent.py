"""Stands in for an agent's program: plays lines of `agent_frames/` as the real one would say them.

Usage: stand_in_agent.py AGENT FLAG..., with the prompt on stdin. The word behind `play:` in it is the case,
`plain` unless there is one. A line that begins with `#` is something to do: see `ACTS`. What it was started
with is written to the file that STAND_IN_TOLD names.
"""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

FRAMES = Path(__file__).with_name("agent_frames")
LIFE_S = 60
HOLD_S = 5
SESSION = "5e551011-0000-4000-8000-000000000001"
RESUMED = re.compile(r"--resume=(\S+)|resume (\S+) -$")
OWN_FILE = re.compile(r"/[^\s\"=,]+/animus-agent-[^\s\"=,]+")
VERSIONS = {"claude": "2.1.300 (Claude Code)", "codex": "codex-cli 0.169.0", "gemini": "0.61.0"}


def say(line: str) -> None:
    data = line.encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def torn(line: str) -> None:
    """A line in pieces, in the middle of characters, too."""
    for byte in f"{line}\n".encode():
        os.write(1, bytes([byte]))


def long(words: str) -> None:
    """A line whose MUCH is so many bytes."""
    size, _, line = words.partition(" ")
    say(line.replace("MUCH", "x" * int(size)))


def hold(_: str) -> None:
    """Something that holds stdout and stderr once this has gone."""
    if not os.fork():
        os.setsid()
        time.sleep(HOLD_S)
        os._exit(0)


def tool(kind: str) -> None:
    """A tool in a session of its own; one that is `deaf` does not hear a SIGTERM."""
    if not os.fork():
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN if kind == "deaf" else signal.SIG_DFL)
        part = Path(f"{os.environ['STAND_IN_TOOL']}.part")
        part.write_text(str(os.getpid()), "utf-8")
        part.rename(os.environ["STAND_IN_TOOL"])
        time.sleep(LIFE_S)
        os._exit(0)
    while not Path(os.environ["STAND_IN_TOOL"]).exists():
        time.sleep(0.005)


def on_term(name: str) -> None:
    """Say more on a SIGTERM, and end with exit code 0."""

    def end(*_: object) -> None:
        play(name)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)


ACTS: dict[str, Callable[[str], object]] = {
    "exit": lambda code: os._exit(int(code)),
    "kill": lambda name: os.kill(os.getpid(), getattr(signal, name)),
    "version": say,
    "stderr": lambda line: os.write(2, f"{line}\n".encode()),
    "noise": lambda size: os.write(2, b"n" * int(size)),
    "show": lambda name: os.write(2, f"the key is {os.environ[name]}\n".encode()),
    "raw": lambda digits: os.write(1, bytes.fromhex(digits) + b"\n"),
    "torn": torn,
    "part": lambda text: os.write(1, text.encode()),
    "long": long,
    "hold": hold,
    "tool": tool,
    "deaf": lambda _: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "on-term": on_term,
    "wait": lambda _: time.sleep(LIFE_S),
}


def act(words: str) -> None:
    word, _, rest = words.partition(" ")
    ACTS[word](rest)


def play(name: str) -> None:
    cases = (FRAMES / f"{sys.argv[1]}.frames").read_text("utf-8").split("#case ")
    _, _, text = next(case for case in cases if case.startswith(f"{name}\n")).partition("\n")
    resumed = RESUMED.search(" ".join(sys.argv))
    session = next(filter(None, resumed.groups())) if resumed else SESSION
    for line in text.replace("SESSION", session).split("\n")[:-1]:
        if line.startswith("#"):
            act(line[1:])
        else:
            say(line)


def main() -> None:
    agent, *words = sys.argv[1:]
    if "--version" in words:
        act(os.environ.get("STAND_IN_VERSION", f"version {VERSIONS[agent]}"))
        return
    prompt = sys.stdin.read()
    files = {}
    for found in OWN_FILE.findall("\n".join([*words, os.environ.get("GEMINI_SYSTEM_MD", "")])):
        path = Path(found)
        files[path.name] = [path.read_text("utf-8"), oct(path.stat().st_mode)[-3:], str(path)]
    told = {"words": words, "prompt": prompt, "cwd": str(Path.cwd()), "files": files}
    if "STAND_IN_TOLD" in os.environ:
        told["env"] = dict(os.environ)
        Path(os.environ["STAND_IN_TOLD"]).write_text(json.dumps(told), "utf-8")
    found = re.search(r"play:([a-z0-9-]+)", prompt)
    play(found[1] if found else "plain")


main()
