"""Writes the models of the class-based SDK's surface: lax, with plain times, unset options null."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from _codegen import writing
from _codegen.model import ClosedEnum, Object, Presence, Shape, Type, Union
from _codegen.shared import LATER
from _codegen.writing import class_body, literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _codegen.model import Bundle, Definition, Field, Text

MODULES = (
    "durable_store",
    "log_storage",
    "memory_store",
    "notifier",
    "plugin",
    "provider",
    "queue",
    "subject",
    "transport",
    "trigger",
    "workflow_runner",
)
"""The modules that the SDK has; other crates are newer than it."""

NEWER = {
    "plugin": r"Chat.*|Conversation.*|Visibility",
    **{module: pattern for module, (_, pattern) in LATER.items() if module != "plugin"},
}
"""What it has not, by module."""

_SCALARS = {
    Shape.STRING: "str",
    Shape.BOOL: "bool",
    Shape.FLOAT: "float",
    Shape.TIMESTAMP: "str",
}
_BASE = "animus_routes.compat.types._model"
_TAKEN = frozenset({"fields", "schema", "model_override"})


class Classic:
    """pydantic models that read and write as the SDK's do."""

    title = "the class-based SDK's models"
    package = "animus_routes.compat.types.generated"
    origins = {  # noqa: RUF012 - a constant
        "typing": ("Any", "Literal", "TypeAlias"),
        "pydantic": ("Field", "model_validator"),
        _BASE: writing.public_names(_BASE),
        "animus_routes.types._model": ("flatten_legacy",),
    }

    def annotation(self, kind: Type) -> str:
        """The Python type of a value."""
        return writing.annotation(kind, _SCALARS)

    def text(self, demands: Text) -> str:
        """Nothing is demanded of strings."""
        del demands
        return "str"

    def union(self, definition: Union) -> list[str]:
        """The alias of a union, in the order of the schema."""
        first, *rest = definition.arms
        return [
            f"{definition.name}: TypeAlias = (",
            f"    {first}",
            *(f"    | {arm}" for arm in rest),
            ")",
            *writing.doc_lines(definition.doc),
        ]

    def enum_helpers(self, definition: ClosedEnum) -> list[list[str]]:
        """Nothing follows an enum here."""
        del definition
        return []

    def object(self, definition: Object) -> list[str]:
        """A model, its fields in alphabetical order."""
        lines = [f"class {definition.name}(GeneratedModel):", *class_body(definition)]
        if definition.fields or definition.tag:
            lines += ["", *_field_lines(self, definition)]
        if definition.legacy:
            lines += [
                "",
                '    _legacy = model_validator(mode="before")(',
                "        flatten_legacy(",
            ]
            for form in definition.legacy:
                lines.append(f'            {form.tag}=("{form.kind}", "{form.id_from}"),')
            lines += ["        )", "    )"]
        return lines


def _field_lines(family: Classic, definition: Object) -> Iterator[str]:
    lines = {field.name: _field(family, field) for field in definition.fields}
    if definition.tag:
        name, value = definition.tag
        lines[name] = f'    {name}: Literal["{value}"] = "{value}"'
    for name in sorted(lines):
        yield lines[name]


def _field(family: Classic, field: Field) -> str:
    attr, kind, arguments = field.name, field.type, dict[str, str]()
    if field.name in _TAKEN:
        attr, arguments["alias"] = f"{field.name}_", literal(field.name)
    if field.presence is not Presence.REQUIRED:
        if kind.shape in {Shape.ARRAY, Shape.MAP} and not kind.nullable:
            made = "new_list" if kind.shape is Shape.ARRAY else "new_dict"
            arguments["default_factory"] = made
        elif isinstance(field.default, str | bool | int) and field.default:
            arguments["default"] = literal(field.default)
        else:
            kind, arguments["default"] = replace(kind, nullable=kind.shape is not Shape.ANY), "None"
    default = arguments.get("default", "")
    if arguments and set(arguments) != {"default"}:
        default = writing.call("Field", **arguments)
    return f"    {attr}: {family.annotation(kind)}" + (f" = {default}" if default else "")


def classic(bundles: Sequence[Bundle]) -> list[Bundle]:
    """The bundles of the SDK, each with all of its types, under the SDK's names."""
    return [_renamed(bundle) for bundle in bundles if bundle.module in MODULES]


def _renamed(bundle: Bundle) -> Bundle:
    newer = NEWER.get(bundle.module, r"(?!)")
    kept = [one for one in bundle.definitions if not re.fullmatch(newer, one.name)]
    arms = {
        arm: f"{one.name}Variant{number}"
        for one in kept
        if isinstance(one, Union) and one.name in {"AgentNotification", "PhaseEvent"}
        for number, arm in enumerate(one.arms)
    }
    return replace(bundle, definitions=tuple(_plain(one, arms) for one in kept))


def _plain(definition: Definition, arms: dict[str, str]) -> Definition:
    """A definition without what is demanded of its strings, its arms under the SDK's names."""
    if isinstance(definition, Union):
        return replace(definition, arms=tuple(arms.get(arm, arm) for arm in definition.arms))
    if not isinstance(definition, Object):
        return definition
    fields = tuple(replace(one, type=_untold(one.type)) for one in definition.fields)
    return replace(definition, name=arms.get(definition.name, definition.name), fields=fields)


def _untold(kind: Type) -> Type:
    item = None if kind.item is None else _untold(kind.item)
    return replace(kind, item=item, text=None)
