"""The manifest and the initialize result, derived from the registry (facts sections 3 and 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.roles import PROTOCOL_VERSION
from animus_routes.values.codecs import to_builtins
from animus_routes.values.hints import wire_type

if TYPE_CHECKING:
    from animus_routes.routing.declaration import Declaration


def manifest(app: Declaration) -> dict[str, Any]:
    """What `--manifest` prints: one `PluginManifest`, unset fields omitted."""
    registry = app.registry
    found: dict[str, Any] = {
        "name": app.name,
        "version": app.version,
        "plugin_kind": app.kinds[0],
        "description": app.description,
        "protocol_version": PROTOCOL_VERSION,
        "capabilities": [
            *methods(app),
            *(f"subject_kind:{kind}" for kind in registry.subject_kinds),
        ],
    }
    optional = {
        "plugin_kinds": app.kinds[1:],
        "env_required": requirements(app),
        "notification_buffer_size": app.notification_buffer_size,
        "supports_mcp": app.supports_mcp,
    }
    found.update((key, value) for key, value in optional.items() if value not in (None, []))
    return found


def methods(app: Declaration) -> list[str]:
    """The list that hosts read: methods, `health/check` and the author's own tokens."""
    registry = app.registry
    tokens = [
        token
        for role in registry.roles
        for name, token in role.tokens.items()
        if registry.has(name)
    ]
    for role in registry.roles:
        if role.together:
            from animus_routes.describe.together import tokens_of

            tokens += tokens_of(registry, role)
    found = [*registry.methods(), "health/check", *tokens, *app.capabilities]
    return list(dict.fromkeys(found))


def initialize_result(app: Declaration) -> dict[str, Any]:
    """The answer to `initialize`."""
    registry = app.registry
    info: dict[str, Any] = {
        "name": app.name,
        "version": app.version,
        "plugin_kind": app.kinds[0],
        "description": app.description,
    }
    if app.kinds[1:]:
        info["plugin_kinds"] = app.kinds[1:]
    capabilities: dict[str, Any] = {
        "methods": methods(app),
        "streaming": any(registry.streams(name) for name in registry.served),
        "progress": any(registry.signature(r).contexts for r in registry.handlers.values()),
        "cancellation": True,
    }
    if registry.subject_kinds:
        capabilities["subject_kinds"] = list(registry.subject_kinds)
    if app.projections:
        capabilities["projections"] = list(app.projections)
    tools = [r for r in registry.handlers.values() if r.tool]
    if tools:
        from animus_routes.describe.tools import describe

        capabilities["mcp_tools"] = [describe(tool, registry.signature(tool)) for tool in tools]
    result: dict[str, Any] = {
        "protocol_version": PROTOCOL_VERSION,
        "plugin_info": info,
        "capabilities": capabilities,
    }
    kinds = _kind_capabilities(app)
    if kinds:
        result["kind_capabilities"] = kinds
    return result


def _kind_capabilities(app: Declaration) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for role in app.registry.roles:
        if role.crate_version is None:
            continue
        extra: dict[str, Any] = {}
        if role.extra is not None:
            extra |= to_builtins(wire_type(role.extra)())
        extra |= to_builtins(app.kind_capabilities.get(role.kind)) or {}
        version: str | None = role.crate_version
        if role.together:
            from animus_routes.describe.together import capabilities_of

            version, flags = capabilities_of(app.registry, role)
            extra |= flags
        found[role.kind] = {"crate_version": version}
        if extra:
            found[role.kind]["extra"] = extra
    return found


def requirements(app: Declaration, *, settings: bool = True) -> list[dict[str, Any]]:
    """The variables that an app declares, in `env_required` and by its settings."""
    found = [_requirement(item) for item in app.env_required]
    if settings and app.settings is not None:
        from animus_routes.handlers.settings import requirements

        known = {item["name"] for item in found}
        found += [item for item in requirements(app.settings) if item["name"] not in known]
    return found


def _requirement(item: Any) -> dict[str, Any]:
    """An `EnvRequirement`, from a name, a dict, or the wire type of either family.

    `sensitive` and `required` are always written (facts section 7).
    """
    given = {"name": item, "required": True} if isinstance(item, str) else to_builtins(item)
    flags = {key: given.get(key, False) for key in ("sensitive", "required")}
    return {**given, **flags}
