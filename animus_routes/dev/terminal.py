"""A line editor that what comes meanwhile does not disturb, with a history on disk."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from animus_routes.engine.wire import write_all

if TYPE_CHECKING:
    from collections.abc import Callable

    Complete = Callable[[str, str], list[str]]

CLEAR_LINE: Final = "\r\x1b[K"
KEPT_LINES: Final = 1000


class Terminal:
    """Reads lines from stdin: with an editor on a terminal, plainly from anything else.

    Args:
        prompt: What stands before a line.
        complete: What the last word of a line may become, from the line and the word.

    Attributes:
        is_one: There is a person at a terminal.
    """

    def __init__(self, prompt: str, complete: Complete) -> None:
        self.is_one = os.isatty(0) and os.isatty(1)
        self._prompt = prompt
        self._complete = complete
        self._found: list[str] = []
        self._lock = Lock()
        self._asking = False
        if self.is_one:
            self._edit()

    def _edit(self) -> None:
        with suppress(ImportError):  # Python was built without it
            import readline

            # A word is what stands between spaces: methods have slashes, params an equals sign.
            readline.set_completer_delims(" \t\n")
            readline.set_completer(self._completion)
            is_libedit = "libedit" in (readline.__doc__ or "")
            readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")
            readline.set_history_length(KEPT_LINES)
            with suppress(OSError):
                readline.read_history_file(history())

    def _completion(self, word: str, number: int) -> str | None:
        import readline

        if number == 0:
            line = readline.get_line_buffer()[: readline.get_endidx()]
            self._found = self._complete(line, word)
        return self._found[number] if number < len(self._found) else None

    def line(self) -> str | None:
        """The next line; None at the end."""
        if not self.is_one:
            return sys.stdin.readline() or None
        with self._lock:
            self._asking = True
        try:
            return input(self._prompt)
        except EOFError:
            return None
        finally:
            with self._lock:
                self._asking = False

    def show(self, text: str) -> None:
        """Write to stderr, past a line that is being typed; from any thread."""
        with self._lock:
            told = f"{text}\n"
            if self._asking:
                told = f"{CLEAR_LINE}{told}{self._prompt}{_typed()}"
            with suppress(OSError):
                write_all(2, told.encode("utf-8", "replace"))

    def show_result(self, text: str) -> None:
        """Write to stdout.

        Raises:
            OSError: Nobody reads it, or its disk is full.
        """
        with self._lock:
            write_all(1, f"{text}\n".encode("utf-8", "replace"))

    def close(self) -> None:
        """Keep the history."""
        if self.is_one:
            with suppress(ImportError, OSError):
                import readline

                file = history()
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch(0o600)  # params may be secrets
                readline.write_history_file(file)


def _typed() -> str:
    try:
        import readline
    except ImportError:
        return ""
    return readline.get_line_buffer()


def history() -> Path:
    """Where lines are kept: in `XDG_STATE_HOME`, or where that is by default."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "animus-routes" / "history"
