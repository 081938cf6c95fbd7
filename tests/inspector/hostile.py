"""A plugin whose every text is markup that would run a script, if a page took it for markup."""

import json
import os
import sys

BAD = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LINK = "javascript:document.title='owned'"
SCHEMA = {
    "type": "object",
    "title": BAD,
    "properties": {
        BAD: {"type": "string", "description": BAD, "default": BAD, "enum": [BAD]},
        "__proto__": {"$ref": BAD},
        "odd": {"anyOf": 5, "type": {}, "properties": 7, "items": BAD},
    },
    "required": [BAD],
    "additionalProperties": True,
}
MANIFEST = {
    "name": BAD,
    "version": BAD,
    "plugin_kind": "custom",
    "description": BAD,
    "protocol_version": "1.1.0",
    "capabilities": [f"{BAD}/x", LINK],
    "env_required": [{"name": BAD, "description": BAD, "required": True}],
}
GREETING = {
    "protocol_version": "1.1.0",
    "plugin_info": {"name": BAD, "version": BAD, "plugin_kind": "custom"},
    "capabilities": {
        "methods": [BAD, f"{BAD}/x", f"{LINK}/x"],
        "mcp_tools": [{"name": BAD, "description": BAD, "input_schema": SCHEMA}],
    },
}


def write(frame: dict[str, object]) -> None:
    os.write(1, json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n")


def main() -> None:
    if "--manifest" in sys.argv:
        print(json.dumps(MANIFEST))
        return
    os.write(2, BAD.encode() + b"\n")
    for line in sys.stdin:
        frame = json.loads(line)
        if frame["method"] == "exit":
            return
        if "id" not in frame:
            continue
        os.write(1, BAD.encode() + b"\n")  # no frame
        write({"method": BAD, "params": {"id": frame["id"], "event": {BAD: BAD}}})
        if frame["method"] == "initialize":
            write({"id": frame["id"], "result": GREETING})
        elif frame["method"] == "health/check":
            write({"id": frame["id"], "result": {"status": BAD, "last_error": BAD, BAD: BAD}})
        else:
            write(
                {"id": frame["id"], "error": {"code": -32603, "message": BAD, "data": {BAD: BAD}}}
            )


if __name__ == "__main__":
    main()
