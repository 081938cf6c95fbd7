"""Plugins that break one behaviour each, as edits of one that is correct, and the check that says so."""

from typing import Final

from conformance_runs import Broken, Edit

VARIABLE: Final = '"env_required": [{"name": "PLAIN_TOKEN", "required": True}],'
SHUTDOWN: Final = '        if method in ("$/ping", "shutdown"):\n'
LOOP: Final = "            plugin.take(line)\n"
INITIALIZE: Final = "        self.greeted = True\n"
UNKNOWN: Final = "        if method not in METHODS:\n"
HEALTH: Final = '            return {"status": "healthy"}\n'
EXIT: Final = '        elif method == "exit":\n'
UNWATCH: Final = '        elif method == "subject/unwatch":\n'
PAGE: Final = '        page = {"subjects"'
ANSWER: Final = 'write({"id": frame["id"], "result"'
SEEDED: Final = """\
        self.tasks: dict[str, Any] = {"task:0": {"id": "task:0", "kind": KIND, "title": "seed"}}
        self.tasks["task:0"].update(status="done", labels=[], created_at=now(), updated_at=now())
        self.tasks["task:0"]["priority"] = 2
"""
BRIEF: Final = '        if "id" not in frame:\n'


def plain(name: str, check: str, reason: str, *edits: tuple[str, str]) -> Broken:
    return Broken(name, check, reason, tuple(Edit(*edit) for edit in edits))


