"""The manifest of an app that is not run: read from its source, for plugins that nobody trusts yet.

What the source does not say in plain words is refused, with file and line, and never guessed. It
follows the author's own files; what else they import is taken not to touch the app.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from animus_routes.describe.classes import backend, stub, variables
from animus_routes.describe.literal import NotLiteral, Source, changed_by, outer, shown
from animus_routes.describe.manifest import manifest
from animus_routes.errors import ConfigurationError
from animus_routes.routing.declaration import Declaration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP: Final = frozenset({"animus_routes.App", "animus_routes.app.App"})
ROUTER: Final = frozenset({"animus_routes.Router", "animus_routes.routing.router.Router"})
# Arguments of `App` of which the manifest says nothing.
SILENT: Final = frozenset(
    {"lifespan", "concurrency", "projections", "kind_capabilities", "log_format", "log_entries"}
    | {"exit_on_broken_stream", "settings"}
)
REGISTERS: Final = frozenset({"method", "tool", "notification"})
# What is called on an app and serves a method without a function of the author's.
SERVES: Final = {"watch_by_polling": "subject/watch"}
INCLUDE: Final = "include"
ROUTED: Final = "router"  # what is included is a router of the author's
# What may be asked of an app anywhere: it changes nothing that the manifest says.
HARMLESS: Final = frozenset(
    {
        "health",
        "middleware",
        "exception_handler",
        "on_initialize",
        "run",
        "notify",
        "name",
        "version",
    }
    | {"description", "kinds", "manifest", "check", "session", "subject_kinds", "lifespan"}
)
EVASIONS: Final = frozenset(
    {"exec", "eval", "globals", "__import__", "importlib.import_module"}
    | {"runpy.run_path", "runpy.run_module"}
)
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SCOPES: Final = (*FUNCTIONS, ast.ClassDef)
BLOCKS: Final[dict[type[ast.AST], str]] = {
    ast.ClassDef: "in a class",
    ast.FunctionDef: "in a function",
    ast.AsyncFunctionDef: "in a function",
    ast.Lambda: "in a function",
    ast.For: "in a loop",
    ast.AsyncFor: "in a loop",
    ast.While: "in a loop",
    ast.ListComp: "in a loop",
    ast.SetComp: "in a loop",
    ast.DictComp: "in a loop",
    ast.GeneratorExp: "in a loop",
    ast.If: "under a condition",
    ast.IfExp: "under a condition",
    ast.BoolOp: "under a condition",
    ast.Match: "under a condition",
    ast.Try: "in a try",
    ast.With: "in a with",
    ast.AsyncWith: "in a with",
}


def static_manifest(path: Path, attribute: str = "") -> dict[str, Any]:
    """The manifest that `--manifest` would print.

    Args:
        path: The app's file.
        attribute: The app's name in it; "" for the only one.

    Raises:
        ConfigurationError: What is not written out, all at once, each with its `file:line`.
        OSError: The file cannot be read.
        SyntaxError: It is no Python.
    """
    return manifest(_Reading(path, attribute).declaration())


class _Use(NamedTuple):
    """Something that is registered, or a router that is included.

    Attributes:
        moment: When an import comes to it.
        owner: The app or router that gets it.
        how: The decorator, `INCLUDE` or `ROUTED`.
        what: A method's name, a router, or an object with methods.
    """

    moment: int
    owner: _Owner
    how: str
    what: Any


_Owner = tuple[Source, str]  # an app or router: the file that makes it, and its name there


class _Reading:
    """One app, and the files that it is written in."""

    def __init__(self, path: Path, attribute: str) -> None:
        self.problems: list[str] = []
        self._sources: dict[Path, Source] = {}
        self._read_already: list[_Owner] = []
        self._used: list[_Use] = []
        root = path.absolute().parent
        while (root / "__init__.py").is_file():
            root = root.parent
        self.main = Source(path.absolute(), root, self._sources)
        self._follow()
        self._moments: dict[int, int] = {}
        self._run_through(self.main, set())
        self.app = self._app(attribute)

    def _follow(self) -> None:
        """Read every file of the author's that an import leads to."""
        ahead = [self.main]
        while ahead:
            source = ahead.pop()
            known = set(self._sources)
            for statement in outer(source.tree):
                if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                    self._refuse(source, statement, "import * may bind anything")
            for target in source.imports.values():
                source.found(target)
            ahead += [self._sources[path] for path in self._sources.keys() - known]

    def _run_through(self, source: Source, seen: set[Path]) -> None:
        """Number the statements of modules in the order in which an import runs them."""
        if source.path in seen:
            return
        seen.add(source.path)
        for statement in outer(source.tree):
            for other in source.imported_at(statement):
                self._run_through(other, seen)
            self._moments[id(statement)] = len(self._moments)

    def _refuse(self, source: Source, node: ast.AST, why: str) -> None:
        self.problems.append(NotLiteral(source, node, why).problem)

    def _made(self, source: Source, what: frozenset[str]) -> Iterator[tuple[str, ast.Call]]:
        """The names that are bound to a call of one of these, in the module itself."""
        for statement in source.tree.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and _calls(
                source, statement, what
            ):
                targets = (
                    statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                )
                for target in targets:
                    if isinstance(target, ast.Name) and isinstance(statement.value, ast.Call):
                        yield target.id, statement.value

    def _app(self, attribute: str) -> tuple[Source, str, ast.Call]:
        """Where the app is made; the file may import it from another one."""
        found = [(self.main, name, call) for name, call in self._made(self.main, APP)]
        for name, target in self.main.imports.items():
            led = self.main.found(target)
            if led is not None and (not attribute or name == attribute):
                found += [(led[0], n, c) for n, c in self._made(led[0], APP) if n == led[1]]
        named = [item for item in found if not attribute or item[1] == attribute]
        if len(named) != 1:
            names = ", ".join(item[1] for item in found) or "none"
            why = f"one name of the module has to be App(...), written out; there are: {names}"
            raise ConfigurationError([*self.problems, f"{self.main.path}:1: {why}"])
        return named[0]

    def declaration(self) -> Declaration:
        """The app as it would be after the import, with nothing behind its methods.

        Raises:
            ConfigurationError: What is not written out.
        """
        source, name, call = self.app
        arguments = self._arguments(source, call)
        self._read(source, name)
        self._look_elsewhere()
        if self.problems:
            raise ConfigurationError(list(dict.fromkeys(self.problems)))
        app = Declaration(**arguments)
        for use in self._in_order((source, name)):
            if use.how == INCLUDE:
                app.include(use.what)
            else:
                getattr(app, use.how)(use.what)(stub)
        return app

    def _in_order(self, owner: _Owner, since: int = 0) -> list[_Use]:
        """What comes to an app or router, in the order in which it comes there.

        A router hands on what it has when it is included, and later what it gets.
        """
        found: list[_Use] = []
        for use in sorted((u for u in self._used if u.owner == owner), key=lambda use: use.moment):
            moment = max(use.moment, since)
            if use.how == ROUTED:
                found += self._in_order(cast("_Owner", use.what), moment)
            else:
                found.append(use._replace(moment=moment))
        return sorted(found, key=lambda use: use.moment)

    def _arguments(self, source: Source, call: ast.Call) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for item in call.args:
            self._refuse(source, item, "App takes its arguments by name")
        for keyword in call.keywords:
            if keyword.arg is None:
                self._refuse(source, keyword.value, f"App(**{shown(keyword.value)}) is not literal")
            elif keyword.arg not in SILENT:
                try:
                    found[keyword.arg] = source.value(keyword.value)
                except NotLiteral as error:
                    self.problems.append(f"{error.problem} (App's {keyword.arg})")
            elif keyword.arg == "settings":
                try:
                    found["settings"] = [*variables(source, keyword.value)]
                except NotLiteral as error:
                    self.problems.append(error.problem)
        settings: list[dict[str, Any]] = found.pop("settings", [])
        declared: list[Any] = found.get("env_required", [])
        known: list[str] = [item["name"] if type(item) is dict else item for item in declared]
        more = [item for item in settings if item["name"] not in known]
        if more:
            found["env_required"] = [*declared, *more]
        return found

    # Uses -------------------------------------------------------------------------------------------

    def _read(self, source: Source, name: str) -> None:
        """Take what is registered on an app or a router, and refuse what may change it unseen."""
        owner = (source, name)
        if owner in self._read_already:
            return
        self._read_already.append(owner)
        try:
            source.definition(ast.Name(name, ast.Load()))
        except NotLiteral as error:
            self.problems.append(error.problem)
        for user in [*self._sources.values()]:
            for node, above in _uses(user, owner):
                try:
                    self._take(user, node, above, owner)
                except NotLiteral as error:
                    self.problems.append(error.problem)

    def _take(self, source: Source, node: ast.expr, above: list[ast.AST], owner: _Owner) -> None:
        """One use: `above` holds the nodes around it, the nearest first."""
        parent = above[0]
        if self._is_included(source, node, parent):
            return
        if not (isinstance(parent, ast.Attribute) and parent.value is node):
            why = f"{shown(node)} is handed on: what becomes of it is unknown"
            raise NotLiteral(source, node, why)
        attribute, use = parent.attr, above[1]
        if attribute in REGISTERS | {INCLUDE, *SERVES}:
            if not (isinstance(use, ast.Call) and use.func is parent):
                raise NotLiteral(source, parent, f"{shown(parent)} is not called by its name")
            if where := _around(use, above[2:]):
                raise NotLiteral(source, use, f"{shown(use)} stands {where}: it may run or not")
            how, what = self._registered(source, attribute, use, above[2])
            self._used.append(_Use(self._moments.get(id(above[-2]), 0), owner, how, what))
        elif not isinstance(parent.ctx, ast.Load) or parent in map(changed_by, above[1:3]):
            raise NotLiteral(source, parent, f"{shown(parent)} is changed after App(...)")
        elif attribute not in HARMLESS:
            why = f"{shown(parent)}: what it does to the app is unknown"
            raise NotLiteral(source, parent, why)

    def _is_included(self, source: Source, node: ast.expr, parent: ast.AST) -> bool:
        """Is it what one of these apps and routers includes? That is read there."""
        if not isinstance(parent, ast.Call) or node not in parent.args:
            return False
        called = parent.func
        if not isinstance(called, ast.Attribute) or called.attr != INCLUDE:
            return False
        return source.found(source.dotted(called.value)) in self._read_already

    def _registered(
        self, source: Source, how: str, call: ast.Call, parent: ast.AST
    ) -> tuple[str, Any]:
        if how in SERVES:
            return "method", SERVES[how]
        if how == INCLUDE:
            return self._included(source, call)
        given = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "name")]
        own = getattr(parent, "name", None) if how == "tool" and not given else None
        name = source.value(given[0]) if given else own
        if not isinstance(name, str):
            raise NotLiteral(source, call, f"{shown(call)} has no name that is written out")
        return how, name

    def _included(self, source: Source, call: ast.Call) -> tuple[str, Any]:
        given = call.args[0] if call.args else None
        if isinstance(given, ast.Call):
            return INCLUDE, backend(source, given.func)
        if not isinstance(given, ast.Name | ast.Attribute):
            raise NotLiteral(source, call, f"{shown(call)} is not literal")
        where, name, statement = source.definition(given)
        if _calls(where, statement, ROUTER):
            self._read(where, name)
            return ROUTED, (where, name)
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            return INCLUDE, backend(where, statement.value.func)
        raise NotLiteral(source, call, f"{shown(call)}: it is no Router() of the app's files")

    def _look_elsewhere(self) -> None:
        """What could change an app without naming it."""
        for source in self._sources.values():
            for node in ast.walk(source.tree):
                if isinstance(node, ast.Call):
                    called = source.dotted(node.func).removeprefix(f"{source.name}.")
                    if called in EVASIONS:
                        self._refuse(source, node, f"{shown(node)} may do anything")


