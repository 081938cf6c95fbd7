"""Takes the types that several crates define alike out of them, so that each is one class."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from _codegen.model import Bundle, GenerationError, Object, Shape, Union

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from _codegen.model import Definition, Type

HOMES = {
    "Actor": "actor",
    "SubjectRef": "dispatch",
    "SubjectDispatch": "dispatch",
    "ExecutionFence": "execution",
    "QueueLeaseFence": "execution",
    "RepositoryReservation": "execution",
    "SubjectGeneration": "execution",
}
"""The module that each shared type is written in: as many as no crate loads a type for nothing.

It is a crate's own, or one of shared types alone.
"""

LATER = {
    "environment": ("environment_nodes", r"ExecSession.*|.*Node.*|Reap.*"),
    "plugin": ("plugin_operations", r"ConversationOperation(?!AppendFence).*"),
    "queue": ("queue_v2", r"FencedQueueEntry|.*V2.*|QueueLease(Block|Mutation|Renew|Recover).*"),
    "subject": ("subject_v2", r".*V2|SubjectRequestContext"),
}
"""What a crate's module loads only when it is asked for, and the module that is written for it.

Most plugins serve hosts of one age, and pay for each type that they load.
"""

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
    own = {bundle.module for bundle in bundles}
    homes = [_home(module, bundles) for module in sorted(set(HOMES.values()) - own)]
    crates = [_borrowing(bundle, {one.name for one in bundle.definitions}) for bundle in bundles]
    return [*(part for crate in crates for part in _parts(crate)), *homes]


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


def _parts(bundle: Bundle) -> list[Bundle]:
    """A crate's module, and the one of its types that are loaded later, if there are some."""
    module, pattern = LATER.get(bundle.module, ("", r"(?!)"))
    own = {one.name: one for one in bundle.definitions if one.name not in bundle.borrowed}
    later = {name: one for name, one in own.items() if re.fullmatch(pattern, name)}
    first = {name: one for name, one in own.items() if name not in later}
    early = [name for name in _used(first.values()) if name in later]
    if early:
        raise GenerationError(f"{bundle.crate}: {', '.join(early)} cannot be loaded later")
    homes = {bundle.borrowed[name] for name in _used(first.values()) if name in bundle.borrowed}
    idle = {name: home for name, home in bundle.borrowed.items() if home not in homes}
    main = replace(
        bundle,
        borrowed={name: home for name, home in bundle.borrowed.items() if home in homes},
        later=idle | dict.fromkeys(later, module),
    )
    if not later:
        return [main]
    elsewhere = bundle.borrowed | dict.fromkeys(first, bundle.module)
    needed = {name: elsewhere[name] for name in _used(later.values()) if name in elsewhere}
    return [
        main,
        replace(bundle, module=module, definitions=tuple(later.values()), borrowed=needed),
    ]


def _used(definitions: Iterable[Definition]) -> list[str]:
    """The names that some definitions refer to."""
    names: list[str] = []
    for one in definitions:
        if isinstance(one, Union):
            names += one.arms
        for field in one.fields if isinstance(one, Object) else ():
            names += _named(field.type)
    return list(dict.fromkeys(names))


def _named(kind: Type | None) -> list[str]:
    if kind is None:
        return []
    return [kind.name] if kind.shape is Shape.REF else _named(kind.item)
