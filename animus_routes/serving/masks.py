"""The values of variables that an app declares as `sensitive`, kept out of what is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.engine.stderr import utf8

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST: Final = 4  # a shorter value is no secret, and would mask half of every line
MASK: Final = "***"


class Masks:
    """Takes the values of variables out of texts.

    Args:
        names: The variables that are secret; each value is looked up when a text is masked.
    """

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._values: list[str] = []
        self._forms: list[str] = []

    def masked(self, value: Any) -> Any:
        """A value whose texts lack those of sensitive variables, in any form that text may have them.

        What is neither text nor JSON becomes what it is written as.
        """
        forms = self.forms()
        if value is None or not forms:
            return value
        return without(forms, value)

    def forms(self) -> list[str]:
        """What is masked: every form that text may have of a value."""
        values = [os.environ.get(name, "").strip() for name in self._names]
        if values != self._values:
            # What was a secret once stays one.
            self._forms = forms_of(values, self._forms)
            self._values = values
        return self._forms


def forms_of(values: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """How texts may have secrets, with what is known already; for `without`."""
    found = {form for value in values if len(value) >= SHORTEST for form in _forms(value)}
    # Longer ones first: one may hold another.
    return sorted({*known, *found}, key=len, reverse=True)


def without(forms: list[str], value: Any) -> Any:
    """A value whose texts have none of these. What is neither text nor JSON becomes what it is written as."""
    if isinstance(value, str):
        return _without(forms, value)
    from animus_routes.values.codecs import to_builtins

    return without_in_json(forms, to_builtins(value))


def _without(forms: list[str], text: str) -> str:
    for form in forms:
        text = text.replace(form, MASK)
    return text


def without_in_json(forms: list[str], value: Any) -> Any:
    """The same for what was decoded from JSON."""
    if isinstance(value, str):
        return _without(forms, value)
    if isinstance(value, list):
        return [without_in_json(forms, item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        found = cast("dict[str, object]", value).items()
        return {_without(forms, key): without_in_json(forms, item) for key, item in found}
    if isinstance(value, int | float) and str(value) in forms:
        return MASK
    return value


def _forms(value: str) -> set[str]:
    """A value as text has it: plain, in a `repr`, in JSON, in a URL; or one of its longer lines."""
    from json import dumps
    from urllib.parse import quote, quote_plus

    text = utf8(value).decode()
    lines = {line.strip() for line in text.splitlines()}
    found = {text, repr(text)[1:-1], dumps(text)[1:-1], dumps(text, ensure_ascii=False)[1:-1]}
    found |= {quote(text), quote(text, safe=""), quote_plus(text)}
    return found | {line for line in lines if len(line) >= 2 * SHORTEST}
