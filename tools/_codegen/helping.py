"""The methods of types that work with their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _codegen.model import Object

# Methods of types, which lead to the functions of `animus_routes.matching`: name, parameter, result,
# function and what it says.
HELP = {
    "SubjectFilter": [
        ("matches", "subject: Subject", "bool", "subject_matches", "Does it meet every condition?"),
    ],
    "LogQuery": [
        ("matches", "entry: LogEntry", "bool", "entry_matches", "Does it meet every condition?"),
    ],
    "SubjectPatch": [
        (
            "changes",
            "",
            "dict[str, Any]",
            "changes",
            "What it sets, by field; assignee None clears.",
        ),
        ("apply", "subject: Subject", "Subject", "patched", "A changed copy of the subject."),
    ],
}


def help_lines(definition: Object) -> list[list[str]]:
    """The methods that work with a type's values."""
    blocks: list[list[str]] = []
    for name, parameter, result, function, says in HELP.get(definition.name, ()):
        given = ", ".join(filter(None, ("self", parameter)))
        passed = ", ".join(filter(None, ("self", parameter.partition(":")[0])))
        blocks.append(
            [
                f"    def {name}({given}) -> {result}:",
                f'        """{says}"""',
                f"        from animus_routes.matching import {function}",
                "",
                f"        return {function}({passed})",
            ]
        )
    return blocks
