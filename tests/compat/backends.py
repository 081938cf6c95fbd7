"""One class-based backend per role, written as the published SDK wants them, and their plugins."""

from collections.abc import Iterable, Iterator
from typing import Any

from animus_routes.compat import (
    AgentRunRequest,
    AgentRunResponse,
    CallContext,
    HealthReport,
    LogEntry,
    PluginHandle,
    ProviderCallContext,
    Subject,
    SubjectCallContext,
    SubjectCreateRequest,
    SubjectListParams,
    SubjectListResult,
    TransportConfig,
    TriggerEvent,
    define_plugin,
)

TIME = "2026-11-21T09:00:00Z"


def plugin(kind: str, impl: object, **options: Any) -> PluginHandle:
    return define_plugin(
        kind, impl, name=f"animus-{kind}-test", version="1.2.3", description="x", **options
    )


class Notes:
    """A subject backend of bare dicts and half-filled subjects."""

    def __init__(self) -> None:
        self.notes = {"note:1": "milk"}

    def list(self, params: SubjectListParams, ctx: SubjectCallContext) -> SubjectListResult:
        wanted = not params.status or "ready" in params.status
        found = [self._note(i, ctx) for i in self.notes] if wanted else []
        return SubjectListResult(subjects=found, fetched_at="")

    def get(self, params: dict[str, Any], ctx: SubjectCallContext) -> Subject | None:
        return self._note(params["id"], ctx) if params["id"] in self.notes else None

    async def create(self, params: SubjectCreateRequest, ctx: SubjectCallContext) -> Subject:
        number = f"note:{len(self.notes) + 1}"
        self.notes[number] = params.title
        return self._note(number, ctx)

    def update(self, params: Any, ctx: Any) -> dict[str, Any]:
        self.notes[params.id] = params.patch.title
        return {"id": params.id, "kind": ctx.kind, "title": params.patch.title}

    def health(self, ctx: CallContext) -> HealthReport:
        return HealthReport(status="degraded", last_error=f"asked as {ctx.request_id is not None}")

    def _note(self, number: str, ctx: SubjectCallContext) -> Subject:
        return Subject(
            id=number, kind=ctx.kind, title=self.notes[number], created_at="", updated_at=""
        )


class Echo:
    """A provider that says what it was asked, until it is cancelled."""

    def run(
        self, params: AgentRunRequest, ctx: ProviderCallContext
    ) -> AgentRunResponse | dict[str, Any]:
        assert ctx.stream is not None
        assert ctx.cancelled is not None
        ctx.stream.thinking(text="hm")
        ctx.stream.tool_call(name="look", arguments={"at": params.prompt})
        ctx.stream.tool_result(name="look", output="seen")
        for word in params.prompt.split():
            ctx.stream.output(text=word)
        if params.prompt == "wait":
            ctx.cancelled.wait()
        ctx.stream.output(text=params.prompt, final=True)
        return {"backend": "echo", "cancelled": ctx.cancelled.is_set()}


class Ticks:
    """A trigger backend whose `watch` returns a list, as any iterable will do."""

    def __init__(self) -> None:
        self.acked: list[Any] = []

    def watch(self, params: dict[str, Any], ctx: CallContext) -> Iterable[Any]:
        return [TriggerEvent(event_id="1"), {"event_id": "2", "payload": params["cursor"]}]

    def ack(self, params: dict[str, Any], ctx: CallContext) -> None:
        self.acked.append((params["event_id"], params.get("status")))


class Logs:
    """A log storage backend with a generator for `tail`, and a `schema` that wants the context."""

    def store(self, params: dict[str, Any], ctx: CallContext) -> dict[str, int]:
        return {"stored": len(params["entries"])}

    def tail(self, params: Any, ctx: CallContext) -> Iterator[LogEntry]:
        for number in range(params.limit or 2):
            yield LogEntry(
                id=str(number), ts=TIME, level="info", source="daemon", target="t", message="m"
            )

    def schema(self, ctx: CallContext) -> dict[str, Any]:
        return {"supports_dedup": ctx.request_id is not None}


class Http:
    """A transport; `shutdown` takes nothing at all."""

    def start(self, params: TransportConfig, ctx: CallContext) -> dict[str, str]:
        return {"bound_addr": params.bind_addr or "127.0.0.1:1", "started_at": TIME}

    def shutdown(self) -> None:
        pass


class Events:
    """A notifier without hints."""

    def notify(self, params: Any, ctx: CallContext) -> dict[str, Any]:
        assert params.event.data == params.model_dump()["event"]["data"]
        return {"accepted": params.event.event_type == "a", "delivered": 1}


class Everything:
    """Answers every verb with an empty object, for the roles that are request and reply."""

    def __init__(self, verbs: Iterable[str]) -> None:
        for verb in verbs:
            setattr(self, verb, self._answer)

    def _answer(self, params: Any, ctx: CallContext) -> dict[str, Any]:
        return {}
