"""Writes the msgspec family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _codegen import writing
from _codegen.helping import help_lines
from _codegen.model import GenerationError, Object, Presence, Shape
from _codegen.writing import (
    call,
    check_lines,
    class_body,
    class_head,
    field_lines,
    identifier,
    literal,
)

if TYPE_CHECKING:
    from _codegen.model import Bundle, ClosedEnum, Field, Text, Type, Union

_SCALARS = {
    Shape.STRING: "str",
    Shape.BOOL: "bool",
    Shape.FLOAT: "float",
    Shape.TIMESTAMP: "Timestamp",
}
_UNBOUNDED = frozenset({"uint", "uint64"})
_ORIGINS = {
    "typing": ("TYPE_CHECKING", "Annotated", "Any", "ClassVar", "Literal", "TypeAlias"),
    "msgspec": ("UNSET", "Meta", "UnsetType", "field"),
    "animus_routes.structs._struct": writing.public_names("animus_routes.structs._struct"),
    "animus_routes.timestamps": ("now",),
}


class Structs:
    """msgspec Structs.

    Args:
        bundle: The crate to write.
    """

    title = "msgspec Structs"
    package = "animus_routes.structs"
    origins = _ORIGINS

    def __init__(self, bundle: Bundle) -> None:
        self._words: dict[str, dict[str, bool]] = {}
        for definition in bundle.definitions:
            for field in definition.fields if isinstance(definition, Object) else ():
                if field.type.shape is Shape.REF and isinstance(field.default, str):
                    words = self._words.setdefault(field.type.name, {})
                    words[field.default] = field.filled or words.get(field.default, False)

    def annotation(self, kind: Type) -> str:
        """The Python type of a value."""
        return writing.annotation(kind, _SCALARS)

    def text(self, demands: Text) -> str:
        """The type of strings of which more is demanded; `$` would let a line end through."""
        pattern = demands.pattern and f'r"{demands.pattern[:-1]}\\Z"'
        lengths = {"min_length": str(demands.min_length), "max_length": str(demands.max_length)}
        return f"Annotated[str, {call('Meta', **lengths, pattern=pattern or '')}]"

    def union(self, definition: Union) -> list[str]:
        """The alias of a tagged union: msgspec reads the arms' tags."""
        arms = [f"    {'| ' if number else ''}{arm}" for number, arm in enumerate(definition.arms)]
        head = f"{definition.name}: TypeAlias = ("
        return [head, *arms, ")", *writing.doc_lines(definition.doc)]

    def enum_helpers(self, definition: ClosedEnum) -> list[list[str]]:
        """Functions that give a default word, and a type that lets the word be blank."""
        name = definition.name
        blocks: list[list[str]] = []
        for word, filled in sorted(self._words.get(name, {}).items()):
            plain = identifier(word)
            blocks.append([f"def _{plain}() -> {name}:", f'    return "{word}"'])
            if filled:
                signature = f'def _{plain}_or(value: {name} | Literal[""]) -> {name}:'
                blocks.append([signature, f'    return value or "{word}"'])
                blocks.append(
                    [
                        "if TYPE_CHECKING:",
                        f"    _{name}OrBlank: TypeAlias = {name}",
                        "else:",
                        f'    _{name}OrBlank = Literal[{name}, ""]',
                    ]
                )
        return blocks

    def object(self, definition: Object) -> list[str]:
        """A Struct."""
        base = "OpenStruct" if definition.open_bag else "WireStruct"
        tag = definition.tag
        options = f', tag_field="{tag[0]}", tag="{tag[1]}"' if tag else ""
        options += ", forbid_unknown_fields=True" if definition.closed else ""
        blocks = [self._field(field) for field in definition.fields]
        if tag:
            blocks.insert(0, [f'    {tag[0]}: ClassVar[Literal["{tag[1]}"]] = "{tag[1]}"'])
        if definition.legacy:
            blocks = _legacy_blocks(definition, blocks)
        blocks.append(_post_init(definition))
        blocks.append(check_lines(definition))
        blocks += help_lines(definition)
        lines = class_head(definition.name, base, f"kw_only=True{options}")
        lines += class_body(definition)
        for block in filter(None, blocks):
            lines += ["", *block]
        return lines

    def _field(self, field: Field) -> list[str]:
        annotation = self.annotation(field.type)
        if field.type.shape is Shape.TIMESTAMP and (field.filled or field.type.nullable):
            annotation = annotation.replace("Timestamp", "TimestampOrBlank")
        elif field.filled and field.type.shape is Shape.REF:
            annotation = f"_{annotation}OrBlank"
        if field.tristate:
            annotation += " | UnsetType"
        return field_lines(field, annotation, _default(field))


