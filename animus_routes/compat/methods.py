"""What the class-based SDK says of each wire method: what it passes, and what it makes of results.

What a method gets depends on the method alone, whatever its parameters are called and hinted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import Struct

from animus_routes.compat import results
from animus_routes.errors import Invalid
from animus_routes.routing.registry import covers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from animus_routes.roles import Registered

Params = dict[str, Any]

SCHEMA_VERB: Final = "schema"
WITHOUT_PARAMS: Final = frozenset({SCHEMA_VERB, "shutdown", "health"})


def _as_it_came(params: Params, _kind: str | None, _registered: Registered) -> Params:
    return params


class Way(Struct, frozen=True):
    """How one method is called.

    Attributes:
        model: The generated model that the params are validated as, `module.Name`; "" = a dict.
        shape: What becomes of the params before that; called as `MethodRow.adapt_params` is.
        result: What becomes of what the method returns.
        item: What becomes of each item of a stream.
        dumped: The method gets the model as a dict again, with what it has by default.
    """

    model: str = ""
    shape: Callable[[Params, str | None, Registered], Params] = _as_it_came
    result: Callable[[Any], Any] = results.plain
    item: Callable[[Any], Any] = results.plain
    dumped: bool = False


# Subjects -----------------------------------------------------------------------------------------


def meant_kind(params: Params, declared: Sequence[str]) -> str:
    """The kind that `subject/<verb>` means; one of those that are declared."""
    found = _named_kind(params)
    return found if any(covers(known, found) for known in declared) else declared[0]


def _named_kind(params: Params) -> str:
    own = params.get("kind")
    wrapped = params.get("filter")
    inner = cast("Params", wrapped).get("kind") if isinstance(wrapped, dict) else None
    id_ = params.get("id")
    prefix, colon, _ = id_.partition(":") if isinstance(id_, str) else ("", "", "")
    for found in (own, _first(inner), _first(own), prefix if colon else ""):
        if isinstance(found, str) and found:
            return found
    return ""


def _first(value: Any) -> Any:
    listed = cast("list[object]", value) if isinstance(value, list) else []
    return listed[0] if listed else ""


def _filtered(params: Params, kind: str | None, registered: Registered) -> Params:
    """The filter, wrapped or not, for kinds that are served here."""
    wrapped = params.get("filter")
    found: Params = {**cast("Params", wrapped)} if isinstance(wrapped, dict) else {**params}
    asked = found.get("kind")
    meant = kind or meant_kind(params, registered.subject_kinds)
    if kind or not asked:
        found["kind"] = [meant]
    elif isinstance(asked, list):
        named = cast("list[object]", asked)
        served = [one for one in named if isinstance(one, str) and registered.serves(one)]
        found["kind"] = served or [meant]
    return found


def _with_id(method: str) -> Callable[[Params, str | None, Registered], Params]:
    def checked(params: Params, _kind: str | None, _registered: Registered) -> Params:
        return _demand(params, "id", method)

    return checked


def _demand(params: Params, name: str, method: str) -> Params:
    if not isinstance(params.get(name), str) or not params[name]:
        message = f"{method} requires string {name}"
        raise Invalid([{"path": name, "message": message, "code": "missing"}])
    return params


def _only_id(params: Params, _kind: str | None, _registered: Registered) -> Params:
    return {"id": _demand(params, "id", "subject/delete")["id"]}


def _created(params: Params, kind: str | None, registered: Registered) -> Params:
    """`body` is what the command line calls the description."""
    found = {**params, "kind": kind or meant_kind(params, registered.subject_kinds)}
    body = found.pop("body", None)
    if body is not None and found.get("description") is None:
        found["description"] = body
    return found


def subject_schema() -> dict[str, Any]:
    """The schema of a backend without a `schema` of its own; its flags follow from its methods."""
    return {"supports_pagination": True}


# Others -------------------------------------------------------------------------------------------


def _acked(params: Params, _kind: str | None, _registered: Registered) -> Params:
    found = _demand(params, "event_id", "trigger/ack")
    return {name: found[name] for name in ("event_id", "status") if name in found}


def _batch(params: Params, _kind: str | None, _registered: Registered) -> Params:
    return {"entries": [], **params}


def _nothing(_params: Params, _kind: str | None, _registered: Registered) -> Params:
    return {}


def _queue(verb: str) -> Way:
    return Way(f"queue.Queue{verb}Request")


METHODS: Final = {
    "subject/list": Way("subject.SubjectFilter", _filtered, results.subjects),
    "subject/get": Way(shape=_with_id("subject/get"), result=results.subject),
    "subject/create": Way(shape=_created, result=results.subject),
    "subject/update": Way(result=results.subject),
    "subject/status": Way(result=results.subject),
    "subject/next": Way(result=results.subject),
    "subject/delete": Way(shape=_only_id, result=results.deleted),
    "subject/schema": Way(),
    "trigger/watch": Way(item=results.event),
    "trigger/ack": Way(shape=_acked, result=results.ignored),
    "trigger/schema": Way(),
    "agent/run": Way("provider.AgentRunRequest", result=results.run),
    "agent/resume": Way("provider.AgentRunRequest", result=results.run),
    "agent/cancel": Way("provider.AgentCancelRequest", result=results.run),
    "log_storage/store": Way("log_storage.LogStoreRequest", _batch, dumped=True),
    "log_storage/query": Way("log_storage.LogQuery"),
    "log_storage/tail": Way("log_storage.LogQuery"),
    "log_storage/schema": Way(),
    "transport/start": Way("transport.TransportConfig"),
    "transport/shutdown": Way(result=results.ignored),
    "transport/schema": Way(),
    "queue/enqueue": _queue("Enqueue"),
    "queue/list": _queue("List"),
    "queue/lease": _queue("Lease"),
    "queue/stats": Way(shape=_nothing),
    "queue/hold": _queue("Hold"),
    "queue/release": _queue("Release"),
    "queue/drop": _queue("Drop"),
    "queue/mark_assigned": _queue("MarkAssigned"),
    "queue/completion": _queue("Completion"),
    "queue/reorder": _queue("Reorder"),
    "queue/release_pending": Way("queue.QueueReleasePendingParams"),
    "workflow/execute": Way("workflow_runner.WorkflowExecuteRequest"),
    "workflow/run_phase": Way("workflow_runner.WorkflowPhaseRunRequest"),
    "durable/begin_workflow_run": Way("durable_store.BeginWorkflowRunRequest"),
    "durable/begin_step": Way("durable_store.BeginStepRequest"),
    "durable/commit_step": Way("durable_store.CommitStepRequest"),
    "durable/abandon_step": Way("durable_store.AbandonStepRequest"),
    "durable/recover_in_flight": Way("durable_store.RecoverInFlightRequest"),
    "durable/query_run": Way("durable_store.QueryRunRequest"),
    "memory/put": Way("memory_store.PutMemoryRequest"),
    "memory/get": Way("memory_store.GetMemoryRequest"),
    "memory/query": Way("memory_store.QueryMemoryRequest"),
    "memory/list_scopes": Way("memory_store.ListScopesRequest"),
    "memory/delete_scope": Way("memory_store.DeleteScopeRequest"),
    "notifier/notify": Way("notifier.NotifierNotifyParams"),
    "notifier/flush": Way("notifier.NotifierFlushParams"),
    "notifier/schema": Way(),
}
