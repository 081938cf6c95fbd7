"""What can be told of a program from its text alone: does it run an app?

Read with the interpreter's own parser, since importing `ast` costs more than all of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

ONLY_AST: Final = 0x400
MAIN: Final = "__main__"
FUNCTIONS: Final = ("FunctionDef", "AsyncFunctionDef")
DECORATORS: Final = frozenset(
    {"exception_handler", "health", "method", "middleware", "notification", "on_initialize", "tool"}
)


class Runs(NamedTuple):
    """How a program's text comes to call `run` on something that is not a module.

    Attributes:
        found: It does, as far as the text tells.
        why_not: If not: what stands in the way of the calls that there are; "" if there are none.
        functions: Those that would, if anything called them.
    """

    found: bool
    why_not: str = ""
    functions: tuple[str, ...] = ()


def runs_of(text: str) -> Runs:
    """Read a program; one that cannot be parsed says so itself when it is run."""
    try:
        tree = compile(text, "", "exec", ONLY_AST)
    except (SyntaxError, ValueError, RecursionError):
        return Runs(found=True)
    return _Reading(tree).judged()


def hands_on(text: str | bytes, names: set[str]) -> bool:
    """Does a program give one of these names to something, wherever that is, as a value?

    A decorator `@router.method` does not, `app.include(router)` inside an `if` does.
    """
    try:
        tree = compile(text, "", "exec", ONLY_AST)
    except (SyntaxError, ValueError, RecursionError):
        return True
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        inner = _name(node) == "Attribute" and _name(node.value) in ("Name", "Attribute")
        waiting.extend(_parts(node.value if inner else node))
        if _is_read(node) and names & {getattr(node, "id", ""), getattr(node, "attr", "")}:
            return True
    return False


def _is_read(node: Any) -> bool:
    return _name(getattr(node, "ctx", None)) == "Load"


def _name(node: Any) -> str:
    return type(node).__name__


def _is_a_handler(node: Any) -> bool:
    """Is it called by the app alone, once that is served?"""
    used = [getattr(decorator, "func", decorator) for decorator in node.decorator_list]
    return any(getattr(name, "attr", "") in DECORATORS for name in used)


def _parts(node: Any) -> Iterator[Any]:
    for field in node._fields:
        value: object = getattr(node, field, None)
        for part in cast("list[object]", value) if isinstance(value, list) else (value,):
            if hasattr(part, "_fields"):
                yield part


class _Reading:
    """One program, whose statements are followed as if it were started."""

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self._modules: set[str] = set()
        self._functions: dict[str, list[Any]] = {}
        self._seen: set[int] = set()
        self._found = False
        self._guards: list[str] = []
        self._collect(tree)

    def judged(self) -> Runs:
        """Follow it, and say what came of it."""
        for statement in self._tree.body:
            self._follow(statement)
        if self._found:
            return Runs(found=True)
        waiting = tuple(name for name, group in self._functions.items() if self._would_run(group))
        why_not = next(iter(self._guards), "")
        if not why_not and waiting:
            why_not = f"{waiting[0]}() calls run(), and nothing calls {waiting[0]}()"
        return Runs(found=False, why_not=why_not, functions=waiting)

    def _would_run(self, group: list[Any]) -> bool:
        left = [node for node in group if id(node) not in self._seen and not _is_a_handler(node)]
        return any(self._holds_run(node) for node in left)

    def _collect(self, node: Any) -> None:
        for part in _parts(node):
            kind = _name(part)
            if kind in FUNCTIONS:
                self._functions.setdefault(part.name, []).append(part)
            elif kind == "Import":
                self._modules |= {(a.asname or a.name).partition(".")[0] for a in part.names}
            self._collect(part)

    def _holds_run(self, node: Any) -> bool:
        return self._is_run(node) or any(self._holds_run(part) for part in _parts(node))

    def _is_run(self, node: Any) -> bool:
        if _name(node) != "Attribute" or node.attr != "run":
            return False
        return not (_name(node.value) == "Name" and node.value.id in self._modules)

    def _follow(self, node: Any) -> None:
        kind = _name(node)
        if kind in FUNCTIONS:
            for decorator in node.decorator_list:
                self._follow(decorator)
            # Decorators of command lines have it called.
            if node.decorator_list and not _is_a_handler(node):
                self._enter(node.name)
        elif kind == "If":
            self._follow_if(node)
        else:
            self._found = self._found or self._is_run(node)
            self._enter(getattr(node, "id", None) or getattr(node, "attr", None))
            for part in _parts(node):
                self._follow(part)

    def _enter(self, name: str | None) -> None:
        """A function that is named is taken as one that is called."""
        for function in self._functions.get(name or "", ()):
            if id(function) not in self._seen:
                self._seen.add(id(function))
                for statement in function.body:
                    self._follow(statement)

    def _follow_if(self, node: Any) -> None:
        never = self._never(node)
        self._follow(node.test)
        if never is not None and any(self._holds_run(part) for part in node.body):
            self._guards.append(never)
        for part in (*(node.body if never is None else ()), *node.orelse):
            self._follow(part)

    def _never(self, node: Any) -> str | None:
        """Why a branch is not taken when the program is started; None if it may be."""
        test, line = node.test, f"line {node.lineno}"
        if _name(test) == "Constant" and not test.value:
            return f"{line} is never true"
        if getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING":
            return f"{line} is for type checkers alone"
        asked = _asked_of_name(test)
        if asked is None or (asked[0] == "Eq") == (asked[1] == MAIN):
            return None
        if asked[0] == "Eq":
            return f"{line} asks for __name__ == {asked[1]!r}, but it is {MAIN!r}"
        return f"{line} is not true in the file that is started" if asked[1] == MAIN else None


def _asked_of_name(test: Any) -> tuple[str, object] | None:
    """The operator, and what `__name__` is compared with."""
    if _name(test) != "Compare" or len(test.ops) != 1:
        return None
    sides = [test.left, *test.comparators]
    names = [side.id for side in sides if _name(side) == "Name"]
    values = [side.value for side in sides if _name(side) == "Constant"]
    known = _name(test.ops[0]) in ("Eq", "NotEq") and names == ["__name__"] and len(values) == 1
    return (_name(test.ops[0]), values[0]) if known else None
