#!/usr/bin/env python3
"""A subject backend on the standard library alone, correct as far as a host can see.

The tests break one behaviour of it at a time; so each line that they change stands once.
"""

import json
import os
import sys
import threading
import time
from typing import Any

KIND = "task"
NAME = "animus-subject-plain"
VERBS = ("list", "get", "create", "update", "status", "next", "delete", "schema", "watch")
METHODS = [f"{group}/{verb}" for verb in VERBS for group in ("subject", KIND)]
METHODS.append("health/check")
ABOUT: dict[str, Any] = {"name": NAME, "version": "1.0.0", "plugin_kind": "subject_backend"}
MANIFEST = {
    **ABOUT,
    "description": "Tasks in memory, without a framework",
    "protocol_version": "1.1.0",
    "capabilities": [*METHODS, f"subject_kind:{KIND}"],
}
STATUSES = ("ready", "in-progress", "blocked", "done", "cancelled")
PRIORITIES = {"none": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}
PRIORITIES |= {"p0": 4, "p1": 3, "p2": 2, "p3": 1}

LOCK = threading.Lock()
WIRE = os.dup(1)
os.dup2(2, 1)


class RefusedError(Exception):
    def __init__(self, code: Any, message: Any, category: Any = "invalid_request") -> None:
        super().__init__(message)
        self.body = {"code": code, "message": message, "data": {"category": category}}


def write(frame: Any) -> None:
    data = json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n"
    with LOCK:
        while data:
            data = data[os.write(WIRE, data) :]


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def need(params: Any, name: Any, kind: Any = str) -> Any:
    value = params.get(name)
    if not isinstance(value, kind):
        raise RefusedError(-32602, f"{name}: expected {kind.__name__}, got {value!r}")
    return value


def text(params: Any, name: Any) -> Any:
    return "" if params.get(name) is None else need(params, name)


class Tasks:
    def __init__(self) -> None:
        self.tasks: dict[str, Any] = {}
        self.last = 0
        self.watches: dict[Any, bool] = {}

    def find(self, params: Any) -> Any:
        wanted = need(params, "id")
        found = self.tasks.get(wanted) or self.tasks.get(f"{KIND}:{wanted}")
        if found is None:
            raise RefusedError(-32602, f"not found: subject '{wanted}'", "not_found")
        return found

    def changed(self, kind: Any, task: Any) -> None:
        for watch in list(self.watches):
            event = {"id": task["id"], "change_kind": kind, "subject": dict(task)}
            write({"method": "subject/changed", "params": {"id": watch, "event": event}})

    def list(self, params: Any, _id: Any) -> Any:
        asked = params.get("filter", params)
        if not isinstance(asked, dict):
            raise RefusedError(-32602, "filter: expected an object")
        statuses = asked.get("status")
        if statuses is not None and not isinstance(statuses, list):
            raise RefusedError(-32602, "status: expected a list")
        found = [t for t in self.tasks.values() if not statuses or t["status"] in statuses]
        begin = int(asked.get("cursor") or 0) if str(asked.get("cursor") or 0).isdigit() else -1
        if begin < 0:
            raise RefusedError(-32602, "cursor: it is none of ours")
        limit = asked.get("limit")
        if limit is not None and (not isinstance(limit, int) or limit < 0):
            raise RefusedError(-32602, "limit: expected a number")
        end = begin + limit if limit else len(found)
        page = {"subjects": found[begin:end], "fetched_at": now()}
        if end < len(found):
            page["next_cursor"] = str(end)
        return page

    def get(self, params: Any, _id: Any) -> Any:
        return self.find(params)

    def create(self, params: Any, _id: Any) -> Any:
        self.last += 1
        priority = params.get("priority", 2)
        task = {
            "id": f"{KIND}:{self.last}",
            "kind": KIND,
            "title": need(params, "title"),
            "status": word(params.get("status", "ready")),
            "priority": PRIORITIES[priority] if isinstance(priority, str) else priority,
            "labels": need(params, "labels", list) if params.get("labels") else [],
            "description": text(params, "description") or text(params, "body"),
            "created_at": now(),
            "updated_at": now(),
        }
        self.tasks[task["id"]] = task
        self.changed("created", task)
        return task

    def update(self, params: Any, _id: Any) -> Any:
        task, patch = self.find(params), params.get("patch") or {}
        if not isinstance(patch, dict):
            raise RefusedError(-32602, "patch: expected an object")
        fields: dict[str, Any] = {"status": word(patch["status"])} if patch.get("status") else {}
        if "title" in patch:
            fields["title"] = need(patch, "title")
        if "assignee" in patch:
            fields["assignee"] = patch["assignee"]
        labels = [*task["labels"], *patch.get("labels_add", [])]
        fields["labels"] = [one for one in labels if one not in patch.get("labels_remove", [])]
        task.update(fields, updated_at=now())
        if task.get("assignee") is None:
            task.pop("assignee", None)
        self.changed("updated", task)
        return task

    def status(self, params: Any, _id: Any) -> Any:
        task = self.find(params)
        task.update(status=word(need(params, "status")), updated_at=now())
        self.changed("status-changed", task)
        return task

    def next(self, _params: Any, _id: Any) -> Any:
        ready = [task for task in self.tasks.values() if task["status"] == "ready"]
        return max(ready, key=lambda task: task["priority"], default=None)

    def delete(self, params: Any, _id: Any) -> Any:
        task = self.tasks.pop(self.find(params)["id"])
        self.changed("deleted", task)
        return {"ok": True}

    def schema(self, _params: Any, _id: Any) -> Any:
        supports = {f"supports_{verb}": True for verb in ("watch", "create", "delete")}
        return {
            "kinds": [KIND],
            "status_values": list(STATUSES),
            "supports_pagination": True,
            **supports,
        }

    def watch(self, _params: Any, request_id: Any) -> Any:
        self.watches[request_id] = True
        return {"watching": True}

    def unwatch(self, params: Any) -> None:
        for watch in list(self.watches):
            if str(watch) == params.get("watch_id"):
                del self.watches[watch]


