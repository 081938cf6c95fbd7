"""`TestClient`: an app under test in the same process, through the same dispatcher."""

from animus_routes.host.inbox import Notification
from animus_routes.testing.client import OpenStream, TestClient, check_result

Stream = OpenStream  # its first name

__all__ = ["Notification", "OpenStream", "Stream", "TestClient", "check_result"]
