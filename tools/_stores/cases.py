"""What is called on each store: a row for each way in which the amount of data could show."""

from collections.abc import Mapping
from typing import Any, Final

from _stores.calls import After, Call, Case, Params, Row, same
from _stores.filling import AT, FEW, PARENT, TOLD
from _stores.queue_cases import QUEUE

RUN: Final = {"phase_id": "p"}


def step(run: str, number: int) -> dict[str, Any]:
    key = f"{run}-{number}"
    return {**RUN, "run_id": run, "step_name": key, "idempotency_key": key}


def known_step(number: int) -> dict[str, Any]:
    n = 301 + 2 * number
    return {**RUN, "run_id": f"r{n}", "step_name": f"n{n}", "idempotency_key": f"k{n}"}


DURABLE: Final[tuple[Row, ...]] = (
    (
        "begin_workflow_run",
        "begin_workflow_run",
        lambda n: {**RUN, "run_id": f"new{n}", "inputs": {}},
    ),
    ("begin_step in a large run", "begin_step", lambda n: step("big", n)),
    ("begin_step in a small run", "begin_step", lambda n: step("r301", n)),
    ("begin_step, committed", "begin_step", known_step),
    ("commit_step", "commit_step", lambda n: {"step_id": f"s{n}", "outcome": "success"}),
    ("abandon_step", "abandon_step", lambda n: {"step_id": f"s{100 + n}"}),
    ("recover_in_flight, few of all", "recover_in_flight", same(since_epoch=0)),
    ("query_run, small", "query_run", same(run_id="r301", **RUN)),
)


def message(seq: int) -> dict[str, Any]:
    return {"seq": seq, "role": "user", "content": "", "recorded_at": AT}


META: Final = {"created_at": AT, "updated_at": AT, "message_count": 1}


def key(number: int, of: str) -> dict[str, Any]:
    """An operation of the large conversation's owner in one of its small ones."""
    return {"conversation_id": f"c{number % FEW}", "caller_key": f"{of}{number}", "as_user": "few"}


def begun(of: str, *, leased: bool = False, **more: Any) -> After:
    def asked(call: Call, number: int) -> Any:
        own = key(number, of)
        claim = call("conversation/operation_begin", {**own, "request_hash": "h"})["claim"]
        held = {name: claim[name] for name in ("operation_id", "lease_token")} if leased else {}
        return {**own, **held, **more}

    return After(asked)


def accepted(of: str, call: Call, number: int) -> dict[str, Any]:
    """An operation whose user's message is taken, in a conversation of its own."""
    own = {"conversation_id": f"{of}{number}", "caller_key": "k", "as_user": "few"}
    call("conversation/create", {"id": own["conversation_id"], "owner": "few", "as_user": "few"})
    claim = call("conversation/operation_begin", {**own, "request_hash": "h"})["claim"]
    held = {**own, **{name: claim[name] for name in ("operation_id", "lease_token")}}
    call("conversation/operation_accept_user", {**held, "user_seq": 0})
    return held


@After
def answering(call: Call, number: int) -> Any:
    held = accepted("answering", call, number)
    fence = {name: held[name] for name in ("caller_key", "operation_id", "lease_token")}
    own = {"id": held["conversation_id"], "as_user": "few"}
    return {**own, "message": {**message(1), "role": "assistant"}, "operation_fence": fence}


@After
def ending(call: Call, number: int) -> Any:
    return {**accepted("ending", call, number), "status": "completed", "assistant_seq": 1}


CONVERSATIONS: Final[tuple[Row, ...]] = (
    ("create", "create", lambda n: {"id": f"new{n}"}),
    ("load_meta, small", "load_meta", same(id="c100")),
    ("load_meta, large", "load_meta", same(id="c0")),
    ("load_messages, small", "load_messages", same(id="c100")),
    ("append_message, small", "append_message", lambda n: {"id": "c101", "message": message(n)}),
    (
        "append_message, large",
        "append_message",
        lambda n: {"id": "c0", "message": message(200_000 + n)},
    ),
    (
        "save_meta",
        "save_meta",
        lambda n: {"meta": {**META, "id": "c102", "owner": "u2", "title": f"t{n}"}},
    ),
    ("list of one who sees few", "list", same(as_user="few")),
    ("delete, small", "delete", lambda n: {"id": f"c{200 + n}"}),
    ("operation_begin", "operation_begin", lambda n: {**key(n, "begin"), "request_hash": "h"}),
    ("operation_load", "operation_load", begun("load")),
    ("operation_renew", "operation_renew", begun("renew", leased=True)),
    (
        "operation_bind_execution",
        "operation_bind_execution",
        begun("bind", leased=True, execution_hash="h"),
    ),
    ("operation_release", "operation_release", begun("release", leased=True)),
    ("operation_accept_user", "operation_accept_user", begun("accept", leased=True, user_seq=0)),
    ("append_message with a key", "append_message", answering),
    ("operation_terminalize", "operation_terminalize", ending),
)


