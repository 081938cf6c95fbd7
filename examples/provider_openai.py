"""Any OpenAI-compatible endpoint as an agent provider: streaming, tools, sessions that resume.

    OPENAI_BASE_URL   the endpoint; OpenAI itself if unset, `http://localhost:11434/v1` for Ollama
    OPENAI_API_KEY    sent as a bearer token; local servers need none
    OPENAI_MODEL      the model of runs that name none

A run may use the tools that its `tools` allows, as a list of names or `{"allow": [], "deny": []}`;
they read files below the run's `cwd` and change nothing. A run with `interactions: true` asks
before it uses one (`agent/interactionRequested`, answered by `agent/respond`). A session is one
JSON file below `.animus/sessions/` of the project, because hosts start a process for every run.
"""

import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from animus_routes import App, Context, InvalidRequest, NotFound, RpcError, Unavailable
from animus_routes.batteries.places import unwritable
from animus_routes.batteries.upstream import failure
from animus_routes.errors import (
    ModelNotSupported,
    NamedError,
    PermissionDenied,
    RunFailed,
    SessionStartFailed,
    Timeout,
)
from animus_routes.structs.provider import (
    AgentRespondParams,
    AgentRunRequest,
    InteractionRequestPayload,
    InteractionResponse,
)
from animus_routes.timestamps import rfc3339

import httpx
import msgspec
from msgspec import Struct
from uuid import uuid4

OPENAI: Final = "https://api.openai.com/v1"
CONNECT_S: Final = 10.0
SILENCE_S: Final = 300.0  # a reasoning model may think this long before it says anything
APPROVAL_S: Final = 300.0  # then a question that nobody answered is a no
MAX_ROUNDS: Final = 32  # of tool calls, in one run
MAX_FILE_BYTES: Final = 256 * 1024
MAX_ENTRIES: Final = 1000
MAX_MESSAGE: Final = 500

# Keys of a run that belong to the endpoint; they are passed on unchanged.
FORWARDED: Final = (
    *("reasoning_effort", "verbosity", "temperature", "top_p", "seed", "stop"),
    *("max_tokens", "max_completion_tokens", "service_tier", "parallel_tool_calls"),
)
# Keys of the protocol that mean nothing to an endpoint; the response names the others.
EXPECTED: Final = frozenset({"control_session_id", "interactions"})
ENDPOINT: Final = "the endpoint"
KINDS: Final[dict[int, type[NamedError]]] = {404: ModelNotSupported, 429: Unavailable}
Message = dict[str, Any]


async def clients() -> AsyncIterator[httpx.AsyncClient]:
    """One pool of connections for every run of this process."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    patience = httpx.Timeout(CONNECT_S, read=SILENCE_S, pool=None)
    async with httpx.AsyncClient(limits=limits, timeout=patience) as client:
        yield client


app = App(
    kind="provider",
    name="animus-provider-openai",
    version="0.1.0",
    description="Agents on any OpenAI-compatible chat completions endpoint",
    env_required=[
        {"name": "OPENAI_API_KEY", "description": "Bearer token", "sensitive": True},
        {"name": "OPENAI_BASE_URL", "description": f"The endpoint; {OPENAI} if unset"},
        {"name": "OPENAI_MODEL", "description": "The model of runs that name none"},
    ],
    lifespan=clients,
    notification_buffer_size=4096,
    supports_mcp=False,
)


@app.method("agent/run")
async def run(request: AgentRunRequest, ctx: Context[httpx.AsyncClient]) -> dict[str, Any]:
    session = request.session_id or request.extra.get("control_session_id") or uuid4().hex
    messages: list[Message] = []
    if request.system_prompt:
        messages.append({"role": "system", "content": request.system_prompt})
    messages.append({"role": "user", "content": request.prompt})
    file = session_file(request, ctx, session)
    save(file, messages)
    return await Run(request, ctx, session, file, messages).serve()


@app.method("agent/resume")
async def resume(request: AgentRunRequest, ctx: Context[httpx.AsyncClient]) -> dict[str, Any]:
    if not request.session_id:
        raise InvalidRequest("session_id: say which session to resume")
    file = session_file(request, ctx, request.session_id)
    try:
        messages = msgspec.json.decode(file.read_bytes(), type=list[Message])
    except FileNotFoundError:
        raise NotFound(f"session '{request.session_id}'") from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise SessionStartFailed(f"session '{request.session_id}': {problem}") from None
    messages.append({"role": "user", "content": request.prompt})
    return await Run(request, ctx, request.session_id, file, messages).serve()


SESSIONS: Final = (".animus", "sessions")
ASKED: Final[dict[str, asyncio.Future[InteractionResponse]]] = {}


@app.method("agent/respond")
async def respond(params: AgentRespondParams) -> bool:
    """Is anybody waiting for that answer?"""
    asked = ASKED.get(params.interaction_id)
    if asked is None or asked.done():
        return False
    asked.set_result(params.response)
    return True


# Sessions ---------------------------------------------------------------------------------------


def session_file(request: AgentRunRequest, ctx: Context, session: str) -> Path:
    """Where a session is kept.

    Raises:
        InvalidRequest: Its id cannot be a file's name.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", session):
        raise InvalidRequest("session_id: letters, digits, '.', '_' and '-', 128 at most")
    root = request.project_root or ctx.project_root
    return Path(root, *SESSIONS, f"openai-{session}.json")


