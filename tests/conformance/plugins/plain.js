// A plugin in JavaScript, without any library: one tool that reverses a text.
"use strict";

const fs = require("fs");

const METHODS = ["text/reverse", "health/check"];
const ABOUT = { name: "animus-custom-reverse", version: "1.0.0", plugin_kind: "custom" };
const MANIFEST = {
  ...ABOUT,
  description: "Reverses texts",
  protocol_version: "1.1.0",
  capabilities: METHODS,
};

let greeted = false;
let open = false;

function refused(code, message) {
  return Object.assign(new Error(message), { code });
}

function answer(method, params) {
  if (params === null || typeof params !== "object" || Array.isArray(params)) {
    throw refused(-32602, "params: expected an object");
  }
  switch (method) {
    case "$/ping":
    case "shutdown":
      return {};
    case "health/check":
      return { status: "healthy" };
    case "initialize":
      if (!String(params.protocol_version).startsWith("1.")) {
        throw refused(-32602, `the host speaks ${params.protocol_version}, this plugin 1.1.0`);
      }
      greeted = true;
      return {
        protocol_version: "1.1.0",
        plugin_info: ABOUT,
        capabilities: {
          methods: METHODS,
          mcp_tools: [
            {
              name: "text/reverse",
              input_schema: {
                type: "object",
                properties: { text: { type: "string" } },
                required: ["text"],
              },
            },
          ],
        },
      };
    case "text/reverse":
      if (!open) throw refused(-32000, "not initialized");
      if (typeof params.text !== "string") throw refused(-32602, "text: expected a string");
      return { text: [...params.text].reverse().join("") };
    default:
      throw refused(-32601, `unknown method '${method}'`);
  }
}

function write(frame) {
  fs.writeSync(1, JSON.stringify({ jsonrpc: "2.0", ...frame }) + "\n");
}

function take(line) {
  let frame;
  try {
    frame = JSON.parse(line);
  } catch {
    return write({ id: null, error: { code: -32700, message: "not JSON" } });
  }
  if (frame === null || typeof frame !== "object" || typeof frame.method !== "string") return;
  if (!("id" in frame)) {
    if (frame.method === "initialized") open = greeted;
    if (frame.method === "exit") process.exit(0);
    return;
  }
  try {
    write({ id: frame.id, result: answer(frame.method, frame.params ?? {}) });
  } catch (error) {
    write({ id: frame.id, error: { code: error.code ?? -32603, message: error.message } });
  }
}

if (process.argv[2] === "--manifest") {
  process.stdout.write(JSON.stringify(MANIFEST) + "\n");
} else {
  let rest = Buffer.alloc(0);
  process.stdin.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end; (end = rest.indexOf(10)) >= 0; rest = rest.subarray(end + 1)) {
      const line = rest.subarray(0, end).toString();
      if (line.trim()) take(line);
    }
  });
  process.stdin.on("end", () => process.exit(0));
}
