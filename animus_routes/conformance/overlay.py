"""Params that a plugin has to accept, by method: what hosts really send, beside what is made.

Only for methods that read: a story calls the others, because their params depend on each other.
`<project>` stands for the folder that the plugin is started in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.rows import advertised, called, row_of
from animus_routes.conformance.shapes import list_of, object_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from animus_routes.conformance.bench import Bench

USER: Final = "animus-check"
ACTOR: Final[dict[str, Any]] = {"user_id": USER, "claims": [], "tenant_id": USER}
CONTEXT: Final[dict[str, Any]] = {"actor": ACTOR}
SCOPE: Final[dict[str, Any]] = {"project_root": "<project>", "repo_scope": USER}
CONVERSATIONS: Final[dict[str, Any]] = {"actor": ACTOR, "tenant_id": USER, "as_user": USER, **SCOPE}
NOTHING: Final[dict[str, Any]] = {}

REAL: Final[Mapping[str, tuple[dict[str, Any], ...]]] = {
    "subject/list": (
        NOTHING,
        {"filter": {}},
        {"limit": 2},
        {"status": ["ready", "done"]},
        {"filter": {"status": ["ready"], "limit": 1}},
    ),
    "subject/next": (NOTHING,),
    "subject/schema": (NOTHING,),
    "subject/v2/list": ({"context": CONTEXT}, {"context": CONTEXT, "filter": {"limit": 1}}),
    "trigger/schema": (NOTHING,),
    "log_storage/query": ({"limit": 20}, {"min_level": "info", "limit": 200}),
    "log_storage/schema": (NOTHING,),
    "transport/schema": (NOTHING,),
    "notifier/schema": (NOTHING,),
    "channel/schema": (NOTHING,),
    "queue/list": (NOTHING, {"limit": 500}),
    "queue/stats": (NOTHING,),
    "queue/next_deadline": (NOTHING,),
    "config/load": (SCOPE,),
    "journal/list": (NOTHING, {"limit": 5}),
    "journal/query_ids": (NOTHING,),
    "journal/schema": (NOTHING,),
    "conversation/list": (CONVERSATIONS,),
    "environment/list": (NOTHING,),
    "memory/list_scopes": (NOTHING,),
}


def real(bench: Bench, method: str) -> list[Any]:
    """The params that a method has to accept: the author's own, and those known here."""
    row = row_of(bench, method)
    known = REAL.get(method if row is None else row.name, ())
    return [*bench.options.values.get(method, ()), *(filled(bench, params) for params in known)]


def filled(bench: Bench, value: Any) -> Any:
    """The value, with the project's folder where it is meant."""
    if isinstance(value, dict):
        return {key: filled(bench, item) for key, item in object_of(value).items()}
    if isinstance(value, list):
        return [filled(bench, item) for item in list_of(value)]
    return str(bench.project) if value == "<project>" else value


def reader(bench: Bench) -> tuple[str, Any] | None:
    """A method that only reads, as hosts call it, with params that it accepts."""
    for name in advertised(bench):
        row = row_of(bench, name)
        if row is not None and row.reads and row.stream is None and (given := real(bench, name)):
            return called(bench, name), given[0]
    return None


def stream(bench: Bench) -> tuple[str, Any] | None:
    """A stream that only reads and goes on, with its params."""
    for name in advertised(bench):
        row = row_of(bench, name)
        if row is not None and row.reads and row.stream is not None:
            return name, STREAMS.get(row.name, {})
    return None


STREAMS: Final[Mapping[str, dict[str, Any]]] = {"log_storage/tail": {"follow": True}}
