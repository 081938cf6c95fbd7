"""`TestClient`: an app under test in the same process, through the same dispatcher."""

from animus_routes.testing.client import Notification, Stream, TestClient, check_result

__all__ = ["Notification", "Stream", "TestClient", "check_result"]
