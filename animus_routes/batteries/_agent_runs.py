"""One run of an agent: what its lines say, as the items and the response of a provider."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from animus_routes.errors import ModelNotSupported, NotFound, RunFailed, Unavailable
from animus_routes.serving.masks import without

if TYPE_CHECKING:
    from animus_routes.errors import RpcError
    from animus_routes.handlers.context import Context

__all__ = ["BUSY", "LOGIN", "MODEL", "SESSION", "Run"]

LINE_BYTES: Final = 64 * 1024 * 1024  # the longest line that is read
SHOWN: Final = 256 * 1024  # characters of one value or text in a notification
MESSAGE: Final = 600  # characters of an error's message
NAME: Final = 80

# Why a run failed: no login, a service that wants to be asked later, no such model, no such session.
LOGIN: Final = "login"
BUSY: Final = "busy"
MODEL: Final = "model"
SESSION: Final = "session"
# A number is one of HTTP where something says so: a test suite counts, too.
STATUS: Final = r"(\b(status|http(/[\d.]+)?|error|code)\b\W{1,4}|[(\[])((status|code)\W{1,4})?"
CAUSES: Final = {
    SESSION: r"no (conversation|rollout) found|session (id|identifier)\b|resuming session",
    LOGIN: rf"{STATUS}401\b|not logged in|/login\b|unauthori[sz]ed|authenticat|auth method"
    r"|(?<!-)api.?key",  # and no flag of that name
    BUSY: rf"{STATUS}(429|503|529)\b|rate.?limit|quota|overloaded|high demand|too many requests"
    r"|service unavailable",
    MODEL: r"\bmodel\b.*\b(not found|not supported|not exist|unknown|invalid)",
}


class Named(Protocol):
    """What a run tells of its agent."""

    @property
    def title(self) -> str: ...
    @property
    def program(self) -> str: ...
    @property
    def login(self) -> str: ...


class Run:
    """What is known of a run while its lines are read. An agent's `read` calls the methods.

    Attributes:
        session: The agent's id of the session; "" before a line has said it.
        version: The agent's own; "" if no line says it.
        model: The one that is used, if a line says it.
        tokens: `input` (all that was read), `output`, `cached` and `cache_writes` of them.
        cost_usd: What it cost, if the agent says so.
        answer: The value that the run's `response_schema` asked for, as text.
        retry_after_s: When to try again, if the agent says so.
        has_begun: Has there been a line?
        has_text: Has anything been said?
        has_ended: The last line has come.
        is_blind: A line was too long to be read, and may have been the last one.
        secrets: What is kept out of all that is told, in the forms of `serving.masks`.
        reason: Why the run has failed, if it turns out that it has.
    """

    def __init__(self, agent: Named, ctx: Context[Any], *, session: str = "") -> None:
        self.agent = agent
        self.version = self.model = self.answer = ""
        self.session = session
        self.tokens: dict[str, int] = {}
        self.cost_usd: float | None = None
        self.retry_after_s: float | None = None
        self.has_begun = self.has_text = self.has_ended = False
        self.more: dict[str, Any] = {}
        self.secrets: list[str] = []
        self.lost = 0
        self.is_blind = False
        self.streamed: set[str] = set()
        self._resumed = session
        self._ctx = ctx
        self.reason = ""
        self._failure = self._cause = self._likely = ""
        self._held = ""
        self._calls: dict[str, str] = {}
        self._is_apart = False

    # What a line says -----------------------------------------------------------------------------

    def say(self, text: str, *, apart: bool = False) -> None:
        """Text of the model. What is apart, or comes after anything else, begins a paragraph."""
        if not text:
            return
        if apart:
            self.begin_text()
        if self.has_text and self._is_apart:
            text = f"\n\n{text}"
        self.has_text, self._is_apart = True, False
        self.reason = self._likely = ""  # the run goes on
        text = self._held + text
        end = safe_end(self.secrets, text) if self.secrets else len(text)
        self._held = text[end:]
        self._say(text[:end])

    def begin_text(self) -> None:
        """What is said from here on is another text than before."""
        self.flush()
        self._is_apart = True

    def flush(self) -> None:
        """Tell what was held back, because a secret may have begun with it."""
        text, self._held = self._held, ""
        self._say(text)

    def _say(self, text: str) -> None:
        told = self._hidden(text)
        for start in range(0, len(told), SHOWN):
            self._emit("output", text=told[start : start + SHOWN])

    def think(self, text: str) -> None:
        """Reasoning that the agent shows."""
        if text:
            self._emit("thinking", text=_cut(self._hidden(text)))

    def call(self, number: str, name: str, arguments: Any, server: str | None = None) -> None:
        """A tool is called.

        Args:
            number: The agent's id of the call, which the result has, too.
            name: The tool's.
            arguments: What it is given.
            server: The MCP server that has it.
        """
        self._calls[number] = name
        self.begin_text()
        self._emit("toolCall", name=name, arguments=_shown(self._hidden(arguments)), server=server)

    def has_call(self, number: str) -> bool:
        """Has this call been told?"""
        return number in self._calls

    def result(self, number: str, output: Any, *, success: bool) -> None:
        """What a tool returned."""
        name = self._calls.get(number) or number
        self.begin_text()
        self._emit("toolResult", name=name, output=_shown(self._hidden(output)), success=success)

    def warn(self, message: str) -> None:
        """Something went wrong, and the run goes on."""
        self._emit("error", message=_cut(self._hidden(message), MESSAGE), recoverable=True)

    def explain(self, message: str, cause: str = "") -> None:
        """Why the run has failed, if it turns out that it has: it may go on, and then this is forgotten.

        Args:
            message: Why, in the agent's words.
            cause: As that of `fail`.
        """
        self.reason, self._likely = message, cause

    def fail(self, message: str, cause: str = "") -> None:
        """The run has failed, whatever its exit code will be.

        Args:
            message: Why, in the agent's words.
            cause: LOGIN, BUSY, MODEL or SESSION; found out from the words if left out.
        """
        told = message or self.reason or "it failed and did not say why"
        self._failure = self._failure or told
        self._cause = self._cause or cause or self._likely

    def end(self) -> None:
        """The last line has come."""
        self.has_ended = True

    def lose(self, line: bytes) -> None:
        """A line that cannot be read: the run goes on without it."""
        self.lost += 1
        self.is_blind = self.is_blind or len(line) >= LINE_BYTES  # it may have been the last one
        if self.lost == 1:
            begin = self._hidden(line[:SHOWN].decode("utf-8", "replace"))[:NAME]
            self._ctx.log("warn", f"a line of {self.agent.title} is skipped: {begin!r}")

    def _hidden(self, value: Any) -> Any:
        """Without secrets. Before it is cut, because half of one would not be found."""
        return without(self.secrets, value) if self.secrets else value

    def _emit(self, kind: str, **item: Any) -> None:
        if self.session:
            item["session_id"] = self.session
        self._ctx.emit({"kind": kind, **self._hidden(item)})

    # What comes of it -----------------------------------------------------------------------------

    def error(self, exit_code: int, said: str) -> RpcError | None:
        """Why the run has failed; None if it has not.

        Args:
            exit_code: Of the agent; what was told of a failure counts for more.
            said: The end of what it wrote to stderr.
        """
        text = self._failure
        if not text and exit_code:
            from animus_routes.batteries.children import ending

            text = f"it {ending(exit_code)}"
        elif not text and not self.has_ended and not self.is_blind:
            text = "it ended before it was done"
        if not text:
            return None
        if not self._failure:
            self._cause = self._likely
            why = [*filter(None, (self.reason, _last(self._hidden(said))))]
            text = f"{text}: {'; '.join(why)}" if why else text
        return self._named(_cut(self._hidden(text), MESSAGE), {"exit_code": exit_code})

    def _named(self, text: str, data: dict[str, Any]) -> RpcError:
        title = self.agent.title
        found = (name for name, words in CAUSES.items() if re.search(words, text, re.IGNORECASE))
        causes = [self._cause] if self._cause else [*found]
        if SESSION in causes and self._resumed:
            return NotFound(f"session '{self._resumed}': {text}", data)
        if LOGIN in causes:
            return Unavailable(f"{title} has no valid login: {text}. {self.agent.login}", data)
        if BUSY in causes:
            return Unavailable(f"{title}: {text}", data, retry_after_s=self.retry_after_s)
        if MODEL in causes:
            return ModelNotSupported(f"{title}: {text}", data)
        return RunFailed(f"{title}: {text}", data)

    def response(self, totals: dict[str, Any]) -> dict[str, Any]:
        """What the framework cannot know of a run; it fills in the rest.

        Args:
            totals: Tokens and cost of this run, and `tokens_of`: of the run, or of its session.
        """
        told: dict[str, Any] = {"agent": self.agent.title, "model": self.model, **self.more}
        told["skipped_lines"] = self.lost
        cost = totals.pop("cost_usd", None)
        told |= {"cost_usd": cost, "tokens_of": totals.pop("tokens_of", None)}
        response: dict[str, Any] = {
            "backend": f"{self.agent.program}:{self.version}".rstrip(":"),
            "metadata": [{name: value for name, value in told.items() if value not in EMPTY}],
        }
        if self.session:
            response["session_id"] = self.session
        if totals:
            response["tokens_used"] = {"input": 0, "output": 0, **totals}
        if self.answer:
            response["output"] = self._hidden(self.answer)
        return response


EMPTY: Final[tuple[Any, ...]] = (None, "", 0, [], {})


def safe_end(secrets: list[str], text: str) -> int:
    """Up to where a text can be told: what follows may be the beginning of a secret."""
    ends = [len(text)]
    for secret in secrets:
        start = text.find(secret[0], max(len(text) - len(secret) + 1, 0))
        while start >= 0 and not secret.startswith(text[start:]):
            start = text.find(secret[0], start + 1)
        if start >= 0:
            ends.append(start)
    end = min(ends)
    across = re.finditer(
        "|".join(map(re.escape, secrets)), text
    )  # a secret that the end would halve
    return next((found.start() for found in across if found.start() < end < found.end()), end)


def _cut(text: str, most: int = SHOWN) -> str:
    return text if len(text) <= most else f"{text[:most]} [{len(text) - most} characters more]"


def _shown(value: Any) -> Any:
    """A value as it is, or the beginning of it as text if it is very long."""
    if isinstance(value, str):
        return _cut(value)
    written = msgspec.json.encode(value)
    return value if len(written) <= SHOWN else _cut(written.decode())


def _last(said: str) -> str:
    """The last lines of what was said, as many as fit into a message."""
    text = said.strip()
    if len(text) <= MESSAGE - NAME:
        return text
    return text[NAME - MESSAGE :].partition("\n")[2] or text[NAME - MESSAGE :]
