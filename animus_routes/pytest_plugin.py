"""The pytest fixture and options that come with an installed animus-routes.

`animus_client` starts clients for apps; `--animus-app` makes a test of each check of a plugin.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.app import App
    from animus_routes.testing import ClientStarter, TestClient


@pytest.fixture
def animus_client() -> Iterator[ClientStarter]:
    """A function that starts clients for apps and shuts them down after the test.

    `client = animus_client(app)` takes what `TestClient` takes; its type is `testing.ClientStarter`.
    """
    with ExitStack() as stack:

        def start(app: App, **options: Any) -> TestClient:
            from animus_routes.testing import TestClient

            return stack.enter_context(TestClient(app, **options))

        yield start


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the checks."""
    group = parser.getgroup("animus-routes", "checks of a plugin, as of animus-routes check")
    add = group.addoption
    add("--animus-app", metavar="TARGET", help="check this app, executable or command line, too")
    add("--animus-allow-writes", action="store_true", help="try what acts on the system behind it")
    add("--animus-copy", metavar="DIR", help="try what acts in a throw-away copy of DIR")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """A test for each check, before -k and the like choose among them."""
    target = config.getoption("animus_app")
    if target is None:
        return
    from animus_routes.conformance.bench import Options
    from animus_routes.conformance.pytest_items import items_of
    from animus_routes.loading import NotAnApp

    copy = config.getoption("animus_copy")
    options = Options(
        allow_writes=bool(config.getoption("animus_allow_writes")),
        copy=Path(copy).absolute() if copy else None,
    )
    try:
        items += items_of(session, target, options)
    except NotAnApp as error:
        raise pytest.UsageError(f"--animus-app: {error}") from None
