"""Takes the types that several crates define alike out of them, so that each is one class."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from _codegen.model import Bundle, GenerationError, Object

if TYPE_CHECKING:
    from collections.abc import Sequence

HOMES = {"Actor": "actor", "SubjectRef": "dispatch", "SubjectDispatch": "dispatch"}
"""The module that each shared type is written in: as many as no crate loads a type for nothing."""

APART = frozenset({"TriggerEvent"})
"""Objects that have a name in common, and nothing else."""


def apart(bundles: Sequence[Bundle]) -> list[Bundle]:
    """Every module to write: the crates, with their shared types borrowed, and their homes.

    Args:
        bundles: One per crate, each with all of its types.

    Raises:
        GenerationError: Types of one name have no home, or are not the same after all.
    """
    owners: dict[str, list[Bundle]] = defaultdict(list)
    for bundle in bundles:
        for definition in bundle.definitions:
            if isinstance(definition, Object):
                owners[definition.name].append(bundle)
    for name, found in owners.items():
        _judge(name, found)
    homes = [_home(module, bundles) for module in sorted(set(HOMES.values()))]
    crates = [_borrowing(bundle, {one.name for one in bundle.definitions}) for bundle in bundles]
    return [*crates, *homes]


def _judge(name: str, owners: list[Bundle]) -> None:
    crates = " and ".join(bundle.crate for bundle in owners)
    if len(owners) > 1 and name not in APART | HOMES.keys():
        raise GenerationError(f"{crates} have a type {name}: is it one (HOMES) or two (APART)?")
    first, *rest = (_objects(bundle)[name] for bundle in owners)
    if name in HOMES and any(other != first for other in rest):
        raise GenerationError(f"{crates} define {name} differently: it cannot be shared")


def _objects(bundle: Bundle) -> dict[str, Object]:
    return {one.name: one for one in bundle.definitions if isinstance(one, Object)}


def _home(module: str, bundles: Sequence[Bundle]) -> Bundle:
    """The module of shared types: what all its crates were read from, and each type once."""
    names = {name for name, home in HOMES.items() if home == module}
    owners = [bundle for bundle in bundles if names & _objects(bundle).keys()]
    types = {name: one for b in owners for name, one in _objects(b).items() if name in names}
    home = Bundle(
        crate=" and ".join(bundle.crate for bundle in owners),
        module=module,
        sources=tuple(dict.fromkeys(source for bundle in owners for source in bundle.sources)),
        schema={},
        definitions=tuple(types.values()),
    )
    return _borrowing(home, {field.type.name for one in types.values() for field in one.fields})


def _borrowing(bundle: Bundle, names: set[str]) -> Bundle:
    elsewhere = {n: home for n, home in HOMES.items() if n in names and home != bundle.module}
    return replace(bundle, borrowed=elsewhere)
