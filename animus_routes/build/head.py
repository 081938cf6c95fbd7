"""The head of a built file, for `sh`: it prints the manifest by itself, finds the interpreter, starts it.

What follows it in the file is for Python (`boot`): the shell never comes to read that.
"""

from __future__ import annotations

import json
import os
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# Builtins alone: no program has to be found on PATH. The manifest comes first, because a shell
# reads no further than it has to.
MANIFEST: Final = """#!/bin/sh
# {title}: a plugin for Animus, made by `animus-routes build`. Build it again instead of editing it.
case ${{1-}} in
--manifest | -m)
    printf '%s\\n' {manifest}
    exit
    ;;
esac
"""

FIND: Final = """for python in {candidates}; do
    case $python in
    */*) [ -x "$python" ] && break ;;
    *) command -v "$python" >/dev/null 2>&1 && break ;;
    esac
    python=
done
"""

# Without an interpreter the shell answers: a host shows the message of a refused `initialize`, and
# of a process that ends only that the connection is lost. Ids of hosts are numbers, or plain text.
MISSING: Final = """if [ -z "$python" ]; then
    printf '%s\\n' {reason} >&2
    [ $# -gt 0 ] || [ -t 0 ] || while IFS= read -r line; do
        case $line in
        *'"method":"exit"'* | *'"method": "exit"'*) break ;;
        *'"id":'*) ;;
        *) continue ;;
        esac
        id=${{line#*'"id":'}}
        id=${{id# }}
        printf '{{"jsonrpc":"2.0","id":%s,"error":{{"code":-32603,"message":%s}}}}\\n' "${{id%%[,\\}}]*}}" {message}
    done
    exit 127
fi
"""

# It reads its part at once: an install with --force writes into the same file.
START: Final = """exec "$python" {flags} -c 'import sys
with open(sys.argv[1], "rb") as file:
    file.seek({at:6d})
    text = file.read({size:6d})
exec(compile(text, sys.argv[1], "exec"))' "$0" "$@"
"""


def head(
    manifest: dict[str, Any], candidates: Sequence[str], flags: str, boot: bytes, advice: str
) -> bytes:
    """Everything up to the part for Python, and that part.

    Args:
        manifest: The app's.
        candidates: Interpreters to try in turn: absolute paths, or names that are looked up on PATH.
        flags: For the interpreter.
        boot: What it runs.
        advice: What to do if there is none of them.
    """
    name = manifest["name"]
    reason = f"{name}: there is no {' and no '.join(candidates)}: {advice}"
    text = (
        MANIFEST.format(
            title=f"{name} {manifest['version']}",
            manifest=quote(json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))),
        )
        + FIND.format(candidates=" ".join(map(quote, candidates)))
        + MISSING.format(reason=quote(_line(reason)), message=quote(json.dumps(_line(reason))))
    )
    start = START.format(flags=flags, at=0, size=len(boot))
    at = len(os.fsencode(text)) + len(os.fsencode(start))
    return os.fsencode(text + START.format(flags=flags, at=at, size=len(boot))) + boot


def _line(text: str) -> str:
    """As one line, whatever a path has in it."""
    return text.replace("\n", "\\n")
