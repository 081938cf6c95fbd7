"""What classes of an author's say as they are written: methods by the role's verbs, and settings."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from animus_routes.describe.literal import NotLiteral, Source, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

ENV: Final = frozenset({"animus_routes.Env", "animus_routes.handlers.settings.Env"})
BASES: Final = frozenset({"msgspec.Struct", "pydantic.BaseModel"})
WORDS: Final = ("name", "description")  # of `Env`, by their places


def _class(source: Source, node: ast.expr) -> tuple[Source, ast.ClassDef]:
    if not isinstance(node, ast.Name | ast.Attribute):
        raise NotLiteral(source, node, f"{shown(node)} is no class of the app's files")
    where, _, statement = source.definition(node)
    if not isinstance(statement, ast.ClassDef):
        raise NotLiteral(source, node, f"{shown(node)} is no class of the app's files")
    return where, statement


def backend(source: Source, node: ast.expr) -> object:
    """An object with the methods of a class, and nothing behind them."""
    names: set[str] = set()
    ahead = [_class(source, node)]
    while ahead:
        where, found = ahead.pop()
        ahead += [_class(where, base) for base in found.bases]
        if found.decorator_list or found.keywords:
            raise NotLiteral(where, found, f"the methods of {found.name} are not certain")
        for statement in found.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(statement.name)
            elif not isinstance(statement, ast.AnnAssign | ast.Pass | ast.Expr):
                raise NotLiteral(where, statement, f"the methods of {found.name} are not certain")
    return type("Backend", (), {name: staticmethod(stub) for name in names})()


def variables(source: Source, node: ast.expr) -> Iterator[dict[str, Any]]:
    """What the fields of a settings class declare."""
    where, found = _class(source, node)
    for base in found.bases:
        if where.dotted(base) not in BASES:
            yield from variables(where, base)
    for statement in found.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        call = _env(where, statement.annotation)
        if call is not None:
            yield _requirement(where, call, required=_has_to_be(where, statement.value))


def _env(source: Source, annotation: ast.expr) -> ast.Call | None:
    """The `Env(...)` in a hint, which a name may stand for."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    for node in ast.walk(annotation):
        if isinstance(node, ast.Call) and source.dotted(node.func) in ENV:
            return node
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and len(source.bound.get(node.id, ())) == 1:
            value = getattr(source.bound[node.id][0], "value", None)
            if isinstance(value, ast.Subscript) and (found := _env(source, value)) is not None:
                return found
    return None


def _requirement(source: Source, call: ast.Call, *, required: bool) -> dict[str, Any]:
    given: dict[str, Any] = dict(zip(WORDS, map(source.value, call.args), strict=False))
    given |= {keyword.arg or "": source.value(keyword.value) for keyword in call.keywords}
    described = {"description": given["description"]} if given.get("description") else {}
    sensitive = bool(given.get("sensitive", False))
    return {"name": given["name"], **described, "sensitive": sensitive, "required": required}


def _has_to_be(source: Source, value: ast.expr | None) -> bool:
    """Has a field no default?"""
    if not isinstance(value, ast.Call) or source.dotted(value.func).rpartition(".")[2] not in {
        "field",
        "Field",
    }:
        return value is None or (isinstance(value, ast.Constant) and value.value is ...)
    first = value.args[:1]
    named = {keyword.arg for keyword in value.keywords}
    plain = bool(first) and not (isinstance(first[0], ast.Constant) and first[0].value is ...)
    return not plain and named.isdisjoint({"default", "default_factory"})


def stub(params: dict[str, Any]) -> None:
    """What stands for every handler."""
