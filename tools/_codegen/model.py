"""What the wire types are, said once: read from the schemas, written by both emitters."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

INT_BOUNDS: dict[str, tuple[int, int]] = {
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint": (0, 2**64 - 1),
    "uint64": (0, 2**64 - 1),
    "uint53": (0, 2**53 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
"""Lowest and highest value of each integer format that the schemas use.

`uint53` is a `uint64` that the schema bounds to what JavaScript can count.
"""


class GenerationError(Exception):
    """The schemas, or the patches beside them, say something the generator does not understand."""


class Shape(Enum):
    """The outermost form of a value."""

    ANY = "any"
    STRING = "string"
    TIMESTAMP = "timestamp"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    ARRAY = "array"
    MAP = "map"
    REF = "ref"


@dataclass(frozen=True)
class Text:
    """What a schema demands of a string: its length in characters, and a pattern."""

    min_length: int
    max_length: int
    pattern: str | None = None

    @property
    def name(self) -> str:
        """A name for such strings."""
        kind = "Text" if self.pattern is None else "Token"
        return f"_{kind}{self.min_length}To{self.max_length}"


@dataclass(frozen=True)
class Type:
    """The type of one value.

    Attributes:
        item: What an array or a map holds.
        name: What a ref names; the format of an integer.
        text: What is demanded of a string.
    """

    shape: Shape
    nullable: bool = False
    item: Type | None = None
    name: str = ""
    text: Text | None = None


class Presence(Enum):
    """When a field is written."""

    REQUIRED = "required"
    """Always, and the author must give it, unless a default beside the schemas does."""

    ALWAYS = "always"
    """Always; the schema has a default."""

    OMITTED = "omitted"
    """Only when it differs from its default."""


@dataclass(frozen=True)
class Field:
    """One field of an object.

    Attributes:
        name: Its name on the wire.
        attr: Its name in Python.
        type: What it holds.
        doc: What it means.
        presence: When it is written.
        default: The value when absent; for a required field, what the author may leave out.
        filled: Whether an author who leaves the field out, or writes ``""``, gets ``default``.
        tristate: Whether absent means something that no value stands for, null included.
        empty_is_null: Whether an empty object stands for null.
    """

    name: str
    attr: str
    type: Type
    doc: str
    presence: Presence
    default: Any = None
    filled: bool = False
    tristate: bool = False
    empty_is_null: bool = False


@dataclass(frozen=True)
class LegacyForm:
    """An older, tagged form of an object that is read as well, never written.

    Attributes:
        tag: The only key of the older form.
        kind: The ``kind`` that this key stands for.
        id_from: The key, inside, that holds what is the ``id`` today.
    """

    tag: str
    kind: str
    id_from: str


@dataclass(frozen=True)
class Alias:
    """A string or a number that has a name: an id, or a vocabulary that may grow."""

    name: str
    doc: str
    type: Type = Type(Shape.STRING)


@dataclass(frozen=True)
class ClosedEnum:
    """A closed vocabulary, each word with its meaning."""

    name: str
    doc: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Object:
    """An object.

    Attributes:
        tag: The constant key and value that mark an arm of a union.
        open_bag: Whether unknown keys are data.
        closed: Whether unknown keys are refused.
        legacy: Older forms that are read as well.
    """

    name: str
    doc: str
    fields: tuple[Field, ...]
    tag: tuple[str, str] | None = None
    open_bag: bool = False
    closed: bool = False
    legacy: tuple[LegacyForm, ...] = ()


@dataclass(frozen=True)
class Union:
    """One of several objects, told apart by the constant key ``tag``."""

    name: str
    doc: str
    tag: str
    arms: tuple[str, ...]


Definition = Alias | ClosedEnum | Object | Union


@dataclass(frozen=True)
class Bundle:
    """All types of one protocol crate, each after the ones that it uses.

    Attributes:
        crate: The crate's name.
        module: The name of its Python module.
        sources: Repository path and sha256 of each file that it was read from.
        schema: The JSON Schema after all corrections; tests use it as their oracle.
        definitions: The types.
        borrowed: For each of them that another module of the family holds, which one.
        later: The same, of those that are loaded only when they are asked for.
    """

    crate: str
    module: str
    sources: tuple[tuple[str, str], ...]
    schema: dict[str, Any]
    definitions: tuple[Definition, ...] = ()
    borrowed: dict[str, str] = field(default_factory=dict[str, str])
    later: dict[str, str] = field(default_factory=dict[str, str])
