"""`animus-routes check` from the page: a process whose results are told as they come."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Final

import msgspec

from animus_routes.inspector.checking import Asked

if TYPE_CHECKING:
    from animus_routes.inspector.feed import Feed
    from animus_routes.inspector.plugin import Target

LINE_BYTES: Final = 4 * 1024 * 1024
STOP_S: Final = 5.0
TAIL_CHARS: Final = 2000


class Checks:
    """The last run of the checks; there is one at a time."""

    def __init__(self, target: Target, feed: Feed) -> None:
        self._target = target
        self._feed = feed
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._state: dict[str, Any] = {"state": "none", "results": []}

    def snapshot(self) -> dict[str, Any]:
        """How far it is, and every result so far."""
        return self._state

    def start(self, *, allow_writes: bool) -> bool:
        """Begin; False if one runs already."""
        if self._task is not None and not self._task.done():
            return False
        self._state = {"state": "running", "number": 0, "count": 0, "id": "", "results": []}
        self._feed.publish("check", **self._state)
        self._task = asyncio.create_task(self._run(allow_writes=allow_writes))
        return True

    async def stop(self) -> None:
        """End it, and whatever it has started."""
        process, task = self._process, self._task
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
        if task is not None:
            await task

    async def _run(self, *, allow_writes: bool) -> None:
        asked = Asked(self._target.named, allow_writes, self._target.env)
        with TemporaryFile() as request:
            request.write(msgspec.json.encode(asked))
            request.seek(0)
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "animus_routes.inspector.checking",
                stdin=request,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LINE_BYTES,
            )
        assert process.stdout is not None
        assert process.stderr is not None
        said = asyncio.create_task(process.stderr.read())
        async for line in process.stdout:
            self._take(msgspec.json.decode(line))
        code = await process.wait()
        problem = self._state.get("problem", "")
        if code and not problem:
            tail = (await said).decode("utf-8", "replace")[-TAIL_CHARS:].strip()
            problem = tail or "it was stopped"
        self._state.update(state="done", problem=problem)
        self._feed.publish("check", state="done", problem=problem)

    def _take(self, said: dict[str, Any]) -> None:
        if said["what"] == "result":
            self._state["results"].append(said["result"])
            self._feed.publish("check", result=said["result"])
        elif said["what"] == "begun":
            told = {key: said[key] for key in ("number", "count", "id")}
            self._state.update(told)
            self._feed.publish("check", **told)
        else:
            self._state["problem"] = said["text"]
