"""The fenced blocks of a page, and what it means to run each kind.

The rules that a writer of docs keeps are in CONTRIBUTING.md, "Code blocks in the docs".
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPO: Final = Path(__file__).resolve().parents[2]
PAGES: Final = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(str(page.relative_to(REPO)) for page in (REPO / "docs").glob("*.md")),
]
BOUND_S: Final = 60.0
PYTEST: Final = [sys.executable, "-m", "pytest", "-q", "-p", "no:hypothesispytest"]
RUN_BY_CI: Final = frozenset({"make test"})  # a test cannot run all the tests

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`]*)$")
FILE = re.compile(r"# (?P<name>[\w./-]+\.(?:py|toml))(?P<more>, continued)?")

# What differs between two runs, and the placeholder that both sides are compared with.
PLACEHOLDERS: Final = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r'(error_id": "|error )[0-9a-f]{8}\b'), r"\1<error id>"),
    (re.compile(r'(uptime_ms|memory_usage_bytes)": \d+'), r'\1": <number>'),
    (re.compile(r"\d+(\.\d+)? ?m?s\b"), "<duration>"),
)
REST: Final = "..."


@dataclass
class Block:
    """One fenced block: where it starts, its info string, its lines."""

    page: str
    line: int
    info: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> re.Match[str] | None:
        """The match of a first line that names a file."""
        return FILE.fullmatch(self.text.partition("\n")[0])


def blocks(page: str) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    start, info, lines = 0, "", list[str]()
    for number, line in enumerate((REPO / page).read_text("utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if fence is None:
            lines.append(line)
        elif start:
            assert not fence["info"], f"{page}:{number}: a block inside a block"
            yield Block(page, start, info, "\n".join(lines) + "\n")
            start = 0
        else:
            assert not fence["indent"], f"{page}:{number}: an indented block"
            start, info, lines = number, fence["info"].strip(), []
    assert not start, f"{page}:{start}: the block does not end"


class WrongBlockError(AssertionError):
    """A block does not do what the page says; the message starts with `page:line`."""

    def __init__(self, block: Block, text: str) -> None:
        super().__init__(f"{block.where}: {text}")


class Page:
    """Runs the blocks of one page, in order, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._untried: dict[Path, Block] = {}
        binaries = str(Path(sys.executable).parent)
        # Under `make test` a block's own `make` would think that it is part of that one, and say so.
        around = {k: v for k, v in os.environ.items() if k not in {"MAKELEVEL", "MAKEFLAGS"}}
        self.environment = {
            **around,
            "PATH": os.pathsep.join([binaries, os.environ["PATH"]]),
            "PYTHONPATH": str(REPO),
            "COLUMNS": "100",
        }

    def run(self, *page: Block) -> None:
        """Run blocks.

        Raises:
            WrongBlockError: One does not do what the page says.
        """
        for block in page:
            kind = KINDS.get(block.info)
            if kind is None:
                raise WrongBlockError(block, f"no test runs a block of kind '{block.info}'")
            kind(self, block)
        self._try_files()

    def python(self, block: Block) -> None:
        """A file; it is tried when something needs it, or at the end, with all that continues it."""
        self._untried[self._write(block)] = block

    def _try_files(self) -> None:
        """An app is checked, a test file is run, anything else is run as a script."""
        files, self._untried = self._untried, {}
        for path, block in files.items():
            if path.name.startswith("test_"):
                self._succeeds(block, [*PYTEST, path.name])
            elif "= App(" in path.read_text("utf-8"):
                self._succeeds(block, ["animus-routes", "routes", path.name, "--json"])
            else:
                self._succeeds(block, [sys.executable, path.name])

    def broken_python(self, block: Block) -> None:
        """A file that a console block after it shows the failure of."""
        self._write(block)

    def json(self, block: Block) -> None:
        """One document, or one in each line."""
        try:
            json.loads(block.text)
        except ValueError:
            for line in block.text.splitlines():
                json.loads(line)

    def toml(self, block: Block) -> None:
        tomllib.loads(block.text)
        self._write(block)

    def console(self, block: Block) -> None:
        self._commands(block, fails=False)

    def failing_console(self, block: Block) -> None:
        self._commands(block, fails=True)

    def _commands(self, block: Block, *, fails: bool) -> None:
        self._try_files()
        for command, shown in commands(block):
            if command in RUN_BY_CI:
                continue
            code, output = self._start(["sh", "-c", command])
            if (code != 0) is not fails:
                raise WrongBlockError(block, f"`{command}` ended with {code}:\n{output}")
            if shown and not fits(normalised(shown), normalised(output)):
                raise WrongBlockError(
                    block, f"`{command}` gave:\n{output}\nthe page shows:\n{shown}"
                )

    def _write(self, block: Block) -> Path:
        file = block.file
        if file is None:
            raise WrongBlockError(block, "the first line must name the file, such as `# tasks.py`")
        path = self.folder / file["name"]
        if path.is_symlink():
            raise WrongBlockError(block, f"{file['name']} is a file of the repository's own")
        before = path.read_text("utf-8") + "\n\n" if file["more"] else ""
        path.write_text(before + block.text, "utf-8")
        return path

    def _succeeds(self, block: Block, command: list[str]) -> None:
        code, output = self._start(command)
        if code != 0:
            raise WrongBlockError(block, f"{' '.join(command)} ended with {code}:\n{output}")

    def _start(self, command: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=BOUND_S,
            check=False,
        )
        return done.returncode, done.stdout.decode().replace(f"{self.folder}{os.sep}", "")


KINDS: Final[dict[str, Callable[[Page, Block], None]]] = {
    "python": Page.python,
    "python broken": Page.broken_python,
    "json": Page.json,
    "toml": Page.toml,
    "console": Page.console,
    "console fails": Page.failing_console,
}


def commands(block: Block) -> list[tuple[str, str]]:
    """Each `$ command` of a block with the output shown under it; "" = the page shows none."""
    found: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif not found:
            raise WrongBlockError(block, "output without a command before it")
        else:
            command, shown = found[-1]
            found[-1] = command, f"{shown}{line}\n"
    return found


def normalised(output: str) -> list[str]:
    """Lines with a placeholder for what differs between two runs."""
    for pattern, placeholder in PLACEHOLDERS:
        output = pattern.sub(placeholder, output)
    return [line.rstrip() for line in output.strip().splitlines()]


def fits(shown: list[str], output: list[str]) -> bool:
    """Is the output as shown? A line `...` stands for any lines."""
    if not shown:
        return not output
    if shown[0].strip() == REST:
        return any(fits(shown[1:], output[i:]) for i in range(len(output) + 1))
    return bool(output) and shown[0] == output[0] and fits(shown[1:], output[1:])
