"""The installed file: what the kernel and the host want of it (host 1.4; installing 1 and 2)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from animus_routes.conformance.checks import Check
from animus_routes.conformance.outcomes import Skipped, expect, fail

if TYPE_CHECKING:
    from animus_routes.conformance.bench import Bench

LONGEST_LINE: Final = 255  # bytes, with the `#!`: the rest is cut off by the kernel
BINARIES: Final = (
    b"\x7fELF",
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\xfe\xed\xfa\xcf",
)
ENV: Final = "env"


def _file(bench: Bench) -> Path:
    if bench.candidate.file is None:
        raise Skipped("the target is no installed file")
    return bench.candidate.file


def _executable(bench: Bench) -> None:
    file = _file(bench)
    said = f"{file} has no exec bit: chmod +x it before it is installed, hosts do not"
    expect(os.access(file, os.X_OK), said)


def _first_line(bench: Bench) -> None:
    with _file(bench).open("rb") as opened:
        head = opened.read(65536)
    if head.startswith(BINARIES):
        return
    line = head.split(b"\n", 1)[0]
    expect(head, "the file is empty")
    if not line.startswith(b"#!"):
        fail(
            f"there is no `#!` at its start, so the kernel cannot start it: it begins {line[:40]!r}"
        )
    if line.endswith(b"\r"):
        fail("its lines end with CRLF: the kernel looks for an interpreter whose name ends in \\r")
    if len(line) > LONGEST_LINE:
        fail(
            f"its `#!` line has {len(line)} bytes, of which the kernel reads {LONGEST_LINE}: "
            "write #!/bin/sh, and exec the interpreter in it"
        )
    interpreter, _, argument = line[2:].strip().decode("utf-8", "replace").partition(" ")
    if not Path(interpreter).exists():
        _gone(interpreter, argument)
    if Path(interpreter).name == ENV:
        name = argument.removeprefix("-S ").split(" ", 1)[0]
        expect(shutil.which(name), f"its interpreter is gone: there is no {name} on PATH")
    text, _, _ = head.partition(b"\0")  # what follows is no text, such as an archive
    if b"\r\n" in text:
        fail("some of its lines end with CRLF")


def _gone(interpreter: str, argument: str) -> None:
    """Say why the kernel does not find it."""
    words = argument.split(" ")
    for count in range(1, len(words) + 1):
        longer = " ".join([interpreter, *words[:count]])
        if Path(longer).is_file():
            fail(
                f"there is a space in the path of its interpreter, {longer}: the kernel reads "
                f"{interpreter}. Write #!/bin/sh, and exec the interpreter in quotes"
            )
    fail(f"its interpreter is gone: there is no {interpreter}")


def _name(bench: Bench) -> None:
    file, name = _file(bench), str((bench.manifest or {}).get("name"))
    expect(
        file.name == name,
        f"the file is called {file.name}, its manifest {name}: hosts list and uninstall it by the "
        "first, and call it by the second",
    )
    if not name.startswith("animus-"):
        bench.warnings.append(
            f"{name} does not begin with animus-: hosts find it by its entry in plugins.yaml alone"
        )


CHECKS: Final = (
    Check(
        "form.executable",
        "The file may be executed",
        "host 1.4: the probe runs the source file and does not chmod it",
        _executable,
        installed=True,
    ),
    Check(
        "form.first-line",
        "The kernel finds the interpreter that the file names",
        "installing 1: a host says no more than 'failed to run'",
        _first_line,
        installed=True,
    ),
    Check(
        "form.name",
        "The file is called as the manifest says",
        "installing 1: list, call and uninstall go by different ones of the two",
        _name,
        after=("form.executable", "form.first-line", "start.manifest"),
        installed=True,
    ),
)