def listed(**query: Any) -> Params:
    return same(limit=10, **query)


def acting(user: str) -> dict[str, Any]:
    return {"context": {"actor": {"user_id": user, "tenant_id": "t"}}}


def owned(user: str, **query: Any) -> Params:
    return same(**acting(user), filter={"limit": 50, **query})


def own_task(of: int, **more: Any) -> Params:
    """One of those that many tasks' owner has, which are all but every 25th and its multiples."""
    return lambda n: {**acting("many"), "id": f"task:{of + n + n // 24 + 2}", **more}


def below(parent: int) -> Params:
    return same(**acting("many"), kind="task", payload={"title": "x", "parent": f"task:{parent}"})


TASKS: Final[tuple[Row, ...]] = (
    ("list, first page", "list", listed()),
    ("list, late page", "list", listed(cursor="after-900")),
    ("get", "get", lambda n: {"id": f"task:{n + 1}"}),
    ("next", "next", same()),
    ("status of few", "list", listed(status=["in-progress"])),
    ("status of many", "list", listed(status=["ready"])),
    ("two statuses", "list", listed(status=["ready", "in-progress"])),
    ("native status of few", "list", listed(native_status="In Review")),
    ("assignee of few", "list", listed(assignee=["few"])),
    ("assignee of many", "list", listed(assignee=["u1"])),
    ("assignee of none", "list", listed(assignee=["nobody"])),
    ("label of few", "list", listed(labels_any=["rare"])),
    ("label of many", "list", listed(labels_all=["common"])),
    ("label of none", "list", listed(labels_any=["nothing"])),
    ("attachment of none", "list", listed(has_attachment_kind="pr")),
    ("few and many together", "list", listed(status=["ready"], labels_any=["rare", "common"])),
    ("updated_since, few", "list", listed(updated_since="2026-01-31T10:00:00Z")),
    ("updated_since, the newest 50th", "list", listed(updated_since="2026-01-31T09:40:00Z")),
    ("updated_since, all", "list", listed(updated_since="2026-01-01T00:00:00Z")),
    ("create", "create", lambda n: {"title": f"new {n}"}),
    ("update", "update", lambda n: {"id": f"task:{n + 100}", "patch": {"title": f"t{n}"}}),
    ("delete", "delete", lambda n: {"id": f"task:{n + 300}"}),
    ("status", "status", lambda n: {"id": f"task:{n + 200}", "status": "blocked"}),
    ("update, end of a chain", "update", lambda n: {"id": "task:2", "patch": {"title": f"t{n}"}}),
    ("comment, one of many", "update", same(id=f"task:{TOLD + 1}", patch={"comment": "c"})),
    ("v2/create, one of many children", "v2/create", below(PARENT + 1)),
    ("v2/create, end of a chain", "v2/create", below(2)),
    ("v2/get", "v2/get", own_task(0)),
    (
        "v2/create",
        "v2/create",
        lambda n: {**acting("many"), "kind": "task", "payload": {"title": f"own {n}"}},
    ),
    ("v2/update", "v2/update", own_task(0, patch={"labels_add": ["more"]})),
    ("v2/status", "v2/status", own_task(100, status="done")),
    ("v2/delete", "v2/delete", own_task(400)),
    ("owner of few", "v2/list", owned("few")),
    ("owner of many", "v2/list", owned("many")),
    ("owner of none", "v2/list", owned("nobody")),
    ("owner of many, status of few", "v2/list", owned("many", status=["in-progress"])),
    ("owner of many, a 50th", "v2/list", owned("many", status=["blocked"], limit=10)),
)
LATE: Final = "before-2026-01-15T00:00:00.000000000-0"
LOGS: Final[tuple[Row, ...]] = (
    ("store", "store", lambda n: {"entries": [log(n)]}),
    ("query, first page", "query", listed()),
    ("since, newest", "query", listed(since="2026-01-28T23:00:00Z")),
    ("since, all", "query", listed(since="2026-01-01T00:00:00Z")),
    ("level of few", "query", listed(min_level="error")),
    ("level of many", "query", listed(min_level="debug")),
    ("source of all", "query", listed(source="daemon")),
    ("source_name of few", "query", listed(source_name="few")),
    ("source_name of nobody", "query", listed(source_name="nobody")),
    ("glob of few", "query", listed(target_glob="app.few.*")),
    ("glob of many", "query", listed(target_glob="app.many.*")),
    ("glob of none", "query", listed(target_glob="none.*")),
    ("glob that begins with a wildcard", "query", listed(target_glob="**.x9")),
    ("glob of few, each its own", "query", listed(target_glob="app.own.*")),
    ("glob of few, each its own, by a word", "query", listed(target_glob="*.own.**")),
    ("glob of none below many targets", "query", listed(target_glob="app.wide.*.err")),
    ("text, rare", "query", listed(text="rare")),
    ("text, common", "query", listed(text="common")),
    ("text, absent", "query", listed(text="nothing")),
    ("text, common, of few", "query", listed(text="common", source_name="few")),
    ("text, common once", "query", listed(text="old")),
    ("text, rare, of all", "query", listed(text="rare", source="daemon")),
    ("text, absent, of many", "query", listed(text="nothing", source_name="many")),
    ("text, rare, in targets of many", "query", listed(text="rare", target_glob="app.**")),
    ("late page of two", "query", listed(cursor=LATE, min_level="debug", source_name="many")),
    ("late page of a glob", "query", listed(cursor=LATE, target_glob="app.many.**")),
    ("late page of a text", "query", listed(cursor=LATE, text="common")),
)


