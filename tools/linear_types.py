"""Compare tests/examples/linear.graphql with the types that Linear publishes.

    python tools/linear_types.py FILE      an index*.d.mts of the npm package @linear/sdk

Linear publishes no schema in a package, but the types made of it. Each type, field, argument and enum
value of ours has to be there, with the same type, and as nullable as there: an input of ours that is
required has to be required there, and what is required there and not among ours is told.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

SCHEMA: Final = Path(__file__).parents[1] / "tests" / "examples" / "linear.graphql"
BLOCK: Final = re.compile(
    r"^(?:export )?(?:declare )?(type|enum) (\w+)(?: = (?:\w+ & )*| )\{\n(.*?)^\}",
    re.MULTILINE | re.DOTALL,
)
FIELD: Final = re.compile(r"^  (\w+)(\??): (.+);$", re.MULTILINE)
VALUE: Final = re.compile(r'^  \w+ = "(\w+)",?$', re.MULTILINE)
SCALAR: Final = re.compile(r'Scalars\["(\w+)"\]')
WRAPPER: Final = re.compile(r"\b(?:Maybe|InputMaybe|Array)<|>")

Declared = dict[
    str, tuple[str, bool, bool]
]  # by name: the type's name, is it a list, is it required


def declared(text: str) -> tuple[dict[str, Declared], dict[str, set[str]]]:
    """The fields of types and inputs, and the values of enums, by the type's name in lower case."""
    types: dict[str, Declared] = {}
    enums: dict[str, set[str]] = {}
    for kind, name, body in BLOCK.findall(text):
        if kind == "enum":
            enums[name.lower()] = set(VALUE.findall(body))
            continue
        types[name.lower()] = {
            field: (named(told), "Array<" in told, not optional)
            for field, optional, told in FIELD.findall(body)
            if field != "__typename"
        }
    return types, enums


def named(told: str) -> str:
    """`Maybe<Array<Scalars["String"]>>` is about `string`."""
    return SCALAR.sub(r"\1", WRAPPER.sub("", told)).lower()


def differences(schema: GraphQLSchema, text: str) -> Iterator[str]:
    types, enums = declared(text)
    for name, ours in schema.type_map.items():
        if name.startswith("__") or isinstance(ours, GraphQLScalarType | GraphQLInterfaceType):
            continue
        if isinstance(ours, GraphQLEnumType):
            strange = set(ours.values) - enums.get(name.lower(), set())
            yield from (f"{name}.{value}: there is no such value" for value in sorted(strange))
        elif name.lower() not in types:
            yield f"{name}: there is no such type"
        else:
            yield from of_type(name, ours, types)


def of_type(name: str, ours: GraphQLNamedType, types: dict[str, Declared]) -> Iterator[str]:
    theirs = types[name.lower()]
    assert isinstance(ours, GraphQLObjectType | GraphQLInputObjectType)
    for field, mine in ours.fields.items():
        yield from compared(f"{name}.{field}", mine.type, theirs.get(field))
        if isinstance(mine, GraphQLField) and mine.args:
            arguments = types.get(f"{name}{field}Args".lower(), {})
            for argument, given in mine.args.items():
                place = f"{name}.{field}({argument})"
                yield from compared(place, given.type, arguments.get(argument))
            missing = required(arguments) - mine.args.keys()
            yield from (f"{name}.{field}({one}): it is required" for one in sorted(missing))
    if isinstance(ours, GraphQLInputObjectType):
        missing = required(theirs) - ours.fields.keys()
        yield from (f"{name}.{field}: it is required" for field in sorted(missing))


def required(fields: Declared) -> set[str]:
    return {field for field, (_, _, is_required) in fields.items() if is_required}


def compared(place: str, ours: Any, theirs: tuple[str, bool, bool] | None) -> Iterator[str]:
    if theirs is None:
        yield f"{place}: there is no such field"
        return
    is_required = isinstance(ours, GraphQLNonNull)
    found = (get_named_type(ours).name.lower(), is_list_type(get_nullable_type(ours)), is_required)
    for what, mine, other in zip(("type", "list", "required"), found, theirs, strict=True):
        if mine != other:
            yield f"{place}: {what} is {other} at Linear, and {mine} here"


def main(arguments: list[str]) -> int:
    text = "\n".join(Path(name).read_text("utf-8") for name in arguments)
    schema = build_schema(SCHEMA.read_text("utf-8"))
    found = [*differences(schema, text)]
    print("\n".join(found) or f"{len(schema.type_map)} types agree with Linear's")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
