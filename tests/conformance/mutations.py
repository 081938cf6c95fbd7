"""One behaviour of a correct plugin broken at a time, not written with any check in mind."""

from typing import Final

from conformance_runs import Edit

GET: Final = "        return self.find(params)\n"

MUTATIONS: Final[dict[str, Edit]] = {
    "list ignores the status": Edit('if not statuses or t["status"] in statuses', "if t"),
    "list ignores the limit": Edit("end = begin + limit if limit else len(found)", "end = len(found)"),
    "list forgets the cursor": Edit("        if end < len(found):\n", "        if end < 0:\n"),
    "list begins anew behind a cursor": Edit("found[begin:end]", "found[0:end]"),
    "list has no fetched_at": Edit(', "fetched_at": now()}', "}"),
    "list wraps its subjects": Edit('{"subjects": found[begin:end]', '{"subjects": {"all": found[begin:end]}'),
    "list ignores the filter's wrapper": Edit('params.get("filter", params)', "params"),
    "a bad cursor begins at the start": Edit("        if begin < 0:\n", "        if begin == -9:\n"),
    "get wraps the subject": Edit("    def get(self, params: Any, _id: Any) -> Any:\n" + GET, '    def get(self, params: Any, _id: Any) -> Any:\n        return {"subject": self.find(params)}\n'),
    "get of nothing is null": Edit('            raise RefusedError(-32602, f"not found: subject \'{wanted}\'", "not_found")\n', "            return None\n"),
    "get of nothing is -32004": Edit('RefusedError(-32602, f"not found', 'RefusedError(-32004, f"not found'),
    "get of nothing is a dying process's code": Edit('RefusedError(-32602, f"not found', 'RefusedError(-32001, f"not found'),
    "create forgets": Edit('        self.tasks[task["id"]] = task\n', ""),
    "create reuses an id": Edit("        self.last += 1\n", "        self.last = 1\n"),
    "create has no created_at": Edit('            "created_at": now(),\n', ""),
    "create writes local time without a zone": Edit('"%Y-%m-%dT%H:%M:%SZ"', '"%Y-%m-%dT%H:%M:%S"'),
    "create keeps the words of priorities": Edit("PRIORITIES[priority] if isinstance(priority, str) else priority", "priority"),
    "create forgets the kind": Edit('            "kind": KIND,\n            "title"', '            "title"'),
    "create has a status of its own": Edit('word(params.get("status", "ready"))', '"open"'),
    "create tells nobody": Edit('        self.changed("created", task)\n', ""),
    "update forgets the status": Edit("task.update(fields, updated_at=now())", "task.update(updated_at=now())"),
    "update keeps a null assignee": Edit('        if task.get("assignee") is None:\n            task.pop("assignee", None)\n', ""),
    "update ignores assignees": Edit('            fields["assignee"] = patch["assignee"]\n', "            pass\n"),
    "update refuses a null assignee": Edit('fields["assignee"] = patch["assignee"]', 'fields["assignee"] = need(patch, "assignee")'),
    "update answers with the patch": Edit('        self.changed("updated", task)\n        return task\n', '        self.changed("updated", task)\n        return patch\n'),
    "update adds no labels": Edit('*patch.get("labels_add", [])', ""),
    "update dies of a strange patch": Edit('        if not isinstance(patch, dict):\n            raise RefusedError(-32602, "patch: expected an object")\n', ""),
    "status takes any word": Edit('task.update(status=word(need(params, "status"))', 'task.update(status=need(params, "status")'),
    "status answers with ok": Edit('        self.changed("status-changed", task)\n        return task\n', '        self.changed("status-changed", task)\n        return {"ok": True}\n'),
    "status writes into a copy": Edit("        task = self.find(params)\n        task.update(status", "        task = dict(self.find(params))\n        task.update(status"),
    "words keep their underscores": Edit('.lower().replace("_", "-")', ".lower()"),
    "next gives what is done": Edit('if task["status"] == "ready"]', 'if task["status"] != "ready"]'),
    "next wraps nothing in a list": Edit('return max(ready, key=lambda task: task["priority"], default=None)', "return ready"),
    "next gives the least important": Edit("return max(ready", "return min(ready"),
    "delete answers with nothing": Edit('        return {"ok": True}\n', "        return None\n"),
    "delete tells of an update": Edit('self.changed("deleted", task)', 'self.changed("removed", task)'),
    "watch tells without the event": Edit('"params": {"id": watch, "event": event}', '"params": event'),
    "watch tells of the id alone": Edit('"subject": dict(task)}', '"subject": task["id"]}'),
    "unwatch compares numbers": Edit('if str(watch) == params.get("watch_id")', 'if watch == params.get("watch_id")'),
    "unwatch ends nothing": Edit("                del self.watches[watch]\n", "                pass\n"),
    "the gate opens without a handshake": Edit("            self.open = self.greeted\n", "            self.open = True\n"),
    "initialize names another plugin": Edit('"plugin_info": ABOUT,', '"plugin_info": {**ABOUT, "name": "other"},'),
    "initialize speaks 2.0": Edit('return {"protocol_version": "1.1.0", "plugin_info"', 'return {"protocol_version": "2.0.0", "plugin_info"'),
    "the manifest has no description": Edit('    "description": "Tasks in memory, without a framework",\n', ""),
    "frames without jsonrpc": Edit('{"jsonrpc": "2.0", **frame}', "frame"),
    "frames over two lines": Edit('json.dumps({"jsonrpc": "2.0", **frame})', 'json.dumps({"jsonrpc": "2.0", **frame}, indent=1)'),
    "an answer has a result and an error": Edit('write({"id": frame["id"], "error": refused.body})', 'write({"id": frame["id"], "result": None, "error": refused.body})'),
    "an error's code is text": Edit('self.body = {"code": code,', 'self.body = {"code": str(code),'),
    "a frame without an id is answered": Edit('        if "id" not in frame:\n', '        if "id" not in frame and frame["method"] == "initialized":\n'),
    "exit is ignored": Edit("            os._exit(0)\n", "            pass\n"),
    "prints go to the wire": Edit("os.dup2(2, 1)\n", 'print("ready")\n'),
}  # fmt: skip

# What no check fails for, and why.
UNSEEN: Final = {
    "list has no fetched_at": "hosts do not read it",
    "a bad cursor begins at the start": "cursors are opaque: no source says what becomes of a bad one",
    "update keeps a null assignee": "null and absent mean the same here",
    "update ignores assignees": "a backend may have none: a warning",
    "update adds no labels": "a backend may have none: a warning",
    "next gives the least important": "which is next is the backend's own business",
}