def _default(field: Field) -> str:
    name = literal(field.name) if field.name != field.attr else ""
    if field.tristate:
        return "UNSET"
    if field.presence is Presence.REQUIRED and not field.filled:
        return call("field", name=name) if name else ""
    if field.presence is not Presence.OMITTED:
        return call("field", default_factory=_factory(field), name=name)
    default = literal(field.default)
    return call("field", default=default, name=name) if name else default


def _factory(field: Field) -> str:
    """A factory that msgspec does not know, so that it writes the value even at the default."""
    if field.type.shape is Shape.TIMESTAMP:
        return str(field.default)
    if isinstance(field.default, str | int):
        return _constant(field)
    if field.default == {} and field.type.shape is Shape.REF:
        return field.type.name
    if field.default == []:
        return "new_list"
    if field.default is None:
        return "null"
    raise GenerationError(f"{field.name}: no factory for the default {field.default!r}")


def _constant(field: Field) -> str:
    if field.type.shape is Shape.REF:
        return f"_{identifier(field.default)}"
    if not field.default:
        return type(field.default).__name__
    return f"always({literal(field.default)})"


def _check(field: Field) -> tuple[str, str] | None:
    """The condition under which a field's value is fine, and what mends or refuses it otherwise."""
    value = f"self.{field.attr}"
    null = f"{value} is None or " if field.type.nullable else ""
    suffix = "_or_null" if field.type.nullable else ""
    if field.type.shape is Shape.TIMESTAMP:
        return (
            f'{null}{value} > ""',
            f"timestamp_or_{field.default}" if field.filled else f"timestamp{suffix}",
        )
    if field.type.shape is Shape.INT and field.type.name in _UNBOUNDED:
        return f"{null}{value} <= MAX_UINT64", f"uint64{suffix}"
    if field.filled and field.type.shape is Shape.REF:
        return value, f"_{identifier(field.default)}_or"
    if field.empty_is_null:
        return f"{value} is not None", "object_or_empty"
    return None


def _checks(definition: Object) -> dict[str, tuple[str, str]]:
    checks = {"kind": ("self.kind", "given"), "id": ("self.id", "given")}
    found = {field.attr: _check(field) for field in definition.fields}
    return (checks if definition.legacy else {}) | {k: v for k, v in found.items() if v}


def _post_init(definition: Object) -> list[str]:
    checks = _checks(definition)
    if not checks:
        return []
    conditions = [condition for condition, _ in checks.values()]
    if len(conditions) > 1:
        conditions = [f"({one})" if " or " in one else one for one in conditions]
    lines = ["    def __post_init__(self) -> None:", "        try:"]
    test = f"            if {' and '.join(conditions)}:"
    if len(test) <= writing.MAX_COLUMNS:
        lines.append(test)
    else:
        lines.append("            if (")
        lines += [f"                {'and ' if n else ''}{one}" for n, one in enumerate(conditions)]
        lines.append("            ):")
    lines += ["                return", "        except TypeError:", "            pass"]
    if definition.legacy:
        forms = {f"_{form.tag.lower()}": (form.kind, form.id_from) for form in definition.legacy}
        lines += writing.statement(
            "unfold", {name: f'("{kind}", "{key}")' for name, (kind, key) in forms.items()}
        )
    return lines + writing.statement("mend", {name: mender for name, (_, mender) in checks.items()})


def _legacy_blocks(definition: Object, blocks: list[list[str]]) -> list[list[str]]:
    """Fields that a type checker must see as required and the decoder as absent in older forms."""
    flat = [n for n, field in enumerate(definition.fields) if field.presence is Presence.REQUIRED]
    lines = ["    if TYPE_CHECKING:"]
    for number in flat:
        lines += [f"    {line}".rstrip() for line in blocks[number]]
    lines.append("    else:")
    for number in flat:
        lines.append(f"        {definition.fields[number].attr}: str = field(default_factory=str)")
    for form in definition.legacy:
        default = call("field", default="None", name=literal(form.tag))
        lines.append(f"        _{form.tag.lower()}: dict[str, str | None] | None = {default}")
    return [lines, *(block for n, block in enumerate(blocks) if n not in flat)]
