"""What may come next on a line of the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from animus_routes.dev.knowing import Knowledge

TEXT_KINDS: Final = frozenset({"true", "false"})


def completions(
    line: str, word: str, knowledge: Knowledge | None, commands: Mapping[str, str]
) -> list[str]:
    """What the last word of a line may become.

    Args:
        line: Up to the cursor.
        word: The word before the cursor, with which the line ends.
        knowledge: Of the plugin; None if it does not run.
        commands: The shell's own, which begin with a dot.
    """
    words = line[: len(line) - len(word)].split()
    methods = knowledge.methods if knowledge is not None else []
    if not words:
        return [f"{one} " for one in _beginning(word, (*commands, *methods))]
    if words[0] == ".methods":
        return _beginning(word, methods)
    if words[0] == ".notify":
        del words[0]
        if not words:
            return [f"{one} " for one in _beginning(word, methods)]
    if knowledge is None or words[0].startswith("."):
        return []
    return _params(words, word, knowledge)


def _params(words: list[str], word: str, knowledge: Knowledge) -> list[str]:
    known = knowledge.params(words[0])
    name, equals, begun = word.partition("=")
    if equals:
        values = known.get(name.removesuffix(":"), [])
        return [f"{name}={value} " for value in _beginning(begun, values)]
    given = {one.partition("=")[0].removesuffix(":") for one in words[1:]}
    left = {one: values for one, values in known.items() if one not in given}
    return [
        f"{one}:=" if values and {*values} <= TEXT_KINDS else f"{one}="
        for one, values in left.items()
        if one.startswith(word)
    ]


def _beginning(begun: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(begun)]