def log(number: int) -> dict[str, Any]:
    own = {"id": f"new{number}", "ts": "2026-02-01T00:00:00Z", "level": "info"}
    return {**own, "source": "daemon", "target": "app.new", "message": "new common"}


BIG: Final = {"project_id": "big"}
SMALL: Final = {"project_id": "p2", "agent_id": "a0"}
MEMORY: Final[tuple[Row, ...]] = (
    ("put", "put", lambda n: {"scope": BIG, "key": f"new{n}", "value": "some common words"}),
    ("put, again", "put", lambda n: {"scope": BIG, "key": "k1", "value": f"other {n}"}),
    ("get", "get", same(scope=BIG, key="k3")),
    ("rare word in a small scope", "query", same(scope=SMALL, query="rare", top_k=5)),
    ("common word in a small scope", "query", same(scope=SMALL, query="common", top_k=5)),
    ("absent word", "query", same(scope=BIG, query="nothing", top_k=5)),
    ("list_scopes, first page", "list_scopes", same(page_size=5)),
    ("list_scopes of a project", "list_scopes", same(project_id="p2", page_size=5)),
    ("list_scopes of an unknown project", "list_scopes", same(project_id="nobody", page_size=5)),
    (
        "delete_scope, small",
        "delete_scope",
        lambda n: {"scope": {"project_id": "p4", "agent_id": f"a{n % 9}"}},
    ),
)
JOURNAL: Final[tuple[Row, ...]] = (
    ("save", "save", lambda n: {"run": {"workflow_id": f"new{n}", "status": "done", "blob": {}}}),
    ("load", "load", same(workflow_id="r5")),
    ("list, first page", "list", listed()),
    ("status of few", "list", listed(status=["failed"])),
    ("status of many", "list", listed(status=["done"])),
    ("status of none", "list", listed(status=["paused"])),
    ("two statuses", "list", listed(status=["done", "failed"])),
    ("status and ref", "list", listed(status=["done"], workflow_ref="few")),
    ("query_ids of few", "query_ids", listed(workflow_ref="few")),
    ("events of one run", "events", listed(run_id="r5")),
    ("events of a large run", "events", listed(run_id="big")),
    ("events of all", "events", listed()),
    (
        "record in a large run",
        "record",
        lambda n: {"event": {"run_id": "big", "kind": "phase_started", "ts": AT, "n": n}},
    ),
    (
        "checkpoint_save",
        "checkpoint_save",
        lambda n: {"workflow_id": "big", "checkpoint_num": 10**6 + n, "blob": {}},
    ),
    ("checkpoint_load", "checkpoint_load", same(workflow_id="big", checkpoint_num=2)),
    ("checkpoint_list of a small run", "checkpoint_list", same(workflow_id="r5")),
    ("checkpoint_prune of a small run", "checkpoint_prune", same(workflow_id="r5", keep=1)),
    ("delete, small", "delete", lambda n: {"workflow_id": f"r{101 + 2 * n}"}),
)


def told(number: int) -> dict[str, Any]:
    own = {"schema": "animus.daemon.event.v1", "id": f"e{number}", "seq": number, "data": {}}
    return {"event": {**own, "timestamp": AT, "event_type": "task-done"}}


NOTIFIER: Final[tuple[Row, ...]] = (
    ("flush, nothing is due", "flush", same()),
    ("notify, new", "notify", lambda n: told(200_000 + n)),
    ("notify, known", "notify", told),
)
TABLES: Final[Mapping[str, tuple[str, tuple[Row, ...]]]] = {
    "queue_sql": ("queue", QUEUE),
    "durable_sql": ("durable", DURABLE),
    "conversations_sql": ("conversation", CONVERSATIONS),
    "tasks_sqlite": ("task", TASKS),
    "logs_sqlite": ("log_storage", LOGS),
    "memory_sqlite": ("memory", MEMORY),
    "journal_sqlite": ("journal", JOURNAL),
    "notifier_apprise": ("notifier", NOTIFIER),
}
CASES: Final = tuple(
    Case(example, title, f"{prefix}/{verb}", params)
    for example, (prefix, rows) in TABLES.items()
    for title, verb, params in rows
)
