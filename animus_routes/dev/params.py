"""Params on a command line: one JSON object, or `key=text` and `key:=json`."""

from __future__ import annotations

import json
import sys
from typing import Any


class NotParamsError(Exception):
    """They cannot be read; the message is for a person."""


def is_params(argument: str) -> bool:
    """Can it be params, and no app and no method?"""
    key, equals, _ = argument.partition("=")
    return argument == "-" or argument.lstrip().startswith("{") or bool(equals and _name(key))


def read_params(arguments: list[str]) -> dict[str, Any] | None:
    """The params of a call; None if there are no arguments.

    Args:
        arguments: One JSON object, or `-` for one on stdin, or any number of `key=text` (a string)
            and `key:=json` (any value).

    Raises:
        NotParamsError: They are none.
    """
    if not arguments:
        return None
    first = arguments[0]
    if first == "-" or first.lstrip().startswith("{"):
        if len(arguments) > 1:
            raise NotParamsError("the params are one JSON object, or key=text and key:=json")
        return _document(sys.stdin.read() if first == "-" else first)
    params: dict[str, Any] = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        name = _name(key)
        if not equals or not name:
            raise NotParamsError(f"{argument!r} is none of: a JSON object, key=text, key:=json")
        if name in params:
            raise NotParamsError(f"'{name}' is given twice")
        params[name] = _value(name, text) if key.endswith(":") else text
    return params


def _name(key: str) -> str:
    """The name of `key` or `key:`; "" if it cannot be one."""
    name = key.removesuffix(":")
    return name if name.replace("-", "_").replace(".", "_").isidentifier() else ""


def _value(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise NotParamsError(
            f"{name}:={text}: what follows := is not JSON ({error}); text is {name}={text}"
        ) from None


def _document(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        params = json.loads(text)
    except ValueError as error:
        raise NotParamsError(f"the params are not JSON: {error}") from None
    if not isinstance(params, dict):
        raise NotParamsError(f"the params have to be a JSON object, not {text[:40]}")
    return params  # pyright: ignore[reportUnknownVariableType]
