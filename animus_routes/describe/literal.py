"""Author's source as it is written: files that import each other, and what their literals say.

Nothing of it is run. What is not written out is refused, with its place.
"""

from __future__ import annotations

import ast
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from griffe import GriffeLoader, visit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FRAMEWORK: Final = "animus_routes."
ASSIGNED: Final = (ast.Assign, ast.AnnAssign)
ADDED: Final = (str, list)
CHANGES: Final = frozenset(
    {"append", "extend", "insert", "remove", "clear", "pop", "popitem", "update", "setdefault"}
    | {"add", "sort", "reverse", "__setitem__"}
)


class NotLiteral(Exception):  # noqa: N818 - what was found; the message is for a person
    """Something is not written out.

    Attributes:
        problem: `file:line: why`.
    """

    def __init__(self, source: Source, node: ast.AST, why: str) -> None:
        self.problem = f"{source.path}:{getattr(node, 'lineno', 1)}: {why}"
        super().__init__(self.problem)


class Source:
    """One file of the author's.

    Attributes:
        path: The file.
        root: The folder that its modules are found in.
        name: Its dotted name below that folder.
    """

    def __init__(self, path: Path, root: Path, sources: dict[Path, Source]) -> None:
        self.path = path
        self.root = root
        self.text = path.read_text("utf-8")
        self.tree = ast.parse(self.text, str(path))
        parts = path.relative_to(root).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self._sources = sources
        sources[path] = self

    @cached_property
    def imports(self) -> dict[str, str]:
        """What each imported name stands for: a dotted path."""
        if "." in self.name or self.path.name == "__init__.py":
            loader = GriffeLoader(search_paths=[self.root], allow_inspection=False)
            found: Any = loader.load(self.name, try_relative_path=False)
            return dict(found.imports)
        return dict(visit(self.name, filepath=self.path, code=self.text).imports)

    @cached_property
    def bound(self) -> dict[str, list[ast.stmt]]:
        """The statements of the module itself that bind each name, imports apart."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in outer(self.tree):
            for name in bound_by(statement):
                found.setdefault(name, []).append(statement)
        return found

    def dotted(self, node: ast.expr) -> str:
        """The dotted path that a name or an attribute stands for; "" if it is neither."""
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, f"{self.name}.{node.id}")
        if isinstance(node, ast.Attribute):
            before = self.dotted(node.value)
            return f"{before}.{node.attr}" if before else ""
        return ""

    def found(self, dotted: str) -> tuple[Source, str] | None:
        """The author's file that a dotted path leads into, and the name there; "" for the file."""
        parts = dotted.split(".")
        for count in range(len(parts), 0, -1):
            base = self.root.joinpath(*parts[:count])
            for path in (base / "__init__.py", Path(f"{base}.py")):
                if path.is_file():
                    self._read_packages(path)
                    source = self._sources.get(path) or Source(path, self.root, self._sources)
                    name = ".".join(parts[count:])
                    target = source.imports.get(name)
                    if target is not None and target != dotted and name not in source.bound:
                        return source.found(target)
                    return source, name
        return None

    def _read_packages(self, path: Path) -> None:
        """An import runs the packages around a module first."""
        for folder in reversed(path.relative_to(self.root).parents[:-1]):
            package = self.root / folder / "__init__.py"
            if package.is_file() and package not in self._sources:
                Source(package, self.root, self._sources)

    def imported_at(self, statement: ast.stmt) -> Iterator[Source]:
        """The author's files that an import statement leads to, packages first."""
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            return
        for alias in statement.names:
            key = alias.asname or alias.name
            plain = isinstance(statement, ast.Import) and not alias.asname
            dotted = alias.name if plain else self.imports.get(key, "")
            led = self.found(dotted) if dotted else None
            if led is not None:
                for folder in reversed(led[0].path.relative_to(self.root).parents[:-1]):
                    package = self._sources.get(self.root / folder / "__init__.py")
                    if package is not None:
                        yield package
                yield led[0]

    def value(self, node: ast.expr) -> Any:
        """What an expression is, if it is written out: literals, and names of such.

        Raises:
            NotLiteral: It is not.
        """
        found: Any
        match node:
            case ast.Constant():
                found = node.value
            case ast.List() | ast.Tuple():
                found = [self.value(item) for item in node.elts]
            case ast.Dict(keys=keys) if None not in keys:
                names = [self.value(key) for key in keys if key is not None]
                found = dict(zip(names, map(self.value, node.values), strict=True))
            case ast.BinOp(op=ast.Add()):
                found = self._sum(node)
            case ast.JoinedStr():
                found = "".join(map(self._part, node.values))
            case ast.Name() | ast.Attribute():
                found = self._named(node)
            case _:
                raise NotLiteral(self, node, f"{shown(node)} is not a literal")
        return found

    def _sum(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if type(left) is not type(right) or not isinstance(left, ADDED):
            raise NotLiteral(self, node, f"{shown(node)} is not a literal")
        return left + right

    def _part(self, node: ast.expr) -> str:
        """One part of an f-string, whose values are text or whole numbers as they are."""
        if not isinstance(node, ast.FormattedValue):
            return str(self.value(node))
        value = self.value(node.value)
        if node.conversion != -1 or node.format_spec is not None or type(value) not in {str, int}:
            raise NotLiteral(self, node, f"{shown(node.value)} in an f-string is not a literal")
        return str(value)

    def _named(self, node: ast.Name | ast.Attribute) -> Any:
        dotted = self.dotted(node)
        if dotted.startswith(FRAMEWORK) and self.found(dotted) is None:
            return self._of_framework(node, dotted)
        source, name, statement = self.definition(node)
        if not isinstance(statement, ASSIGNED) or statement.value is None:
            raise NotLiteral(self, node, f"{shown(node)} is not a literal")
        if isinstance(statement, ast.Assign) and not all(
            isinstance(target, ast.Name) for target in statement.targets
        ):
            raise NotLiteral(source, statement, f"{name} is not a literal")
        found: Any = source.value(statement.value)
        if found.__class__ in {list, dict}:
            self._refuse_changes((source, name))
        return found

    def _of_framework(self, node: ast.expr, dotted: str) -> Any:
        """A constant of the framework's own: this code runs anyway, so it is no author's."""
        module, _, name = dotted.rpartition(".")
        try:
            value = getattr(import_module(module), name)
        except (ImportError, AttributeError):
            raise NotLiteral(self, node, f"{dotted} is not there") from None
        if not is_plain(value):
            raise NotLiteral(self, node, f"{shown(node)} is not a literal")
        return value

    def _refuse_changes(self, owner: tuple[Source, str]) -> None:
        """A list or dict may be changed after it was written."""
        for source in [*self._sources.values()]:
            for node in ast.walk(source.tree):
                changed = changed_by(node)
                if changed is not None and source.found(source.dotted(changed)) == owner:
                    raise NotLiteral(source, node, f"{shown(changed)} is changed here")

    def definition(self, node: ast.Name | ast.Attribute) -> tuple[Source, str, ast.stmt]:
        """The one statement that a name is bound by, in whatever file that is.

        Raises:
            NotLiteral: There is none, or not one alone.
        """
        led = self.found(self.dotted(node))
        if led is None or led[1] not in led[0].bound:
            raise NotLiteral(self, node, f"{shown(node)} is not written out in a file of the app's")
        source, name = led
        first, *more = source.bound[name]
        if more:
            raise NotLiteral(source, more[0], f"{name} is bound again: its value is not certain")
        if first not in source.tree.body:
            raise NotLiteral(source, first, f"{name} is bound under a condition or in a loop")
        return source, name, first


def is_plain(value: Any) -> bool:
    """Could it have been written out: text, numbers and the like, in lists and dicts?"""
    if isinstance(value, dict):
        held = cast("dict[str, Any]", value)
        return all(is_plain(item) for pair in held.items() for item in pair)
    if isinstance(value, list | tuple):
        return all(is_plain(item) for item in cast("Iterable[Any]", value))
    return value is None or isinstance(value, str | int | float)


def outer(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that an import of the module runs, those in blocks included."""
    ahead: list[ast.stmt] = [*tree.body]
    while ahead:
        statement = ahead.pop(0)
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            ahead[:0] = blocks(statement)


def blocks(statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements directly inside a compound one."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from child.body


def bound_by(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds by itself, imports apart."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        yield from (
            n for node in ast.walk(statement) if isinstance(node, ast.Global) for n in node.names
        )
        return
    inner = {id(node) for block in blocks(statement) for node in ast.walk(block)}
    for node in ast.walk(statement):
        if not isinstance(node, ast.Name) or id(node) in inner:
            continue
        if not isinstance(node.ctx, ast.Load):
            yield node.id


def changed_by(node: ast.AST) -> ast.expr | None:
    """What an expression changes in place; None if nothing."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.value if node.func.attr in CHANGES else None
    if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
        return node.value
    return None


def shown(node: ast.AST) -> str:
    """Source as one short line."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