BROKEN: Final = (
    plain("a version of two numbers", "start.fields", "its version is 1, no semver",
          ('"version": "1.0.0"', '"version": "1"')),
    plain("no capabilities in initialize", "start.handshake", "missing required field `capabilities`",
          ('"plugin_info": ABOUT, "capabilities": capabilities}', '"plugin_info": ABOUT}')),
    plain("a manifest without a method", "start.agreement", "initialize lists subject/list",
          ('"capabilities": [*METHODS,', '"capabilities": [*METHODS[1:],')),
    plain("a handshake that needs a variable", "start.without-variables", "without PLAIN_TOKEN",
          ('    "protocol_version": "1.1.0",\n    "capa', f'    "protocol_version": "1.1.0",\n    {VARIABLE}\n    "capa'),
          (INITIALIZE, f'{INITIALIZE}        if "PLAIN_TOKEN" not in os.environ:\n            raise RefusedError(-32603, "no token")\n')),
    plain("a store made by a ping", "start.leaves-nothing", "a mere ping makes tasks.db",
          ("    plugin = Plugin()\n", '    plugin = Plugin()\n    try:\n        open("tasks.db", "w").close()\n    except OSError:\n        pass\n')),
    plain("a handshake that writes", "start.read-only", "where nothing can be written",
          (INITIALIZE, f'{INITIALIZE}        try:\n            open(".probe", "w").close()\n            os.remove(".probe")\n        except OSError:\n            raise RefusedError(-32603, "cannot write") from None\n')),
    plain("a host of 1.0 refused", "lifecycle.handshakes", "a handshake of protocol 1.0.0",
          ('spoken.startswith("1.")', 'spoken.startswith(("1.1", "1.2"))')),
    plain("death by another major", "lifecycle.other-major", "exited with code 1",
          ('        if not spoken.startswith("1."):\n', '        if not spoken.startswith("1."):\n            os._exit(1)\n')),
    plain("no gate", "lifecycle.gate", "task/list before initialize",
          ("        if not self.open:\n", "        if method == 0:\n")),
    plain("a ping with news", "lifecycle.ping", "$/ping is answered with {'pong': 1}",
          (SHUTDOWN, f'        if method == "$/ping":\n            return {{"pong": 1}}\n{SHUTDOWN}')),
    plain("a status that is none", "lifecycle.health", "$.status",
          (HEALTH, HEALTH.replace("healthy", "ok"))),
    plain("the thirtieth list fails", "lifecycle.burst", "one is answered with",
          ("        self.last = 0\n", "        self.last = 0\n        self.lists = 0\n"),
          ("    def list(self, params: Any, _id: Any) -> Any:\n", '    def list(self, params: Any, _id: Any) -> Any:\n        self.lists += 1\n        if self.lists == 30:\n            raise RefusedError(-32603, "too many")\n')),
    plain("no health beside a watch", "lifecycle.busy", "health/check gives error -32603",
          (HEALTH, f'            if self.tasks.watches:\n                raise RefusedError(-32603, "busy")\n{HEALTH}')),
    plain("another code for unknown methods", "lifecycle.unknown-methods", "and not -32601",
          ("            raise RefusedError(-32601,", "            raise RefusedError(-32600,")),
    plain("an answer to a notification", "lifecycle.notifications", "a notification is answered",
          (EXIT, f'        elif method == "no/such":\n            write({{"id": None, "error": {{"code": -32601, "message": "no"}}}})\n{EXIT}')),
    plain("null params refused", "lifecycle.no-params", '"params":null',
          ('params = frame.get("params") or {}', 'params = frame.get("params", {})')),
    plain("a cancel that is answered", "lifecycle.cancel", "gets an answer",
          (EXIT, f'        elif method == "$/cancelRequest":\n            write({{"id": params["id"], "error": {{"code": -32002, "message": "cancelled"}}}})\n{EXIT}')),
    plain("ids of 32 bits", "frames.ids", "the id 9007199254740991 is not given back",
          (ANSWER, 'frame["id"] = frame["id"] & 0xFFFFFFFF if isinstance(frame["id"], int) else frame["id"]\n            ' + ANSWER)),
    plain("ids of digits are numbers", "frames.ids-apart", "7",
          (BRIEF, f'        if str(frame.get("id")) == "7":\n            frame["id"] = 7\n{BRIEF}')),
    plain("a null id is 0", "frames.null-id", "answered with id 0",
          (BRIEF, f'        if frame.get("id", 1) is None:\n            frame["id"] = 0\n{BRIEF}')),
    plain("death by a bad frame", "frames.bad", "exited",
          ("except (ValueError, RecursionError)", "except RecursionError")),
    plain("death by params that are a list", "frames.odd-params", "exited",
          ('        if not isinstance(params, dict):\n            raise RefusedError(-32602, "params: expected an object")\n', "")),
    plain("a limit for lines", "frames.large", "exited",
          (LOOP, f"            if len(line) > 65536:\n                os._exit(1)\n{LOOP}")),
    plain("an answer to a blank line", "frames.pieces", "a blank line is answered",
          ("        if line.strip():\n", "        if line:\n")),
    plain("a print on the wire", "frames.only", "the first is 'listing'",
          (PAGE, f'        os.write(WIRE, b"listing\\n")\n{PAGE}')),
    plain("a slow shutdown", "end.shutdown", "shutdown is not answered within 2 s",
          (SHUTDOWN, f'        if method == "shutdown" and self.greeted:\n            time.sleep(2.5)\n{SHUTDOWN}')),
    plain("no shutdown before the handshake", "end.before-handshake", "shutdown before initialize",
          (SHUTDOWN, f'        if method == "shutdown" and not self.greeted:\n            raise RefusedError(-32000, "not initialized")\n{SHUTDOWN}')),
    plain("exit only behind shutdown", "end.exit", "still running 2 s after exit without shutdown",
          ("        self.greeted = False\n", "        self.greeted = False\n        self.closing = False\n"),
          (SHUTDOWN, f'        self.closing = method == "shutdown"\n{SHUTDOWN}'),
          (EXIT, EXIT.replace(":\n", " and self.closing:\n"))),
    plain("no end with the input", "end.end-of-input", "2 s after the end of its input",
          (LOOP, f"{LOOP}    time.sleep(30)\n")),
    plain("no end with a watch", "end.busy", "with a stream open",
          (LOOP, f"{LOOP}    time.sleep(30 if plugin.tasks.watches else 0)\n")),
    plain("SIGTERM is ignored", "end.sigterm", "2 s after SIGTERM",
          ("    plugin = Plugin()\n", "    import signal\n\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    plugin = Plugin()\n")),
    plain("a child is left", "end.nothing-left", "processes of it are left",
          ("    plugin = Plugin()\n", '    import subprocess\n\n    null = subprocess.DEVNULL\n    subprocess.Popen(["sleep", "30"], stdin=null, stdout=null, stderr=null)\n    plugin = Plugin()\n')),
    plain("no subject/get", "promises.required", "has to serve subject/get",
          ('VERBS = ("list", "get",', 'VERBS = ("list",')),
    plain("a schema that is not there", "promises.served", "subject/schema is advertised",
          ("        supports = {", '        raise RefusedError(-32601, "unknown method")\n        supports = {')),
    plain("v2 served in silence", "promises.unadvertised", "task/v2/list is not advertised",
          (UNKNOWN, f'        if method == "task/v2/list":\n            return self.tasks.list({{}}, 0)\n{UNKNOWN}')),
    plain("a flag that is missing", "promises.flags", "subject/schema says supports_delete = False",
          ('("watch", "create", "delete")}', '("watch", "create")}')),
    plain("no subject kinds", "promises.tokens", "has no token subject_kind:<kind>",
          ('[*METHODS, f"subject_kind:{KIND}"]', "[*METHODS]"), ('"subject_kinds": [KIND],', '"subject_kinds": [],')),
    plain("a flag that is text", "method.accepts", "Expected `bool`, got `str`",
          ('"supports_pagination": True', '"supports_pagination": "yes"')),
    plain("a title may be missing", "method.refuses", "with no title is answered with a result",
          ('"title": need(params, "title"),', '"title": str(params.get("title")),')),
    plain("a subject of another kind", "story.subject-ids", "task/list gives task:0 of kind bug",
          ("        self.tasks: dict[str, Any] = {}\n", SEEDED.replace("KIND", '"bug"'))),
    plain("a delete that deletes nothing", "story.subjects", "after subject/delete, subject/get still finds it",
          ('task = self.tasks.pop(self.find(params)["id"])', "task = self.find(params)")),
    plain("a cursor that goes back", "story.subject-paging", "twice",
          ('page["next_cursor"] = str(end)', 'page["next_cursor"] = str(end - 1)')),
    plain("p1 is low", "story.subject-words", "its priority is 1",
          ('"p1": 3,', '"p1": 1,')),
    plain("an unwatch that is answered", "story.watch-ends", "is a notification, and answered",
          (UNWATCH, f'{UNWATCH}            write({{"id": None, "error": {{"code": -32601, "message": "no"}}}})\n')),
    plain("a watch without its id", "story.watch", "subject/changed has the id",
          ('"params": {"id": watch, "event": event}', '"params": {"id": str(watch), "event": event}')),
)  # fmt: skip
