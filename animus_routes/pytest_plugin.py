"""The pytest fixture that comes with an installed animus-routes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from animus_routes.app import App
    from animus_routes.testing import TestClient


@pytest.fixture
def animus_client() -> Iterator[Callable[..., TestClient]]:
    """Start clients for apps: `client = animus_client(app)`; they are shut down after the test."""
    with ExitStack() as stack:

        def start(app: App, **options: Any) -> TestClient:
            from animus_routes.testing import TestClient

            return stack.enter_context(TestClient(app, **options))

        yield start
