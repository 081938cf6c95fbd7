"""A model on loopback for agents that are real: it speaks Anthropic Messages, OpenAI Responses and Gemini.

What it answers is decided by a word of the prompt, and is the same in each of the three: see `SCRIPTS`.
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

Json = dict[str, Any]


class Script(NamedTuple):
    """What the model does when it is asked.

    Attributes:
        thought: What it thinks first.
        says: Its words, a piece each.
        uses: Does it use a tool first?
        pause_s: Between two pieces.
        status: The answer is this refusal.
    """

    says: tuple[str, ...] = ("Hello from ", "the model")
    thought: str = ""
    uses: bool = False
    pause_s: float = 0.0
    status: int = 200


SCRIPTS: Final = {
    "plain": Script(),
    "thinking": Script(thought="first I think"),
    "tool": Script(uses=True),
    "endless-tool": Script(uses=True),
    "slow": Script(tuple(f"word{n} " for n in range(200)), pause_s=0.1),
    "refused": Script(status=401),
    "busy": Script(status=429),
    "broken": Script(status=500),
    "structured": Script(('{"verdict": "good"}',)),
}
WORD: Final = re.compile(r"loopback-case-([a-z-]+)")
ENDLESS: Final = "threading.Event().wait(300)"
COMMANDS: Final = {"endless-tool": f'python3 -c "import threading; {ENDLESS}"'}
INPUT, OUTPUT = 10, 5  # tokens of each answer


def shell(command: str, tools: set[str]) -> tuple[str, Json]:
    """The agent's own tool for a command line, and what it is given."""
    known: dict[str, Json] = {
        "Bash": {"command": command, "description": "look"},
        "exec_command": {"cmd": command},
        "shell_command": {"command": command},
        "shell": {"command": ["sh", "-c", command]},
        "run_shell_command": {"command": command, "description": "look"},
        "list_directory": {"dir_path": "."},
    }
    name = next((name for name in known if name in tools), "Bash")
    return name, known[name]


class Asked(NamedTuple):
    """A request to the model.

    Attributes:
        path: Of the URL.
        body: The request.
        case: The word that was asked for.
        tools: Names of what the agent has.
        has_result: A tool's result is in it.
    """

    path: str
    body: Json
    case: str
    tools: set[str]
    has_result: bool


def anthropic(script: Script, tool: tuple[str, Json] | None, body: Json) -> Iterator[Json]:
    usage = {"input_tokens": INPUT, "output_tokens": 1}
    message: Json = {"id": f"msg_{time.monotonic_ns()}", "type": "message", "role": "assistant"}
    message |= {"model": body.get("model"), "content": [], "stop_reason": None}
    yield {"type": "message_start", "message": {**message, "stop_sequence": None, "usage": usage}}
    parts: list[tuple[Json, list[Json]]] = []
    if script.thought:
        delta = {"type": "thinking_delta", "thinking": script.thought}
        signed = {"type": "signature_delta", "signature": "c2lnbmVk"}
        parts.append(({"type": "thinking", "thinking": "", "signature": ""}, [delta, signed]))
    if tool:
        given = {"type": "input_json_delta", "partial_json": json.dumps(tool[1])}
        number = f"toolu_{time.monotonic_ns()}"
        parts.append(({"type": "tool_use", "id": number, "name": tool[0], "input": {}}, [given]))
    else:
        said = [{"type": "text_delta", "text": text} for text in script.says]
        parts.append(({"type": "text", "text": ""}, said))
    for index, (block, deltas) in enumerate(parts):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": OUTPUT}}
    yield {"type": "message_stop"}


