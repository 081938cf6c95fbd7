"""Methods that mean something to hosts only if all of them are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.roles import Role, Together
    from animus_routes.routing.registry import Registry


def tokens_of(registry: Registry, role: Role) -> list[str]:
    """What the manifest's capabilities say of the sets that are whole."""
    return [
        token
        for together in role.together
        if _is_whole(registry, together)
        for token in together.tokens
    ]


def capabilities_of(registry: Registry, role: Role) -> tuple[str | None, dict[str, Any]]:
    """The version in `kind_capabilities`, and what `extra` says beyond what the author says."""
    version, extra = role.crate_version, dict[str, Any]()
    for together in role.together:
        whole = _is_whole(registry, together)
        if together.flag:
            extra[together.flag] = whole
        if whole:
            version = together.crate_version or version
            for name, least in together.figures.items():
                extra[name] = registry.figure(role.kind, name) or least
    return version, extra


def of_together(registry: Registry, role: Role, together: Together) -> Iterator[str]:
    """What the start-up report says of a set of which some are served."""
    missing = [name for name in together.methods if not registry.has(name)]
    if missing and together.whole:
        served = next(name for name in together.methods if registry.has(name))
        names = ", ".join(f"'{name}'" for name in missing)
        yield f"'{served}' is served without {names}: {together.whole}"
    for name, least in together.figures.items() if not missing else ():
        said = registry.figure(role.kind, name)
        if said and (not isinstance(said, int) or said < least):
            yield (
                f"App(kind_capabilities={{'{role.kind}': ...}}): {name} is {said!r}, but hosts "
                f"want at least {least}"
            )


def _is_whole(registry: Registry, together: Together) -> bool:
    return all(registry.has(name) for name in together.methods)
