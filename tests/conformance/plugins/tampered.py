"""A correct plugin with something in between that changes what goes by.

`tampered.py PLUGIN CODE`: CODE defines any of `asked(method, params)`, `answered(method, params,
frame)` and `told(frame)`, which change what they are given in place; `told` may return False to drop it.
`kept` is a dict that they share.
"""

import json
import os
import subprocess
import sys
import threading
from typing import Any

kept: dict[str, Any] = {}
pending: dict[str, tuple[str, Any]] = {}
rules: dict[str, Any] = {"kept": kept}


def forward(stdin: Any) -> None:
    """From the host to the plugin."""
    for line in sys.stdin.buffer:
        frame = json.loads(line)
        method, params = frame.get("method", ""), frame.get("params") or {}
        if "asked" in rules:
            rules["asked"](method, params)
            frame["params"] = params
        if "id" in frame:
            pending[json.dumps(frame["id"])] = (method, params)
        stdin.write(json.dumps(frame).encode() + b"\n")
        stdin.flush()
    stdin.close()


def changed(line: bytes) -> bytes:
    """From the plugin to the host; empty to drop it."""
    frame = json.loads(line)
    if "id" in frame:
        method, params = pending.pop(json.dumps(frame["id"]), ("", {}))
        if "answered" in rules:
            rules["answered"](method, params, frame)
    elif "told" in rules and rules["told"](frame) is False:
        return b""
    return json.dumps(frame).encode() + b"\n"


def main() -> int:
    plugin, code, *arguments = sys.argv[1:]
    command = [sys.executable, plugin, *arguments]
    if arguments:
        return subprocess.call(command)
    exec(code, rules)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        out = os.fdopen(1, "wb")
        threading.Thread(target=forward, args=(process.stdin,), daemon=True).start()
        for line in process.stdout:
            out.write(changed(line))
            out.flush()
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