def openai(script: Script, tool: tuple[str, Json] | None, body: Json) -> Iterator[Json]:
    response: Json = {
        "id": "resp_1",
        "object": "response",
        "model": body.get("model"),
        "output": [],
    }
    yield {"type": "response.created", "response": {**response, "status": "in_progress"}}
    items: list[Json] = []
    if script.thought:
        summary = [{"type": "summary_text", "text": script.thought}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary})
    if tool:
        number = f"call_{time.monotonic_ns()}"
        call = {"type": "function_call", "id": f"fc_{number}", "call_id": number, "name": tool[0]}
        items.append({**call, "arguments": json.dumps(tool[1]), "status": "completed"})
    else:
        said = [{"type": "output_text", "text": "".join(script.says), "annotations": []}]
        start = {"type": "message", "id": "msg_1", "role": "assistant"}
        opened = {**start, "status": "in_progress", "content": []}
        items.append({**start, "status": "completed", "content": said})
        index = len(items) - 1
        yield {"type": "response.output_item.added", "output_index": index, "item": opened}
        for text in script.says:
            place = {"item_id": "msg_1", "output_index": index, "content_index": 0}
            yield {"type": "response.output_text.delta", **place, "delta": text}
    for index, item in enumerate(items):
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    usage: Json = {"input_tokens": INPUT, "output_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}
    usage |= {"input_tokens_details": {"cached_tokens": 0}}
    usage |= {"output_tokens_details": {"reasoning_tokens": 0}}
    done = {**response, "status": "completed", "output": items, "usage": usage}
    yield {"type": "response.completed", "response": done}


def gemini(script: Script, tool: tuple[str, Json] | None, _body: Json) -> Iterator[Json]:
    def chunk(part: Json, finish: str = "") -> Json:
        content = {"role": "model", "parts": [part]}
        candidate = {"content": content, "index": 0, **({"finishReason": finish} if finish else {})}
        counted = {"promptTokenCount": INPUT, "candidatesTokenCount": OUTPUT}
        usage = {**counted, "totalTokenCount": INPUT + OUTPUT}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "loopback"}

    if script.thought:
        yield chunk({"text": f"**Thinking** {script.thought}", "thought": True})
    if tool:
        yield chunk({"functionCall": {"name": tool[0], "args": tool[1]}}, "STOP")
        return
    for text in script.says:
        yield chunk({"text": text})
    yield chunk({"text": ""}, "STOP")


def refusal(path: str, status: int) -> tuple[int, Json]:
    words = {401: "the key is not valid", 429: "slow down", 500: "it is broken"}[status]
    if "enerateContent" in path:
        code = 400 if status == 401 else status
        names = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}
        said = "API key not valid" if status == 401 else words
        return code, {"error": {"code": code, "message": said, "status": names[code]}}
    kinds = {401: "authentication_error", 429: "rate_limit_error", 500: "api_error"}
    return status, {"type": "error", "error": {"type": kinds[status], "message": words}}


class Endpoint(ThreadingHTTPServer):
    """The model; `asked` has what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[Asked] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An agent has gone away."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        self._answer(200, {"data": [], "models": []})

    do_HEAD = do_GET  # noqa: N815 - as the server wants it

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        text = raw.decode("utf-8", "replace")
        try:
            body = json.loads(raw or b"{}")
        except ValueError:  # compressed, or telemetry
            body = {}
        asked = self._asked(text, body)
        script = SCRIPTS.get(asked.case, SCRIPTS["plain"])
        speak = self._dialect()
        if speak is None or "count" in self.path:
            self._answer(200, {"input_tokens": INPUT, "totalTokens": INPUT})
            return
        self.server.asked.append(asked)
        if script.status != 200:
            self._answer(*refusal(self.path, script.status))
            return
        tool = None
        if script.uses and not asked.has_result:
            tool = shell(COMMANDS.get(asked.case, "echo found"), asked.tools)
        events = speak(script, tool, body)
        if "enerateContent" in self.path and "stream" not in self.path:
            *_, last = events
            self._answer(200, last)
            return
        self._stream(events, script.pause_s, named=speak is not gemini)

    def _dialect(self) -> Any:
        dialects = {"/v1/messages": anthropic, "/responses": openai, "enerateContent": gemini}
        return next((speak for part, speak in dialects.items() if part in self.path), None)

    def _asked(self, text: str, body: Json) -> Asked:
        words = WORD.findall(text)
        functions = json.dumps(body.get("tools") or [])
        tools = set(re.findall(r'"name": "([^"]+)"', functions))
        marks = ('"tool_result"', "function_call_output", "functionResponse")
        # What was said before a session was resumed does not count.
        rest = text[text.rfind(f"loopback-case-{words[-1]}") :] if words else text
        case = words[-1] if words else ""
        return Asked(self.path, body, case, tools, any(mark in rest for mark in marks))

    def _answer(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, events: Iterator[Json], pause_s: float, *, named: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in events:
            name = f"event: {event['type']}\n" if named else ""
            self.wfile.write(f"{name}data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
            time.sleep(pause_s)


@contextmanager
def model_endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever, daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint.shutdown()
