"""The handshake's documents, for plugins that speak by hand."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from animus_routes.compat.types.plugin_protocol import (
    EnvRequirement,
    InitializeParams,
    InitializeResult,
    KindCapability,
    PluginCapabilities,
    PluginInfo,
    PluginManifest,
)
from animus_routes.roles import PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "PluginIdentity",
    "build_initialize_result",
    "build_manifest",
    "validate_initialize_params",
]


@dataclass
class PluginIdentity:
    """Who a plugin is."""

    name: str
    version: str
    description: str
    plugin_kind: str


def required(item: str | EnvRequirement) -> EnvRequirement:
    """A variable that the host must forward; one that does not say otherwise is required."""
    if isinstance(item, str):
        return EnvRequirement(name=item, required=True)
    return item.model_copy(update={"required": True}) if item.required is None else item


def build_manifest(
    identity: PluginIdentity,
    capabilities: PluginCapabilities,
    *,
    env_required: Sequence[EnvRequirement | str] | None = None,
    notification_buffer_size: int | None = None,
    extra_capabilities: Sequence[str] | None = None,
) -> PluginManifest:
    """A manifest from its parts, with the methods and the extra tokens in order, each once."""
    tokens = [*capabilities.methods, *(extra_capabilities or ())]
    return PluginManifest(
        **asdict(identity),
        protocol_version=PROTOCOL_VERSION,
        capabilities=list(dict.fromkeys(tokens)),
        env_required=[required(item) for item in env_required or ()],
        notification_buffer_size=notification_buffer_size,
    )


def build_initialize_result(
    identity: PluginIdentity,
    capabilities: PluginCapabilities,
    kind_capabilities: dict[str, Any] | None = None,
) -> InitializeResult:
    """The result of `initialize` from its parts."""
    return InitializeResult(
        protocol_version=PROTOCOL_VERSION,
        plugin_info=PluginInfo(**asdict(identity)),
        capabilities=capabilities,
        kind_capabilities={
            kind: KindCapability.model_validate(found)
            for kind, found in (kind_capabilities or {}).items()
        },
    )


def validate_initialize_params(params: InitializeParams | dict[str, Any]) -> str | None:
    """Why the host's version is refused; None if it is not: the major versions must agree."""
    if isinstance(params, dict):
        version: Any = params.get("protocol_version")
    else:
        version = params.protocol_version
    if not isinstance(version, str) or not version:
        return "the host did not send its protocol_version"
    if version.partition(".")[0] != PROTOCOL_VERSION.partition(".")[0]:
        return f"the host speaks protocol {version}, this plugin {PROTOCOL_VERSION}"
    return None