def save(file: Path, messages: list[Message]) -> None:
    """Replace a session's file at once, readable by its owner only.

    Raises:
        SessionStartFailed: It cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f"{file.name}.{uuid4().hex}")
        with open(beside, "x", encoding="utf-8", opener=private) as out:
            json.dump(messages, out)
        beside.replace(file)
    except OSError as problem:
        raise SessionStartFailed(f"the session cannot be kept: {problem}") from None


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


# The endpoint -----------------------------------------------------------------------------------


def setting(request: AgentRunRequest, name: str) -> str:
    """A variable from the run's own environment, or else from this process's."""
    return request.env.get(name) or os.environ.get(name, "")


def body(request: AgentRunRequest, allowed: frozenset[str]) -> dict[str, Any]:
    """A request to the endpoint, without its messages.

    Raises:
        ModelNotSupported: No model is named anywhere.
    """
    model = request.model or setting(request, "OPENAI_MODEL")
    if not model:
        raise ModelNotSupported("the run names none, and OPENAI_MODEL is not set")
    found: dict[str, Any] = {
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
        **{name: request.extra[name] for name in FORWARDED if name in request.extra},
    }
    if request.response_schema:
        schema = {"name": "response", "schema": request.response_schema}
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    if allowed:
        found["tools"] = [
            {
                "type": "function",
                "function": {"name": name, "description": TOOLS[name][1], "parameters": PATH},
            }
            for name in sorted(allowed)
        ]
    return found


class Function(Struct):
    name: str | None = None
    arguments: str | None = None


class Call(Struct):
    """A call of a tool, put together."""

    index: int | None = None
    id: str = ""
    name: str = ""
    arguments: str = ""

    def add(self, function: Function) -> None:
        """A name comes whole, in pieces, or again with each piece of the arguments."""
        if function.name and function.name != self.name:
            self.name += function.name
        self.arguments += function.arguments or ""


def arguments(call: Call) -> Any:
    """What the model gives a tool: JSON, or the text that was to be some."""
    try:
        return json.loads(call.arguments or "{}")
    except ValueError:
        return call.arguments


class PartOfCall(Struct):
    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(Struct):
    """What a chunk adds; servers differ in how they name reasoning."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[PartOfCall] | None = None


class Choice(Struct):
    delta: Delta | None = None
    finish_reason: str | None = None


class Details(Struct):
    cached_tokens: int | None = None


class Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Details | None = None


class Chunk(Struct):
    """What endpoints send while a model speaks; every key may be missing or null."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None


ANSWER: Final = (b'"content"', b'"refusal"', b'"reasoning', b'"tool_calls"', b'"error"')


async def chunks(
    response: httpx.Response, skipped: Callable[[RunFailed], object]
) -> AsyncGenerator[Chunk, None]:
    """An event stream's objects, until its `[DONE]`.

    Lines are split here: httpx also breaks them at characters that JSON text may hold.

    Args:
        response: The stream.
        skipped: Told of an event that cannot be read and holds nothing of the answer.

    Raises:
        RunFailed: Part of the answer cannot be read, or it is an error.
    """
    decode = msgspec.json.Decoder(Chunk).decode
    rest = b""
    async for part in response.aiter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            try:
                chunk = decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
                failure = RunFailed(f"the endpoint's stream cannot be read: {problem}")
                if any(key in data for key in ANSWER):
                    raise failure from None
                skipped(failure)
                continue
            if chunk.error:
                raise RunFailed(reason(chunk.error))
            yield chunk


def reason(answer: Any) -> str:
    """What an endpoint says is wrong: `{"error": {"message": ...}}`, or nearly so."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    text = error.get("message", error) if isinstance(error, dict) else error
    return (text if isinstance(text, str) else json.dumps(text))[:MAX_MESSAGE]


