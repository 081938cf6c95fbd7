"""The two families of wire types, as far as code that uses them differs."""

from __future__ import annotations

from typing import Final, NamedTuple


class Family(NamedTuple):
    """A family of wire types.

    Attributes:
        name: The package that has it, `animus_routes.<name>`.
        base: What its types have in common, for a hint; the package that it is of is imported.
        dump: A type as JSON, of `value`.
        load: A type from JSON, of `wanted` and `document`.
    """

    name: str
    base: str
    dump: str
    load: str


FAMILIES: Final = {
    family.name: family
    for family in (
        Family(
            name="structs",
            base="msgspec.Struct",
            dump="msgspec.to_builtins(value)",
            load="msgspec.convert(document, wanted)",
        ),
        Family(
            name="types",
            base="pydantic.BaseModel",
            dump='value.model_dump(mode="json", by_alias=True)',
            load="wanted.model_validate(document)",
        ),
    )
}
