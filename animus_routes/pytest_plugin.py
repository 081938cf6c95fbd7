"""The pytest fixture that comes with an installed animus-routes."""

from __future__ import annotations

from contextlib import ExitStack
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
