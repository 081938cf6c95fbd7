"""Writes the pydantic family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _codegen import writing
from _codegen.helping import help_lines
from _codegen.model import Presence, Shape
from _codegen.writing import call, check_lines, class_body, field_lines, literal

if TYPE_CHECKING:
    from _codegen.model import ClosedEnum, Field, Object, Text, Type, Union

_SCALARS = {
    Shape.STRING: "str",
    Shape.BOOL: "Bool",
    Shape.FLOAT: "Float",
    Shape.TIMESTAMP: "Timestamp",
}
_ORIGINS = {
    "operator": ("not_",),
    "typing": ("TYPE_CHECKING", "Annotated", "Any", "ClassVar", "Literal", "TypeAlias"),
    "msgspec": ("UnsetType",),
    "pydantic": ("ConfigDict", "Field", "model_validator"),
    "animus_routes.timestamps": ("now",),
    "animus_routes.types._model": writing.public_names("animus_routes.types._model"),
}


class Types:
    """pydantic models."""

    title = "pydantic models"
    package = "animus_routes.types"
    origins = _ORIGINS

    def annotation(self, kind: Type) -> str:
        """The Python type of a value."""
        return writing.annotation(kind, _SCALARS)

    def text(self, demands: Text) -> str:
        """The type of strings of which more is demanded."""
        pattern = demands.pattern and f'r"{demands.pattern}"'
        lengths = {"min_length": str(demands.min_length), "max_length": str(demands.max_length)}
        return f"Annotated[str, {call('Field', **lengths, pattern=pattern or '')}]"

    def union(self, definition: Union) -> list[str]:
        """The alias of a tagged union, told apart by the arms' tags."""
        return [
            f"{definition.name}: TypeAlias = Annotated[",
            f"    {' | '.join(definition.arms)},",
            f'    Field(discriminator="{definition.tag}"),',
            "]",
            *writing.doc_lines(definition.doc),
        ]

    def enum_helpers(self, definition: ClosedEnum) -> list[list[str]]:
        """Nothing follows an enum here."""
        del definition
        return []

    def object(self, definition: Object) -> list[str]:
        """A model."""
        lines = [f"class {definition.name}(WireModel):", *class_body(definition)]
        if definition.closed:
            lines += ["", '    model_config = ConfigDict(extra="forbid")']
        if definition.tag:
            name, value = definition.tag
            lines += ["", f'    {name}: Literal["{value}"] = "{value}"']
        for field in definition.fields:
            lines += ["", *self._field(field)]
        if definition.legacy:
            lines += [
                "",
                '    _legacy = model_validator(mode="before")(',
                "        flatten_legacy(",
            ]
            for form in definition.legacy:
                lines.append(f'            {form.tag}=("{form.kind}", "{form.id_from}"),')
            lines += ["        )", "    )"]
        for block in filter(None, (check_lines(definition), *help_lines(definition))):
            lines += ["", *block]
        return lines

    def _field(self, field: Field) -> list[str]:
        annotation = self.annotation(field.type)
        if field.type.shape is Shape.TIMESTAMP and field.filled:
            annotation = "TimestampOrNow"
        elif field.type.shape is Shape.TIMESTAMP and field.type.nullable:
            annotation = "TimestampOrNull | None"
        elif field.filled and field.type.shape is Shape.REF:
            annotation = f"Annotated[{annotation}, OrWord({literal(field.default)})]"
        if field.tristate:
            annotation = f"Annotated[{annotation} | UnsetType, Clearable()]"
        return field_lines(field, annotation, _default(field))


def _default(field: Field) -> str:
    arguments = _value(field)
    if field.name != field.attr:
        name = literal(field.name)
        arguments |= {"validation_alias": name, "serialization_alias": name}
    if field.presence is Presence.OMITTED:
        arguments["exclude_if"] = _omit(field)
    if set(arguments) == {"default"}:
        return arguments["default"]
    return call("Field", **arguments) if arguments else ""


def _value(field: Field) -> dict[str, str]:
    if field.presence is Presence.REQUIRED and not field.filled:
        return {}
    if field.tristate:
        return {"default_factory": "unset"}
    if field.type.shape is Shape.TIMESTAMP and field.filled:
        return {"default_factory": str(field.default)}
    if field.default == {} and field.type.shape is Shape.REF:
        return {"default_factory": field.type.name}
    if field.default in ([], {}):
        return {"default_factory": f"new_{type(field.default).__name__}"}
    return {"default": literal(field.default)}


def _omit(field: Field) -> str:
    if field.tristate:
        return "is_unset"
    if field.empty_is_null:
        return "is_empty_object"
    return "is_null" if field.default is None else "not_"
