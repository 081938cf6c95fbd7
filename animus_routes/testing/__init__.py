"""`TestClient`: an app under test in the same process, through the same dispatcher."""

from animus_routes.testing.client import OpenStream, TestClient, check_result
from animus_routes.testing.memory import Notification

Stream = OpenStream  # its first name

__all__ = ["Notification", "OpenStream", "Stream", "TestClient", "check_result"]