class Turn:
    """One message of the model, put together from what is streamed."""

    def __init__(self) -> None:
        self.text: dict[str, list[str]] = {"output": [], "thinking": []}
        self.calls: list[Call] = []
        self.indexed: dict[int | None, Call] = {}  # under None: the one that was streamed last
        self.usage = Usage()
        self.finish = ""
        self.unreadable: RunFailed | None = None

    def take(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        """What one chunk adds, as the items to emit."""
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices or []:
            delta = choice.delta or Delta()
            thought = delta.reasoning_content or delta.reasoning
            for kind, text in (("thinking", thought), ("output", delta.content or delta.refusal)):
                if text:
                    self.text[kind].append(text)
                    yield {"kind": kind, "text": text}
            for part in delta.tool_calls or []:
                self._call(part).add(part.function or Function())
            self.finish = choice.finish_reason or self.finish

    def _call(self, part: PartOfCall) -> Call:
        """The call that a part belongs to; endpoints differ in what they say of it."""
        call = self.indexed.get(part.index)
        if call is None or (part.id and call.id not in {"", part.id}):
            same = [c for c in self.calls if part.id and c.id == part.id]
            call = next((c for c in same if len({c.index, part.index} - {None}) < 2), None)
        if call is None:
            call = Call(part.index)
            self.calls.append(call)
        call.id = part.id or call.id
        self.indexed[part.index] = self.indexed[None] = call
        return call

    def message(self) -> Message:
        """The message in the form in which the endpoint wants it back."""
        found: Message = {"role": "assistant", "content": "".join(self.text["output"])}
        if self.calls:
            found["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in self.calls
            ]
        return found


class Run:
    """One run: rounds of the model's messages and its tools' results, until it asks for none."""

    def __init__(
        self,
        request: AgentRunRequest,
        ctx: Context[httpx.AsyncClient],
        session: str,
        file: Path,
        told: list[Message],
    ) -> None:
        self.request = request
        self.ctx = ctx
        self.session = session
        self.file = file
        self.messages = told
        self.tokens: Counter[str] = Counter()
        self.turns: list[Turn] = []

    async def serve(self) -> dict[str, Any]:
        """Every failure is reported to whoever is watching the run before it becomes the answer."""
        try:
            async with asyncio.timeout(self.request.timeout_secs or None):
                return await self._rounds()
        except TimeoutError:
            failed: RpcError = Timeout(f"the run took more than {self.request.timeout_secs} s")
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            failed = Unavailable(f"{type(problem).__name__}: {problem}".rstrip(": "))
        except RpcError as problem:
            failed = problem
        self.emit({"kind": "error", "message": failed.message, "recoverable": False})
        raise failed

    def emit(self, item: dict[str, Any]) -> None:
        self.ctx.emit({**item, "session_id": self.session})

    async def _rounds(self) -> dict[str, Any]:
        allowed = allowed_tools(self.request.tools)
        asked = body(self.request, allowed)
        for _ in range(MAX_ROUNDS):
            turn = await self._turn({**asked, "messages": self.messages})
            self.messages.append(turn.message())
            asked_for = [(call, arguments(call)) for call in turn.calls]
            for call, given in asked_for:  # hosts expect all of a message before the first result
                self.emit({"kind": "toolCall", "name": call.name, "arguments": given})
            for call, given in asked_for:
                self.messages.append(await self._tool(call, given, allowed))
            save(self.file, self.messages)
            if not turn.calls:
                return self._response(asked["model"])
        raise RunFailed(f"the model asked for tools {MAX_ROUNDS} times in a row")

    async def _turn(self, asked: dict[str, Any]) -> Turn:
        client = self.ctx.state
        base = setting(self.request, "OPENAI_BASE_URL") or OPENAI
        key = setting(self.request, "OPENAI_API_KEY")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        turn = Turn()
        self.turns.append(turn)
        url = f"{base.rstrip('/')}/chat/completions"
        async with client.stream("POST", url, json=asked, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                told = await response.aread()
                refused = failure(ENDPOINT, response.status_code, response.headers, told, KINDS)
                raise refused or RunFailed(f"{ENDPOINT} answered {response.status_code}")
            async with aclosing(chunks(response, partial(self._skip, turn))) as found:
                async for chunk in found:
                    for item in turn.take(chunk):
                        self.emit(item)
        if not turn.finish:
            raise turn.unreadable or Unavailable("the endpoint's stream ended early")
        if turn.finish not in {"stop", "tool_calls", "function_call"}:
            message = f"the model stopped early: {turn.finish}"
            self.emit({"kind": "error", "message": message, "recoverable": True})
        self._count(turn.usage)
        return turn

    def _skip(self, turn: Turn, failure: RunFailed) -> None:
        """One event is broken: the rest of the answer may be there all the same."""
        turn.unreadable = failure
        self.ctx.log("warn", f"an event is skipped: {failure.message}")

    def _count(self, usage: Usage) -> None:
        details = usage.prompt_tokens_details or Details()
        counted = {
            "input": usage.prompt_tokens,
            "output": usage.completion_tokens,
            "cached": details.cached_tokens,
        }
        self.tokens.update({name: count for name, count in counted.items() if count})

    async def _tool(self, call: Call, given: Any, allowed: frozenset[str]) -> Message:
        name = call.name
        try:
            await self._ask(name, given)
            output, success = await use(name, given, allowed, self.request.cwd), True
        except (RpcError, OSError, ValueError) as problem:  # ValueError: no path has a null
            output, success = str(getattr(problem, "message", problem)), False
        # A file's name that is not UTF-8 is no text for the endpoint, nor for the session's file.
        output = LONE_SURROGATE.sub("\ufffd", output)
        self.emit({"kind": "toolResult", "name": name, "output": output, "success": success})
        return {"role": "tool", "tool_call_id": call.id, "content": output}

    async def _ask(self, name: str, given: Any) -> None:
        """Let a person decide, if the run says that there is one.

        Raises:
            PermissionDenied: The answer is no, or did not come in time.
        """
        if not self.request.extra.get("interactions"):
            return
        interaction = uuid4().hex
        ASKED[interaction] = answer = asyncio.get_running_loop().create_future()
        payload = InteractionRequestPayload(tool_name=name, arguments=given)
        late = rfc3339(datetime.now(UTC) + timedelta(seconds=APPROVAL_S))
        asked = {"interaction_id": interaction, "kind": "approval", "payload": payload}
        self.emit({**asked, "expires_at": late})
        try:
            found = await asyncio.wait_for(answer, APPROVAL_S)
        except TimeoutError:
            raise PermissionDenied("nobody answered in time") from None
        finally:
            del ASKED[interaction]
        if found.decision != "allow":
            raise PermissionDenied(found.message or "the answer is no")

    def _response(self, model: str) -> dict[str, Any]:
        """What the framework cannot know about a run; it fills in the rest."""
        said = ["".join(turn.text["output"]) for turn in self.turns]
        thought = ["".join(turn.text["thinking"]) for turn in self.turns]
        unused = sorted(set(self.request.extra) - set(FORWARDED) - EXPECTED)
        response: dict[str, Any] = {
            "session_id": self.session,
            "backend": f"openai:{model}",
            "output": "\n\n".join(filter(None, said)),
            "metadata": [{"finish_reason": self.turns[-1].finish, "unused_keys": unused}],
        }
        if any(thought):
            response["thinking"] = [text for text in thought if text]
        if self.tokens:
            response["tokens_used"] = {"input": 0, "output": 0, **self.tokens}
        return response


# Tools ------------------------------------------------------------------------------------------


def inside(cwd: str, path: str) -> Path:
    """The place below `cwd` that the model means.

    Raises:
        PermissionDenied: It is elsewhere.
    """
    top = Path(cwd).resolve()
    place = (top / path).resolve()
    if not place.is_relative_to(top):
        raise PermissionDenied(f"'{path}' is outside the working directory")
    return place


def read_file(cwd: str, path: str) -> str:
    file = inside(cwd, path)
    if not file.is_file():
        raise NotFound(f"no file '{path}'")
    with file.open("rb") as opened:
        text = opened.read(MAX_FILE_BYTES + 1)
    cut = "\n[the rest is left out]" if len(text) > MAX_FILE_BYTES else ""
    return text[:MAX_FILE_BYTES].decode("utf-8", "replace") + cut


def list_files(cwd: str, path: str) -> str:
    folder = inside(cwd, path)
    if not folder.is_dir():
        raise NotFound(f"no folder '{path}'")
    names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())
    return "\n".join(names[:MAX_ENTRIES])


TOOLS: Final[dict[str, tuple[Callable[[str, str], str], str]]] = {
    "list_files": (list_files, "List a folder of the working directory; folders end in '/'."),
    "read_file": (read_file, "Read a text file of the working directory."),
}
LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
PATH: Final = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def allowed_tools(tools: Any) -> frozenset[str]:
    """The tools a run may use: none unless it says so; `*` stands for all."""
    given = tools if isinstance(tools, dict) else {"allow": tools}
    allow, deny = given.get("allow") or [], given.get("deny") or []
    return frozenset(name for name in TOOLS if {name, "*"} & {*allow} and name not in deny)


async def use(name: str, given: Any, allowed: frozenset[str], cwd: str) -> str:
    """Run a tool on another thread, so that the event loop goes on.

    Raises:
        PermissionDenied: The run may not use it.
        InvalidRequest: It is called wrongly.
    """
    if name not in allowed:
        raise PermissionDenied(f"there is no tool '{name}'")
    if not isinstance(given, dict) or not isinstance(given.get("path"), str):
        raise InvalidRequest("the arguments have to be an object with a text 'path'")
    return await asyncio.to_thread(TOOLS[name][0], cwd, given["path"])


@app.health
def health(ctx: Context) -> str | None:
    """Can a session be kept?"""
    return unwritable(Path(ctx.project_root, *SESSIONS, "session"))


if __name__ == "__main__":
    app.run()
