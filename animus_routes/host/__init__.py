"""The other side of the wire: start a plugin the way the Animus host does and talk to it.

Each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

    Plugin = PluginProcess

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

_HOMES = {"Notification": "inbox", "ProtocolError": "inbox", "PluginProcess": "running"}
_OTHERS = "process"
_OLD_NAMES = {"Plugin": "PluginProcess"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    own = _OLD_NAMES.get(name, name)
    module = __import__(f"{__name__}.{_HOMES.get(own, _OTHERS)}", fromlist=[own])
    found = globals()[name] = getattr(module, own)
    return found