def word(status: Any) -> str:
    meant = str(status).lower().replace("_", "-")
    if meant not in STATUSES:
        raise RefusedError(-32602, f"status: expected one of {', '.join(STATUSES)}")
    return meant


class Plugin:
    def __init__(self) -> None:
        self.tasks = Tasks()
        self.greeted = False
        self.open = False

    def answer(self, method: Any, params: Any, request_id: Any) -> Any:
        if not isinstance(params, dict):
            raise RefusedError(-32602, "params: expected an object")
        if method in ("$/ping", "shutdown"):
            return {}
        if method == "health/check":
            return {"status": "healthy"}
        if method == "initialize":
            return self.initialize(params)
        if method not in METHODS:
            raise RefusedError(-32601, f"unknown method '{method}'", "method_not_found")
        if not self.open:
            raise RefusedError(-32000, "not initialized")
        return getattr(self.tasks, method.partition("/")[2])(params, request_id)

    def initialize(self, params: Any) -> Any:
        spoken = str(params.get("protocol_version"))
        if not spoken.startswith("1."):
            raise RefusedError(-32602, f"the host speaks protocol {spoken}, this plugin 1.1.0")
        self.greeted = True
        capabilities = {
            "methods": METHODS,
            "subject_kinds": [KIND],
            "streaming": True,
            "progress": False,
            "cancellation": True,
        }
        return {"protocol_version": "1.1.0", "plugin_info": ABOUT, "capabilities": capabilities}

    def notified(self, method: Any, params: Any) -> None:
        if method == "initialized":
            self.open = self.greeted
        elif method == "subject/unwatch":
            self.tasks.unwatch(params)
        elif method == "exit":
            os._exit(0)

    def take(self, line: Any) -> None:
        try:
            frame = json.loads(line)
        except (ValueError, RecursionError):
            write({"id": None, "error": {"code": -32700, "message": "not JSON"}})
            return
        if not isinstance(frame, dict) or not isinstance(frame.get("method"), str):
            return
        params = frame.get("params") or {}
        if "id" not in frame:
            self.notified(frame["method"], params)
            return
        try:
            write({"id": frame["id"], "result": self.answer(frame["method"], params, frame["id"])})
        except RefusedError as refused:
            write({"id": frame["id"], "error": refused.body})


def main() -> None:
    if sys.argv[1:] == ["--manifest"]:
        os.write(WIRE, json.dumps(MANIFEST).encode() + b"\n")
        return
    plugin = Plugin()
    for line in sys.stdin.buffer:
        if line.strip():
            plugin.take(line)


if __name__ == "__main__":
    main()
