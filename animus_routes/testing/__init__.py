"""`TestClient`: an app under test in the same process, through the same dispatcher."""

from collections.abc import Mapping
from typing import Any, Protocol

from animus_routes.app import App
from animus_routes.host.inbox import Notification
from animus_routes.testing.client import TestClient, check_result
from animus_routes.testing.stream import OpenStream

Stream = OpenStream  # its first name

__all__ = [
    "ClientStarter",
    "Notification",
    "OpenStream",
    "Stream",
    "TestClient",
    "check_result",
]


class ClientStarter(Protocol):
    """The type of the fixture `animus_client`, which takes what `TestClient` takes."""

    def __call__(
        self,
        app: App,
        *,
        init_extensions: Mapping[str, Any] | None = None,
        check_results: bool = True,
        timeout_s: float = 5.0,
        state: Any = ...,
        settings: Any = ...,
    ) -> TestClient:
        """A client that is shut down after the test."""
        ...
