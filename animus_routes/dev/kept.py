"""A plugin's process of which nothing is left when this one is killed."""

from __future__ import annotations

import subprocess
from typing import IO, TYPE_CHECKING, Any, cast

from animus_routes.batteries.keepers import NEVER_S, Keeper
from animus_routes.errors import Unavailable
from animus_routes.host.process import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class KeptProcess:
    """What `PluginProcess` needs of a `subprocess.Popen`, above a keeper.

    Args:
        command: What starts the plugin.
        env: Its environment.
        stderr: What its errors go to, as for `subprocess.Popen`.

    Attributes:
        pid: The plugin's process number, which is also that of its group.
        stdin: Its pipes; the same for `stdout` and `stderr`.

    Raises:
        HostError: It cannot be started.
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], stderr: Any) -> None:
        pipe = subprocess.PIPE
        try:
            self._keeper = Keeper(command, env=env, stdin=pipe, stdout=pipe, stderr=stderr)
            self._keeper.confirm()
        except Unavailable as error:
            raise HostError(error.message) from error
        process = self._keeper.process
        self.pid = self._keeper.pid
        self.stdin = cast("IO[bytes]", process.stdin)
        self.stdout = cast("IO[bytes]", process.stdout)
        self.stderr = process.stderr

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        self._keeper.look()
        return self._keeper.final_code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, for so many seconds; what the plugin has left goes on.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        keeper = self._keeper
        keeper.wait(lambda: keeper.final_code is not None, NEVER_S if timeout is None else timeout)
        code = keeper.final_code
        if code is None:
            raise subprocess.TimeoutExpired("the plugin", timeout or 0)
        keeper.release()
        return code

    def kill(self) -> None:
        """End it, and everything below it."""
        self._keeper.end(0)