def _calls(source: Source, statement: ast.stmt, what: frozenset[str]) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(value, ast.Call) and source.dotted(value.func) in what


def _uses(user: Source, owner: _Owner) -> Iterator[tuple[ast.expr, list[ast.AST]]]:
    """Where a file uses what another one, or itself, has under a name; with what is around it."""
    ahead: list[tuple[ast.AST, list[ast.AST]]] = [(user.tree, [])]
    while ahead:
        node, above = ahead.pop()
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            led = user.found(user.dotted(node)) if _reaches(node, above) else None
            if led is not None and led == owner:
                yield node, above
                continue
        below = [(child, [node, *above]) for child in ast.iter_child_nodes(node)]
        ahead += reversed(below)


def _reaches(node: ast.Name | ast.Attribute, above: list[ast.AST]) -> bool:
    """Is it the module's name, and no name of a function around it?"""
    first: ast.expr = node
    while isinstance(first, ast.Attribute):
        first = first.value
    if not isinstance(first, ast.Name):
        return False
    return not any(first.id in _local(scope) for scope in above if isinstance(scope, FUNCTIONS))


def _local(function: ast.AST) -> set[str]:
    """The names that a function has for itself."""
    assert isinstance(function, FUNCTIONS)
    given = function.args
    names = {a.arg for a in [*given.posonlyargs, *given.args, *given.kwonlyargs]}
    names |= {a.arg for a in (given.vararg, given.kwarg) if a is not None}
    shared: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            shared |= set(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names - shared


def _around(call: ast.Call, above: list[ast.AST]) -> str:
    """What a registration stands in, besides the module itself; "" for nothing."""
    inner: ast.AST = call
    for node in above:
        decorated = isinstance(node, SCOPES) and inner in getattr(node, "decorator_list", [])
        if not decorated and type(node) in BLOCKS:
            return BLOCKS[type(node)]
        inner = node
    return ""
