"""An MCP server on stdin and stdout with one tool, for an agent that is real.

Usage: mcp_server.py FILE. MCP_SECRET, which it has from the host's configuration, is written there.
"""

import json
import os
import sys
from pathlib import Path

TOOL = {
    "name": "look_up",
    "description": "Looks it up",
    "inputSchema": {"type": "object", "properties": {}},
}


def answer(method: str, params: dict[str, object]) -> dict[str, object]:
    if method == "initialize":
        version = params.get("protocolVersion", "2025-06-18")
        about = {"name": "loopback", "version": "1.0.0"}
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    return {"tools": [TOOL]} if method == "tools/list" else {}


Path(sys.argv[1]).write_text(os.environ.get("MCP_SECRET", ""), "utf-8")
for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        result = answer(request.get("method", ""), request.get("params") or {})
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
