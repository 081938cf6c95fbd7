"""The other side of the wire: start a plugin the way the Animus host does and talk to it."""

from animus_routes.host.inbox import Notification, ProtocolError
from animus_routes.host.process import (
    HandshakeError,
    HostError,
    ManifestError,
    PluginExitedError,
    PluginTimeoutError,
    host_environment,
    read_manifest,
)
from animus_routes.host.running import PluginProcess

Plugin = PluginProcess  # its first name

__all__ = [
    "HandshakeError",
    "HostError",
    "ManifestError",
    "Notification",
    "Plugin",
    "PluginExitedError",
    "PluginProcess",
    "PluginTimeoutError",
    "ProtocolError",
    "host_environment",
    "read_manifest",
]
