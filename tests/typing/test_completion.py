"""What an editor offers inside the quotes: every name that the protocol has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from language_server import LanguageServer

from animus_routes import errors
from animus_routes.roles import KINDS, role

ROLES: Final = [role(kind) for kind in KINDS]
METHODS: Final = {row.name for one in ROLES for row in one.methods}
TOLD: Final = {row.name for one in ROLES for row in one.methods if row.one_way}
SENT: Final = {name for one in ROLES for name in one.notifications} | {
    row.stream.notification for one in ROLES for row in one.methods if row.stream
}
CALLED: Final = METHODS | {"initialize", "$/ping", "health/check", "shutdown"}
NOTIFIED: Final = TOLD | {"initialized", "$/cancelRequest", "exit"}
SENT_BY_ANY: Final = SENT | {"$/progress", "log/entry"}
LEVELS: Final = {"trace", "debug", "info", "warn", "warning", "error"}

HEAD = """
from animus_routes import App, Context, Router
from animus_routes.host import Plugin
from animus_routes.testing import TestClient

def f(app: App, router: Router, ctx: Context, client: TestClient, plugin: Plugin) -> None:
    """


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    with LanguageServer() as running:
        yield running


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ('@app.method("<|>")', METHODS),
        ('@app.method("<|>"', METHODS),
        ('@router.method("<|>")', METHODS),
        ('@app.method("x/y", notification="<|>")', SENT_BY_ANY),
        ('@app.notification("<|>")', TOLD),
        ('app.notify("<|>")', SENT_BY_ANY),
        ('ctx.notify("<|>")', SENT_BY_ANY),
        ('ctx.log("<|>")', LEVELS),
        ('App(kind="<|>")', set(KINDS)),
        ('App(kinds=["<|>"])', set(KINDS)),
        ('client.call("<|>")', CALLED),
        ('client.acall("<|>")', CALLED),
        ('client.request("<|>")', CALLED),
        ('client.stream("<|>")', METHODS),
        ('client.notify("<|>")', NOTIFIED),
        ('client.next_notification("<|>")', SENT_BY_ANY),
        ('plugin.call("<|>")', CALLED),
        ('plugin.request("<|>")', CALLED),
        ('plugin.notify("<|>")', NOTIFIED),
        ('plugin.next_notification("<|>")', SENT_BY_ANY),
    ],
)
def test_an_editor_completes_the_names_of_the_protocol(
    server: LanguageServer, code: str, names: set[str]
) -> None:
    assert server.completions(HEAD + code) == names


def test_there_are_as_many_methods_as_the_tables_have(server: LanguageServer) -> None:
    assert len(server.completions(HEAD + '@app.method("<|>")')) == len(METHODS) > 75


def test_an_editor_knows_the_state_of_a_context(server: LanguageServer) -> None:
    code = (
        "from animus_routes import Context\ndef f(ctx: Context[bytes]) -> None:\n    ctx.state.<|>"
    )
    assert {"decode", "hex"} <= server.completions(code)


@pytest.mark.parametrize(
    "code", ["from animus_routes.errors import <|>", "from animus_routes import errors\nerrors.<|>"]
)
def test_an_editor_finds_every_named_error_where_the_docs_import_it(
    server: LanguageServer, code: str
) -> None:
    kinds = {kind.__name__ for kind in errors.NamedError.__subclasses__()}
    assert {"AddressInUse", "ModelNotSupported", "SessionStartFailed", "RunFailed"} < kinds
    assert kinds <= set(errors.__all__) <= server.completions(code)
